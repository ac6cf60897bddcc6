//! Who calls: SuperNodes of flwr 1.9 to 1.14 sign each request with the secret that they share with
//! the SuperLink; where no keys are asked for they show nothing, and are known by the id they got.

use std::sync::Arc;

use bytes::Bytes;
use flwr_core::id::NodeId;
use flwr_security::allow_list::AllowList;
use flwr_security::from_file::FromFile;
use flwr_security::key::{PrivateKey, PublicKey};
use flwr_security::shared_secret::{self, Secrets, SharedSecret};
use http::HeaderMap;
use tonic::Status;
use tracing::warn;

use super::canonical::{self, Order};
use crate::link::Link;

/// Who is let in.
#[derive(Debug, Clone)]
pub(crate) enum Admission {
    /// Everybody.
    Open,
    /// The holders of these keys.
    Keys {
        /// The keys.
        allowed: Arc<FromFile<AllowList>>,
        /// What the SuperLink's own shares with them.
        secrets: Arc<Secrets>,
    },
    /// Nobody: keys are asked for, and the SuperLink has none of its own to share secrets by.
    Closed,
}

/// The bytes of a request that its HMAC may be over.
pub(super) enum Signed<'a> {
    /// Those that were sent.
    AsSent(&'a Bytes),
    /// Those of a PushTaskRes, in which maps may stand in another order; with the number of the
    /// field of its replies.
    PushTaskRes(&'a Bytes, u32),
}

/// A caller who may register.
pub(super) struct Newcomer {
    pub(super) key: PublicKey,
    /// What the answer tells of the SuperLink, for the caller to make the secret.
    pub(super) superlink_key: Option<String>,
}

impl Admission {
    /// Who wants to register.
    pub(super) fn newcomer(&self, headers: &HeaderMap) -> Result<Newcomer, Status> {
        match self {
            Self::Open => Ok(Newcomer {
                // Nobody has it: the node is known by the id it gets.
                key: PrivateKey::generate()
                    .map_err(|error| Status::internal(error.to_string()))?
                    .public_key()
                    .clone(),
                superlink_key: None,
            }),
            Self::Keys { allowed, secrets } => Ok(Newcomer {
                key: allowed_key(allowed, headers)?,
                superlink_key: Some(shared_secret::public_key_text(secrets.public_key())),
            }),
            Self::Closed => Err(denied("no key of the SuperLink's own is given")),
        }
    }

    /// Makes sure that the caller is the node that it says it is, if it says so.
    pub(super) async fn admit(
        &self,
        link: &Link,
        headers: &HeaderMap,
        signed: Signed<'_>,
        claimed: Option<NodeId>,
    ) -> Result<(), Status> {
        match self {
            Self::Open => match claimed {
                Some(node) if link.tasks_dialect(node).await?.is_none() => {
                    Err(denied("it is no node of these versions"))
                }
                _ => Ok(()),
            },
            Self::Keys { allowed, secrets } => {
                let key = allowed_key(allowed, headers)?;
                let token = shared_secret::token(headers);
                let token = token.ok_or_else(|| denied("the HMAC is missing"))?;
                let secret = secrets.with(&key, &allowed.now());
                let secret =
                    secret.ok_or_else(|| denied("its key is of another curve than ours"))?;
                if !signed.is_by(&secret, &token) {
                    return Err(denied("the HMAC is wrong"));
                }
                let node = link.node_of_key(&key).await?;
                let node = node.ok_or_else(|| denied("it has not registered"))?;
                match claimed {
                    Some(claimed) if claimed != node => Err(denied("it speaks for another node")),
                    _ => Ok(()),
                }
            }
            Self::Closed => Err(denied("no key of the SuperLink's own is given")),
        }
    }
}

impl Signed<'_> {
    fn is_by(&self, secret: &SharedSecret, token: &[u8]) -> bool {
        match self {
            Self::AsSent(bytes) => secret.verifies(bytes, token),
            Self::PushTaskRes(bytes, list) => {
                secret.verifies(bytes, token)
                    || [Order::Upb, Order::Plain].into_iter().any(|order| {
                        canonical::push_task_res(bytes, *list, order)
                            .is_some_and(|bytes| secret.verifies(&bytes, token))
                    })
            }
        }
    }
}

fn allowed_key(allowed: &FromFile<AllowList>, headers: &HeaderMap) -> Result<PublicKey, Status> {
    let key = shared_secret::public_key(headers);
    let key = key.ok_or_else(|| denied("it shows no key"))?;
    if allowed.now().contains(&key) {
        Ok(key)
    } else {
        Err(denied("its key is not on the list"))
    }
}

/// The peer is told in the words of those versions; the operator, what is behind them.
fn denied(why: &str) -> Status {
    warn!("request of a SuperNode of flwr 1.8 to 1.14 refused: {why}");
    Status::unauthenticated("Access denied")
}
