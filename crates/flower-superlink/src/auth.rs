//! Who calls Fleet. Every request is signed (flwr 1.17 to 1.22 wire); what the signature proves
//! is a [`Caller`], and without one there is nothing that a handler could ask the domain for.
//!
//! Checked in this order, each with its own answer: the headers are there, the key is allowed,
//! the signature is the key's, the timestamp is of now; then, except to register, the key is
//! bound to a node, and the request speaks for that node.

use std::sync::Arc;
use std::task::{Context, Poll};

use flwr_core::id::NodeId;
use flwr_core::refusal::Refusal;
use flwr_proto as proto;
use flwr_security::allow_list::AllowList;
use flwr_security::from_file::FromFile;
use flwr_security::key::PublicKey;
use flwr_security::signature::{SignatureHeaders, Verifier};
use futures::future::BoxFuture;
use http::{HeaderMap, Request, Response};
use time::OffsetDateTime;
use tonic::Status;
use tonic::body::Body;
use tonic::server::NamedService;
use tower::{Layer, Service};
use tracing::warn;

use crate::error::Error;
use crate::link::Link;
use crate::status;

mod accounts;
mod clients;

pub use accounts::SignedIn;
pub use clients::ListedClients;

/// The only call that a key may make before it is bound to a node.
const REGISTER: &str = "/flwr.proto.Fleet/CreateNode";

/// A proven caller: the holder of a key that may speak here.
#[derive(Debug, Clone)]
pub struct Caller {
    key: PublicKey,
    node: Option<NodeId>,
}

/// Which keys may speak.
#[derive(Debug, Clone)]
pub enum Policy {
    /// Every key: a node is whoever has the key that it came with.
    AnyKey,
    /// The listed ones.
    Listed(Arc<FromFile<AllowList>>),
}

impl Policy {
    /// Whether a list names the key.
    #[must_use]
    pub fn lists(&self, key: &PublicKey) -> bool {
        match self {
            Self::AnyKey => false,
            Self::Listed(keys) => keys.now().contains(key),
        }
    }
}

/// Lets proven callers through to a service.
#[derive(Debug, Clone)]
pub struct FleetAuth {
    gate: Arc<Gate>,
}

/// A service behind [`FleetAuth`].
#[derive(Debug, Clone)]
pub struct Guarded<S> {
    inner: S,
    gate: Arc<Gate>,
}

#[derive(Debug)]
struct Gate {
    verifier: Verifier,
    link: Arc<Link>,
}

impl Caller {
    /// The caller of a request that came through [`FleetAuth`].
    ///
    /// # Errors
    /// If it did not, in which case nobody was proven.
    pub fn of<T>(request: &tonic::Request<T>) -> Result<Self, Status> {
        let caller = request.extensions().get::<Self>().cloned();
        caller.ok_or_else(|| status::of(Refusal::MissingSignature))
    }

    /// The caller's node, if it has registered.
    #[must_use]
    pub const fn registered(&self) -> Option<NodeId> {
        self.node
    }

    /// The proven key.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The caller's node, which must be the one that the request speaks for.
    ///
    /// # Errors
    /// If it is another, or none.
    pub fn node(&self, claimed: Option<proto::Node>) -> Result<NodeId, Error> {
        let claimed = NodeId::from(claimed);
        match self.node {
            Some(node) if node == claimed => Ok(node),
            caller => Err(Refusal::OtherNode { caller, claimed }.into()),
        }
    }
}

impl FleetAuth {
    /// Lets those through whom `policy` allows.
    #[must_use]
    pub fn new(policy: Policy, link: Arc<Link>) -> Self {
        let allowed = match policy {
            Policy::AnyKey => None,
            Policy::Listed(keys) => Some(keys),
        };
        Self {
            gate: Arc::new(Gate {
                verifier: Verifier::new(allowed),
                link,
            }),
        }
    }
}

impl<S> Layer<S> for FleetAuth {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded {
            inner,
            gate: Arc::clone(&self.gate),
        }
    }
}

impl Gate {
    /// The proven key of a request.
    fn key(&self, headers: &HeaderMap) -> Result<PublicKey, Refusal> {
        let headers = SignatureHeaders::read(headers)?;
        self.verifier.verify(&headers, OffsetDateTime::now_utc())
    }

    /// The caller with a proven key.
    async fn admit(&self, key: PublicKey, registers: bool) -> Result<Caller, Status> {
        let node = self.link.node_of_key(&key).await?;
        if node.is_none() && !registers {
            return Err(status::of(Refusal::NotRegistered));
        }
        Ok(Caller { key, node })
    }
}

fn refused(refusal: Refusal) -> Status {
    warn!(%refusal, "Fleet request refused");
    status::of(refusal)
}

impl<S> Service<Request<Body>> for Guarded<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        // The service that is ready is this one; the clone that stays may not be.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let gate = Arc::clone(&self.gate);
        let registers = request.uri().path() == REGISTER;
        let key = gate.key(request.headers()).map_err(refused);
        Box::pin(async move {
            let caller = match key {
                Ok(key) => gate.admit(key, registers).await,
                Err(status) => Err(status),
            };
            match caller {
                Ok(caller) => {
                    request.extensions_mut().insert(caller);
                    inner.call(request).await
                }
                Err(status) => Ok(status.into_http()),
            }
        })
    }
}

impl<S: NamedService> NamedService for Guarded<S> {
    const NAME: &'static str = S::NAME;
}
