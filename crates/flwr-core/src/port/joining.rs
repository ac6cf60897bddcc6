//! How nodes join by tokens: what people ask of a SuperLink, and what nodes ask.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use super::Result;
use crate::address::Address;
use crate::id::NodeId;
use crate::time::Timestamp;

/// A join token that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJoinToken {
    /// Where the node joins. `None`: at the host by which the caller reached the SuperLink.
    pub address: Option<Address>,
    /// The host by which the caller reached the SuperLink.
    pub host: String,
    /// What people call the node that joins.
    pub name: Option<String>,
    /// How long nodes may join with the token.
    pub ttl: Duration,
    /// How many nodes may join with the token.
    pub uses: u32,
}

/// A join token that was made.
#[derive(Clone, PartialEq)]
pub struct IssuedJoinToken {
    /// The text for the node. Whoever has the text can join.
    pub token: String,
    /// What the SuperLink keeps of the token.
    pub about: JoinTokenInfo,
}

/// What a SuperLink keeps of a join token, as people see it. Nobody joins by this.
#[derive(Debug, Clone, PartialEq)]
pub struct JoinTokenInfo {
    /// 16 hexadecimal digits.
    pub id: String,
    /// The account that made it. Empty: nobody signs in.
    pub owner: String,
    /// What people call the node that joins.
    pub name: Option<String>,
    /// Where the node joins: HOST:PORT.
    pub address: String,
    /// When it was made.
    pub issued_at: Timestamp,
    /// Until when nodes may join with it.
    pub expires_at: Timestamp,
    /// How many nodes may join with it.
    pub uses: u32,
    /// How many more nodes may join with it.
    pub uses_left: u32,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// The nodes that joined with it.
    pub nodes: Vec<NodeId>,
}

/// Join tokens, at a time.
#[derive(Debug, Clone, PartialEq)]
pub struct JoinTokenList {
    /// The tokens, the oldest first.
    pub tokens: Vec<JoinTokenInfo>,
    /// The SuperLink's time.
    pub now: Timestamp,
}

/// Join tokens in the hands of people, as part of the session of a person with a SuperLink.
pub trait JoinTokens: Send + Sync + 'static {
    /// Makes a token. The nodes that join with the token belong to the caller.
    ///
    /// # Errors
    /// If people do not register nodes at this SuperLink, or no node could join with such a token.
    fn issue_join_token(
        &self,
        new: NewJoinToken,
    ) -> impl Future<Output = Result<IssuedJoinToken>> + Send;

    /// The tokens that the caller may revoke, and those that are over.
    ///
    /// # Errors
    /// If the state fails.
    fn join_tokens(&self) -> impl Future<Output = Result<JoinTokenList>> + Send;

    /// Nobody joins with the token any more. Nodes that have joined stay.
    ///
    /// # Errors
    /// If there is no such token, or it is not the caller's.
    fn revoke_join_token(&self, id: &str) -> impl Future<Output = Result<()>> + Send;
}

/// A node that wants to join, with its proofs.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinAttempt {
    /// The token's id.
    pub token: Bytes,
    /// What proves the right to the token.
    pub secret: Bytes,
    /// The node's public key: SubjectPublicKeyInfo in DER.
    pub key: Bytes,
    /// The key's signature over the statement that holds for this connection, token and key.
    pub proof: Bytes,
    /// A certificate signing request in DER. Empty: the node wants no certificate.
    pub signing_request: Bytes,
}

/// A node that has joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// Its id.
    pub node: NodeId,
    /// Where it finds the SuperLink from now on: HOST:PORT.
    pub superlink: String,
    /// Its client certificate with the chain, in PEM. Empty: it needs none.
    pub certificate: Bytes,
    /// What people call it.
    pub name: Option<String>,
}

/// A node that changes its key, with the proofs of both keys.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyRenewal {
    /// The key that the node has: SubjectPublicKeyInfo in DER.
    pub old_key: Bytes,
    /// The key that the node will have.
    pub new_key: Bytes,
    /// The old key's signature over the statement that holds for this connection and these keys.
    pub old_proof: Bytes,
    /// The new key's signature.
    pub new_proof: Bytes,
    /// A certificate signing request in DER for the new key. Empty: the node wants no certificate.
    pub signing_request: Bytes,
}

/// A node whose new key is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenewedKey {
    /// The node.
    pub node: NodeId,
    /// Its client certificate for the new key, in PEM. Empty: it needs none.
    pub certificate: Bytes,
}

/// What a node asks before it has a session. The requests carry their own proofs.
pub trait Joining: Send + Sync + 'static {
    /// Registers the node that asks. The same token and key again give the same node.
    ///
    /// # Errors
    /// If the token is of no use, or a proof does not hold on this connection.
    fn join(&self, attempt: JoinAttempt) -> impl Future<Output = Result<Joined>> + Send;

    /// Notes the next key of a node. The old key ends when the node first uses the new one.
    ///
    /// # Errors
    /// If a proof does not hold on this connection, or a list decides which keys come in.
    fn renew_key(&self, renewal: KeyRenewal) -> impl Future<Output = Result<RenewedKey>> + Send;
}

/// What a node asks in its session so that both ends go on to know each other.
pub trait NodeTrust: Send + Sync + 'static {
    /// A new client certificate for the node, with its chain, in PEM. Of the request in DER only the key
    /// counts.
    ///
    /// # Errors
    /// If the SuperLink issues none, or the key is not the node's.
    fn renew_certificate(
        &self,
        signing_request: Bytes,
    ) -> impl Future<Output = Result<Bytes>> + Send;

    /// The authorities from which the SuperLink's certificate comes, now and soon: certificates in DER.
    ///
    /// # Errors
    /// If the session has no node.
    fn trust(&self) -> impl Future<Output = Result<Vec<Bytes>>> + Send;
}

/// The token is not printed.
impl fmt::Debug for IssuedJoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IssuedJoinToken({})", self.about.id)
    }
}

/// The secret and the proof are not printed.
impl fmt::Debug for JoinAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinAttempt")
    }
}

/// The proofs are not printed.
impl fmt::Debug for KeyRenewal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyRenewal")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_printed() {
        let issued = IssuedJoinToken {
            token: "fjt1_secret".to_owned(),
            about: JoinTokenInfo {
                id: "00ff".to_owned(),
                owner: String::new(),
                name: None,
                address: "superlink.example:9092".to_owned(),
                issued_at: Timestamp::ZERO,
                expires_at: Timestamp::ZERO,
                uses: 1,
                uses_left: 1,
                revoked_at: None,
                nodes: Vec::new(),
            },
        };
        assert_eq!(format!("{issued:?}"), "IssuedJoinToken(00ff)");
        let secret = || Bytes::from_static(b"secret");
        let attempt = JoinAttempt {
            token: secret(),
            secret: secret(),
            key: secret(),
            proof: secret(),
            signing_request: secret(),
        };
        assert_eq!(format!("{attempt:?}"), "JoinAttempt");
        let renewal = KeyRenewal {
            old_key: secret(),
            new_key: secret(),
            old_proof: secret(),
            new_proof: secret(),
            signing_request: secret(),
        };
        assert_eq!(format!("{renewal:?}"), "KeyRenewal");
    }
}
