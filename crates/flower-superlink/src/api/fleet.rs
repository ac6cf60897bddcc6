//! Fleet, for SuperNodes. Who calls was proven before (see `auth`).

use std::sync::Arc;

use flwr_core::id::RunId;
use flwr_core::message::{Message, MessageId};
use flwr_core::object::ObjectId;
use flwr_core::run::Run;
use flwr_daemon::listen::Peer;
use flwr_proto as proto;
use flwr_proto::fleet_server::{Fleet, FleetServer};
use flwr_security::tls::Certificate;
use tonic::{Request, Response, Status};

use super::{MAX_MESSAGE_BYTES, decode, patience, run_to_completion};
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::link::Link;
use crate::link::state::Parcel;

/// Seconds until a node should come back: filled by flwr 1.22's SuperLink and read by nobody.
pub(crate) const RECONNECT: proto::Reconnect = proto::Reconnect { reconnect: 5 };

/// The Fleet service over the domain.
#[derive(Debug, Clone)]
pub struct FleetApi {
    link: Arc<Link>,
}

type Answer<T> = std::result::Result<Response<T>, Status>;

impl FleetApi {
    /// The service, ready to be routed to.
    #[must_use]
    pub fn server(link: Arc<Link>) -> FleetServer<Self> {
        FleetServer::new(Self { link })
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES)
    }

    /// The only reply of a request, for the caller's own node.
    fn reply(&self, request: proto::PushMessagesRequest) -> Result<Parcel> {
        let mut messages = request.messages_list;
        // Later versions may send several; these send one, and know nothing else.
        messages.truncate(1);
        let now = self.link.now();
        let read = |message| Message::reply(message, now).map_err(Error::Malformed);
        let mut parcels = decode::parcels(messages, request.message_object_trees, read)?;
        parcels.pop().ok_or_else(|| Error::Field {
            field: "messages_list",
            problem: "is empty: one reply is expected".to_owned(),
        })
    }
}

/// The response to a pushed reply: with the objects that are missing, or, for a refused reply, with
/// `None` as its id.
pub(crate) fn push_response(
    reply: Option<MessageId>,
    missing: &[ObjectId],
) -> proto::PushMessagesResponse {
    // The word for a refused reply, as flwr 1.22 has it.
    let name = reply.map_or_else(|| "None".to_owned(), |id| id.to_string());
    proto::PushMessagesResponse {
        reconnect: Some(RECONNECT),
        results: [(name, 0)].into(),
        objects_to_push: missing.iter().map(ToString::to_string).collect(),
    }
}

/// The fields of a run that a node needs to run the app. The others stay empty.
pub(crate) fn run_for_node(run: Run) -> proto::Run {
    let full = proto::Run::from(run);
    proto::Run {
        run_id: full.run_id,
        fab_id: full.fab_id,
        fab_version: full.fab_version,
        override_config: full.override_config,
        fab_hash: full.fab_hash,
        ..proto::Run::default()
    }
}

/// The certificate that the caller's connection was made with.
fn certificate<T>(request: &Request<T>) -> Option<Arc<Certificate>> {
    request.extensions().get::<Peer>()?.certificate.clone()
}

#[tonic::async_trait]
impl Fleet for FleetApi {
    async fn create_node(
        &self,
        request: Request<proto::CreateNodeRequest>,
    ) -> Answer<proto::CreateNodeResponse> {
        let caller = Caller::of(&request)?;
        let interval = request.get_ref().heartbeat_interval;
        let (link, key) = (Arc::clone(&self.link), caller.key().clone());
        let shown = certificate(&request);
        let registered =
            run_to_completion(async move { link.register_node(&key, interval, shown).await });
        let node = registered.await?;
        Ok(Response::new(proto::CreateNodeResponse {
            node: Some(node.into()),
        }))
    }

    async fn delete_node(
        &self,
        request: Request<proto::DeleteNodeRequest>,
    ) -> Answer<proto::DeleteNodeResponse> {
        let node = Caller::of(&request)?.node(request.get_ref().node)?;
        let link = Arc::clone(&self.link);
        run_to_completion(async move { link.remove_node(node).await }).await?;
        Ok(Response::new(proto::DeleteNodeResponse {}))
    }

    async fn send_node_heartbeat(
        &self,
        request: Request<proto::SendNodeHeartbeatRequest>,
    ) -> Answer<proto::SendNodeHeartbeatResponse> {
        let node = Caller::of(&request)?.node(request.get_ref().node)?;
        self.link.identify_node(node, certificate(&request));
        let success = self
            .link
            .node_lives(node, request.get_ref().heartbeat_interval)
            .await?;
        Ok(Response::new(proto::SendNodeHeartbeatResponse { success }))
    }

    async fn pull_messages(
        &self,
        request: Request<proto::PullMessagesRequest>,
    ) -> Answer<proto::PullMessagesResponse> {
        let node = Caller::of(&request)?.node(request.get_ref().node)?;
        let claimed = self.link.claim(node, patience::of(&request)).await?;
        let (messages_list, message_object_trees) = claimed
            .map(|Parcel { message, tree }| (message.into(), tree.into()))
            .into_iter()
            .unzip();
        let reconnect = Some(RECONNECT);
        Ok(Response::new(proto::PullMessagesResponse {
            reconnect,
            messages_list,
            message_object_trees,
        }))
    }

    async fn push_messages(
        &self,
        request: Request<proto::PushMessagesRequest>,
    ) -> Answer<proto::PushMessagesResponse> {
        let node = Caller::of(&request)?.node(request.get_ref().node)?;
        let reply = self.reply(request.into_inner())?;
        let (id, claimed) = (reply.message.metadata.id, reply.message.metadata.src);
        if claimed != node {
            return Err(Error::OtherNode {
                caller: Some(node),
                claimed,
            }
            .into());
        }
        let link = Arc::clone(&self.link);
        let missing = run_to_completion(async move { link.reply(reply).await }).await?;
        let taken = missing.as_ref().map(|_| id);
        Ok(Response::new(push_response(
            taken,
            &missing.unwrap_or_default(),
        )))
    }

    async fn get_run(
        &self,
        request: Request<proto::GetRunRequest>,
    ) -> Answer<proto::GetRunResponse> {
        Caller::of(&request)?.node(request.get_ref().node)?;
        let run = self
            .link
            .require_running(RunId(request.get_ref().run_id))
            .await?;
        let run = Some(run_for_node(run));
        Ok(Response::new(proto::GetRunResponse { run }))
    }

    async fn get_fab(
        &self,
        request: Request<proto::GetFabRequest>,
    ) -> Answer<proto::GetFabResponse> {
        Caller::of(&request)?.node(request.get_ref().node)?;
        let proto::GetFabRequest {
            hash_str, run_id, ..
        } = request.into_inner();
        self.link.require_running(RunId(run_id)).await?;
        let content = self.link.fab(&hash_str).await?;
        Ok(Response::new(proto::GetFabResponse {
            fab: Some(proto::Fab { hash_str, content }),
        }))
    }

    async fn push_object(
        &self,
        request: Request<proto::PushObjectRequest>,
    ) -> Answer<proto::PushObjectResponse> {
        Caller::of(&request)?.node(request.get_ref().node)?;
        let proto::PushObjectRequest {
            run_id,
            object_id,
            object_content,
            ..
        } = request.into_inner();
        let (run, id) = decode::object(run_id, &object_id)?;
        let link = Arc::clone(&self.link);
        let push = async move { link.push_object(run, id, object_content).await };
        let stored = run_to_completion(push).await?;
        Ok(Response::new(proto::PushObjectResponse { stored }))
    }

    async fn pull_object(
        &self,
        request: Request<proto::PullObjectRequest>,
    ) -> Answer<proto::PullObjectResponse> {
        Caller::of(&request)?.node(request.get_ref().node)?;
        let (run, id) = decode::object(request.get_ref().run_id, &request.get_ref().object_id)?;
        Ok(Response::new(self.link.pull_object(run, id).await?.into()))
    }

    async fn confirm_message_received(
        &self,
        request: Request<proto::ConfirmMessageReceivedRequest>,
    ) -> Answer<proto::ConfirmMessageReceivedResponse> {
        Caller::of(&request)?.node(request.get_ref().node)?;
        let asked = request.get_ref();
        let (run, message) = decode::object(asked.run_id, &asked.message_object_id)?;
        let link = Arc::clone(&self.link);
        run_to_completion(async move { link.confirm(run, message).await }).await?;
        Ok(Response::new(proto::ConfirmMessageReceivedResponse {}))
    }
}
