//! A node comes, or comes back: its key says which it is.

use flwr_core::id::NodeId;
use flwr_core::time::Timestamp;
use flwr_security::key::PublicKey;
use rusqlite::Connection;

use super::{messages, nodes};
use crate::link::state::{Freed, Registration, StateResult};

pub(super) fn register(
    connection: &Connection,
    key: &PublicKey,
    fresh: NodeId,
    until: Timestamp,
) -> StateResult<Registration> {
    if let Some(node) = nodes::of_key(connection, key)? {
        return Ok(Registration {
            node,
            resumed: true,
            freed: messages::unclaim(connection, node)?,
        });
    }
    nodes::add(connection, fresh, key, until)?;
    Ok(Registration {
        node: fresh,
        resumed: false,
        freed: Freed::default(),
    })
}
