//! What must not be forgotten of nodes that join: the tokens for that, and keys that change.

use async_trait::async_trait;
use flwr_core::id::NodeId;
use flwr_core::refusal::JoinRefusal;
use flwr_core::time::Timestamp;
use flwr_security::joining::JoinTokenId;
use flwr_security::key::PublicKey;

use super::{StateResult, Written};

/// A token by which nodes join.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownToken {
    /// Its id.
    pub id: JoinTokenId,
    /// The SHA-256 of its secret.
    pub secret: [u8; 32],
    /// The account that made it, empty where nobody signs in. The nodes belong to this account.
    pub owner: String,
    /// What people call the node.
    pub name: Option<String>,
    /// Where nodes join: HOST:PORT.
    pub address: String,
    /// When it was made.
    pub issued_at: Timestamp,
    /// Until when nodes may join.
    pub expires_at: Timestamp,
    /// How many nodes may join.
    pub uses: u32,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// Who has joined, in this order.
    pub used: Vec<TokenUse>,
}

/// A node that joined by a token.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenUse {
    /// The key with which the node joined.
    pub key: PublicKey,
    /// The node.
    pub node: NodeId,
    /// When it joined.
    pub at: Timestamp,
}

/// What a token is to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// The key may join.
    New,
    /// The key joined before, as this node. Its answer may have been lost.
    Again(NodeId),
}

/// The rules of tokens. A state keeps what they need.
impl KnownToken {
    /// How many more nodes may join.
    #[must_use]
    pub fn uses_left(&self) -> u32 {
        let used = u32::try_from(self.used.len()).unwrap_or(u32::MAX);
        self.uses.saturating_sub(used)
    }

    /// What the token is to this key.
    ///
    /// # Errors
    /// If the key may not join with it.
    pub fn entry(&self, key: &PublicKey, now: Timestamp) -> Result<Entry, JoinRefusal> {
        if self.revoked_at.is_some() {
            return Err(JoinRefusal::Revoked);
        }
        let before = self.used.iter().find(|before| before.key == *key);
        match before {
            Some(before) => Ok(Entry::Again(before.node)),
            None if self.expires_at <= now => Err(JoinRefusal::Expired),
            None if self.uses_left() == 0 => Err(JoinRefusal::UsedUp),
            None => Ok(Entry::New),
        }
    }

    /// When the token ended, or will end at the latest.
    #[must_use]
    pub fn ends_at(&self) -> Timestamp {
        let used_up = match self.uses_left() {
            0 => self.used.last().map(|last| last.at),
            _ => None,
        };
        let ends = [Some(self.expires_at), self.revoked_at, used_up];
        ends.into_iter()
            .flatten()
            .reduce(Timestamp::min)
            .unwrap_or(self.expires_at)
    }
}

/// Tokens by which nodes join, and keys that follow other keys.
#[async_trait]
pub trait Joining {
    /// Keeps a new token.
    async fn add_join_token(&self, token: &KnownToken) -> StateResult<()>;

    /// All tokens, the oldest first.
    async fn join_tokens(&self) -> StateResult<Vec<KnownToken>>;

    /// The token with this id.
    async fn join_token(&self, id: JoinTokenId) -> StateResult<Option<KnownToken>>;

    /// Nobody joins with the token any more. Unknown, or revoked before: nothing happens.
    async fn revoke_join_token(&self, id: JoinTokenId, now: Timestamp) -> StateResult<()>;

    /// A node joins by the token, as if the token's owner registered it. Refused as
    /// [`KnownToken::entry`] says, with [`JoinRefusal::UnknownToken`] if there is no such token, and with
    /// [`Refusal::KeyInUse`](flwr_core::refusal::Refusal::KeyInUse) if a person has registered the key.
    ///
    /// # Behavior
    /// - a key that may join: the node is named `fresh`, and one use of the token is taken
    /// - a key that joined by the token: its node stands as it was, or the refusal is
    ///   [`JoinRefusal::Gone`] if the key is not the node's any more
    async fn join_node(
        &self,
        id: JoinTokenId,
        key: &PublicKey,
        fresh: NodeId,
        now: Timestamp,
    ) -> Written<NodeId>;

    /// Forgets the tokens that ended before `moment`. Gives their number.
    async fn forget_join_tokens(&self, moment: Timestamp) -> StateResult<usize>;

    /// Notes the key that the node will have, in the place of another that was noted. Refused with
    /// [`Refusal::NotRegistered`](flwr_core::refusal::Refusal::NotRegistered) if the node is not known,
    /// and with [`Refusal::KeyInUse`](flwr_core::refusal::Refusal::KeyInUse) if a node has the key, or
    /// another will have it.
    async fn note_next_key(&self, node: NodeId, next: &PublicKey) -> StateResult<()>;

    /// The node that will have this key.
    async fn node_of_next_key(&self, next: &PublicKey) -> StateResult<Option<NodeId>>;

    /// The node has the key from now on that was noted as its next. Its session ends with the old key,
    /// and it is as online as it was. `None`: no node will have the key.
    async fn use_next_key(&self, next: &PublicKey) -> Written<Option<NodeId>>;
}
