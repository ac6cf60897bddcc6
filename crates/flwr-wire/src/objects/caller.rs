//! A node's calls that are the same in every generation since flwr 1.20, and the trait by which
//! generations differ.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use flwr_core::id::{NodeId, RunId};
use flwr_core::message::{MessageId, Parcel};
use flwr_core::object::{ObjectId, Pulled};
use flwr_core::port::{Fleet, Result};
use flwr_core::refusal::{Refusal, Silence, Unanswered};
use flwr_core::run::AppRun;
use flwr_proto as proto;

use super::uploads::Uploads;
use super::{RunObjects, instruction, rpcs};
use crate::line::{Line, Now};

/// How nodes of a generation come and go.
pub trait Entrance: fmt::Debug + Send + Sync + 'static {
    /// Takes the node in. Gives its id.
    ///
    /// # Errors
    /// If the SuperLink refuses, or gives no answer.
    fn join<L: Line>(&self, line: &L, interval: f64)
    -> impl Future<Output = Result<NodeId>> + Send;

    /// The node goes.
    ///
    /// # Errors
    /// If the SuperLink refuses, or gives no answer.
    fn leave<L: Line>(&self, line: &L, node: NodeId) -> impl Future<Output = Result<()>> + Send;
}

/// A node's session with a SuperLink at the other end of a line.
pub struct NodeCaller<L, E> {
    line: L,
    now: Now,
    entrance: E,
    /// The id that the SuperLink gave the node. [`NodeId::UNSET`] before and after.
    node: AtomicU64,
    uploads: Uploads,
}

impl<L, E> NodeCaller<L, E> {
    /// A session at the other end of this line, for the holder of the key that signs there. The node
    /// has no id before it has joined.
    pub(crate) fn over(line: L, now: Now, entrance: E) -> Self {
        Self {
            line,
            now,
            entrance,
            node: AtomicU64::new(NodeId::UNSET.0),
            uploads: Uploads::default(),
        }
    }

    /// The line to the SuperLink.
    #[cfg(test)]
    pub(crate) const fn line(&self) -> &L {
        &self.line
    }

    /// The node, as requests name it.
    fn named(&self) -> Option<proto::Node> {
        let node_id = self.node.load(Ordering::Acquire);
        Some(proto::Node { node_id })
    }

    fn objects(&self, run: RunId) -> RunObjects<'_, L> {
        RunObjects {
            line: &self.line,
            rpcs: rpcs::OBJECTS,
            node: self.named(),
            run,
        }
    }

    fn set(&self, node: NodeId) {
        self.node.store(node.0, Ordering::Release);
    }
}

impl<L: Line, E: Entrance> Fleet for NodeCaller<L, E> {
    fn node(&self) -> Option<NodeId> {
        let node = NodeId(self.node.load(Ordering::Acquire));
        (node != NodeId::UNSET).then_some(node)
    }

    async fn join(&self, interval: f64) -> Result<NodeId> {
        let node = self.entrance.join(&self.line, interval).await?;
        if node == NodeId::UNSET {
            let text = "the registration was answered without a node id";
            return Err(Unanswered::new(Silence::Broken, text).into());
        }
        self.set(node);
        Ok(node)
    }

    async fn heartbeat(&self, interval: f64) -> Result<bool> {
        let request = proto::SendNodeHeartbeatRequest {
            node: self.named(),
            heartbeat_interval: interval,
        };
        let answer = rpcs::SEND_NODE_HEARTBEAT.call(&self.line, request).await?;
        Ok(answer.success)
    }

    async fn leave(&self) -> Result<()> {
        let node = NodeId(self.node.load(Ordering::Acquire));
        self.entrance.leave(&self.line, node).await?;
        self.set(NodeId::UNSET);
        Ok(())
    }

    async fn pull(&self, patience: Duration) -> Result<Option<Parcel>> {
        let request = proto::PullMessagesRequest {
            node: self.named(),
            message_ids: Vec::new(),
        };
        let answer = rpcs::PULL_MESSAGES.call_within(&self.line, request, patience);
        let answer = answer.await?;
        instruction(
            answer.messages_list,
            answer.message_object_trees,
            (self.now)(),
        )
    }

    async fn push(&self, reply: Parcel, worked: Option<Duration>) -> Result<Option<Vec<ObjectId>>> {
        let run = reply.message.metadata.run;
        let id = reply.message.metadata.id.to_string();
        let request = proto::PushMessagesRequest {
            node: self.named(),
            messages_list: vec![reply.message.into()],
            message_object_trees: vec![reply.tree.into()],
            // SuperLinks of flwr 1.24 and before leave the field out.
            clientapp_runtime_list: worked.iter().map(Duration::as_secs_f64).collect(),
        };
        let answer = rpcs::PUSH_MESSAGES.call(&self.line, request).await?;
        // A SuperLink that has the reply from a try whose answer was lost does not name the reply
        // again, and still names the objects that it lacks.
        let is_wanted = answer.results.contains_key(&id) || !answer.objects_to_push.is_empty();
        let missing = answer.objects_to_push.iter();
        let missing: Vec<_> = missing.filter_map(|id| id.parse().ok()).collect();
        self.uploads.begin(run, &missing, &answer.session_id);
        Ok(is_wanted.then_some(missing))
    }

    async fn push_object(&self, run: RunId, id: ObjectId, content: Bytes) -> Result<bool> {
        let session = self.uploads.of(run, id);
        let is_stored = self.objects(run).push(id, content, session).await?;
        self.uploads.end(run, id);
        Ok(is_stored)
    }

    async fn pull_object(&self, run: RunId, id: ObjectId) -> Result<Pulled> {
        self.objects(run).pull(id).await
    }

    async fn confirm(&self, run: RunId, message: MessageId) -> Result<()> {
        self.objects(run).confirm(message).await
    }

    async fn run(&self, run: RunId) -> Result<AppRun> {
        let request = proto::GetRunRequest {
            node: self.named(),
            run_id: run.0,
        };
        let answer = rpcs::GET_RUN.call(&self.line, request).await?;
        let found = answer.run.ok_or(Refusal::UnknownRun(run))?;
        let read = AppRun::try_from(found);
        Ok(read.map_err(|error| Refusal::RunConfig(Box::new(error)))?)
    }

    async fn fab(&self, run: Option<RunId>, hash: &str) -> Result<Bytes> {
        let request = proto::GetFabRequest {
            node: self.named(),
            hash_str: hash.to_owned(),
            run_id: run.map(u64::from).unwrap_or_default(),
        };
        let answer = rpcs::GET_FAB.call(&self.line, request).await?;
        let fab = answer
            .fab
            .ok_or_else(|| Refusal::UnknownFab(hash.to_owned()))?;
        Ok(fab.content)
    }
}

impl<L: fmt::Debug, E: fmt::Debug> fmt::Debug for NodeCaller<L, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeCaller")
            .field("line", &self.line)
            .field("entrance", &self.entrance)
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
