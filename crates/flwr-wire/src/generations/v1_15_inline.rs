//! flwr 1.15 to 1.18: a message has its content in it. What is not here, these releases say as
//! later ones do.

use std::sync::Arc;

use flwr_proto as proto;
use flwr_proto::shared::{PingRequest, PingResponse};
use flwr_proto::v1_15 as wire;

use super::WireName;
use crate::host::{FleetHost, ServerAppHost};
use crate::methods::{Size, fleet, runtime};
use crate::objects;
use crate::raw::{has_bytes, has_number};
use crate::rpc::Rpc;
use crate::unconfirmed::Unconfirmed;

mod apps;
mod message;
mod nodes;

/// What the state notes beside a node of this generation.
pub const NAME: WireName = WireName("inline");
/// All of them.
pub const NAMES: &[WireName] = &[NAME];
/// Their nodes sign their requests.
pub const IS_SIGNED: bool = true;
/// They speak over gRPC alone.
pub(crate) const IS_OVER_HTTP: bool = false;

/// Field 3 of a node's PushMessages: the trees of later releases.
const TREES: u32 = 3;
/// Field 2 of a ServerApp's PushMessages and PullMessages: the run, a number.
const RUN: u32 = 2;

const PING: Rpc<PingRequest, PingResponse> = Rpc::at("/flwr.proto.Fleet/Ping");
const PULL_MESSAGES: Rpc<proto::PullMessagesRequest, wire::PullMessagesResponse> =
    Rpc::at("/flwr.proto.Fleet/PullMessages");
const PUSH_MESSAGES: Rpc<wire::PushMessagesRequest, proto::PushMessagesResponse> =
    Rpc::at("/flwr.proto.Fleet/PushMessages");

/// What nodes of this generation call.
pub(crate) fn fleet<H: FleetHost>(m: &mut fleet::Methods<H>) {
    use fleet::Rules;
    m.signed(NAME, PING, Rules::SIGN_OF_LIFE, nodes::ping);
    m.pull(
        NAME,
        PULL_MESSAGES,
        objects::check_pull,
        nodes::pulled_messages,
    );
    let without_trees = Rules::NODE
        .with_layout(|body| !has_bytes(body, TREES))
        .of_size(Size::INLINE_MESSAGES);
    m.signed(NAME, PUSH_MESSAGES, without_trees, nodes::push_messages);
}

/// What ServerApp processes of this generation call.
pub(crate) fn serverapps<H: ServerAppHost>(m: &mut runtime::Methods<H>) {
    use runtime::Rules;
    let inputs = Rpc::at("/flwr.proto.ServerAppIo/PullServerAppInputs");
    m.call(
        inputs,
        Rules::CALL,
        apps::without_run,
        apps::pull_server_app_inputs,
    );
    let outputs = Rpc::at("/flwr.proto.ServerAppIo/PushServerAppOutputs");
    m.call(
        outputs,
        Rules::CALL.of_size(Size::INLINE_OUTPUTS),
        apps::by_outputs,
        apps::push_server_app_outputs,
    );
    let with_run = |rules: Rules| rules.with_layout(|body| has_number(body, RUN));
    let push = Rpc::at("/flwr.proto.ServerAppIo/PushMessages");
    m.call(
        push,
        with_run(Rules::CALL).of_size(Size::INLINE_MESSAGES),
        apps::by_push,
        apps::push_messages,
    );
    let unconfirmed = Arc::new(Unconfirmed::default());
    let pull = "/flwr.proto.ServerAppIo/PullMessages";
    let ids = with_run(Rules::HELD).of_size(Size::IDS);
    m.open(pull, ids, move |host, head, request| {
        apps::pull_messages(Arc::clone(&unconfirmed), host, head, request)
    });
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use flwr_proto::{PullAppMessagesRequest, PushAppMessagesRequest};
    use prost::Message;

    use super::*;

    fn bytes(message: &impl Message) -> Bytes {
        message.encode_to_vec().into()
    }

    #[test]
    fn the_place_of_the_run_tells_the_layout() {
        let run_id = 7;
        let newer = bytes(&PullAppMessagesRequest {
            token: "t".to_owned(),
            message_ids: vec!["a".to_owned()],
            run_id,
        });
        let older = bytes(&wire::PullResMessagesRequest {
            message_ids: vec!["a".to_owned()],
            run_id,
        });
        assert!(!has_number(&newer, 2) && has_number(&older, 2));
        let newer = bytes(&PushAppMessagesRequest {
            messages_list: vec![Default::default()],
            run_id,
            ..PushAppMessagesRequest::default()
        });
        let older = bytes(&wire::PushInsMessagesRequest {
            messages_list: vec![Default::default()],
            run_id,
        });
        assert!(!has_number(&newer, 2) && has_number(&older, 2));
        assert!(!has_number(&Bytes::from_static(b"\xff\xff"), 2));
    }
}
