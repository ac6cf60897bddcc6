//! flwr 1.8 to 1.14: messages are tasks. Requests carry no signature: nodes show an HMAC of a
//! secret that they share with the SuperLink, or nothing.

use std::sync::Arc;

use super::WireName;
use crate::host::FleetHost;
use crate::methods::{Methods, Unproven};

mod admission;
mod canonical;
mod fleet;
pub mod layout;
pub mod records;
mod secret;
pub mod task;

pub use secret::{PUBLIC_KEY_HEADER, TOKEN_HEADER, public_key_text};

use fleet::Generation;

/// A node whose numbering of records is not known yet: its first reply tells.
pub(crate) const ANY: WireName = WireName("tasks");
/// A node of flwr 1.8 to 1.11.
pub(crate) const UNTIL_11: WireName = WireName("tasks-1.11");
/// A node of flwr 1.12 to 1.14.
pub(crate) const FROM_12: WireName = WireName("tasks-1.12");
/// What the state notes beside nodes of this generation.
pub const NAMES: &[WireName] = &[ANY, UNTIL_11, FROM_12];

/// What nodes of this generation call.
pub(crate) fn fleet<H: FleetHost>(m: &mut Methods<H>) {
    let generation = Arc::new(Generation::default());
    for (path, method) in fleet::METHODS {
        let generation = Arc::clone(&generation);
        m.unsigned(path, method.changes(), move |host: H, request: Unproven| {
            let generation = Arc::clone(&generation);
            async move { generation.answer(method, &host, request).await }
        });
    }
}
