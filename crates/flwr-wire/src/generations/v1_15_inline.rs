//! flwr 1.15 to 1.18: a message has its content in it. What is not here, these releases say as
//! later ones do.

use super::WireName;
use crate::host::FleetHost;
use crate::methods::{Methods, Rules};
use crate::raw;

mod fleet;

/// What the state notes beside a node of this generation.
pub const NAME: WireName = WireName("inline");
/// All of them.
pub const NAMES: &[WireName] = &[NAME];

/// Field 3 of PushMessages: the trees of later releases.
const TREES: u32 = 3;

/// What nodes of this generation call.
pub(crate) fn fleet<H: FleetHost>(m: &mut Methods<H>) {
    m.signed(NAME, "/flwr.proto.Fleet/Ping", Rules::SIGN_OF_LIFE, fleet::ping);
    m.pull(NAME, "/flwr.proto.Fleet/PullMessages", fleet::check_pull, fleet::pulled_messages);
    let without_trees = Rules::NODE.changing().with_layout(|body| !raw::has_bytes(body, TREES));
    m.signed(NAME, "/flwr.proto.Fleet/PushMessages", without_trees, fleet::push_messages);
}
