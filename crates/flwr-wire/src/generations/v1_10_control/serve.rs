//! The calls of the `flwr` command, on the SuperLink.

use std::time::Duration;

use flwr_core::config;
use flwr_core::id::RunId;
use flwr_core::port::control::{LogEntry, LogReader, NodeInfo, Runs, Start};
use flwr_core::port::{Control, Result, SignIn};
use flwr_core::refusal::Refusal;
use flwr_core::time::Timestamp;
use flwr_proto as proto;
use flwr_security::key::spki_to_pem;
use futures::stream::{self, Stream};

use crate::methods::Request;

/// Readers with less time than this read one answer: `flwr log --show` of flwr 1.20 to 1.22 gives the
/// call 5 s, prints the first answer and ends. Readers that follow a log give a call a minute.
const ONE_ANSWER: Duration = Duration::from_secs(10);

pub(super) async fn start_run(
    control: impl Control,
    request: Request<proto::StartRunRequest>,
) -> Result<proto::StartRunResponse> {
    let proto::StartRunRequest {
        fab,
        override_config,
        ..
    } = request.message;
    let start = Start {
        fab: fab.unwrap_or_default().content,
        overrides: config::from_wire(override_config).map_err(Refusal::from)?,
        ..Start::default()
    };
    let run = control.start(start).await?;
    Ok(proto::StartRunResponse {
        run_id: run.map(u64::from),
        ..proto::StartRunResponse::default()
    })
}

pub(super) async fn stop_run(
    control: impl Control,
    request: Request<proto::StopRunRequest>,
) -> Result<proto::StopRunResponse> {
    let success = control.stop(RunId(request.message.run_id)).await?;
    Ok(proto::StopRunResponse { success })
}

pub(super) async fn list_runs(
    control: impl Control,
    request: Request<proto::ListRunsRequest>,
) -> Result<proto::ListRunsResponse> {
    let only = request.message.run_id.map(RunId);
    let Runs { runs, now } = control.runs(only).await?;
    let runs = runs.into_iter().map(|run| (run.id.0, run.into()));
    Ok(proto::ListRunsResponse {
        run_dict: runs.collect(),
        now: now.map(Timestamp::iso8601).unwrap_or_default(),
    })
}

pub(super) async fn stream_logs<C: Control>(
    control: C,
    request: Request<proto::StreamLogsRequest>,
) -> Result<impl Stream<Item = Result<proto::StreamLogsResponse>>> {
    let proto::StreamLogsRequest {
        run_id,
        after_timestamp,
    } = request.message;
    let after = Timestamp::from_secs(after_timestamp);
    let reads_one_answer = request.patience <= ONE_ANSWER;
    let log = control.log(RunId(run_id), after).await?;
    let begun = (log, reads_one_answer);
    Ok(stream::try_unfold(
        begun,
        |(mut log, whole): (C::Log, bool)| async move {
            let entry = if whole {
                log.next_whole().await?
            } else {
                log.next().await?
            };
            Ok(entry.map(|entry| (log_entry(entry), (log, false))))
        },
    ))
}

fn log_entry(entry: LogEntry) -> proto::StreamLogsResponse {
    proto::StreamLogsResponse {
        log_output: entry.text,
        latest_timestamp: entry.at.as_secs(),
    }
}

pub(super) async fn pull_artifacts(
    control: impl Control,
    request: Request<proto::PullArtifactsRequest>,
) -> Result<proto::PullArtifactsResponse> {
    let url = control.artifacts(RunId(request.message.run_id)).await?;
    Ok(proto::PullArtifactsResponse { url })
}

pub(super) async fn list_nodes(
    control: impl Control,
    request: Request<proto::ListNodesRequest>,
) -> Result<proto::ListNodesResponse> {
    let nodes = control.nodes().await?;
    Ok(proto::ListNodesResponse {
        nodes_info: nodes.into_iter().map(node_info).collect(),
        now: request.now.iso8601(),
    })
}

fn node_info(node: NodeInfo) -> proto::NodeInfo {
    proto::NodeInfo {
        node_id: node.id.0,
        status: node.status.name().to_owned(),
        online_until: node.online_until.map(Timestamp::as_secs),
        public_key: spki_to_pem(&node.key).into(),
        certificate: node.certificate,
        ..proto::NodeInfo::default()
    }
}

pub(super) async fn get_login_details(
    sign_in: impl SignIn,
    _: Request<proto::GetLoginDetailsRequest>,
) -> Result<proto::GetLoginDetailsResponse> {
    let login = sign_in.login().await?;
    let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    Ok(proto::GetLoginDetailsResponse {
        expires_in: seconds(login.expires_in),
        interval: seconds(login.interval),
        auth_type: login.auth_type,
        device_code: login.device_code,
        verification_uri_complete: login.place,
    })
}

pub(super) async fn get_auth_tokens(
    sign_in: impl SignIn,
    request: Request<proto::GetAuthTokensRequest>,
) -> Result<proto::GetAuthTokensResponse> {
    let tokens = sign_in.tokens(&request.message.device_code).await?;
    // An empty answer is how `flwr` is told to ask again.
    let answer = tokens.map(|tokens| proto::GetAuthTokensResponse {
        access_token: tokens.access,
        refresh_token: tokens.refresh,
    });
    Ok(answer.unwrap_or_default())
}

#[cfg(test)]
mod tests;
