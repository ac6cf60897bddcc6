//! Nodes, their keys, and what waits for each.

use std::collections::{BTreeMap, HashMap, VecDeque};

use async_trait::async_trait;
use flwr_core::id::{NodeId, RunId};
use flwr_core::message::MessageId;
use flwr_core::object::ObjectId;
use flwr_core::time::Timestamp;
use flwr_security::key::PublicKey;

use super::{Inner, MemoryState};
use crate::link::state::{self, Changed, KnownNode, Registration, StateResult, Written};
use crate::link::wake::Topic;

#[derive(Debug, Default)]
pub(super) struct Nodes {
    nodes: BTreeMap<NodeId, Node>,
    by_key: HashMap<PublicKey, NodeId>,
}

#[derive(Debug)]
struct Node {
    key: PublicKey,
    online_until: Timestamp,
    wire: Option<String>,
    /// Whole messages, oldest first. Some may be over by the time they are handed out.
    waiting: VecDeque<(RunId, MessageId)>,
    /// Handed out last, and not confirmed.
    unconfirmed: Option<(RunId, MessageId)>,
}

impl Nodes {
    /// The node with this key, and whether it was here before.
    pub(super) fn register(
        &mut self,
        key: &PublicKey,
        fresh: NodeId,
        until: Timestamp,
    ) -> (NodeId, bool) {
        let bound = self.by_key.get(key).copied();
        let node = bound.unwrap_or(fresh);
        self.by_key.insert(key.clone(), node);
        self.nodes
            .entry(node)
            .or_insert_with(|| Node {
                key: key.clone(),
                online_until: until,
                wire: None,
                waiting: VecDeque::new(),
                unconfirmed: None,
            })
            .online_until = until;
        (node, bound.is_some())
    }

    pub(super) fn remove(&mut self, node: NodeId) {
        if let Some(node) = self.nodes.remove(&node) {
            self.by_key.remove(&node.key);
        }
    }

    pub(super) fn of_key(&self, key: &PublicKey) -> Option<NodeId> {
        self.by_key.get(key).copied()
    }

    pub(super) fn contains(&self, node: NodeId) -> bool {
        self.nodes.contains_key(&node)
    }

    pub(super) fn count(&self) -> u64 {
        self.nodes.len() as u64
    }

    /// The run is deleted: nothing names it any more.
    pub(super) fn forget_run(&mut self, run: RunId) {
        for node in self.nodes.values_mut() {
            node.waiting.retain(|(of, _)| *of != run);
            node.unconfirmed = node.unconfirmed.filter(|(of, _)| *of != run);
        }
    }

    pub(super) fn keep(&mut self, node: NodeId, until: Timestamp) -> bool {
        let known = self.nodes.get_mut(&node);
        known.map(|node| node.online_until = until).is_some()
    }

    pub(super) fn note_wire(&mut self, node: NodeId, wire: &str) {
        if let Some(node) = self.nodes.get_mut(&node) {
            node.wire = Some(wire.to_owned());
        }
    }

    pub(super) fn wire(&self, node: NodeId) -> Option<String> {
        self.nodes.get(&node)?.wire.clone()
    }

    pub(super) fn all(&self) -> Vec<KnownNode> {
        let known = |(id, node): (&NodeId, &Node)| KnownNode {
            id: *id,
            key: node.key.clone(),
            online_until: node.online_until,
        };
        self.nodes.iter().map(known).collect()
    }

    pub(super) fn move_leases(&mut self, seconds: f64) {
        for node in self.nodes.values_mut() {
            node.online_until = node.online_until + seconds;
        }
    }

    pub(super) fn online(&self, now: Timestamp) -> Vec<NodeId> {
        let online = self
            .nodes
            .iter()
            .filter(|(_, node)| node.online_until > now);
        online.map(|(id, _)| *id).collect()
    }

    /// Until when the node counts as online; `None` if it is not known.
    pub(super) fn online_until(&self, node: NodeId) -> Option<Timestamp> {
        self.nodes.get(&node).map(|node| node.online_until)
    }

    pub(super) fn wait(&mut self, node: NodeId, run: RunId, message: MessageId) {
        if let Some(node) = self.nodes.get_mut(&node) {
            node.waiting.push_back((run, message));
        }
    }

    pub(super) fn next_waiting(&mut self, node: NodeId) -> Option<(RunId, MessageId)> {
        self.nodes.get_mut(&node)?.waiting.pop_front()
    }

    /// What was handed to the node last, if it never said that it arrived.
    pub(super) fn take_unconfirmed(&mut self, node: NodeId) -> Option<(RunId, MessageId)> {
        self.nodes.get_mut(&node)?.unconfirmed.take()
    }

    /// The node has the message.
    pub(super) fn confirmed(&mut self, node: NodeId, run: RunId, message: MessageId) {
        if let Some(node) = self.nodes.get_mut(&node) {
            node.unconfirmed = node.unconfirmed.filter(|last| *last != (run, message));
        }
    }

    pub(super) fn handed_out(&mut self, node: NodeId, run: RunId, message: MessageId) {
        if let Some(node) = self.nodes.get_mut(&node) {
            node.unconfirmed = Some((run, message));
        }
    }

    pub(super) fn wait_first(&mut self, node: NodeId, run: RunId, message: MessageId) {
        if let Some(node) = self.nodes.get_mut(&node) {
            node.waiting.push_front((run, message));
        }
    }
}

impl Inner {
    /// What a node took without an answer waits for it again.
    pub(super) fn reclaim(&mut self, node: NodeId) -> Vec<ObjectId> {
        let mut freed = Vec::new();
        for (run, state) in &mut self.runs {
            let (unclaimed, halves) = state.unclaim(node);
            for message in unclaimed {
                self.nodes.wait(node, *run, message);
            }
            freed.extend(halves);
        }
        freed
    }
}

#[async_trait]
impl state::Nodes for MemoryState {
    async fn register_node(
        &self,
        key: &PublicKey,
        fresh: NodeId,
        until: Timestamp,
    ) -> Written<Registration> {
        let mut inner = self.0.lock();
        let (node, resumed) = inner.nodes.register(key, fresh, until);
        let freed = if resumed {
            inner.reclaim(node)
        } else {
            Vec::new()
        };
        let wake = vec![Topic::Node(node)];
        Ok((Registration { node, resumed }, Changed { freed, wake }))
    }

    async fn remove_node(&self, node: NodeId) -> Written<()> {
        self.0.lock().nodes.remove(node);
        Ok(((), Changed::wake([Topic::Node(node)])))
    }

    async fn node_of_key(&self, key: &PublicKey) -> StateResult<Option<NodeId>> {
        Ok(self.0.lock().nodes.of_key(key))
    }

    async fn keep_node(&self, node: NodeId, until: Timestamp) -> StateResult<bool> {
        Ok(self.0.lock().nodes.keep(node, until))
    }

    async fn note_wire(&self, node: NodeId, wire: &str) -> StateResult<()> {
        self.0.lock().nodes.note_wire(node, wire);
        Ok(())
    }

    async fn wire(&self, node: NodeId) -> StateResult<Option<String>> {
        Ok(self.0.lock().nodes.wire(node))
    }

    async fn nodes(&self) -> StateResult<Vec<KnownNode>> {
        Ok(self.0.lock().nodes.all())
    }

    async fn online_nodes(&self, now: Timestamp) -> StateResult<Vec<NodeId>> {
        Ok(self.0.lock().nodes.online(now))
    }
}
