//! The doors of a port over HTTP/1.1, which has no table of services of its own.

use std::convert::Infallible;
use std::fmt;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{Method, Request, Response};
use tonic::body::Body;
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt};

use super::{Control, Door, Fleet, Runtime};
use crate::carrier::http1;

/// Where health checks ask.
const HEALTH: &str = "/health";

type Served = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

/// A service that is called over HTTP.
pub trait OverHttp {
    /// How the path of each method begins.
    const PATH: &'static str;
}

impl OverHttp for Fleet {
    const PATH: &'static str = "/v1/fleet/";
}

impl OverHttp for Runtime {
    const PATH: &'static str = "/v1/runtime/";
}

impl OverHttp for Control {
    const PATH: &'static str = "/v1/control/";
}

/// The doors of one port. Paths of other services are not found there.
#[derive(Clone, Default)]
pub struct HttpDoors(Vec<(&'static str, Served)>);

impl HttpDoors {
    /// A port without doors, which answers health checks.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With a door more.
    #[must_use]
    pub fn with<T, N: OverHttp>(mut self, door: Door<T, N>) -> Self
    where
        Door<T, N>: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
        Door<T, N>: Clone + Send + Sync + 'static,
        <Door<T, N> as Service<Request<Body>>>::Future: Send,
    {
        self.0.push((N::PATH, BoxCloneSyncService::new(door)));
        self
    }
}

impl fmt::Debug for HttpDoors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.0.iter().map(|door| door.0))
            .finish()
    }
}

impl Service<Request<Body>> for HttpDoors {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let path = request.uri().path();
        let mut doors = self.0.iter();
        if let Some((_, door)) = doors.find(|(prefix, _)| path.starts_with(prefix)) {
            return Box::pin(door.clone().oneshot(request));
        }
        let answer = match path {
            HEALTH => healthy(request.method()),
            _ => http1::unknown_path(),
        };
        Box::pin(std::future::ready(Ok(answer)))
    }
}

/// The answer to a health check.
fn healthy(method: &Method) -> Response<Body> {
    match *method {
        Method::GET | Method::HEAD => Response::new(Body::empty()),
        _ => http1::wrong_method("GET, HEAD"),
    }
}
