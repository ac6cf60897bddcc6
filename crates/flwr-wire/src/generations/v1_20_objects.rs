//! flwr 1.20 to 1.22: a message is its metadata and the tree of its objects; its content travels
//! as objects.

use super::WireName;
use crate::host::FleetHost;
use crate::methods::fleet::{Methods, Rules};
use crate::objects;

mod fleet;

/// What the state notes beside a node of this generation.
pub const NAME: WireName = WireName("objects");
/// All of them.
pub const NAMES: &[WireName] = &[NAME];

/// Field 3 of PushMessages: the trees, which earlier releases do not have.
const TREES: u32 = 3;

/// What nodes of this generation call.
pub(crate) fn fleet<H: FleetHost>(methods: &mut Methods<H>) {
    let m = methods;
    m.signed(
        NAME,
        "/flwr.proto.Fleet/CreateNode",
        Rules::KEY.changing(),
        fleet::create_node,
    );
    let change = Rules::NODE.changing();
    m.signed(
        NAME,
        "/flwr.proto.Fleet/DeleteNode",
        change,
        fleet::delete_node,
    );
    let sign = Rules::SIGN_OF_LIFE;
    m.signed(
        NAME,
        "/flwr.proto.Fleet/SendNodeHeartbeat",
        sign,
        fleet::send_node_heartbeat,
    );
    m.pull(
        NAME,
        "/flwr.proto.Fleet/PullMessages",
        objects::check_pull,
        fleet::pulled_messages,
    );
    let with_trees = change.with_layout(|body| crate::raw::has_bytes(body, TREES));
    m.signed(
        NAME,
        "/flwr.proto.Fleet/PushMessages",
        with_trees,
        fleet::push_messages,
    );
    m.signed(
        NAME,
        "/flwr.proto.Fleet/GetRun",
        Rules::NODE,
        fleet::get_run,
    );
    m.signed(
        NAME,
        "/flwr.proto.Fleet/GetFab",
        Rules::NODE,
        fleet::get_fab,
    );
    m.signed(
        NAME,
        "/flwr.proto.Fleet/PushObject",
        change,
        fleet::push_object,
    );
    m.signed(
        NAME,
        "/flwr.proto.Fleet/PullObject",
        Rules::NODE,
        fleet::pull_object,
    );
    let confirm = fleet::confirm_message_received;
    m.signed(
        NAME,
        "/flwr.proto.Fleet/ConfirmMessageReceived",
        change,
        confirm,
    );
}
