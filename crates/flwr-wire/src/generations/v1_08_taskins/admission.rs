//! Who calls: SuperNodes of flwr 1.9 to 1.14 sign each request with the secret that they share with
//! the SuperLink. Where no keys are asked for they show nothing, and are known by the id they got.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, LazyLock};

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

use super::canonical::{self, Order};
use super::newcomers::Newcomers;
use super::secret::{self, Secrets, SharedSecret};
use super::{ANY, NAMES};
use crate::generations::WireName;
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

/// A caller that wants to register.
pub(super) enum Newcomer<F> {
    /// The session of a caller where no keys are asked for.
    Admitted(F),
    /// The caller shows a listed key, and proves nothing: there is no secret before it has the
    /// SuperLink's key.
    Unproven {
        id: NodeId,
        /// The SuperLink's public key, for the caller to make the secret.
        superlink_key: String,
    },
}

/// What admission keeps between calls.
#[derive(Debug, Default)]
pub(super) struct Admission {
    secrets: Secrets,
    newcomers: Arc<Newcomers>,
}

impl Admission {
    /// Hears a caller that wants to register, and will give a sign of life every `interval` seconds.
    pub(super) async fn newcomer<H: FleetHost>(
        &self,
        host: &H,
        head: &Head,
        headers: &HeaderMap,
        interval: f64,
    ) -> Result<Newcomer<H::Fleet>> {
        match host.unsigned() {
            Unsigned::Open => {
                let fleet = host.admit(NodeProof::Nothing(None), head).await?;
                Ok(Newcomer::Admitted(fleet))
            }
            Unsigned::Shared { own, allowed } => {
                let key = allowed_key(allowed, head, headers)?;
                let superlink_key = secret::public_key_text(own.public_key());
                let id = host.bind(&key, interval).await?;
                let connection = connection(head);
                self.newcomers
                    .add(key, interval, connection, &allowed.now());
                Ok(Newcomer::Unproven { id, superlink_key })
            }
            Unsigned::Closed => Err(Refusal::UnsignedNotServed.into()),
        }
    }

    /// Opens the session of the node that the request speaks for. The first proof that a node gives
    /// takes it in.
    pub(super) async fn node<H: FleetHost>(&self, host: &H, shown: Shown<'_>) -> Result<H::Fleet> {
        let connection = connection(shown.head);
        let (fleet, key) = proven(host, &self.secrets, shown).await?;
        let (Some(key), Some(node)) = (key, fleet.node()) else {
            return Ok(fleet);
        };
        let noted = host.noted(node).await?;
        let is_new = noted.is_none_or(|noted| !NAMES.contains(&noted));
        let Some(beginning) = self.newcomers.prove(&key, connection, is_new) else {
            return Ok(fleet);
        };
        let begun = {
            let host = host.clone();
            async move {
                fleet.join(beginning.interval).await?;
                note(&host, node, ANY).await?;
                drop(beginning);
                Ok(fleet)
            }
        };
        host.complete(Box::pin(begun)).await
    }
}

/// Whether the key that these headers show may come in. What is sent with the key is not read yet.
pub(super) fn is_welcome<H: FleetHost>(host: &H, head: &Head, headers: &HeaderMap) -> Result<()> {
    match host.unsigned() {
        Unsigned::Open => Ok(()),
        Unsigned::Shared { allowed, .. } => allowed_key(allowed, head, headers).map(drop),
        Unsigned::Closed => Err(Refusal::UnsignedNotServed.into()),
    }
}

fn connection(head: &Head) -> Option<SocketAddr> {
    head.peer.as_ref().map(|peer| peer.address)
}

/// Notes how the node numbers records, once that is known.
pub(super) async fn note<H: FleetHost>(host: &H, node: NodeId, wire: WireName) -> Result<()> {
    let noted = host.noted(node).await?;
    let noted = noted.filter(|noted| NAMES.contains(noted));
    if noted.is_none_or(|noted| noted != wire && wire != ANY) {
        host.note(node, wire).await?;
    }
    host.hear(node);
    Ok(())
}

/// Opens the session of the node that the request speaks for, with the key that the node has proven.
async fn proven<H: FleetHost>(
    host: &H,
    secrets: &Secrets,
    shown: Shown<'_>,
) -> Result<(H::Fleet, Option<PublicKey>)> {
    let denied = |why| denied(shown.head, why);
    match host.unsigned() {
        Unsigned::Open => {
            if let Some(node) = shown.node {
                let noted = host.noted(node).await?;
                if noted.is_none_or(|noted| !NAMES.contains(&noted)) {
                    return Err(denied("it is no node of these versions"));
                }
            }
            let proof = NodeProof::Nothing(shown.node);
            Ok((host.admit(proof, shown.head).await?, None))
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
            let proof = NodeProof::Shared(key.clone());
            let fleet = host.admit(proof, shown.head).await?;
            match (fleet.node(), shown.node) {
                (None, _) => Err(denied("it has not registered")),
                (Some(node), Some(named)) if node != named => {
                    Err(denied("it speaks for another node"))
                }
                _ => Ok((fleet, Some(key))),
            }
        }
        Unsigned::Closed => Err(Refusal::UnsignedNotServed.into()),
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
