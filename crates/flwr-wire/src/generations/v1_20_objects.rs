//! flwr 1.20 to 1.22: a message is its metadata and the tree of its objects; its content travels
//! as objects.

use super::WireName;
use crate::host::FleetHost;
use crate::methods::Size;
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

/// Field 3 of PushMessages: the trees, which earlier releases do not have.
const TREES: u32 = 3;

/// What nodes of this generation call.
pub(crate) fn fleet<H: FleetHost>(m: &mut Methods<H>) {
    let node = Rules::NODE;
    m.signed(NAME, rpcs::CREATE_NODE, Rules::KEY, fleet::create_node);
    m.signed(NAME, rpcs::DELETE_NODE, node, fleet::delete_node);
    m.signed(
        NAME,
        rpcs::SEND_NODE_HEARTBEAT,
        Rules::SIGN_OF_LIFE,
        fleet::send_node_heartbeat,
    );
    m.pull(
        NAME,
        rpcs::PULL_MESSAGES,
        objects::check_pull,
        fleet::pulled_messages,
    );
    let with_trees = node
        .with_layout(|body| crate::raw::has_bytes(body, TREES))
        .of_size(Size::REPLY);
    m.signed(NAME, rpcs::PUSH_MESSAGES, with_trees, fleet::push_messages);
    m.signed(NAME, rpcs::GET_RUN, node, fleet::get_run);
    m.signed(NAME, rpcs::GET_FAB, node, fleet::get_fab);
    let object = node.of_size(Size::CONTENT);
    m.signed(NAME, rpcs::OBJECTS.push, object, fleet::push_object);
    m.signed(NAME, rpcs::OBJECTS.pull, node, fleet::pull_object);
    m.signed(
        NAME,
        rpcs::OBJECTS.confirm,
        node,
        fleet::confirm_message_received,
    );
}
