//! Answers of a SuperLink in domain words.

use std::collections::BTreeMap;
use std::time::Duration;

use flwr_core::port::Result;
use flwr_core::port::control::{Login, RunUse, Runs, Tokens};
use flwr_core::time::Timestamp;
use flwr_proto as proto;

use crate::objects::read_run;

pub(super) fn runs(answer: proto::ListRunsResponse) -> Result<Runs> {
    runs_of(answer.run_dict.into_values(), &answer.now)
}

/// Runs in any order, at this time.
pub(super) fn runs_of(runs: impl Iterator<Item = proto::Run>, now: &str) -> Result<Runs> {
    let mut read = Vec::new();
    let mut uses = BTreeMap::new();
    for run in runs {
        let used = RunUse {
            sent: run.bytes_sent,
            received: run.bytes_recv,
            clientapp_seconds: run.clientapp_runtime,
        };
        let run = read_run(run)?;
        if used != RunUse::default() {
            uses.insert(run.id, used);
        }
        read.push(run);
    }
    read.sort_by_key(|run| (run.pending_at, run.id));
    Ok(Runs {
        runs: read,
        uses,
        now: Timestamp::from_iso8601(now),
    })
}

pub(super) fn login(answer: proto::GetLoginDetailsResponse) -> Login {
    let seconds = |given: i64| Duration::from_secs(u64::try_from(given).unwrap_or(0));
    Login {
        auth_type: answer.auth_type,
        device_code: answer.device_code,
        place: answer.verification_uri_complete,
        expires_in: seconds(answer.expires_in),
        interval: seconds(answer.interval),
    }
}

/// Until the user has finished, the answer is empty.
pub(super) fn tokens(answer: proto::GetAuthTokensResponse) -> Option<Tokens> {
    let proto::GetAuthTokensResponse {
        access_token: access,
        refresh_token: refresh,
    } = answer;
    (!access.is_empty() && !refresh.is_empty()).then_some(Tokens { access, refresh })
}
