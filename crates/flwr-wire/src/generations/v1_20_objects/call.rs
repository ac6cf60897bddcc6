//! A node's calls to a SuperLink of flwr 1.20 to 1.22.

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

use super::rpcs;
use crate::line::{Line, Now};
use crate::objects::{self, RunObjects};

/// A node's session with a SuperLink at the other end of a line.
pub struct FleetCaller<L> {
    line: L,
    now: Now,
    /// The id that the SuperLink gave the node. [`NodeId::UNSET`] before and after.
    node: AtomicU64,
}

/// A session at the other end of this line, for the holder of the key that signs there. The node
/// has no id before it is active.
pub const fn fleet_over<L: Line>(line: L, now: Now) -> FleetCaller<L> {
    FleetCaller {
        line,
        now,
        node: AtomicU64::new(NodeId::UNSET.0),
    }
}

impl<L> FleetCaller<L> {
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

impl<L: Line> Fleet for FleetCaller<L> {
    fn node(&self) -> Option<NodeId> {
        let node = NodeId(self.node.load(Ordering::Acquire));
        (node != NodeId::UNSET).then_some(node)
    }

    async fn activate(&self, interval: f64) -> Result<NodeId> {
        let request = proto::CreateNodeRequest {
            heartbeat_interval: interval,
        };
        let answer = rpcs::CREATE_NODE.call(&self.line, request).await?;
        let node = NodeId::from(answer.node);
        if node == NodeId::UNSET {
            let text = "CreateNode was answered without a node id";
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

    async fn deactivate(&self) -> Result<()> {
        let request = proto::DeleteNodeRequest { node: self.named() };
        rpcs::DELETE_NODE.call(&self.line, request).await?;
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
        objects::instruction(
            answer.messages_list,
            answer.message_object_trees,
            (self.now)(),
        )
    }

    async fn push(&self, reply: Parcel) -> Result<Option<Vec<ObjectId>>> {
        let id = reply.message.metadata.id.to_string();
        let request = proto::PushMessagesRequest {
            node: self.named(),
            messages_list: vec![reply.message.into()],
            message_object_trees: vec![reply.tree.into()],
            clientapp_runtime_list: Vec::new(),
        };
        let answer = rpcs::PUSH_MESSAGES.call(&self.line, request).await?;
        // A SuperLink that has the reply from a try whose answer was lost does not name the reply
        // again, and still names the objects that it lacks.
        let is_wanted = answer.results.contains_key(&id) || !answer.objects_to_push.is_empty();
        let missing = answer.objects_to_push.iter();
        Ok(is_wanted.then(|| missing.filter_map(|id| id.parse().ok()).collect()))
    }

    async fn push_object(&self, run: RunId, id: ObjectId, content: Bytes) -> Result<bool> {
        self.objects(run).push(id, content).await
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

impl<L: fmt::Debug> fmt::Debug for FleetCaller<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FleetCaller")
            .field("line", &self.line)
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
