//! The doors of the ports: from the head of a request to the one generation and method that the
//! request is of.

use std::convert::Infallible;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll};

use flwr_core::port::Result;
use flwr_metrics::{OTHER, Word};
use flwr_security::peer::Peer;
use futures::future::BoxFuture;
use http::{Request, Response};
use tonic::body::Body;
use tonic::server::NamedService;
use tower::Service;

use crate::carrier::{self, Carrier, Reader};
use crate::host::{Host, Release};

mod control;
mod fleet;
mod http1;
mod joining;
mod launch;
mod runtime;

pub use control::{Control, Exec, JoinTokens, People, Upkeep};
pub use fleet::{Fleet, Nodes};
pub use http1::{Fenced, HttpDoors, OverHttp};
pub use joining::{Join, Joiners};
pub use launch::{Launch, Launchers};
pub use runtime::{Apps, ClientAppIo, Driver, Runtime, ServerAppIo, SimulationIo};

pub use crate::methods::session::MAX_CONTROL_BYTES;

/// The door for nodes.
pub type FleetDoor<H> = Door<Nodes<H>, Fleet>;
/// The door for nodes that join.
pub type JoinDoor<H> = Door<Joiners<H>, Join>;
/// The door for app processes, under the name of service `N`.
pub type RuntimeDoor<H, N> = Door<Apps<H>, N>;

/// The door for people, under the name of service `N`.
pub type ControlDoor<H, N> = Door<People<H>, N>;
/// The door for those who start ServerApps on another machine.
pub type LaunchDoor<H> = Door<Launchers<H>, Launch>;

/// A door to `T` under the name of gRPC service `N`.
pub struct Door<T, N> {
    behind: Arc<T>,
    name: PhantomData<N>,
}

/// What is behind a door.
pub(crate) trait Opened: Send + Sync + 'static {
    /// The program whose door it is.
    type Host: Host;

    /// The program whose door it is.
    fn host(&self) -> &Self::Host;

    /// Whether the program at the other end of a connection may call here.
    ///
    /// # Errors
    /// If the host refuses the peer.
    fn accept(&self, peer: Option<&Peer>) -> Result<()> {
        self.host().accept_person(peer)
    }

    /// Who reads what is refused here.
    #[doc(hidden)]
    fn reader(release: Option<Release>) -> Reader;

    /// The path over gRPC of the method at this path, if it is served.
    fn method(&self, path: &str) -> Option<&'static str>;

    /// Answers a request.
    #[doc(hidden)]
    fn serve(
        &self,
        carrier: Carrier,
        request: Request<Body>,
    ) -> impl Future<Output = Response<Body>> + Send;
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
    type Future = BoxFuture<'static, std::result::Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::result::Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let behind = Arc::clone(&self.behind);
        Box::pin(async move {
            let Some(calls) = behind.host().calls() else {
                return Ok(answer(&*behind, request).await);
            };
            let method = behind.method(request.uri().path());
            let method = method.map_or(OTHER, named);
            let answered = answer(&*behind, request);
            let response = calls.measure(method, answered, carrier::code).await;
            if let Some(ground) = carrier::ground(&response) {
                calls.refused(ground.word());
            }
            Ok(response)
        })
    }
}

/// The answer of what is behind a door.
async fn answer<T: Opened>(behind: &T, request: Request<Body>) -> Response<Body> {
    let carrier = Carrier::of(&request);
    let peer = request.extensions().get::<Peer>();
    match behind.accept(peer) {
        Ok(()) => behind.serve(carrier, request).await,
        Err(failure) => {
            let reader = T::reader(carrier.head(&request).release);
            carrier.turned_away(failure, reader)
        }
    }
}

/// The method with this path, as it is counted: `/flwr.proto.Fleet/PullMessages` is
/// `Fleet/PullMessages`.
fn named(path: &'static str) -> Word {
    path.rsplit_once('.').map_or(path, |(_, name)| name)
}

impl<T, N: NamedService> NamedService for Door<T, N> {
    const NAME: &'static str = N::NAME;
}
