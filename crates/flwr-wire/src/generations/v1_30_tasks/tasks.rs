//! The life of a task: its signs of life, what it starts from, and how it ends.

use flwr_core::port::runtime::Inputs;
use flwr_core::port::{Result, Runtime};
use flwr_core::refusal::Refusal;
use flwr_core::run::RunStatus;
use flwr_proto as proto;
use flwr_proto::v1_30;

use super::task_id;
use crate::methods::Request;
use crate::objects;

/// Seconds between two signs of life (flwr 1.30 to 1.42 wire).
const INTERVAL: f64 = 30.0;

/// Apps give the first sign at the same time as they ask for their input, before or after that.
pub(super) async fn send_heartbeat(
    runtime: impl Runtime,
    _: Request<v1_30::SendTaskHeartbeatRequest>,
) -> Result<v1_30::SendTaskHeartbeatResponse> {
    let success = runtime.alive(INTERVAL).await?;
    Ok(v1_30::SendTaskHeartbeatResponse { success })
}

/// A task that has its input is running.
pub(super) async fn pull_input(
    runtime: impl Runtime,
    _: Request<v1_30::PullTaskInputRequest>,
) -> Result<v1_30::PullTaskInputResponse> {
    let Some(Inputs { run, context, fab }) = runtime.inputs().await? else {
        return Ok(v1_30::PullTaskInputResponse::default());
    };
    runtime.at_work().await?;
    let fab = objects::fab(run.fab_hash().to_owned(), fab);
    let mut context = proto::Context::from(context);
    // Apps of flwr 1.39 and later take their own node from here, and write it into their messages.
    if let Some(node) = runtime.node() {
        context.node_id = node.0;
    }
    Ok(v1_30::PullTaskInputResponse {
        context: Some(context),
        run: Some(run.into()),
        fab: Some(fab),
        task_id: task_id(&runtime),
    })
}

/// The last that an app says. The Context is left out by an app that failed before it had one.
pub(super) async fn push_output(
    runtime: impl Runtime,
    request: Request<v1_30::PushTaskOutputRequest>,
) -> Result<v1_30::PushTaskOutputResponse> {
    let output = request.message;
    let end = proto::RunStatus {
        status: "finished".to_owned(),
        sub_status: output.sub_status,
        details: output.details,
    };
    let end = RunStatus::try_from(end).map_err(Refusal::Status)?;
    let context = output.context.map(Into::into);
    runtime.conclude(context, end).await?;
    Ok(v1_30::PushTaskOutputResponse {})
}
