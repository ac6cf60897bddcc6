//! Which of the clients with a good certificate may speak. The handshake has shown that the
//! certificate is good; whether it is on the list is looked at with each request, so that a
//! client that is taken off it is cut off at once.

use flwr_core::refusal::Refusal;
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use flwr_security::client_list::ClientList;
use flwr_security::from_file::FromFile;
use flwr_security::peer::Peer;
use futures::future::{Either, Ready, ready};
use http::{Request, Response};
use tonic::Status;
use tonic::body::Body;
use tonic::server::NamedService;
use tower::{Layer, Service};
use tracing::warn;

use crate::status;

/// Lets the listed clients through to a service; without a list, all.
#[derive(Debug, Clone)]
pub struct ListedClients(Option<Arc<FromFile<ClientList>>>);

/// A service behind [`ListedClients`].
#[derive(Debug, Clone)]
pub struct Listed<S> {
    inner: S,
    list: Option<Arc<FromFile<ClientList>>>,
}

impl ListedClients {
    /// Lets those through that `list` names.
    #[must_use]
    pub const fn new(list: Option<Arc<FromFile<ClientList>>>) -> Self {
        Self(list)
    }
}

impl<S> Layer<S> for ListedClients {
    type Service = Listed<S>;

    fn layer(&self, inner: S) -> Listed<S> {
        Listed {
            inner,
            list: self.0.clone(),
        }
    }
}

impl<S> Listed<S> {
    fn refusal(&self, request: &Request<Body>) -> Option<Status> {
        let list = self.list.as_ref()?.now();
        let peer = request.extensions().get::<Peer>();
        let certificate = peer.and_then(|peer| peer.certificate.as_ref());
        // A port that asks for certificates has seen one of everybody who speaks TLS.
        let certificate = certificate?;
        if list.allows(certificate) {
            return None;
        }
        let subject = &certificate.subject;
        warn!(%subject, "request refused: the client is not on --ssl-client-allow-list");
        let subject = subject.to_string();
        Some(status::of(Refusal::ClientNotListed(subject)))
    }
}

impl<S> Service<Request<Body>> for Listed<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<Ready<Result<Response<Body>, Infallible>>, S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match self.refusal(&request) {
            Some(status) => Either::Left(ready(Ok(status.into_http()))),
            None => Either::Right(self.inner.call(request)),
        }
    }
}

impl<S: NamedService> NamedService for Listed<S> {
    const NAME: &'static str = S::NAME;
}
