//! The calls of Launch, on the way to a SuperLink of ours.

use std::time::Duration;

use bytes::Bytes;
use flwr_core::config::UserConfig;
use flwr_core::id::RunId;
use flwr_core::port::launch::Launched;
use flwr_core::port::{Launch, Result};
use flwr_core::refusal::Refusal;
use flwr_proto::launch::{StartRunRequest, StartRunResponse};

use crate::line::Line;

/// How long a call may take.
const LIMIT: Duration = Duration::from_secs(30);

/// Launch at the other end of this line.
#[must_use]
pub fn launch_over<L: Line>(line: L) -> impl Launch {
    LaunchOver { line }
}

struct LaunchOver<L> {
    line: L,
}

impl<L: Line> Launch for LaunchOver<L> {
    async fn start(&self, fab: Bytes, overrides: UserConfig) -> Result<Launched> {
        if !overrides.is_empty() {
            return Err(Refusal::field("overrides", "is not carried by Launch").into());
        }
        let request = StartRunRequest { fab };
        let answer = super::START_RUN.call_within(&self.line, request, LIMIT);
        let StartRunResponse { run_id, token } = answer.await?;
        let run = RunId(run_id);
        Ok(Launched { run, token })
    }
}
