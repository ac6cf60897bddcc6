//! Upkeep, for `flwr run delete` and `flwr status`: what is kept, and how it goes.

use flwr_core::id::RunId;
use flwr_core::port::control::Usage;
use flwr_core::port::{Control, Result};
use flwr_proto::upkeep::{DeleteRunRequest, DeleteRunResponse, GetUsageRequest, GetUsageResponse};

use crate::methods::Request;
use crate::methods::session::Methods;
use crate::rpc::Rpc;

pub(crate) mod call;

const DELETE_RUN: Rpc<DeleteRunRequest, DeleteRunResponse> =
    Rpc::at("/flower.upkeep.Upkeep/DeleteRun");
const GET_USAGE: Rpc<GetUsageRequest, GetUsageResponse> = Rpc::at("/flower.upkeep.Upkeep/GetUsage");

/// What our `flwr` calls beside Control.
pub(crate) fn control<C: Control>(m: &mut Methods<C>) {
    m.call(DELETE_RUN, delete_run);
    m.call(GET_USAGE, get_usage);
}

async fn delete_run(
    control: impl Control,
    request: Request<DeleteRunRequest>,
) -> Result<DeleteRunResponse> {
    control.delete(RunId(request.message.run_id)).await?;
    Ok(DeleteRunResponse {})
}

async fn get_usage(control: impl Control, _: Request<GetUsageRequest>) -> Result<GetUsageResponse> {
    let Usage {
        runs,
        finished_runs,
        nodes,
        run_bytes,
        log_bytes,
        database_bytes,
        free_bytes,
        object_bytes,
        fab_bytes,
    } = control.usage().await?;
    Ok(GetUsageResponse {
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
