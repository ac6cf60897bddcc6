//! Join tokens, and the keys that nodes will have.

use async_trait::async_trait;
use flwr_core::id::NodeId;
use flwr_core::refusal::{JoinRefusal, Refusal};
use flwr_core::time::Timestamp;
use flwr_security::joining::JoinTokenId;
use flwr_security::key::PublicKey;

use super::MemoryState;
use super::nodes::Nodes;
use crate::link::state::{
    self, Changed, Enrolment, Entry, KnownToken, StateResult, TokenUse, Written,
};
use crate::link::wake::Topic;

impl Nodes {
    fn note_next_key(&mut self, id: NodeId, next: &PublicKey) -> Result<(), Refusal> {
        let of_another = self.by_next_key.get(next).is_some_and(|other| *other != id);
        if of_another || self.by_key.contains_key(next) {
            return Err(Refusal::KeyInUse);
        }
        let node = self.registered_mut(id).ok_or(Refusal::NotRegistered)?;
        let earlier = node.known.next_key.replace(next.clone());
        earlier.map(|earlier| self.by_next_key.remove(&earlier));
        self.by_next_key.insert(next.clone(), id);
        Ok(())
    }

    fn use_next_key(&mut self, next: &PublicKey) -> Option<NodeId> {
        let id = self.by_next_key.remove(next)?;
        let node = self.registered_mut(id)?;
        let old = node.known.key.clone();
        node.known.change_key(next.clone());
        self.by_key.remove(&old);
        self.by_key.insert(next.clone(), id);
        Some(id)
    }
}

#[async_trait]
impl state::Joining for MemoryState {
    async fn add_join_token(&self, token: &KnownToken) -> StateResult<()> {
        let mut inner = self.0.lock();
        inner.join_tokens.insert(token.id, token.clone());
        Ok(())
    }

    async fn join_tokens(&self) -> StateResult<Vec<KnownToken>> {
        let mut tokens: Vec<_> = self.0.lock().join_tokens.values().cloned().collect();
        tokens.sort_by(|one, other| {
            let by_time = one
                .issued_at
                .as_secs()
                .total_cmp(&other.issued_at.as_secs());
            by_time.then(one.id.cmp(&other.id))
        });
        Ok(tokens)
    }

    async fn join_token(&self, id: JoinTokenId) -> StateResult<Option<KnownToken>> {
        Ok(self.0.lock().join_tokens.get(&id).cloned())
    }

    async fn revoke_join_token(&self, id: JoinTokenId, now: Timestamp) -> StateResult<()> {
        if let Some(token) = self.0.lock().join_tokens.get_mut(&id) {
            token.revoked_at.get_or_insert(now);
        }
        Ok(())
    }

    async fn join_node(
        &self,
        id: JoinTokenId,
        key: &PublicKey,
        fresh: NodeId,
        now: Timestamp,
    ) -> Written<NodeId> {
        let mut inner = self.0.lock();
        let inner = &mut *inner;
        let token = inner.join_tokens.get_mut(&id);
        let token = token.ok_or(Refusal::from(JoinRefusal::UnknownToken))?;
        let node = match token.entry(key, now).map_err(Refusal::from)? {
            Entry::Again(node) if inner.nodes.of_key(key) == Some(node) => node,
            Entry::Again(_) => return Err(Refusal::from(JoinRefusal::Gone).into()),
            Entry::New => {
                let enrolment = Enrolment {
                    key: key.clone(),
                    owner: token.owner.clone(),
                    name: token.name.clone(),
                    location: None,
                };
                let node = inner.nodes.enroll(&enrolment, fresh, now)?;
                let (key, at) = (key.clone(), now);
                token.used.push(TokenUse { key, node, at });
                node
            }
        };
        Ok((node, Changed::default()))
    }

    async fn forget_join_tokens(&self, moment: Timestamp) -> StateResult<usize> {
        let tokens = &mut self.0.lock().join_tokens;
        let before = tokens.len();
        tokens.retain(|_, token| token.ends_at() >= moment);
        Ok(before - tokens.len())
    }

    async fn note_next_key(&self, node: NodeId, next: &PublicKey) -> StateResult<()> {
        Ok(self.0.lock().nodes.note_next_key(node, next)?)
    }

    async fn node_of_next_key(&self, next: &PublicKey) -> StateResult<Option<NodeId>> {
        Ok(self.0.lock().nodes.by_next_key.get(next).copied())
    }

    async fn use_next_key(&self, next: &PublicKey) -> Written<Option<NodeId>> {
        let node = self.0.lock().nodes.use_next_key(next);
        let mut changed = Changed::default();
        changed.wake.extend(node.map(Topic::Node));
        Ok((node, changed))
    }
}
