//! A ServerApp's calls to a SuperLink of flwr 1.20 to 1.22.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use flwr_core::context::Context;
use flwr_core::id::{NodeId, RunId};
use flwr_core::message::{Message, MessageId, Parcel};
use flwr_core::object::{ObjectId, Pulled};
use flwr_core::port::runtime::{Asked, Inputs, Sent};
use flwr_core::port::{Result, Runtime};
use flwr_core::refusal::Refusal;
use flwr_core::run::{KnownRun, RunStatus};
use flwr_proto as proto;

use super::rpcs;
use crate::line::Line;
use crate::objects::{self, RunObjects, parcels, read_run, unreadable};

/// The node that a ServerApp speaks as.
const SUPERLINK: Option<proto::Node> = Some(proto::Node {
    node_id: NodeId::SUPERLINK.0,
});

/// A ServerApp's session with a SuperLink at the other end of a line.
pub struct ServerAppCaller<L> {
    line: L,
    run: RunId,
    token: String,
}

/// The token for the process of a run that the SuperLink does not start itself. `None`: the run has
/// its token already, or the SuperLink starts the process.
///
/// # Errors
/// If the SuperLink refuses, or gives no answer.
pub async fn claim(line: &impl Line, run: RunId) -> Result<Option<String>> {
    let request = proto::RequestTokenRequest { run_id: run.0 };
    let answer = rpcs::REQUEST_TOKEN.call(line, request).await?;
    Ok(Some(answer.token).filter(|token| !token.is_empty()))
}

/// The session of the run's ServerApp, which has this token.
#[must_use]
pub const fn serverapp_over<L: Line>(line: L, run: RunId, token: String) -> ServerAppCaller<L> {
    ServerAppCaller { line, run, token }
}

impl<L> ServerAppCaller<L> {
    const fn objects(&self) -> RunObjects<'_, L> {
        RunObjects {
            line: &self.line,
            rpcs: rpcs::OBJECTS,
            node: SUPERLINK,
            run: self.run,
        }
    }
}

impl<L: Line> Runtime for ServerAppCaller<L> {
    fn run_id(&self) -> Option<RunId> {
        Some(self.run)
    }

    fn node(&self) -> Option<NodeId> {
        Some(NodeId::SUPERLINK)
    }

    async fn inputs(&self) -> Result<Option<Inputs>> {
        let request = proto::PullAppInputsRequest {
            token: self.token.clone(),
        };
        let answer = rpcs::PULL_APP_INPUTS.call(&self.line, request).await?;
        let Some(run) = answer.run else {
            return Ok(None);
        };
        let missing = |field| unreadable(&format!("`{field}` is missing"));
        Ok(Some(Inputs {
            run: KnownRun::Full(read_run(run)?),
            context: answer.context.ok_or_else(|| missing("context"))?.into(),
            fab: answer.fab.ok_or_else(|| missing("fab"))?.content,
        }))
    }

    async fn alive(&self, interval: f64) -> Result<bool> {
        let request = proto::SendAppHeartbeatRequest {
            run_id: self.run.0,
            heartbeat_interval: interval,
        };
        let answer = rpcs::SEND_APP_HEARTBEAT.call(&self.line, request).await?;
        Ok(answer.success)
    }

    async fn nodes(&self) -> Result<Vec<NodeId>> {
        let request = proto::GetNodesRequest { run_id: self.run.0 };
        let answer = rpcs::GET_NODES.call(&self.line, request).await?;
        let nodes = answer.nodes.into_iter();
        Ok(nodes.map(|node| NodeId(node.node_id)).collect())
    }

    async fn run(&self) -> Result<Option<KnownRun>> {
        let request = proto::GetRunRequest {
            node: SUPERLINK,
            run_id: self.run.0,
        };
        let answer = rpcs::GET_RUN.call(&self.line, request).await?;
        let run = answer.run.map(read_run).transpose()?;
        Ok(run.map(KnownRun::Full))
    }

    async fn fab(&self, hash: &str) -> Result<Bytes> {
        let request = proto::GetFabRequest {
            node: SUPERLINK,
            hash_str: hash.to_owned(),
            run_id: self.run.0,
        };
        let answer = rpcs::GET_FAB.call(&self.line, request).await?;
        let unknown = || Refusal::UnknownFab(hash.to_owned());
        Ok(answer.fab.ok_or_else(unknown)?.content)
    }

    async fn send(&self, parcels: Vec<Parcel>) -> Result<Sent> {
        let (messages_list, message_object_trees) = objects::parts(parcels);
        let request = proto::PushAppMessagesRequest {
            token: self.token.clone(),
            messages_list,
            run_id: self.run.0,
            message_object_trees,
        };
        let answer = rpcs::PUSH_MESSAGES.call(&self.line, request).await?;
        Ok(Sent {
            ids: objects::ids_of_sent(&answer.message_ids)?,
            missing: objects::ids(&answer.objects_to_push)?,
        })
    }

    async fn receive(&self, asked: Asked, patience: Duration) -> Result<Vec<Parcel>> {
        let Asked::Replies(ids) = asked else {
            // A ServerApp gets nothing but replies.
            return Ok(Vec::new());
        };
        let request = proto::PullAppMessagesRequest {
            token: self.token.clone(),
            message_ids: objects::texts_of_sent(&ids),
            run_id: self.run.0,
        };
        let answer = rpcs::PULL_MESSAGES.call_within(&self.line, request, patience);
        let answer = answer.await?;
        let read = |message| Message::answer(message).map_err(Refusal::Malformed);
        parcels(answer.messages_list, answer.message_object_trees, read)
    }

    async fn push_object(&self, id: ObjectId, content: Bytes) -> Result<bool> {
        self.objects().push(id, content, String::new()).await
    }

    async fn pull_object(&self, id: ObjectId) -> Result<Pulled> {
        self.objects().pull(id).await
    }

    async fn confirm(&self, message: MessageId) -> Result<()> {
        self.objects().confirm(message).await
    }

    async fn log(&self, text: String) -> Result<()> {
        let request = proto::PushLogsRequest {
            node: SUPERLINK,
            run_id: self.run.0,
            logs: vec![text],
        };
        rpcs::PUSH_LOGS.call(&self.line, request).await.map(drop)
    }

    async fn status(&self, to: RunStatus) -> Result<()> {
        let request = proto::UpdateRunStatusRequest {
            run_id: self.run.0,
            run_status: Some(to.into()),
        };
        let moved = rpcs::UPDATE_RUN_STATUS.call(&self.line, request);
        moved.await.map(drop)
    }

    async fn finish(&self, context: Option<Context>) -> Result<()> {
        let request = proto::PushAppOutputsRequest {
            token: self.token.clone(),
            run_id: self.run.0,
            context: context.map(Into::into),
        };
        let finished = rpcs::PUSH_APP_OUTPUTS.call(&self.line, request);
        finished.await.map(drop)
    }
}

/// The token is left out.
impl<L: fmt::Debug> fmt::Debug for ServerAppCaller<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerAppCaller")
            .field("line", &self.line)
            .field("run", &self.run)
            .finish_non_exhaustive()
    }
}
