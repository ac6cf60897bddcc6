//! Who calls: SuperNodes of flwr 1.9 to 1.14 sign each request with the secret that they share with
//! the SuperLink. Where no keys are asked for they show nothing, and are known by the id they got.

use std::net::IpAddr;
use std::sync::LazyLock;

use bytes::Bytes;
use flwr_core::id::NodeId;
use flwr_core::port::{Fleet, Result};
use flwr_core::quiet::Quiet;
use flwr_core::refusal::{Failure, Refusal};
use flwr_security::allow_list::AllowList;
use flwr_security::from_file::FromFile;
use flwr_security::key::PublicKey;
use http::HeaderMap;
use tracing::warn;

use super::NAMES;
use super::canonical::{self, Order};
use super::secret::{self, Secrets, SharedSecret};
use crate::host::{FleetHost, Head, NodeProof, Unsigned};

/// The bytes of a request that its HMAC may be over.
pub(super) enum Signed<'a> {
    /// Those that were sent.
    AsSent(&'a Bytes),
    /// Those of a PushTaskRes, in which maps may stand in another order; with the number of the
    /// field of its replies.
    PushTaskRes(&'a Bytes, u32),
}

/// What a request says of its caller.
pub(super) struct Shown<'a> {
    pub(super) head: &'a Head,
    pub(super) headers: &'a HeaderMap,
    pub(super) signed: Signed<'a>,
    /// The node for which the request speaks, if it names one.
    pub(super) node: Option<NodeId>,
}

/// Opens a session for a caller that wants to register. Gives the SuperLink's public key too, for
/// the caller to make the secret: before there is a secret, a listed key is all that is shown.
pub(super) async fn newcomer<H: FleetHost>(
    host: &H,
    head: &Head,
    headers: &HeaderMap,
) -> Result<(H::Fleet, Option<String>)> {
    let (proof, superlink_key) = match host.unsigned() {
        Unsigned::Open => (NodeProof::Nothing(None), None),
        Unsigned::Shared { own, allowed } => {
            let key = allowed_key(allowed, head, headers)?;
            let own = secret::public_key_text(own.public_key());
            (NodeProof::Shared(key), Some(own))
        }
        Unsigned::Closed => return Err(closed(head)),
    };
    Ok((host.admit(proof, head).await?, superlink_key))
}

/// Whether the key that these headers show may come in. What is sent with the key is not read yet.
pub(super) fn is_welcome<H: FleetHost>(host: &H, head: &Head, headers: &HeaderMap) -> Result<()> {
    match host.unsigned() {
        Unsigned::Open => Ok(()),
        Unsigned::Shared { allowed, .. } => allowed_key(allowed, head, headers).map(drop),
        Unsigned::Closed => Err(closed(head)),
    }
}

/// Opens the session of the node that the request speaks for.
pub(super) async fn node<H: FleetHost>(
    host: &H,
    secrets: &Secrets,
    shown: Shown<'_>,
) -> Result<H::Fleet> {
    let denied = |why| denied(shown.head, why);
    match host.unsigned() {
        Unsigned::Open => {
            if let Some(node) = shown.node {
                let noted = host.noted(node).await?;
                if noted.is_none_or(|noted| !NAMES.contains(&noted)) {
                    return Err(denied("it is no node of these versions"));
                }
            }
            host.admit(NodeProof::Nothing(shown.node), shown.head).await
        }
        Unsigned::Shared { own, allowed } => {
            let key = allowed_key(allowed, shown.head, shown.headers)?;
            let token = secret::token(shown.headers);
            let token = token.ok_or_else(|| denied("the HMAC is missing"))?;
            let secret = secrets.between(own, &key, &allowed.now());
            let secret = secret.ok_or_else(|| denied("its key is of another curve than ours"))?;
            if !shown.signed.is_by(&secret, &token) {
                return Err(denied("the HMAC is wrong"));
            }
            let fleet = host.admit(NodeProof::Shared(key), shown.head).await?;
            match (fleet.node(), shown.node) {
                (None, _) => Err(denied("it has not registered")),
                (Some(node), Some(named)) if node != named => {
                    Err(denied("it speaks for another node"))
                }
                _ => Ok(fleet),
            }
        }
        Unsigned::Closed => Err(closed(shown.head)),
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

fn allowed_key(
    allowed: &FromFile<AllowList>,
    head: &Head,
    headers: &HeaderMap,
) -> Result<PublicKey> {
    let key = secret::public_key(headers);
    let key = key.ok_or_else(|| denied(head, "it shows no key"))?;
    if allowed.now().contains(&key) {
        Ok(key)
    } else {
        Err(denied(head, "its key is not on the list"))
    }
}

fn closed(head: &Head) -> Failure {
    denied(head, "no key of the SuperLink's own is given")
}

/// The peer is told in the words of those versions; the operator, what is behind them.
fn denied(head: &Head, why: &'static str) -> Failure {
    static QUIET: LazyLock<Quiet<(&str, Option<IpAddr>)>> = LazyLock::new(Quiet::default);
    if let Some(more) = QUIET.ask((why, head.address())) {
        warn!(
            more,
            "request of a SuperNode of flwr 1.8 to 1.14 refused: {why}"
        );
    }
    Refusal::AccessDenied.into()
}
