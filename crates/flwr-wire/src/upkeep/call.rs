//! The calls of Upkeep, on the way to a SuperLink of ours.

use std::time::Duration;

use flwr_core::id::RunId;
use flwr_core::port::Result;
use flwr_core::port::control::Usage;
use flwr_proto::upkeep::{DeleteRunRequest, DeleteRunResponse, GetUsageRequest, GetUsageResponse};

use crate::line::Line;

/// How long a call may take.
const LIMIT: Duration = Duration::from_secs(300);

pub(crate) async fn delete(line: &impl Line, run: RunId) -> Result<()> {
    let request = DeleteRunRequest { run_id: run.0 };
    let DeleteRunResponse {} = super::DELETE_RUN.call_within(line, request, LIMIT).await?;
    Ok(())
}

pub(crate) async fn usage(line: &impl Line) -> Result<Usage> {
    let answer = super::GET_USAGE.call_within(line, GetUsageRequest {}, LIMIT);
    let GetUsageResponse {
        runs,
        finished_runs,
        nodes,
        run_bytes,
        log_bytes,
        database_bytes,
        free_bytes,
        object_bytes,
        fab_bytes,
    } = answer.await?;
    Ok(Usage {
        runs,
        finished_runs,
        nodes,
        run_bytes,
        log_bytes,
        database_bytes,
        free_bytes,
        object_bytes,
        fab_bytes,
    })
}
