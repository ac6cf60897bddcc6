//! flwr 1.20 to 1.22: a message is its metadata and the tree of its objects; its content travels
//! as objects. A node comes by CreateNode, and goes by DeleteNode.

use super::WireName;
use crate::host::FleetHost;
use crate::methods::fleet::{Methods, Rules};
use crate::objects;

mod call;
mod fleet;
mod rpcs;

pub use call::{FleetCaller, fleet_over};

/// What the state notes beside a node of this generation.
pub const NAME: WireName = WireName("objects");
/// All of them.
pub const NAMES: &[WireName] = &[NAME];
/// Their nodes sign their requests.
pub const IS_SIGNED: bool = true;
/// They speak over gRPC alone.
pub(crate) const IS_OVER_HTTP: bool = false;

/// What nodes of this generation call.
pub(crate) fn fleet<H: FleetHost>(m: &mut Methods<H>) {
    m.entry(NAME, rpcs::CREATE_NODE, Rules::KEY, fleet::create_node);
    m.signed(NAME, rpcs::DELETE_NODE, Rules::NODE, fleet::delete_node);
    objects::fleet(m, NAME);
}
