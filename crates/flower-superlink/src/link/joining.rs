//! Nodes join by tokens, and change their keys. A node that has joined stands as if the token's owner
//! had registered it.

use flwr_core::id::NodeId;
use flwr_core::refusal::{JoinRefusal, Refusal};
use flwr_core::time::Timestamp;
use flwr_security::joining::{JoinSecret, JoinTokenId};
use flwr_security::key::PublicKey;
use tracing::info;

use super::Link;
use super::commit::Stores;
use super::permission::Principal;
use super::state::KnownToken;
use crate::error::Result;

/// Seconds after which a token is forgotten that ended: 30 days. Until then people see who joined.
const ENDED: f64 = 30.0 * 86_400.0;

/// A token that is to be kept.
#[derive(Debug, Clone)]
pub struct TokenTerms {
    /// Its id.
    pub id: JoinTokenId,
    /// The SHA-256 of its secret.
    pub secret: [u8; 32],
    /// What people call the node.
    pub name: Option<String>,
    /// Where nodes join: HOST:PORT.
    pub address: String,
    /// Seconds for which nodes may join.
    pub ttl: f64,
    /// How many nodes may join.
    pub uses: u32,
}

impl Link {
    /// Keeps a token of the principal.
    ///
    /// # Errors
    /// If the state fails.
    pub async fn add_join_token(
        &self,
        terms: TokenTerms,
        principal: &Principal,
    ) -> Result<KnownToken> {
        let now = self.now();
        let token = KnownToken {
            id: terms.id,
            secret: terms.secret,
            owner: principal.account().to_owned(),
            name: terms.name,
            address: terms.address,
            issued_at: now,
            expires_at: now + terms.ttl,
            uses: terms.uses,
            revoked_at: None,
            used: Vec::new(),
        };
        self.state.add_join_token(&token).await?;
        let (account, seconds) = (principal.account(), terms.ttl);
        info!(token_id = %token.id, account, uses = token.uses, seconds, address = token.address, "join token made by `flwr supernode join-token new`");
        Ok(token)
    }

    /// The tokens that the principal may revoke, the oldest first. Those that are over are among them.
    ///
    /// # Errors
    /// If the state fails.
    pub async fn join_tokens(&self, principal: &Principal) -> Result<Vec<KnownToken>> {
        let mut tokens = self.state.join_tokens().await?;
        tokens.retain(|token| principal.may_revoke(token));
        Ok(tokens)
    }

    /// Nobody joins with the token any more.
    ///
    /// # Errors
    /// If there is no such token, or it is not the principal's.
    pub async fn revoke_join_token(&self, id: &str, principal: &Principal) -> Result<()> {
        let unknown = || Refusal::from(JoinRefusal::TokenNotFound(id.to_owned()));
        let parsed = id.parse::<JoinTokenId>().map_err(|_| unknown())?;
        let token = self.state.join_token(parsed).await?;
        let token = token.filter(|token| principal.may_revoke(token));
        let token = token.ok_or_else(unknown)?;
        self.state.revoke_join_token(token.id, self.now()).await?;
        let account = principal.account();
        info!(token_id = %token.id, account, "join token revoked by `flwr supernode join-token revoke`");
        Ok(())
    }

    /// The token with this id, if the secret is its secret.
    ///
    /// # Errors
    /// If there is no such token, or its secret is another. Both refusals are the same.
    pub async fn join_token(&self, id: JoinTokenId, secret: &JoinSecret) -> Result<KnownToken> {
        let token = self.state.join_token(id).await?;
        let token = token.filter(|token| secret.has_hash(&token.secret));
        Ok(token.ok_or(Refusal::from(JoinRefusal::UnknownToken))?)
    }

    /// Registers the node of this key by the token. The same key again gives the same node.
    ///
    /// # Errors
    /// If the token is of no use to the key, or the key is of a node already.
    pub async fn join(&self, token: &KnownToken, key: &PublicKey) -> Result<NodeId> {
        let (id, fresh, now) = (token.id, super::nodes::random_node()?, self.now());
        let joined = key.clone();
        let joined = self.commit(move |Stores { state, .. }| async move {
            state.join_node(id, &joined, fresh, now).await
        });
        let node = joined.await?;
        let (again, key, account) = (node != fresh, key.fingerprint(), &token.owner);
        info!(node_id = %node, token_id = %id, %key, account, name = token.name, again, "SuperNode joined by a token");
        Ok(node)
    }

    /// Notes the next key of the node that has the old one.
    ///
    /// # Errors
    /// If no node has the old key, or the new one is of a node already.
    pub async fn note_next_key(&self, old: &PublicKey, next: &PublicKey) -> Result<NodeId> {
        let node = self.state.node_of_key(old).await?;
        let node = node.ok_or(Refusal::NotRegistered)?;
        self.state.note_next_key(node, next).await?;
        let (old, next) = (old.fingerprint(), next.fingerprint());
        info!(node_id = %node, key = %old, next_key = %next, "the SuperNode will have another key: the old one ends when the new one is first used");
        Ok(node)
    }

    /// The node of a caller that has proven this key. If the key was noted as a node's next, the node has
    /// it from now on, and the sessions of its old key end.
    ///
    /// # Errors
    /// If the state fails.
    pub async fn node_of_caller(&self, key: &PublicKey) -> Result<Option<NodeId>> {
        if let Some(node) = self.state.node_of_key(key).await? {
            return Ok(Some(node));
        }
        if self.state.node_of_next_key(key).await?.is_none() {
            return Ok(None);
        }
        let next = key.clone();
        let changed =
            self.commit(move |Stores { state, .. }| async move { state.use_next_key(&next).await });
        if let Some(node) = changed.await? {
            let key = key.fingerprint();
            info!(node_id = %node, %key, "the SuperNode uses its new key: the old one has ended");
            return Ok(Some(node));
        }
        // Another call with this key came first.
        Ok(self.state.node_of_key(key).await?)
    }

    /// Forgets the tokens that ended 30 days ago.
    ///
    /// # Errors
    /// If the state fails.
    pub async fn forget_join_tokens(&self) -> Result<()> {
        let moment: Timestamp = self.now() + -ENDED;
        let forgotten = self.state.forget_join_tokens(moment).await?;
        if forgotten > 0 {
            info!(forgotten, "join tokens forgotten that ended 30 days ago");
        }
        Ok(())
    }
}
