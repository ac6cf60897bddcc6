//! The methods of Fleet since flwr 1.20, for both halves.

use flwr_proto as proto;

use super::ObjectRpcs;
use crate::rpc::Rpc;

pub(crate) const SEND_NODE_HEARTBEAT: Rpc<
    proto::SendNodeHeartbeatRequest,
    proto::SendNodeHeartbeatResponse,
> = Rpc::at("/flwr.proto.Fleet/SendNodeHeartbeat");
pub(crate) const PULL_MESSAGES: Rpc<proto::PullMessagesRequest, proto::PullMessagesResponse> =
    Rpc::at("/flwr.proto.Fleet/PullMessages");
pub(crate) const PUSH_MESSAGES: Rpc<proto::PushMessagesRequest, proto::PushMessagesResponse> =
    Rpc::at("/flwr.proto.Fleet/PushMessages");
pub(crate) const GET_RUN: Rpc<proto::GetRunRequest, proto::GetRunResponse> =
    Rpc::at("/flwr.proto.Fleet/GetRun");
pub(crate) const GET_FAB: Rpc<proto::GetFabRequest, proto::GetFabResponse> =
    Rpc::at("/flwr.proto.Fleet/GetFab");
pub(crate) const OBJECTS: ObjectRpcs = ObjectRpcs {
    push: Rpc::at("/flwr.proto.Fleet/PushObject"),
    pull: Rpc::at("/flwr.proto.Fleet/PullObject"),
    confirm: Rpc::at("/flwr.proto.Fleet/ConfirmMessageReceived"),
};
