//! Nodes, their keys and life, and what waits for each.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use async_trait::async_trait;
use flwr_core::id::{NodeId, RunId};
use flwr_core::message::MessageId;
use flwr_core::object::ObjectId;
use flwr_core::refusal::Refusal;
use flwr_core::time::Timestamp;
use flwr_security::key::PublicKey;

use super::{Inner, MemoryState};
use crate::link::state::{
    self, Changed, Enrolment, KnownNode, NodeStatus, Outlook, Registration, Session, StateResult,
    Traits, Written,
};
use crate::link::wake::Topic;

#[derive(Debug, Default)]
pub(super) struct Nodes {
    nodes: BTreeMap<NodeId, Node>,
    /// The nodes that are registered.
    pub(super) by_key: HashMap<PublicKey, NodeId>,
    /// The nodes that will have another key, by that key.
    pub(super) by_next_key: HashMap<PublicKey, NodeId>,
    /// The owners of the certificates by which nodes were seen.
    certificates: HashSet<String>,
    /// The keys of nodes that people have unregistered.
    dismissed: HashSet<PublicKey>,
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) known: KnownNode,
    /// A sign of life came in the node's session.
    heard: bool,
    /// Whole messages, oldest first. Some may be over by the time they are handed out.
    waiting: VecDeque<(RunId, MessageId)>,
    /// Handed out last, and not confirmed.
    unconfirmed: Option<(RunId, MessageId)>,
}

impl Node {
    fn is_registered(&self) -> bool {
        self.known.unregistered_at.is_none()
    }
}

impl Nodes {
    /// All nodes, also those that are unregistered.
    pub(super) fn known(&self) -> impl Iterator<Item = &KnownNode> {
        self.nodes.values().map(|node| &node.known)
    }

    /// The node with this key, and whether it was here before.
    fn register(&mut self, key: &PublicKey, fresh: NodeId, now: Timestamp) -> (NodeId, bool) {
        if let Some(bound) = self.by_key.get(key) {
            return (*bound, true);
        }
        let node = Node {
            known: KnownNode::registered(fresh, key.clone(), now),
            heard: false,
            waiting: VecDeque::new(),
            unconfirmed: None,
        };
        self.by_key.insert(key.clone(), fresh);
        self.nodes.insert(fresh, node);
        (fresh, false)
    }

    pub(super) fn enroll(
        &mut self,
        enrolment: &Enrolment,
        fresh: NodeId,
        now: Timestamp,
    ) -> Result<NodeId, Refusal> {
        let (id, _) = self.register(&enrolment.key, fresh, now);
        if let Some(node) = self.registered_mut(id) {
            if node.known.owner.is_some() {
                return Err(Refusal::KeyInUse);
            }
            node.known.enroll(enrolment);
        }
        self.dismissed.remove(&enrolment.key);
        Ok(id)
    }

    /// The node, unless it is unregistered.
    fn registered(&self, node: NodeId) -> Option<&Node> {
        self.nodes.get(&node).filter(|node| node.is_registered())
    }

    pub(super) fn registered_mut(&mut self, node: NodeId) -> Option<&mut Node> {
        let node = self.nodes.get_mut(&node);
        node.filter(|node| node.is_registered())
    }

    fn unregister(&mut self, node: NodeId, now: Timestamp) -> bool {
        let Some(node) = self.registered_mut(node) else {
            return false;
        };
        node.known.unregister(now);
        node.waiting.clear();
        node.unconfirmed = None;
        let (key, next) = (node.known.key.clone(), node.known.next_key.clone());
        self.by_key.remove(&key);
        next.map(|next| self.by_next_key.remove(&next));
        true
    }

    pub(super) fn of_key(&self, key: &PublicKey) -> Option<NodeId> {
        self.by_key.get(key).copied()
    }

    pub(super) fn forget(&mut self, node: NodeId) {
        let Some(node) = self.nodes.remove(&node) else {
            return;
        };
        if node.is_registered() {
            self.by_key.remove(&node.known.key);
            node.known
                .next_key
                .map(|next| self.by_next_key.remove(&next));
        }
    }

    pub(super) fn contains(&self, node: NodeId) -> bool {
        self.registered(node).is_some()
    }

    pub(super) fn is_in_session(&self, node: NodeId, session: Session) -> bool {
        let node = self.registered(node);
        node.is_some_and(|node| node.known.session == session)
    }

    pub(super) fn count(&self) -> u64 {
        let nodes = self.nodes.values();
        nodes.filter(|node| node.is_registered()).count() as u64
    }

    /// The run is deleted: nothing names it any more.
    pub(super) fn forget_run(&mut self, run: RunId) {
        for node in self.nodes.values_mut() {
            node.waiting.retain(|(of, _)| *of != run);
            node.unconfirmed = node.unconfirmed.filter(|(of, _)| *of != run);
        }
    }

    pub(super) fn node(&self, node: NodeId) -> Option<&KnownNode> {
        self.nodes.get(&node).map(|node| &node.known)
    }

    pub(super) fn move_leases(&mut self, seconds: f64) {
        let nodes = self.nodes.values_mut();
        for node in nodes.filter(|node| node.is_registered()) {
            node.known.move_lease(seconds);
        }
    }

    pub(super) fn extend_leases(&mut self, since: Timestamp, seconds: f64) {
        let nodes = self.nodes.values_mut();
        for node in nodes.filter(|node| node.is_registered()) {
            node.known.extend_lease(since, seconds);
        }
    }

    /// Until when the node's replies are waited for; `None` if it is not known.
    pub(super) fn outlook(&self, node: NodeId) -> Option<Outlook> {
        self.registered(node).map(|node| node.known.outlook())
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
        now: Timestamp,
    ) -> Written<Registration> {
        let mut inner = self.0.lock();
        let (node, resumed) = inner.nodes.register(key, fresh, now);
        Ok((Registration { node, resumed }, Changed::default()))
    }

    async fn enroll_node(
        &self,
        enrolment: &Enrolment,
        fresh: NodeId,
        now: Timestamp,
    ) -> Written<NodeId> {
        let node = self.0.lock().nodes.enroll(enrolment, fresh, now)?;
        Ok((node, Changed::default()))
    }

    async fn dismiss_node(&self, node: NodeId, now: Timestamp) -> Written<()> {
        let mut inner = self.0.lock();
        let nodes = &mut inner.nodes;
        let key = nodes.registered(node).map(|node| node.known.key.clone());
        let mut changed = Changed::default();
        if let Some(key) = key {
            nodes.unregister(node, now);
            nodes.dismissed.insert(key);
            changed.wake.push(Topic::Node(node));
        }
        Ok(((), changed))
    }

    fn is_dismissed(&self, key: &PublicKey) -> bool {
        self.0.lock().nodes.dismissed.contains(key)
    }

    fn is_key_of(&self, key: &PublicKey, node: NodeId) -> bool {
        let inner = self.0.lock();
        let node = inner.nodes.registered(node);
        node.is_some_and(|node| node.known.has_key(key))
    }

    async fn activate_node(
        &self,
        node: NodeId,
        until: Timestamp,
        now: Timestamp,
    ) -> Written<Session> {
        let mut inner = self.0.lock();
        let known = inner.nodes.registered_mut(node);
        let known = known.ok_or(Refusal::NotRegistered)?;
        known.known.activate(until, now);
        known.heard = false;
        let session = known.known.session;
        // In its first session the node has taken nothing yet.
        let freed = if session > 1 {
            inner.reclaim(node)
        } else {
            Vec::new()
        };
        let wake = vec![Topic::Node(node)];
        Ok((session, Changed { freed, wake }))
    }

    async fn keep_node(&self, node: NodeId, until: Timestamp, now: Timestamp) -> StateResult<bool> {
        let mut inner = self.0.lock();
        let known = inner.nodes.registered_mut(node);
        Ok(known.map(|known| known.known.keep(until, now)).is_some())
    }

    async fn deactivate_node(&self, node: NodeId, now: Timestamp) -> Written<()> {
        let mut inner = self.0.lock();
        let Some(known) = inner.nodes.registered_mut(node) else {
            return Ok(((), Changed::default()));
        };
        known.known.deactivate(now);
        known.heard = false;
        Ok(((), Changed::wake([Topic::Node(node)])))
    }

    async fn unregister_node(&self, node: NodeId, now: Timestamp) -> Written<()> {
        let mut changed = Changed::default();
        let is_known = self.0.lock().nodes.unregister(node, now);
        changed.wake.extend(is_known.then_some(Topic::Node(node)));
        Ok(((), changed))
    }

    async fn node_of_key(&self, key: &PublicKey) -> StateResult<Option<NodeId>> {
        Ok(self.0.lock().nodes.of_key(key))
    }

    async fn session(&self, node: NodeId) -> StateResult<Option<Session>> {
        let inner = self.0.lock();
        Ok(inner.nodes.registered(node).map(|node| node.known.session))
    }

    fn hear_node(&self, node: NodeId) {
        if let Some(node) = self.0.lock().nodes.registered_mut(node) {
            node.heard = true;
        }
    }

    fn was_heard(&self, node: NodeId) -> bool {
        let inner = self.0.lock();
        inner.nodes.registered(node).is_some_and(|node| node.heard)
    }

    async fn note_wire(&self, node: NodeId, wire: &str) -> StateResult<()> {
        if let Some(node) = self.0.lock().nodes.registered_mut(node) {
            node.known.wire = Some(wire.to_owned());
        }
        Ok(())
    }

    async fn wire(&self, node: NodeId) -> StateResult<Option<String>> {
        let inner = self.0.lock();
        let node = inner.nodes.registered(node);
        Ok(node.and_then(|node| node.known.wire.clone()))
    }

    async fn note_traits(&self, node: NodeId, traits: &Traits) -> StateResult<()> {
        if let Some(node) = self.0.lock().nodes.registered_mut(node) {
            node.known.traits = traits.clone();
        }
        Ok(())
    }

    async fn note_certificate(&self, owner: &str) -> StateResult<()> {
        let mut inner = self.0.lock();
        inner.nodes.certificates.insert(owner.to_owned());
        Ok(())
    }

    fn is_of_node(&self, owner: &str) -> bool {
        self.0.lock().nodes.certificates.contains(owner)
    }

    async fn node(&self, node: NodeId) -> StateResult<Option<KnownNode>> {
        Ok(self.0.lock().nodes.node(node).cloned())
    }

    async fn nodes(&self) -> StateResult<Vec<KnownNode>> {
        let inner = self.0.lock();
        let nodes = inner.nodes.nodes.values();
        Ok(nodes.map(|node| node.known.clone()).collect())
    }

    async fn online_nodes(&self, now: Timestamp) -> StateResult<Vec<NodeId>> {
        let inner = self.0.lock();
        let nodes = inner.nodes.nodes.values();
        let online = nodes.filter(|node| node.known.status(now) == NodeStatus::Online);
        Ok(online.map(|node| node.known.id).collect())
    }
}
