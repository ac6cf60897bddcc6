//! The doors of a port over HTTP/1.1, which has no table of services of its own.

use std::convert::Infallible;
use std::fmt;
use std::future::ready;
use std::sync::Arc;
use std::task::{Context, Poll};

use flwr_core::refusal::Failure;
use futures::future::BoxFuture;
use http::{Method, Request, Response};
use tonic::body::Body;
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt};

use super::{Control, Door, Fleet, Runtime};
use crate::carrier::{Carrier, Reader, http1};

/// Where health checks ask.
const HEALTH: &str = "/health";

type Served = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

/// A service that is called over HTTP.
pub trait OverHttp {
    /// How the path of each method begins.
    const PATH: &'static str;
    /// Who reads what is refused before the door.
    #[doc(hidden)]
    const READER: Reader;
}

impl OverHttp for Fleet {
    const PATH: &'static str = "/v1/fleet/";
    const READER: Reader = Reader::Node(None);
}

impl OverHttp for Runtime {
    const PATH: &'static str = "/v1/runtime/";
    const READER: Reader = Reader::App;
}

impl OverHttp for Control {
    const PATH: &'static str = "/v1/control/";
    const READER: Reader = Reader::Command(None);
}

/// What keeps a request from a door.
#[derive(Debug)]
pub enum Fenced {
    /// The service is not offered to this caller at all.
    NotHere,
    /// The caller reads why.
    Refused(Failure),
}

/// A rule for the requests of one door.
type Rule = Arc<dyn Fn(&mut Request<Body>) -> Result<(), Fenced> + Send + Sync>;

/// A door of a port.
#[derive(Clone)]
struct Way {
    path: &'static str,
    door: Served,
    reader: Reader,
    rule: Option<Rule>,
}

/// The doors of one port. Paths of other services are not found there. Each request has a clone.
#[derive(Clone, Default)]
pub struct HttpDoors(Arc<Vec<Way>>);

impl HttpDoors {
    /// A port without doors, which answers health checks.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With a door more.
    #[must_use]
    pub fn with<T, N: OverHttp>(self, door: Door<T, N>) -> Self
    where
        Door<T, N>: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
        Door<T, N>: Clone + Send + Sync + 'static,
        <Door<T, N> as Service<Request<Body>>>::Future: Send,
    {
        self.add(door, None)
    }

    /// With a door more, for requests that the rule lets pass.
    #[must_use]
    pub fn with_rule<T, N: OverHttp>(
        self,
        door: Door<T, N>,
        rule: impl Fn(&mut Request<Body>) -> Result<(), Fenced> + Send + Sync + 'static,
    ) -> Self
    where
        Door<T, N>: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
        Door<T, N>: Clone + Send + Sync + 'static,
        <Door<T, N> as Service<Request<Body>>>::Future: Send,
    {
        self.add(door, Some(Arc::new(rule)))
    }

    fn add<T, N: OverHttp>(mut self, door: Door<T, N>, rule: Option<Rule>) -> Self
    where
        Door<T, N>: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
        Door<T, N>: Clone + Send + Sync + 'static,
        <Door<T, N> as Service<Request<Body>>>::Future: Send,
    {
        Arc::make_mut(&mut self.0).push(Way {
            path: N::PATH,
            door: BoxCloneSyncService::new(door),
            reader: N::READER,
            rule,
        });
        self
    }
}

impl fmt::Debug for HttpDoors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.0.iter().map(|way| way.path))
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

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let path = request.uri().path();
        let mut ways = self.0.iter();
        if let Some(way) = ways.find(|way| path.starts_with(way.path)) {
            let passed = way.rule.as_ref().map(|rule| rule(&mut request));
            let refused = match passed {
                None | Some(Ok(())) => return Box::pin(way.door.clone().oneshot(request)),
                Some(Err(Fenced::NotHere)) => http1::unknown_path(),
                Some(Err(Fenced::Refused(failure))) => Carrier::Http.failed(failure, way.reader),
            };
            return Box::pin(ready(Ok(refused)));
        }
        let answer = match path {
            HEALTH => healthy(request.method()),
            _ => http1::unknown_path(),
        };
        Box::pin(ready(Ok(answer)))
    }
}

/// The answer to a health check.
fn healthy(method: &Method) -> Response<Body> {
    match *method {
        Method::GET | Method::HEAD => Response::new(Body::empty()),
        _ => http1::wrong_method("GET, HEAD"),
    }
}
