//! Which version a SuperNode speaks. Requests of flwr 1.15 to 1.18 for a message look like those of
//! today, and the answers do not: but their nodes give signs of life by another method, Ping, which
//! the first they do. A message waits until a node has given one.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use flwr_core::id::NodeId;
use http::{Request, Response};
use tonic::Status;
use tonic::body::Body;
use tonic::server::NamedService;
use tower::Service;

use super::inline::fleet as inline;
use super::unary::{self, Served};
use crate::auth::Caller;
use crate::link::{Dialect, Link};

const PING: &str = "/flwr.proto.Fleet/Ping";
const HEARTBEAT: &str = "/flwr.proto.Fleet/SendNodeHeartbeat";
const PULL: &str = "/flwr.proto.Fleet/PullMessages";
const PUSH: &str = "/flwr.proto.Fleet/PushMessages";

/// Fleet for all versions: the service of today behind it serves what is not of an earlier one.
#[derive(Debug, Clone)]
pub(crate) struct Dialects<S> {
    today: S,
    link: Arc<Link>,
}

impl<S> Dialects<S> {
    /// Puts the earlier versions before the service of today.
    #[must_use]
    pub(crate) const fn new(today: S, link: Arc<Link>) -> Self {
        Self { today, link }
    }
}

impl<S> Service<Request<Body>> for Dialects<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Served;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.today.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // The service that is ready is this one; the clone that stays may not be.
        let clone = self.today.clone();
        let mut today = std::mem::replace(&mut self.today, clone);
        let link = Arc::clone(&self.link);
        let caller = request.extensions().get::<Caller>();
        let node = caller.and_then(Caller::registered);
        match (request.uri().path(), node) {
            (PING, _) => unary::serve(link, request, inline::ping),
            (HEARTBEAT, Some(node)) => Box::pin(async move {
                match link.hear(node).await {
                    Ok(()) => today.call(request).await,
                    Err(error) => Ok(Status::from(error).into_http()),
                }
            }),
            (PULL | PUSH, Some(node)) => Box::pin(async move {
                match dialect(&link, node).await {
                    Ok(Dialect::Inline) if request.uri().path() == PULL => {
                        unary::serve(link, request, inline::pull).await
                    }
                    Ok(Dialect::Inline) => unary::serve(link, request, inline::push).await,
                    Ok(_) => today.call(request).await,
                    Err(status) => Ok(status.into_http()),
                }
            }),
            _ => Box::pin(today.call(request)),
        }
    }
}

async fn dialect(link: &Link, node: NodeId) -> Result<Dialect, Status> {
    Ok(link.dialect(node).await?)
}

impl<S: NamedService> NamedService for Dialects<S> {
    const NAME: &'static str = S::NAME;
}
