//! ClientAppIo: what ClientApp processes of flwr 1.20 to 1.22 call.
//!
//! Inputs, messages and outputs are opened by a token. The calls for objects and for the run
//! carry none on this wire: they reach only the message in work, objects by their hash.

use std::sync::Arc;

use flwr_client::transfer::is_intact;
use flwr_core::id::RunId;
use flwr_core::message::Message;
use flwr_core::object::{Head, ObjectId, ObjectTree};
use flwr_core::time::Timestamp;
use flwr_daemon::clock::Clock;
use flwr_proto as proto;
use flwr_proto::MAX_MESSAGE_BYTES;
use flwr_proto::client_app_io_server::{self, ClientAppIoServer};
use tonic::{Request, Response, Status};
use tracing::warn;

use super::status::internal;
use crate::work::{Desk, Job, OutboxError};

/// Serves the desk to ClientApp processes.
#[derive(Debug)]
pub(crate) struct ClientAppIo {
    desk: Arc<Desk>,
    clock: Arc<dyn Clock>,
}

type Answer<T> = Result<Response<T>, Status>;

impl ClientAppIo {
    pub(crate) fn service(desk: Arc<Desk>, clock: Arc<dyn Clock>) -> ClientAppIoServer<Self> {
        ClientAppIoServer::new(Self { desk, clock })
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES)
    }

    fn waiting(&self) -> Answer<proto::ListAppsToLaunchResponse> {
        let run_ids = self.desk.waiting().into_iter().map(u64::from).collect();
        Ok(Response::new(proto::ListAppsToLaunchResponse { run_ids }))
    }

    /// The message in work, if it is of this run, for the node that it is for.
    fn job_of(&self, run_id: u64, node: Option<proto::Node>) -> Option<Arc<Job>> {
        let node = node.unwrap_or_default().node_id;
        self.desk
            .job_of(RunId(run_id))
            .ok()
            .filter(|job| job.node.0 == node)
    }
}

/// The one reply that a request announces, checked.
fn reply(
    request: proto::PushAppMessagesRequest,
    now: Timestamp,
) -> Result<(Message, ObjectTree), OutboxError> {
    let (Ok([message]), Ok([tree])) = (
        <[_; 1]>::try_from(request.messages_list),
        <[_; 1]>::try_from(request.message_object_trees),
    ) else {
        return Err(OutboxError::NotOne);
    };
    let message = Message::reply(message, now).map_err(OutboxError::Flaws)?;
    let tree = ObjectTree::try_from(tree).map_err(OutboxError::Tree)?;
    Ok((message, tree))
}

#[tonic::async_trait]
impl client_app_io_server::ClientAppIo for ClientAppIo {
    async fn list_apps_to_launch(
        &self,
        _: Request<proto::ListAppsToLaunchRequest>,
    ) -> Answer<proto::ListAppsToLaunchResponse> {
        self.waiting()
    }

    async fn get_run_ids_with_pending_messages(
        &self,
        _: Request<proto::ListAppsToLaunchRequest>,
    ) -> Answer<proto::ListAppsToLaunchResponse> {
        self.waiting()
    }

    async fn request_token(
        &self,
        request: Request<proto::RequestTokenRequest>,
    ) -> Answer<proto::RequestTokenResponse> {
        let run = RunId(request.into_inner().run_id);
        let token = self.desk.claim(run).map_err(|error| internal(&error))?;
        let token = token
            .map(|token| token.as_str().to_owned())
            .unwrap_or_default();
        Ok(Response::new(proto::RequestTokenResponse { token }))
    }

    async fn get_run(
        &self,
        request: Request<proto::GetRunRequest>,
    ) -> Answer<proto::GetRunResponse> {
        let job = self.desk.job_of(RunId(request.into_inner().run_id))?;
        Ok(Response::new(proto::GetRunResponse {
            run: Some(job.inbox.inputs.run.clone().into()),
        }))
    }

    async fn pull_client_app_inputs(
        &self,
        request: Request<proto::PullAppInputsRequest>,
    ) -> Answer<proto::PullAppInputsResponse> {
        let inbox = &self.desk.job(&request.into_inner().token)?.inbox;
        Ok(Response::new(proto::PullAppInputsResponse {
            context: Some(inbox.context.clone().into()),
            run: Some(inbox.inputs.run.clone().into()),
            fab: Some(proto::Fab {
                hash_str: inbox.inputs.fab.hash.clone(),
                content: inbox.inputs.fab.bytes.clone(),
            }),
        }))
    }

    async fn pull_message(
        &self,
        request: Request<proto::PullAppMessagesRequest>,
    ) -> Answer<proto::PullAppMessagesResponse> {
        let inbox = &self.desk.job(&request.into_inner().token)?.inbox;
        Ok(Response::new(proto::PullAppMessagesResponse {
            messages_list: vec![inbox.message.clone().into()],
            message_object_trees: vec![inbox.tree.clone().into()],
        }))
    }

    async fn pull_object(
        &self,
        request: Request<proto::PullObjectRequest>,
    ) -> Answer<proto::PullObjectResponse> {
        let proto::PullObjectRequest {
            node,
            run_id,
            object_id,
        } = request.into_inner();
        let id = object_id.parse::<ObjectId>().ok();
        let found = id.and_then(|id| self.job_of(run_id, node)?.inbox.object(&id));
        Ok(Response::new(proto::PullObjectResponse {
            object_found: found.is_some(),
            object_available: found.is_some(),
            object_content: found.unwrap_or_default(),
        }))
    }

    async fn confirm_message_received(
        &self,
        request: Request<proto::ConfirmMessageReceivedRequest>,
    ) -> Answer<proto::ConfirmMessageReceivedResponse> {
        let proto::ConfirmMessageReceivedRequest {
            node,
            run_id,
            message_object_id,
        } = request.into_inner();
        if let Some(job) = self.job_of(run_id, node)
            && job.inbox.metadata().id.to_string() == message_object_id
        {
            job.inbox.free();
        }
        Ok(Response::new(proto::ConfirmMessageReceivedResponse {}))
    }

    async fn push_message(
        &self,
        request: Request<proto::PushAppMessagesRequest>,
    ) -> Answer<proto::PushAppMessagesResponse> {
        let request = request.into_inner();
        let job = self.desk.job(&request.token)?;
        let announced = reply(request, self.clock.now()).and_then(|(message, tree)| {
            let id = tree.id;
            let instruction = job.inbox.metadata();
            let missing = job.outbox.announce(instruction, job.node, message, tree)?;
            Ok((id, missing))
        });
        let (id, missing) =
            announced.inspect_err(|error| warn!("refused the ClientApp's reply: {error}"))?;
        Ok(Response::new(proto::PushAppMessagesResponse {
            message_ids: vec![id.to_string()],
            objects_to_push: missing.iter().map(ToString::to_string).collect(),
        }))
    }

    async fn push_object(
        &self,
        request: Request<proto::PushObjectRequest>,
    ) -> Answer<proto::PushObjectResponse> {
        let proto::PushObjectRequest {
            node,
            run_id,
            object_id,
            object_content,
        } = request.into_inner();
        let refused = Ok(Response::new(proto::PushObjectResponse { stored: false }));
        let (Some(job), Ok(id)) = (self.job_of(run_id, node), object_id.parse::<ObjectId>()) else {
            return refused;
        };
        if !is_intact(id, &object_content).await {
            return refused;
        }
        // flwr 1.22's text, which its ClientApps log.
        Head::read(&object_content).map_err(|reason| {
            Status::failed_precondition(format!(
                "Object with ID '{id}' has an unexpected structure. {reason}"
            ))
        })?;
        let stored = job.outbox.put(id, object_content);
        Ok(Response::new(proto::PushObjectResponse { stored }))
    }

    async fn push_client_app_outputs(
        &self,
        request: Request<proto::PushAppOutputsRequest>,
    ) -> Answer<proto::PushAppOutputsResponse> {
        let proto::PushAppOutputsRequest { token, context, .. } = request.into_inner();
        let job = self.desk.job(&token)?;
        self.desk.revoke(&token);
        job.outbox.finish(context.map(Into::into));
        Ok(Response::new(proto::PushAppOutputsResponse {}))
    }
}

#[cfg(test)]
mod tests {
    use flwr_core::id::NodeId;
    use flwr_core::message::{Body, Metadata};

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_758_000_010.0);

    /// What a ClientApp announces with these messages and trees.
    fn announced(
        messages: Vec<proto::Message>,
        trees: Vec<proto::ObjectTree>,
    ) -> Result<(Message, ObjectTree), OutboxError> {
        let request = proto::PushAppMessagesRequest {
            messages_list: messages,
            message_object_trees: trees,
            ..Default::default()
        };
        reply(request, NOW)
    }

    fn message(ttl: f64) -> Message {
        Message {
            metadata: Metadata {
                run: RunId(7),
                id: ObjectId::of(b"reply"),
                src: NodeId(9),
                dst: NodeId::SUPERLINK,
                reply_to: Some(ObjectId::of(b"instruction")),
                group: String::new(),
                ttl,
                message_type: "train".to_owned(),
                created_at: NOW,
            },
            body: Body::Content,
        }
    }

    #[test]
    fn one_reply_that_keeps_the_rules_is_read() {
        let (good, tree) = (message(60.0), ObjectTree::leaf(ObjectId::of(b"reply")));
        let wire = || (good.clone().into(), tree.clone().into());
        let (one, its_tree) = wire();
        let read = announced(vec![one], vec![its_tree]).unwrap();
        assert_eq!(read, (good.clone(), tree.clone()));
        let (one, its_tree) = wire();
        let two = announced(vec![one; 2], vec![its_tree; 2]);
        assert!(matches!(two, Err(OutboxError::NotOne)));
        let (_, its_tree) = wire();
        let malformed = announced(vec![message(0.0).into()], vec![its_tree]).unwrap_err();
        assert!(malformed.to_string().contains("malformed: "), "{malformed}");
        let (one, mut its_tree) = wire();
        its_tree.object_id = "xyz".to_owned();
        let malformed = announced(vec![one], vec![its_tree]);
        assert!(matches!(malformed, Err(OutboxError::Tree(_))));
    }
}
