//! The door for those who start ServerApps on another machine.

use http::{Request, Response};
use tonic::body::Body;
use tonic::server::NamedService;

use super::{Door, Opened};
use crate::carrier::{Carrier, Reader};
use crate::host::{LaunchHost, Release};
use crate::launch;
use crate::methods::session::Methods;

/// The service of `flower-server-app`: `flower.launch.Launch`.
#[derive(Debug, Clone, Copy)]
pub struct Launch;

impl NamedService for Launch {
    const NAME: &'static str = "flower.launch.Launch";
}

/// What is behind the door.
#[derive(Debug)]
pub struct Launchers<H: LaunchHost> {
    host: H,
    methods: Methods<H::Launch>,
}

impl<H: LaunchHost> Door<Launchers<H>, Launch> {
    /// The door to this host.
    #[must_use]
    pub fn new(host: H) -> Self {
        let mut methods = Methods::default();
        launch::launch(&mut methods);
        Self::of(Launchers { host, methods })
    }
}

impl<H: LaunchHost> Opened for Launchers<H> {
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
        let Some(method) = self.methods.at(request.uri().path()).first() else {
            return carrier.unknown_method();
        };
        let head = carrier.head(&request);
        match self.host.admit(&head) {
            Err(failure) => carrier.failed(failure, Reader::App),
            Ok(session) => {
                head.admitted();
                let session = (&self.host, session);
                method.serve(session, head, request).await
            }
        }
    }
}
