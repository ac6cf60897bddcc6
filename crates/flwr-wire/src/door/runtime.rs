//! The door for app processes. The layout of a body says of which generation a call is, where two
//! have the method.

use bytes::Bytes;
use flwr_core::port::Result;
use flwr_security::superexec::SuperexecHeaders;
use http::{Request, Response};
use tonic::body::Body;
use tonic::server::NamedService;

use super::{Door, Opened};
use crate::carrier::grpc::{self, Answer, Intake, Reader};
use crate::generations;
use crate::host::{Head, RuntimeHost, ServerAppHost};
use crate::in_flight::Payer;
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

/// What is behind the doors for app processes.
#[derive(Debug)]
pub struct Apps<H: RuntimeHost> {
    host: H,
    methods: Methods<H>,
}

impl<H: ServerAppHost> Door<Apps<H>, ServerAppIo> {
    /// The door to this SuperLink for processes of ServerApps.
    #[must_use]
    pub fn new(host: H) -> Self {
        Self::of(Apps::new(host, generations::serverapps()))
    }
}

impl<H: ServerAppHost> Door<Apps<H>, Driver> {
    /// The door to this SuperLink for ServerApps that make their runs themselves.
    #[must_use]
    pub fn new(host: H) -> Self {
        Self::of(Apps::new(host, generations::serverapps()))
    }
}

impl<H: RuntimeHost> Door<Apps<H>, ClientAppIo> {
    /// The door to this SuperNode for processes of ClientApps.
    #[must_use]
    pub fn new(host: H) -> Self {
        Self::of(Apps::new(host, generations::clientapps()))
    }
}

impl<H: RuntimeHost> Opened for Apps<H> {
    type Host = H;

    fn host(&self) -> &H {
        &self.host
    }

    async fn serve(&self, request: Request<Body>) -> Response<Body> {
        let methods = self.methods.at(request.uri().path());
        let Some(newest) = methods.first() else {
            return grpc::unknown_method();
        };
        let head = grpc::head(&request);
        let superexec = SuperexecHeaders::read(request.headers());
        let sizes = methods.iter().map(|method| method.rules.size.bytes);
        let intake = Intake {
            in_flight: self.host.in_flight(),
            payer: Payer::of(None, &head),
            limit: sizes.max().unwrap_or(0),
            reader: Reader::Peer,
        };
        let answer = |body| {
            let mut request = Decoded::new(body, &head, &self.host);
            request.superexec = superexec;
            self.answer(methods, newest, head.clone(), request)
        };
        grpc::unary(intake, request, answer).await
    }
}

impl<H: RuntimeHost> Apps<H> {
    const fn new(host: H, methods: Methods<H>) -> Self {
        Self { host, methods }
    }

    async fn answer(
        &self,
        methods: &[Method<H>],
        newest: &Method<H>,
        head: Head,
        request: Decoded<Bytes>,
    ) -> Result<Answer> {
        let mut of_layout = methods
            .iter()
            .filter(|method| (method.rules.has_layout)(&request.message));
        // A layout of nobody is the newest generation's to refuse.
        let method = of_layout.next().unwrap_or(newest);
        method.rules.size.check(&request.message)?;
        let answer = (method.handler)((self.host.clone(), head.clone(), request));
        let answer = if method.rules.is_held {
            answer.await?
        } else {
            self.host.complete(answer).await?
        };
        head.admitted();
        Ok(answer)
    }
}
