//! The methods of ServerAppIo in flwr 1.20 to 1.29, for both halves.

use flwr_proto as proto;

use crate::objects::ObjectRpcs;
use crate::rpc::Rpc;

pub(super) const REQUEST_TOKEN: Rpc<proto::RequestTokenRequest, proto::RequestTokenResponse> =
    Rpc::at("/flwr.proto.ServerAppIo/RequestToken");
pub(super) const GET_RUN_STATUS: Rpc<proto::GetRunStatusRequest, proto::GetRunStatusResponse> =
    Rpc::at("/flwr.proto.ServerAppIo/GetRunStatus");
pub(super) const PULL_APP_INPUTS: Rpc<proto::PullAppInputsRequest, proto::PullAppInputsResponse> =
    Rpc::at("/flwr.proto.ServerAppIo/PullAppInputs");
pub(super) const PUSH_APP_OUTPUTS: Rpc<
    proto::PushAppOutputsRequest,
    proto::PushAppOutputsResponse,
> = Rpc::at("/flwr.proto.ServerAppIo/PushAppOutputs");
pub(super) const PUSH_MESSAGES: Rpc<proto::PushAppMessagesRequest, proto::PushAppMessagesResponse> =
    Rpc::at("/flwr.proto.ServerAppIo/PushMessages");
pub(super) const PULL_MESSAGES: Rpc<proto::PullAppMessagesRequest, proto::PullAppMessagesResponse> =
    Rpc::at("/flwr.proto.ServerAppIo/PullMessages");
pub(super) const GET_NODES: Rpc<proto::GetNodesRequest, proto::GetNodesResponse> =
    Rpc::at("/flwr.proto.ServerAppIo/GetNodes");
pub(super) const GET_RUN: Rpc<proto::GetRunRequest, proto::GetRunResponse> =
    Rpc::at("/flwr.proto.ServerAppIo/GetRun");
pub(super) const GET_FAB: Rpc<proto::GetFabRequest, proto::GetFabResponse> =
    Rpc::at("/flwr.proto.ServerAppIo/GetFab");
pub(super) const UPDATE_RUN_STATUS: Rpc<
    proto::UpdateRunStatusRequest,
    proto::UpdateRunStatusResponse,
> = Rpc::at("/flwr.proto.ServerAppIo/UpdateRunStatus");
pub(super) const PUSH_LOGS: Rpc<proto::PushLogsRequest, proto::PushLogsResponse> =
    Rpc::at("/flwr.proto.ServerAppIo/PushLogs");
pub(super) const SEND_APP_HEARTBEAT: Rpc<
    proto::SendAppHeartbeatRequest,
    proto::SendAppHeartbeatResponse,
> = Rpc::at("/flwr.proto.ServerAppIo/SendAppHeartbeat");
pub(super) const OBJECTS: ObjectRpcs = ObjectRpcs {
    push: Rpc::at("/flwr.proto.ServerAppIo/PushObject"),
    pull: Rpc::at("/flwr.proto.ServerAppIo/PullObject"),
    confirm: Rpc::at("/flwr.proto.ServerAppIo/ConfirmMessageReceived"),
};
