//! The names of the methods, for both halves.

pub(super) const START_RUN: &str = "/flwr.proto.Control/StartRun";
pub(super) const STOP_RUN: &str = "/flwr.proto.Control/StopRun";
pub(super) const LIST_RUNS: &str = "/flwr.proto.Control/ListRuns";
pub(super) const STREAM_LOGS: &str = "/flwr.proto.Control/StreamLogs";
pub(super) const GET_LOGIN_DETAILS: &str = "/flwr.proto.Control/GetLoginDetails";
pub(super) const GET_AUTH_TOKENS: &str = "/flwr.proto.Control/GetAuthTokens";
pub(super) const PULL_ARTIFACTS: &str = "/flwr.proto.Control/PullArtifacts";
pub(super) const LIST_NODES: &str = "/flwr.proto.Control/ListNodes";

/// The name of a method until flwr 1.20. `None`: there was no such method.
#[must_use]
pub fn exec_path(path: &str) -> Option<&'static str> {
    Some(match path {
        START_RUN => "/flwr.proto.Exec/StartRun",
        STOP_RUN => "/flwr.proto.Exec/StopRun",
        LIST_RUNS => "/flwr.proto.Exec/ListRuns",
        STREAM_LOGS => "/flwr.proto.Exec/StreamLogs",
        GET_LOGIN_DETAILS => "/flwr.proto.Exec/GetLoginDetails",
        GET_AUTH_TOKENS => "/flwr.proto.Exec/GetAuthTokens",
        _ => return None,
    })
}

/// All names of a method.
pub(super) fn names(path: &'static str) -> impl Iterator<Item = &'static str> {
    std::iter::once(path).chain(exec_path(path))
}
