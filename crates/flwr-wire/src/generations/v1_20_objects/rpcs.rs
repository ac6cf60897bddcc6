//! The methods of Fleet in flwr 1.20 to 1.22, for both halves.

use flwr_proto as proto;

use crate::objects::ObjectRpcs;
use crate::rpc::Rpc;

pub(super) const CREATE_NODE: Rpc<proto::CreateNodeRequest, proto::CreateNodeResponse> =
    Rpc::at("/flwr.proto.Fleet/CreateNode");
pub(super) const DELETE_NODE: Rpc<proto::DeleteNodeRequest, proto::DeleteNodeResponse> =
    Rpc::at("/flwr.proto.Fleet/DeleteNode");
pub(super) const SEND_NODE_HEARTBEAT: Rpc<
    proto::SendNodeHeartbeatRequest,
    proto::SendNodeHeartbeatResponse,
> = Rpc::at("/flwr.proto.Fleet/SendNodeHeartbeat");
pub(super) const PULL_MESSAGES: Rpc<proto::PullMessagesRequest, proto::PullMessagesResponse> =
    Rpc::at("/flwr.proto.Fleet/PullMessages");
pub(super) const PUSH_MESSAGES: Rpc<proto::PushMessagesRequest, proto::PushMessagesResponse> =
    Rpc::at("/flwr.proto.Fleet/PushMessages");
pub(super) const GET_RUN: Rpc<proto::GetRunRequest, proto::GetRunResponse> =
    Rpc::at("/flwr.proto.Fleet/GetRun");
pub(super) const GET_FAB: Rpc<proto::GetFabRequest, proto::GetFabResponse> =
    Rpc::at("/flwr.proto.Fleet/GetFab");
pub(super) const OBJECTS: ObjectRpcs = ObjectRpcs {
    push: Rpc::at("/flwr.proto.Fleet/PushObject"),
    pull: Rpc::at("/flwr.proto.Fleet/PullObject"),
    confirm: Rpc::at("/flwr.proto.Fleet/ConfirmMessageReceived"),
};
