//! Carriers: how calls and answers are framed. gRPC carries every release up to flwr 1.39, HTTP/1.1 the
//! later ones. The path of a call says which of the two carries the call.

use bytes::Bytes;
use flwr_core::refusal::Failure;
use flwr_security::peer::Peer;
use flwr_security::signature::SignatureHeaders;
use http::{HeaderMap, Request, Response};
use tonic::body::Body;

use crate::head::{Head, Release};
use crate::host::AccountProof;

mod answer;
mod counted;
pub mod grpc;
pub mod http1;
mod intake;
mod patience;

pub use answer::{Answer, Answers, decode};
pub(crate) use counted::{code, ground};
pub(crate) use intake::Intake;
use intake::Taken;

/// The header with the caller's release of Flower (flwr 1.30 and later).
const VERSION: &str = "flwr-package-version";

/// What carries a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carrier {
    /// gRPC over HTTP/2.
    Grpc,
    /// Messages over HTTP/1.1.
    Http,
}

/// Who reads a refusal of a call. Each reader knows refusals in another form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// A SuperNode, of this release.
    Node(Option<Release>),
    /// A SuperNode of ours that joins.
    Joiner,
    /// An app process, or whoever starts app processes.
    App,
    /// The `flwr` command, of this release.
    Command(Option<Release>),
}

impl Carrier {
    /// What carries this request.
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        if http1::is_method(request.uri().path()) {
            Self::Http
        } else {
            Self::Grpc
        }
    }

    /// What the request says before its body.
    pub(crate) fn head<B>(self, request: &Request<B>) -> Head {
        let headers = request.headers();
        Head {
            patience: match self {
                Self::Grpc => patience::of(headers),
                Self::Http => patience::OF_HTTP,
            },
            peer: request.extensions().get::<Peer>().cloned(),
            release: release(headers),
        }
    }

    /// The signature of a request.
    pub(crate) fn signature(self, headers: &HeaderMap) -> Result<SignatureHeaders, Failure> {
        Ok(match self {
            Self::Grpc => SignatureHeaders::read(headers)?,
            Self::Http => SignatureHeaders::read_http(headers)?,
        })
    }

    /// The tokens that a call of a person shows.
    pub(crate) fn account_proof(self, headers: &HeaderMap) -> AccountProof {
        match self {
            Self::Grpc => grpc::account_proof(headers),
            Self::Http => http1::account_proof(headers),
        }
    }

    /// Whether the request may be one of this carrier at all.
    ///
    /// # Errors
    /// The response that refuses the request.
    pub(crate) fn accept<B>(self, request: &Request<B>) -> http1::Accepted {
        match self {
            Self::Grpc => Ok(()),
            Self::Http => http1::accept(request),
        }
    }

    /// Whether the body of the request is a message.
    ///
    /// # Errors
    /// The response that refuses the request.
    pub(crate) fn accept_content<B>(self, request: &Request<B>) -> http1::Accepted {
        match self {
            Self::Grpc => Ok(()),
            Self::Http => http1::accept_content(request),
        }
    }

    /// Whether the request tells what an app must tell of itself.
    ///
    /// # Errors
    /// The response that refuses the request.
    pub(crate) fn accept_app<B>(self, request: &Request<B>) -> http1::Accepted {
        match self {
            Self::Grpc => Ok(()),
            Self::Http => http1::accept_app(request),
        }
    }

    /// Has a call answered. The request counts as under way until then.
    pub(crate) async fn unary<A, F>(
        self,
        intake: Intake<'_>,
        request: Request<Body>,
        answer: A,
    ) -> Response<Body>
    where
        A: FnOnce(Bytes) -> F + Send,
        F: Future<Output = Result<Answer, Failure>> + Send,
    {
        let reader = intake.reader;
        let taken = match self.read(intake, request).await {
            Ok(taken) => taken,
            Err(refused) => return *refused,
        };
        let answered = answer(taken.message).await;
        drop(taken.room);
        match answered {
            Err(failure) => self.failed(failure, reader),
            Ok(answer) => match self {
                Self::Grpc => grpc::answered(answer),
                Self::Http => http1::answered(answer),
            },
        }
    }

    /// Reads the only message of a call, or gives the response that refuses it.
    async fn read(
        self,
        intake: Intake<'_>,
        request: Request<Body>,
    ) -> Result<Taken, Box<Response<Body>>> {
        let body = request.into_body();
        match self {
            Self::Grpc => {
                let taken = grpc::read(intake, body).await;
                taken.map_err(|status| Box::new(status.into_http()))
            }
            Self::Http => {
                let taken = intake.read(body).await;
                taken.map_err(|unread| Box::new(http1::unread(&unread)))
            }
        }
    }

    /// Answers a call that has many answers.
    pub(crate) async fn streaming<A, F>(
        self,
        intake: Intake<'_>,
        request: Request<Body>,
        answer: A,
    ) -> Response<Body>
    where
        A: FnOnce(Bytes) -> F + Send,
        F: Future<Output = Result<Answers, Failure>> + Send,
    {
        let reader = intake.reader;
        let taken = match self.read(intake, request).await {
            Ok(taken) => taken,
            Err(refused) => return *refused,
        };
        match answer(taken.message).await {
            Err(failure) => self.failed(failure, reader),
            Ok(answers) => match self {
                Self::Grpc => grpc::streamed(answers, reader),
                Self::Http => http1::streamed(answers),
            },
        }
    }

    /// The response to a call that is refused or fails.
    pub(crate) fn failed(self, failure: Failure, reader: Reader) -> Response<Body> {
        let ground = failure.ground();
        let response = match self {
            Self::Grpc => grpc::failed_for(failure, reader),
            Self::Http => http1::failed(failure, reader),
        };
        counted::noted(response, ground)
    }

    /// The response to a peer that may not call here. Over gRPC all peers get the same words.
    pub(crate) fn turned_away(self, failure: Failure, reader: Reader) -> Response<Body> {
        let ground = failure.ground();
        let response = match self {
            Self::Grpc => grpc::failed(failure),
            Self::Http => http1::failed(failure, reader),
        };
        counted::noted(response, ground)
    }

    /// The same response. Nobody between may keep it: tokens are in it.
    pub(crate) fn not_to_be_kept(self, response: Response<Body>) -> Response<Body> {
        match self {
            Self::Grpc => response,
            Self::Http => http1::not_to_be_kept(response),
        }
    }

    /// The response to a call of a method that nobody serves.
    pub(crate) fn unknown_method(self) -> Response<Body> {
        match self {
            Self::Grpc => grpc::unknown_method(),
            Self::Http => http1::unknown_path(),
        }
    }
}

/// The caller's release of Flower.
fn release(headers: &HeaderMap) -> Option<Release> {
    let version = headers.get(VERSION)?;
    Release::read(version.to_str().ok()?)
}
