//! The door for people. Each call opens a session by the tokens in its head; only the two calls of
//! a login come without.

use http::{Request, Response};
use tonic::body::Body;
use tonic::server::NamedService;

use super::{Door, Opened};
use crate::carrier::{Carrier, Reader, grpc};
use crate::host::{Admission, ControlHost, Release};
use crate::methods::session::Methods;
use crate::{generations, join, upkeep};

/// The service of the `flwr` command: `flwr.proto.Control`.
#[derive(Debug, Clone, Copy)]
pub struct Control;

/// Control's name until flwr 1.20: `flwr.proto.Exec`.
#[derive(Debug, Clone, Copy)]
pub struct Exec;

/// The service of our own `flwr` beside Control: `flower.upkeep.Upkeep`.
#[derive(Debug, Clone, Copy)]
pub struct Upkeep;

/// The service of join tokens beside Control: `flower.join.JoinTokens`.
#[derive(Debug, Clone, Copy)]
pub struct JoinTokens;

impl NamedService for Control {
    const NAME: &'static str = "flwr.proto.Control";
}

impl NamedService for Exec {
    const NAME: &'static str = "flwr.proto.Exec";
}

impl NamedService for Upkeep {
    const NAME: &'static str = "flower.upkeep.Upkeep";
}

impl NamedService for JoinTokens {
    const NAME: &'static str = "flower.join.JoinTokens";
}

/// What is behind the doors for people.
#[derive(Debug)]
pub struct People<H: ControlHost> {
    host: H,
    sign_in: Methods<H::SignIn>,
    control: Methods<H::Control>,
}

impl<H: ControlHost, N> Door<People<H>, N> {
    /// The door to this host, under the name of service `N`.
    #[must_use]
    pub fn new(host: H) -> Self {
        let mut control = generations::control();
        upkeep::control(&mut control);
        join::tokens::serve(&mut control);
        Self::of(People {
            host,
            sign_in: generations::sign_in(),
            control,
        })
    }
}

impl<H: ControlHost> Opened for People<H> {
    type Host = H;

    fn host(&self) -> &H {
        &self.host
    }

    fn reader(release: Option<Release>) -> Reader {
        Reader::Command(release)
    }

    fn method(&self, path: &str) -> Option<&'static str> {
        self.sign_in.name(path).or_else(|| self.control.name(path))
    }

    async fn serve(&self, carrier: Carrier, request: Request<Body>) -> Response<Body> {
        let path = request.uri().path();
        let sign_in = self.sign_in.at(path).first();
        let control = self.control.at(path).first();
        if sign_in.is_none() && control.is_none() {
            return carrier.unknown_method();
        }
        if let Err(refused) = carrier.accept(&request) {
            return *refused;
        }
        let head = carrier.head(&request);
        if let Some(method) = sign_in {
            let session = (&self.host, self.host.sign_in(&head));
            let response = match carrier.accept_content(&request) {
                Ok(()) => method.serve(session, head, request).await,
                Err(refused) => *refused,
            };
            return carrier.not_to_be_kept(response);
        }
        let Some(method) = control else {
            return carrier.unknown_method();
        };
        let proof = carrier.account_proof(request.headers());
        let Admission { session, fresh } = self.host.admit(proof, &head).await;
        let response = match session {
            Err(failure) => carrier.failed(failure, Self::reader(head.release)),
            Ok(session) => {
                head.admitted();
                match carrier.accept_content(&request) {
                    Ok(()) => {
                        let session = (&self.host, session);
                        method.serve(session, head, request).await
                    }
                    Err(refused) => *refused,
                }
            }
        };
        match fresh {
            None => response,
            Some(tokens) => grpc::with_tokens(response, &tokens),
        }
    }
}
