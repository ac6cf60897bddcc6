//! What SuperNodes of every generation since flwr 1.20 say alike. How they come and go differs.

use std::time::Duration;

use flwr_core::id::RunId;
use flwr_core::message::Parcel;
use flwr_core::port::{Fleet, Result};
use flwr_core::refusal::{Failure, Refusal};
use flwr_core::time::Timestamp;
use flwr_proto as proto;

use super::{RECONNECT, check_pull, named, rpcs};
use crate::host::FleetHost;
use crate::methods::fleet::{Methods, Rules};
use crate::methods::{Request, Size};
use crate::objects;
use crate::wire_name::WireName;

/// Field 3 of PushMessages: the trees, which earlier releases do not have.
const TREES: u32 = 3;

/// The longest time that a ClientApp may have worked on a message: a year.
const LONGEST_WORK: Duration = Duration::from_secs(365 * 24 * 3600);

/// Serves all of it to the nodes of the generation with this name.
pub(crate) fn fleet<H: FleetHost>(m: &mut Methods<H>, name: WireName) {
    let node = Rules::NODE;
    m.signed(
        name,
        rpcs::SEND_NODE_HEARTBEAT,
        Rules::SIGN_OF_LIFE,
        send_node_heartbeat,
    );
    m.pull(name, rpcs::PULL_MESSAGES, check_pull, pulled_messages);
    let with_trees = node
        .with_layout(|body| crate::raw::has_bytes(body, TREES))
        .of_size(Size::REPLY);
    m.signed(name, rpcs::PUSH_MESSAGES, with_trees, push_messages);
    m.signed(name, rpcs::GET_RUN, node, get_run);
    m.signed(name, rpcs::GET_FAB, node, get_fab);
    let object = node.of_size(Size::CONTENT);
    m.signed(name, rpcs::OBJECTS.push, object, push_object);
    m.signed(name, rpcs::OBJECTS.pull, node, pull_object);
    m.signed(name, rpcs::OBJECTS.confirm, node, confirm_message_received);
}

async fn send_node_heartbeat(
    fleet: impl Fleet,
    request: Request<proto::SendNodeHeartbeatRequest>,
) -> Result<proto::SendNodeHeartbeatResponse> {
    named(&fleet, request.message.node)?;
    let interval = request.message.heartbeat_interval;
    let success = fleet.heartbeat(interval).await?;
    Ok(proto::SendNodeHeartbeatResponse { success })
}

async fn pulled_messages(
    _: impl Fleet,
    parcel: Option<Parcel>,
    _: Timestamp,
) -> Result<proto::PullMessagesResponse> {
    let (messages_list, message_object_trees) = objects::parts(parcel);
    Ok(proto::PullMessagesResponse {
        reconnect: Some(RECONNECT),
        messages_list,
        message_object_trees,
    })
}

async fn push_messages(
    fleet: impl Fleet,
    request: Request<proto::PushMessagesRequest>,
) -> Result<proto::PushMessagesResponse> {
    let message = request.message;
    named(&fleet, message.node)?;
    let reply = objects::reply(message.messages_list, message.message_object_trees)?;
    let id = reply.message.metadata.id;
    let worked = message.clientapp_runtime_list.first().copied();
    let missing = fleet.push(reply, worked.and_then(worked_for)).await?;
    let taken = missing.as_ref().map(|_| id);
    Ok(objects::pushed(taken, &missing.unwrap_or_default()))
}

/// The time of a ClientApp, as its node tells. What no app could take is left out.
fn worked_for(seconds: f64) -> Option<Duration> {
    let time = Duration::try_from_secs_f64(seconds).ok()?;
    (time <= LONGEST_WORK).then_some(time)
}

async fn get_run(
    fleet: impl Fleet,
    request: Request<proto::GetRunRequest>,
) -> Result<proto::GetRunResponse> {
    named(&fleet, request.message.node)?;
    let run = fleet.run(RunId(request.message.run_id)).await;
    let run = run.map_err(|failure| match failure {
        Failure::Refused(Refusal::UnknownRun(run)) => Refusal::NoRunForNode(run).into(),
        failure => failure,
    });
    let run = Some(run?.into());
    Ok(proto::GetRunResponse { run })
}

async fn get_fab(
    fleet: impl Fleet,
    request: Request<proto::GetFabRequest>,
) -> Result<proto::GetFabResponse> {
    let proto::GetFabRequest {
        node,
        hash_str,
        run_id,
    } = request.message;
    named(&fleet, node)?;
    let content = fleet.fab(Some(RunId(run_id)), &hash_str).await;
    // At NOT_FOUND a Python SuperNode ends.
    let content = content.map_err(|failure| match failure {
        Failure::Refused(refusal @ (Refusal::UnknownRun(_) | Refusal::UnknownFab(_))) => {
            Refusal::NoFabForNode(Box::new(refusal)).into()
        }
        failure => failure,
    });
    let fab = Some(objects::fab(hash_str, content?));
    Ok(proto::GetFabResponse { fab })
}

async fn push_object(
    fleet: impl Fleet,
    request: Request<proto::PushObjectRequest>,
) -> Result<proto::PushObjectResponse> {
    let proto::PushObjectRequest {
        node,
        run_id,
        object_id,
        object_content,
        session_id: _,
    } = request.message;
    named(&fleet, node)?;
    let (run, id) = objects::object(run_id, &object_id)?;
    let stored = fleet.push_object(run, id, object_content).await?;
    Ok(proto::PushObjectResponse { stored })
}

async fn pull_object(
    fleet: impl Fleet,
    request: Request<proto::PullObjectRequest>,
) -> Result<proto::PullObjectResponse> {
    let message = request.message;
    named(&fleet, message.node)?;
    let (run, id) = objects::object(message.run_id, &message.object_id)?;
    Ok(objects::pulled(fleet.pull_object(run, id).await?))
}

async fn confirm_message_received(
    fleet: impl Fleet,
    request: Request<proto::ConfirmMessageReceivedRequest>,
) -> Result<proto::ConfirmMessageReceivedResponse> {
    let request = request.message;
    named(&fleet, request.node)?;
    let (run, message) = objects::object(request.run_id, &request.message_object_id)?;
    fleet.confirm(run, message).await?;
    Ok(proto::ConfirmMessageReceivedResponse {})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_no_clientapp_could_take_is_left_out() {
        assert_eq!(worked_for(1.5), Some(Duration::from_millis(1500)));
        assert_eq!(worked_for(0.0), Some(Duration::ZERO));
        for odd in [-1.0, 4e7, 1e300, f64::NAN, f64::INFINITY] {
            assert_eq!(worked_for(odd), None, "{odd}");
        }
    }
}
