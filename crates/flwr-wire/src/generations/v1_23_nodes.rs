//! flwr 1.23 to 1.39 over gRPC: a node is registered, and activated for each session. The SuperNode
//! registers itself, or a person has done so by the `flwr` command. What is not here, these releases
//! say as 1.20 to 1.22 do.

use super::WireName;
use crate::host::FleetHost;
use crate::methods::fleet::{Methods, Rules};
use crate::objects;

mod call;
mod fleet;
mod rpcs;

pub use call::{FleetCaller, fleet_over, is_earlier};

/// What the state notes beside a node of this generation.
pub const NAME: WireName = WireName("nodes");
/// All of them.
pub const NAMES: &[WireName] = &[NAME];
/// Their nodes sign their requests.
pub const IS_SIGNED: bool = true;
/// They speak over HTTP, too: flwr 1.40 and later.
pub(crate) const IS_OVER_HTTP: bool = true;

/// What nodes of this generation call.
pub(crate) fn fleet<H: FleetHost>(m: &mut Methods<H>) {
    // A key that may not come in is a matter of the node's registration here. SuperNodes of flwr
    // 1.29 to 1.39 that are answered UNAUTHENTICATED end without a word.
    let registering = Rules::KEY.turning_away(fleet::registered_by_people);
    m.signed(NAME, rpcs::REGISTER_NODE, registering, fleet::register_node);
    let entering = Rules::KEY.turning_away(fleet::no_node).telling();
    m.entry(NAME, rpcs::ACTIVATE_NODE, entering, fleet::activate_node);
    m.signed(
        NAME,
        rpcs::DEACTIVATE_NODE,
        Rules::NODE,
        fleet::deactivate_node,
    );
    m.signed(
        NAME,
        rpcs::UNREGISTER_NODE,
        Rules::NODE,
        fleet::unregister_node,
    );
    objects::fleet(m, NAME);
}
