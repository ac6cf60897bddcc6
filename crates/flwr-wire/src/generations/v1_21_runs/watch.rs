//! The calls of those who start app processes elsewhere, on the way to a SuperLink: how a run ends.

use std::time::Duration;

use flwr_core::id::RunId;
use flwr_core::port::Result;
use flwr_core::refusal::{Silence, Unanswered};
use flwr_core::run::RunStatus;
use flwr_proto as proto;

use crate::line::Line;

/// How long a call may take.
const LIMIT: Option<Duration> = Some(Duration::from_secs(30));

/// Where a run stands. `None`: the SuperLink does not know the run.
///
/// # Errors
/// If the SuperLink gives no answer, or one that is no status.
pub async fn status(line: &impl Line, run: RunId) -> Result<Option<RunStatus>> {
    let request = proto::GetRunStatusRequest {
        run_ids: vec![run.0],
        ..proto::GetRunStatusRequest::default()
    };
    let answer = line.call("/flwr.proto.ServerAppIo/GetRunStatus", request, LIMIT);
    let mut answer: proto::GetRunStatusResponse = answer.await?;
    let status = answer.run_status_dict.remove(&run.0);
    let status = status.map(RunStatus::try_from).transpose();
    Ok(status.map_err(|error| Unanswered::new(Silence::Broken, error.to_string()))?)
}

/// Moves a run on.
///
/// # Errors
/// If the run is not known, or cannot go there.
pub async fn set_status(line: &impl Line, run: RunId, to: RunStatus) -> Result<()> {
    let request = proto::UpdateRunStatusRequest {
        run_id: run.0,
        run_status: Some(to.into()),
    };
    let answer = line.call("/flwr.proto.ServerAppIo/UpdateRunStatus", request, LIMIT);
    let proto::UpdateRunStatusResponse {} = answer.await?;
    Ok(())
}
