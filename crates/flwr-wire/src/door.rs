//! The doors of the ports: from the head of a request to the one generation and method that the
//! request is of.

use std::convert::Infallible;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{Request, Response};
use tonic::body::Body;
use tonic::server::NamedService;
use tower::Service;

mod fleet;
mod runtime;

pub use fleet::{Fleet, Nodes};
pub use runtime::{Apps, ClientAppIo, Driver, ServerAppIo};

/// The door for nodes.
pub type FleetDoor<H> = Door<Nodes<H>, Fleet>;
/// The door for app processes, under the name of service `N`.
pub type RuntimeDoor<H, N> = Door<Apps<H>, N>;

/// A door to `T` under the name of gRPC service `N`.
pub struct Door<T, N> {
    behind: Arc<T>,
    name: PhantomData<N>,
}

/// What is behind a door.
pub trait Opened: Send + Sync + 'static {
    /// Answers a request.
    fn serve(&self, request: Request<Body>) -> impl Future<Output = Response<Body>> + Send;
}

impl<T, N> Door<T, N> {
    fn of(behind: T) -> Self {
        Self {
            behind: Arc::new(behind),
            name: PhantomData,
        }
    }
}

impl<T, N> Clone for Door<T, N> {
    fn clone(&self) -> Self {
        Self {
            behind: Arc::clone(&self.behind),
            name: PhantomData,
        }
    }
}

impl<T, N> std::fmt::Debug for Door<T, N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Door").finish_non_exhaustive()
    }
}

impl<T: Opened, N> Service<Request<Body>> for Door<T, N> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let behind = Arc::clone(&self.behind);
        Box::pin(async move { Ok(behind.serve(request).await) })
    }
}

impl<T, N: NamedService> NamedService for Door<T, N> {
    const NAME: &'static str = N::NAME;
}
