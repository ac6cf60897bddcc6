//! The door for app processes. Where two generations have a method, the metadata of a call (the token
//! of a task, or none) and the layout of its body say of which generation the call is.

use bytes::Bytes;
use flwr_core::port::Result;
use flwr_security::superexec::SuperexecHeaders;
use http::{Request, Response};
use tonic::body::Body;
use tonic::server::NamedService;

use super::{Door, Opened};
use crate::app_token::AppToken;
use crate::carrier::{Answer, Carrier, Intake, Reader};
use crate::generations;
use crate::host::{Head, Release, RuntimeHost, ServerAppHost};
use crate::in_flight::Payer;
use crate::methods::Request as Decoded;
use crate::methods::runtime::{Method, Methods, Rules};

/// The service of ServerApp processes: `flwr.proto.ServerAppIo`.
#[derive(Debug, Clone, Copy)]
pub struct ServerAppIo;

/// The service of ServerApps that make their runs themselves: `flwr.proto.Driver`.
#[derive(Debug, Clone, Copy)]
pub struct Driver;

/// The service of ClientApp processes: `flwr.proto.ClientAppIo`.
#[derive(Debug, Clone, Copy)]
pub struct ClientAppIo;

/// The service of all app processes in flwr 1.34, of both daemons: `flwr.proto.Runtime`.
#[derive(Debug, Clone, Copy)]
pub struct Runtime;

/// The service of simulations until flwr 1.28: `flwr.proto.SimulationIo`. Its calls are refused.
#[derive(Debug, Clone, Copy)]
pub struct SimulationIo;

impl NamedService for ServerAppIo {
    const NAME: &'static str = "flwr.proto.ServerAppIo";
}

impl NamedService for Driver {
    const NAME: &'static str = "flwr.proto.Driver";
}

impl NamedService for ClientAppIo {
    const NAME: &'static str = "flwr.proto.ClientAppIo";
}

impl NamedService for Runtime {
    const NAME: &'static str = "flwr.proto.Runtime";
}

impl NamedService for SimulationIo {
    const NAME: &'static str = "flwr.proto.SimulationIo";
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

impl<H: ServerAppHost> Door<Apps<H>, Runtime> {
    /// The door to this SuperLink for processes of ServerApps.
    #[must_use]
    pub fn for_serverapps(host: H) -> Self {
        Self::of(Apps::new(host, generations::serverapps()))
    }
}

impl<H: RuntimeHost> Door<Apps<H>, Runtime> {
    /// The door to this SuperNode for processes of ClientApps.
    #[must_use]
    pub fn for_clientapps(host: H) -> Self {
        Self::of(Apps::new(host, generations::clientapps()))
    }
}

impl<H: ServerAppHost> Door<Apps<H>, SimulationIo> {
    /// The door to this SuperLink for simulations.
    #[must_use]
    pub fn new(host: H) -> Self {
        Self::of(Apps::new(host, generations::serverapps()))
    }
}

impl<H: RuntimeHost> Opened for Apps<H> {
    type Host = H;

    fn host(&self) -> &H {
        &self.host
    }

    fn reader(_: Option<Release>) -> Reader {
        Reader::App
    }

    fn method(&self, path: &str) -> Option<&'static str> {
        self.methods.name(path)
    }

    async fn serve(&self, carrier: Carrier, request: Request<Body>) -> Response<Body> {
        let methods = self.methods.at(request.uri().path());
        let Some(newest) = methods.first() else {
            return carrier.unknown_method();
        };
        let accepted = carrier
            .accept(&request)
            .and_then(|()| carrier.accept_content(&request))
            .and_then(|()| carrier.accept_app(&request));
        if let Err(refused) = accepted {
            return *refused;
        }
        let head = carrier.head(&request);
        let superexec = SuperexecHeaders::read(request.headers());
        let token = AppToken::read(request.headers());
        let sizes = methods.iter().map(|method| method.rules.size.bytes);
        let intake = Intake {
            in_flight: self.host.in_flight(),
            payer: Payer::of(None, &head),
            limit: sizes.max().unwrap_or(0),
            reader: Reader::App,
        };
        let answer = |body| {
            let mut request = Decoded::new(body, &head, &self.host);
            request.superexec = superexec;
            request.token = token;
            self.answer(methods, newest, head.clone(), request)
        };
        carrier.unary(intake, request, answer).await
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
        let is_of_task = request.token.as_ref().is_some_and(AppToken::is_of_task);
        let mut of_caller = methods.iter().filter(|method| {
            let Rules {
                is_for_tasks,
                has_layout,
                ..
            } = method.rules;
            is_for_tasks == is_of_task && has_layout(&request.message)
        });
        // What is of nobody is the newest generation's to refuse.
        let method = of_caller.next().unwrap_or(newest);
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
