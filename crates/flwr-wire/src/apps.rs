//! What app processes say alike since flwr 1.20: nodes, messages for the app, objects and what an
//! app prints.

use std::time::Duration;

use flwr_core::id::{NodeId, RunId};
use flwr_core::port::runtime::Asked;
use flwr_core::port::{Jobs, Result, Runtime};
use flwr_core::refusal::{Failure, Refusal};
use flwr_proto as proto;

use crate::methods::Request;
use crate::objects;

/// Makes sure that the session is of the node that the request names. Nothing is at work for a
/// session without a node, so that its calls find nothing.
fn of_node(runtime: &impl Runtime, claimed: Option<proto::Node>) -> Result<()> {
    let claimed = NodeId::from(claimed);
    match runtime.node() {
        Some(node) if node != claimed => Err(Refusal::UnexpectedNode(claimed).into()),
        _ => Ok(()),
    }
}

/// The nodes to which an app can send: it is at work.
pub(crate) async fn get_nodes(
    runtime: impl Runtime,
    _: Request<proto::GetNodesRequest>,
) -> Result<proto::GetNodesResponse> {
    runtime.at_work().await?;
    let nodes = runtime.nodes().await?.into_iter().map(Into::into).collect();
    Ok(proto::GetNodesResponse { nodes })
}

/// Receives the messages that the app asks for. The call is held as long as `patience`.
pub(crate) async fn pull_messages(
    runtime: impl Runtime,
    asked: Asked,
    patience: Duration,
) -> Result<proto::PullAppMessagesResponse> {
    let parcels = runtime.receive(asked, patience).await?;
    let (messages_list, message_object_trees) = objects::parts(parcels);
    Ok(proto::PullAppMessagesResponse {
        messages_list,
        message_object_trees,
    })
}

pub(crate) async fn push_logs(
    runtime: impl Runtime,
    request: Request<proto::PushLogsRequest>,
) -> Result<proto::PushLogsResponse> {
    runtime.log(request.message.logs.concat()).await?;
    Ok(proto::PushLogsResponse {})
}

pub(crate) async fn push_object(
    runtime: impl Runtime,
    request: Request<proto::PushObjectRequest>,
) -> Result<proto::PushObjectResponse> {
    let request = request.message;
    of_node(&runtime, request.node)?;
    let (_, id) = objects::object(request.run_id, &request.object_id)?;
    let stored = runtime.push_object(id, request.object_content).await?;
    Ok(proto::PushObjectResponse { stored })
}

pub(crate) async fn pull_object(
    runtime: impl Runtime,
    request: Request<proto::PullObjectRequest>,
) -> Result<proto::PullObjectResponse> {
    let request = request.message;
    of_node(&runtime, request.node)?;
    let (_, id) = objects::object(request.run_id, &request.object_id)?;
    Ok(objects::pulled(runtime.pull_object(id).await?))
}

pub(crate) async fn confirm_message_received(
    runtime: impl Runtime,
    request: Request<proto::ConfirmMessageReceivedRequest>,
) -> Result<proto::ConfirmMessageReceivedResponse> {
    let request = request.message;
    of_node(&runtime, request.node)?;
    let (_, message) = objects::object(request.run_id, &request.message_object_id)?;
    runtime.confirm(message).await?;
    Ok(proto::ConfirmMessageReceivedResponse {})
}

/// The token of an app process of the run. `None`: somebody else has claimed the run, or the run is over
/// since the caller listed it. A refusal would end the caller.
pub(crate) async fn claimed(jobs: &impl Jobs, run: RunId) -> Result<Option<String>> {
    match jobs.claim(run).await {
        Err(Failure::Refused(refusal)) if refusal.is_about_the_run() => Ok(None),
        claimed => claimed,
    }
}
