//! The door for people. Each call opens a session by the tokens in its head; only the two calls of
//! a login come without.

use http::{Request, Response};
use tonic::body::Body;
use tonic::server::NamedService;

use super::{Door, Opened};
use crate::carrier::grpc::{self, Reader};
use crate::host::{Admission, ControlHost};
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

    async fn serve(&self, request: Request<Body>) -> Response<Body> {
        let path = request.uri().path();
        let head = grpc::head(&request);
        if let Some(method) = self.sign_in.at(path).first() {
            let session = (&self.host, self.host.sign_in(&head));
            return method.serve(session, head, request).await;
        }
        let Some(method) = self.control.at(path).first() else {
            return grpc::unknown_method();
        };
        let proof = grpc::account_proof(request.headers());
        let Admission { session, fresh } = self.host.admit(proof, &head).await;
        let response = match session {
            Err(failure) => grpc::failed_for(failure, Reader::command(head.release)),
            Ok(session) => {
                head.admitted();
                let session = (&self.host, session);
                method.serve(session, head, request).await
            }
        };
        match fresh {
            None => response,
            Some(tokens) => grpc::with_tokens(response, &tokens),
        }
    }
}
