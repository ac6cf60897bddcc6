//! The methods, for both halves.

use flwr_proto as proto;

use crate::rpc::Rpc;

pub(super) const START_RUN: Rpc<proto::StartRunRequest, proto::StartRunResponse> =
    Rpc::at("/flwr.proto.Control/StartRun");
pub(super) const STOP_RUN: Rpc<proto::StopRunRequest, proto::StopRunResponse> =
    Rpc::at("/flwr.proto.Control/StopRun");
pub(super) const LIST_RUNS: Rpc<proto::ListRunsRequest, proto::ListRunsResponse> =
    Rpc::at("/flwr.proto.Control/ListRuns");
pub(super) const STREAM_LOGS: Rpc<proto::StreamLogsRequest, proto::StreamLogsResponse> =
    Rpc::at("/flwr.proto.Control/StreamLogs");
pub(super) const GET_LOGIN_DETAILS: Rpc<
    proto::GetLoginDetailsRequest,
    proto::GetLoginDetailsResponse,
> = Rpc::at("/flwr.proto.Control/GetLoginDetails");
pub(super) const GET_AUTH_TOKENS: Rpc<proto::GetAuthTokensRequest, proto::GetAuthTokensResponse> =
    Rpc::at("/flwr.proto.Control/GetAuthTokens");
/// Over HTTP only (flwr 1.36 and later).
pub(super) const REFRESH_AUTH_TOKENS: Rpc<
    proto::RefreshAuthTokensRequest,
    proto::GetAuthTokensResponse,
> = Rpc::at("/flwr.proto.Control/RefreshAuthTokens");
pub(super) const PULL_ARTIFACTS: Rpc<proto::PullArtifactsRequest, proto::PullArtifactsResponse> =
    Rpc::at("/flwr.proto.Control/PullArtifacts");
pub(super) const REGISTER_NODE: Rpc<proto::RegisterNodeRequest, proto::RegisterNodeResponse> =
    Rpc::at("/flwr.proto.Control/RegisterNode");
pub(super) const UNREGISTER_NODE: Rpc<proto::UnregisterNodeRequest, proto::UnregisterNodeResponse> =
    Rpc::at("/flwr.proto.Control/UnregisterNode");
pub(super) const LIST_NODES: Rpc<proto::ListNodesRequest, proto::ListNodesResponse> =
    Rpc::at("/flwr.proto.Control/ListNodes");

pub(super) const LIST_FEDERATIONS: Rpc<
    proto::ListFederationsRequest,
    proto::ListFederationsResponse,
> = Rpc::at("/flwr.proto.Control/ListFederations");
pub(super) const SHOW_FEDERATION: Rpc<proto::ShowFederationRequest, proto::ShowFederationResponse> =
    Rpc::at("/flwr.proto.Control/ShowFederation");

/// The methods that flwr 1.20 and earlier have too, with their names there.
const OF_EXEC: [(&str, &str); 6] = [
    (START_RUN.path(), "/flwr.proto.Exec/StartRun"),
    (STOP_RUN.path(), "/flwr.proto.Exec/StopRun"),
    (LIST_RUNS.path(), "/flwr.proto.Exec/ListRuns"),
    (STREAM_LOGS.path(), "/flwr.proto.Exec/StreamLogs"),
    (GET_LOGIN_DETAILS.path(), "/flwr.proto.Exec/GetLoginDetails"),
    (GET_AUTH_TOKENS.path(), "/flwr.proto.Exec/GetAuthTokens"),
];

/// The name of a method until flwr 1.20. `None`: there was no such method.
#[must_use]
pub fn exec_path(path: &str) -> Option<&'static str> {
    let mut methods = OF_EXEC.into_iter();
    let found = methods.find(|(control, _)| *control == path);
    found.map(|(_, exec)| exec)
}

/// The method under all its names.
pub(super) fn all_names<Q, A>(rpc: Rpc<Q, A>) -> impl Iterator<Item = Rpc<Q, A>> {
    let exec = exec_path(rpc.path()).map(Rpc::at);
    std::iter::once(rpc).chain(exec)
}
