//! The calls of the `flwr` command, on the SuperLink.

use std::time::Duration;

use flwr_core::config;
use flwr_core::id::RunId;
use flwr_core::port::control::{LogEntry, LogReader, RunFilter, RunUse, Runs, Start};
use flwr_core::port::{Control, Result, SignIn};
use flwr_core::refusal::{FEDERATION, Failure, Feature, Refusal};
use flwr_core::run::Run;
use flwr_core::time::Timestamp;
use flwr_proto as proto;
use futures::stream::{self, Stream};

use crate::host::Release;
use crate::methods::Request;

pub(super) mod federations;
pub(super) mod nodes;

/// Readers with less time than this read one answer: `flwr log --show` of flwr 1.20 to 1.22 gives the
/// call 5 s, prints the first answer and ends. Readers that follow a log give a call a minute.
const ONE_ANSWER: Duration = Duration::from_secs(10);

/// From this release on the hash beside a bundle is not read (checked with 1.34.0 and 1.36.0).
const WITHOUT_HASH: Release = Release::new(1, 35);
/// From this release on a command prints the federation of a run that it has started, and knows the task
/// of a ServerApp by another word.
const WITH_TASK_TYPES: Release = Release::new(1, 32);
/// From this release on a command knows the answer of a SuperLink where nobody logs in. Earlier commands
/// read that by the status of a refusal.
const WITH_NO_LOGIN: Release = Release::new(1, 23);
/// That answer (flwr 1.31 and 1.42 wire).
const NO_LOGIN: &str = "noop";

pub(super) async fn start_run(
    control: impl Control,
    request: Request<proto::StartRunRequest>,
) -> Result<proto::StartRunResponse> {
    let release = request.release;
    let proto::StartRunRequest {
        fab,
        override_config,
        app_spec,
        federation,
        ..
    } = request.message;
    let proto::Fab {
        hash_str, content, ..
    } = fab.unwrap_or_default();
    let is_hash_read = content.is_empty() || !is_at_least(release, WITHOUT_HASH);
    let start = Start {
        fab: content,
        fab_hash: if is_hash_read {
            hash_str
        } else {
            String::new()
        },
        app_spec,
        federation,
        overrides: config::from_wire(override_config).map_err(Refusal::from)?,
        ..Start::default()
    };
    let run = control.start(start).await?;
    let is_federation_read = run.is_some() && is_at_least(release, WITH_TASK_TYPES);
    Ok(proto::StartRunResponse {
        run_id: run.map(u64::from),
        federation: if is_federation_read {
            FEDERATION.to_owned()
        } else {
            String::new()
        },
        ..proto::StartRunResponse::default()
    })
}

/// Whether the caller is of this release or a later one.
fn is_at_least(release: Option<Release>, first: Release) -> bool {
    release.is_some_and(|release| release >= first)
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
    let which = RunFilter {
        only: request.message.run_id.map(RunId),
        newest: request.message.limit,
        skip: request.message.skip.unwrap_or_default(),
    };
    let runs = control.runs(which).await?;
    let now = runs.now.map(Timestamp::iso8601).unwrap_or_default();
    let runs = shown_runs(runs, request.release).into_iter();
    Ok(proto::ListRunsResponse {
        run_dict: runs.map(|run| (run.run_id, run)).collect(),
        now,
    })
}

/// Runs, as a command of this release reads them.
fn shown_runs(runs: Runs, release: Option<Release>) -> Vec<proto::Run> {
    let Runs { runs, uses, .. } = runs;
    let shown = |run: Run| {
        let used = uses.get(&run.id).copied().unwrap_or_default();
        shown_run(run, used, release)
    };
    runs.into_iter().map(shown).collect()
}

fn shown_run(run: Run, used: RunUse, release: Option<Release>) -> proto::Run {
    let account_name = match run.account.as_str() {
        "" => "none".to_owned(),
        account => account.to_owned(),
    };
    let task_type = if is_at_least(release, WITH_TASK_TYPES) {
        "flwr-serverapp"
    } else {
        "serverapp"
    };
    proto::Run {
        federation: FEDERATION.to_owned(),
        bytes_sent: used.sent,
        bytes_recv: used.received,
        clientapp_runtime: used.clientapp_seconds,
        primary_task_type: task_type.to_owned(),
        account_name,
        ..run.into()
    }
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

pub(super) async fn get_login_details(
    sign_in: impl SignIn,
    request: Request<proto::GetLoginDetailsRequest>,
) -> Result<proto::GetLoginDetailsResponse> {
    let login = match sign_in.login().await {
        Err(Failure::Refused(Refusal::NotOffered(Feature::Accounts)))
            if is_at_least(request.release, WITH_NO_LOGIN) =>
        {
            return Ok(proto::GetLoginDetailsResponse {
                auth_type: NO_LOGIN.to_owned(),
                ..Default::default()
            });
        }
        login => login?,
    };
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

pub(super) async fn refresh_auth_tokens(
    sign_in: impl SignIn,
    request: Request<proto::RefreshAuthTokensRequest>,
) -> Result<proto::GetAuthTokensResponse> {
    let tokens = sign_in.refresh(&request.message.refresh_token).await?;
    Ok(proto::GetAuthTokensResponse {
        access_token: tokens.access,
        refresh_token: tokens.refresh,
    })
}

#[cfg(test)]
mod tests;
