//! ServerAppIo, for ServerApp processes and for those who start them.

use std::sync::Arc;

use flwr_core::id::RunId;
use flwr_proto as proto;
use flwr_proto::server_app_io_server::{ServerAppIo, ServerAppIoServer};
use tonic::{Request, Response, Status};

use super::{MAX_MESSAGE_BYTES, decode, patience, run_to_completion};
use crate::error::{Error, Result};
use crate::link::state::{Inserted, Parcel, Refusal};
use crate::link::{AppInputs, Link};

/// The ServerAppIo service over the domain.
#[derive(Debug, Clone)]
pub struct ServerAppIoApi {
    link: Arc<Link>,
    /// Whether strangers start the ServerApp processes, and are therefore given tokens.
    open: bool,
}

type Answer<T> = std::result::Result<Response<T>, Status>;

impl ServerAppIoApi {
    /// The service, ready to be routed to. It tells strangers which runs need a process, and
    /// gives them a token for it, only if it is `open` (`--isolation process`).
    #[must_use]
    pub fn server(link: Arc<Link>, open: bool) -> ServerAppIoServer<Self> {
        ServerAppIoServer::new(Self { link, open })
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES)
    }

    /// The same without a server around it, for calls that were decoded elsewhere. It tells
    /// strangers nothing.
    pub(crate) const fn over(link: Arc<Link>) -> Self {
        Self { link, open: false }
    }

    /// The run that a request speaks for. flwr 1.22's ServerApp shows its token only with its
    /// inputs and outputs, so that none is an answer here; a wrong one is not.
    async fn run_of(&self, token: &str, claimed: u64) -> Result<RunId> {
        let run = RunId(claimed);
        if !token.is_empty() && self.link.run_of_token(token).await? != run {
            return Err(Refusal::UnknownToken.into());
        }
        Ok(run)
    }
}

impl From<AppInputs> for proto::PullAppInputsResponse {
    fn from(AppInputs { run, context, fab }: AppInputs) -> Self {
        let fab = proto::Fab {
            hash_str: run.fab_hash.clone(),
            content: fab,
        };
        Self {
            context: Some(context),
            run: Some(run.into()),
            fab: Some(fab),
        }
    }
}

#[tonic::async_trait]
impl ServerAppIo for ServerAppIoApi {
    async fn list_apps_to_launch(
        &self,
        _: Request<proto::ListAppsToLaunchRequest>,
    ) -> Answer<proto::ListAppsToLaunchResponse> {
        let runs = if self.open {
            self.link.pending_runs().await?
        } else {
            Vec::new()
        };
        let run_ids = runs.into_iter().map(u64::from).collect();
        Ok(Response::new(proto::ListAppsToLaunchResponse { run_ids }))
    }

    async fn request_token(
        &self,
        request: Request<proto::RequestTokenRequest>,
    ) -> Answer<proto::RequestTokenResponse> {
        let run = RunId(request.get_ref().run_id);
        let token = if self.open {
            self.link.issue_token(run).await?
        } else {
            None
        };
        let token = token
            .map(|token| token.as_str().to_owned())
            .unwrap_or_default();
        Ok(Response::new(proto::RequestTokenResponse { token }))
    }

    async fn get_nodes(
        &self,
        request: Request<proto::GetNodesRequest>,
    ) -> Answer<proto::GetNodesResponse> {
        let nodes = self.link.nodes(RunId(request.get_ref().run_id)).await?;
        let nodes = nodes.into_iter().map(Into::into).collect();
        Ok(Response::new(proto::GetNodesResponse { nodes }))
    }

    async fn push_messages(
        &self,
        request: Request<proto::PushAppMessagesRequest>,
    ) -> Answer<proto::PushAppMessagesResponse> {
        let request = request.into_inner();
        let run = self.run_of(&request.token, request.run_id).await?;
        if request.messages_list.is_empty() {
            let problem = "is empty".to_owned();
            return Err(Error::Field {
                field: "messages_list",
                problem,
            }
            .into());
        }
        let now = self.link.now();
        let parcels = decode::parcels(
            request.messages_list,
            request.message_object_trees,
            |message| decode::instruction(message, now),
        )?;
        let link = Arc::clone(&self.link);
        let sent = run_to_completion(async move { link.send(run, parcels).await });
        let Inserted { ids, missing, .. } = sent.await?;
        let id = |id: Option<_>| id.map(|id| format!("{id}")).unwrap_or_default();
        Ok(Response::new(proto::PushAppMessagesResponse {
            message_ids: ids.into_iter().map(id).collect(),
            objects_to_push: missing.iter().map(ToString::to_string).collect(),
        }))
    }

    async fn pull_messages(
        &self,
        request: Request<proto::PullAppMessagesRequest>,
    ) -> Answer<proto::PullAppMessagesResponse> {
        let patience = patience::of(&request);
        let request = request.into_inner();
        let run = self.run_of(&request.token, request.run_id).await?;
        let asked: std::result::Result<Vec<_>, _> =
            request.message_ids.iter().map(|id| id.parse()).collect();
        let replies = self
            .link
            .replies(run, &asked.map_err(Error::ObjectId)?, patience)
            .await?;
        let (messages_list, message_object_trees) = replies
            .into_iter()
            .map(|Parcel { message, tree }| (message.into(), tree.into()))
            .unzip();
        Ok(Response::new(proto::PullAppMessagesResponse {
            messages_list,
            message_object_trees,
        }))
    }

    async fn get_run(
        &self,
        request: Request<proto::GetRunRequest>,
    ) -> Answer<proto::GetRunResponse> {
        let run = self.link.run(RunId(request.get_ref().run_id)).await?;
        Ok(Response::new(proto::GetRunResponse {
            run: run.map(Into::into),
        }))
    }

    async fn get_fab(
        &self,
        request: Request<proto::GetFabRequest>,
    ) -> Answer<proto::GetFabResponse> {
        let hash_str = request.into_inner().hash_str;
        let content = self.link.fab(&hash_str).await?;
        Ok(Response::new(proto::GetFabResponse {
            fab: Some(proto::Fab { hash_str, content }),
        }))
    }

    async fn pull_app_inputs(
        &self,
        request: Request<proto::PullAppInputsRequest>,
    ) -> Answer<proto::PullAppInputsResponse> {
        let inputs = self.link.app_inputs(&request.get_ref().token).await?;
        Ok(Response::new(inputs.into()))
    }

    async fn push_app_outputs(
        &self,
        request: Request<proto::PushAppOutputsRequest>,
    ) -> Answer<proto::PushAppOutputsResponse> {
        let proto::PushAppOutputsRequest {
            token,
            run_id,
            context,
        } = request.into_inner();
        let link = Arc::clone(&self.link);
        let (run, context) = (RunId(run_id), context.unwrap_or_default());
        run_to_completion(async move { link.app_outputs(&token, run, context).await }).await?;
        Ok(Response::new(proto::PushAppOutputsResponse {}))
    }

    async fn update_run_status(
        &self,
        request: Request<proto::UpdateRunStatusRequest>,
    ) -> Answer<proto::UpdateRunStatusResponse> {
        let proto::UpdateRunStatusRequest { run_id, run_status } = request.into_inner();
        let status = run_status
            .unwrap_or_default()
            .try_into()
            .map_err(Error::Status)?;
        let link = Arc::clone(&self.link);
        run_to_completion(async move { link.report_status(RunId(run_id), status).await }).await?;
        Ok(Response::new(proto::UpdateRunStatusResponse {}))
    }

    async fn get_run_status(
        &self,
        request: Request<proto::GetRunStatusRequest>,
    ) -> Answer<proto::GetRunStatusResponse> {
        let mut run_status_dict = std::collections::BTreeMap::new();
        for id in request.into_inner().run_ids {
            if let Some(run) = self.link.run(RunId(id)).await? {
                run_status_dict.insert(id, run.status.into());
            }
        }
        Ok(Response::new(proto::GetRunStatusResponse {
            run_status_dict,
        }))
    }

    async fn push_logs(
        &self,
        request: Request<proto::PushLogsRequest>,
    ) -> Answer<proto::PushLogsResponse> {
        let proto::PushLogsRequest { run_id, logs, .. } = request.into_inner();
        let (link, text) = (Arc::clone(&self.link), logs.concat());
        run_to_completion(async move { link.push_app_log(RunId(run_id), text).await }).await?;
        Ok(Response::new(proto::PushLogsResponse {}))
    }

    async fn send_app_heartbeat(
        &self,
        request: Request<proto::SendAppHeartbeatRequest>,
    ) -> Answer<proto::SendAppHeartbeatResponse> {
        let proto::SendAppHeartbeatRequest {
            run_id,
            heartbeat_interval,
        } = request.into_inner();
        let success = self
            .link
            .app_lives(RunId(run_id), heartbeat_interval)
            .await?;
        Ok(Response::new(proto::SendAppHeartbeatResponse { success }))
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
        decode::require_server_app(node)?;
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
        let request = request.into_inner();
        decode::require_server_app(request.node)?;
        let (run, id) = decode::object(request.run_id, &request.object_id)?;
        Ok(Response::new(self.link.pull_object(run, id).await?.into()))
    }

    async fn confirm_message_received(
        &self,
        request: Request<proto::ConfirmMessageReceivedRequest>,
    ) -> Answer<proto::ConfirmMessageReceivedResponse> {
        let request = request.into_inner();
        decode::require_server_app(request.node)?;
        let (run, message) = decode::object(request.run_id, &request.message_object_id)?;
        let link = Arc::clone(&self.link);
        run_to_completion(async move { link.confirm(run, message).await }).await?;
        Ok(Response::new(proto::ConfirmMessageReceivedResponse {}))
    }
}
