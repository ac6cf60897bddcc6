//! The door for app processes. The layout of a body says of which generation a call is, where two
//! have the method.

use std::convert::Infallible;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use flwr_core::port::Result;
use futures::future::BoxFuture;
use http::{Request, Response};
use tonic::body::Body;
use tonic::server::NamedService;
use tower::Service;

use crate::carrier::grpc::{self, Answer};
use crate::generations;
use crate::host::{Head, RuntimeHost};
use crate::methods::Request as Decoded;
use crate::methods::runtime::{Method, Methods};

/// The service of ServerApp processes: `flwr.proto.ServerAppIo`.
#[derive(Debug, Clone, Copy)]
pub struct ServerAppIo;

/// The service of ServerApps that make their runs themselves: `flwr.proto.Driver`.
#[derive(Debug, Clone, Copy)]
pub struct Driver;

/// The service of ClientApp processes: `flwr.proto.ClientAppIo`.
#[derive(Debug, Clone, Copy)]
pub struct ClientAppIo;

impl NamedService for ServerAppIo {
    const NAME: &'static str = "flwr.proto.ServerAppIo";
}

impl NamedService for Driver {
    const NAME: &'static str = "flwr.proto.Driver";
}

impl NamedService for ClientAppIo {
    const NAME: &'static str = "flwr.proto.ClientAppIo";
}

/// The door for app processes, under the name of service `N`.
pub struct RuntimeDoor<H: RuntimeHost, N> {
    inner: Arc<Inner<H>>,
    name: PhantomData<N>,
}

struct Inner<H: RuntimeHost> {
    host: H,
    methods: Methods<H>,
}

impl<H: RuntimeHost, N> RuntimeDoor<H, N> {
    /// The door to this host.
    #[must_use]
    pub fn new(host: H) -> Self {
        let methods = generations::runtime();
        Self {
            inner: Arc::new(Inner { host, methods }),
            name: PhantomData,
        }
    }
}

impl<H: RuntimeHost, N> Clone for RuntimeDoor<H, N> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            name: PhantomData,
        }
    }
}

impl<H: RuntimeHost, N> std::fmt::Debug for RuntimeDoor<H, N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RuntimeDoor").finish_non_exhaustive()
    }
}

impl<H: RuntimeHost> Inner<H> {
    async fn serve(&self, request: Request<Body>) -> Response<Body> {
        let methods = self.methods.at(request.uri().path());
        let Some(newest) = methods.first() else {
            return grpc::unknown_method();
        };
        let head = grpc::head(&request);
        grpc::unary(request, |body| self.answer(methods, newest, head, body)).await
    }

    async fn answer(
        &self,
        methods: &[Method<H>],
        newest: &Method<H>,
        head: Head,
        body: Bytes,
    ) -> Result<Answer> {
        let mut of_layout = methods
            .iter()
            .filter(|method| (method.rules.has_layout)(&body));
        // A layout of nobody is the newest generation's to refuse.
        let method = of_layout.next().unwrap_or(newest);
        let request = Decoded {
            message: body,
            now: self.host.now(),
        };
        let answer = (method.handler)((self.host.clone(), head, request));
        if method.rules.changes {
            self.host.complete(answer).await
        } else {
            answer.await
        }
    }
}

impl<H: RuntimeHost, N> Service<Request<Body>> for RuntimeDoor<H, N> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, std::result::Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::result::Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move { Ok(inner.serve(request).await) })
    }
}

impl<H: RuntimeHost, N: NamedService> NamedService for RuntimeDoor<H, N> {
    const NAME: &'static str = N::NAME;
}
