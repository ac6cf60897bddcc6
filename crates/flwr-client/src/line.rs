//! Lines: send the messages of any generation over gRPC or HTTP/1.1, with the caller's proof in the
//! headers.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use flwr_core::port::Result;
use flwr_core::port::control::Tokens;
use flwr_core::refusal::{Class, Failure};
use flwr_proto::MAX_MESSAGE_BYTES;
use futures::StreamExt;
use http::uri::PathAndQuery;
use http::{HeaderMap, Request, Response};
use tonic::Status;
use tonic::body::Body;
use tonic::client::{Grpc, GrpcService};
use tonic_prost::ProstCodec;
use tower::Service;

use crate::refused::failure;
use beside::Beside;
pub use beside::Room;
use flwr_wire::content::Content;
pub use flwr_wire::line::{Answers, Line, Read, Sent};
pub use http1::HttpLine;
pub use superlink::SuperLinkLine;

mod beside;
mod http1;
mod superlink;

/// What proves who calls: headers of each request. Clones share what they have learned.
pub trait Proof: Clone + Send + Sync + 'static {
    /// Whether [`Self::renew`] may find another proof. Calls keep their message for that.
    const RENEWS: bool = false;

    /// Adds the proof to the headers of a request.
    ///
    /// # Errors
    /// If the proof cannot be made.
    fn prove(&self, headers: &mut HeaderMap) -> Result<()>;

    /// Adds the proof to the headers of a request over HTTP/1.1, where they have other names.
    ///
    /// # Errors
    /// If the proof cannot be made.
    fn prove_over_http(&self, headers: &mut HeaderMap) -> Result<()>;

    /// Reads the headers of an answer or a refusal.
    fn read(&self, _: &HeaderMap) {}

    /// The other end does not accept the proof. True: there is another now, with which the call is
    /// made once more.
    fn renew(&self) -> bool {
        false
    }

    /// The token for which a SuperLink gives new tokens over HTTP/1.1. Over gRPC new tokens come by
    /// themselves.
    fn refresh_token(&self) -> Option<String> {
        None
    }

    /// Uses these tokens from now on.
    fn refreshed(&self, _: Tokens) {}
}

/// For callers who prove nothing.
#[derive(Debug, Clone, Copy)]
pub struct Nobody;

impl Proof for Nobody {
    fn prove(&self, _: &mut HeaderMap) -> Result<()> {
        Ok(())
    }

    fn prove_over_http(&self, _: &mut HeaderMap) -> Result<()> {
        Ok(())
    }
}

/// A service that carries gRPC: a channel, or, in tests, what is at the other end of one.
pub trait Carries:
    Service<
        Request<Body>,
        Response = Response<Body>,
        Error: Into<Box<dyn Error + Send + Sync>>,
        Future: Send,
    > + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> Carries for S where
    S: Service<
            Request<Body>,
            Response = Response<Body>,
            Error: Into<Box<dyn Error + Send + Sync>>,
            Future: Send,
        > + Clone
        + Send
        + Sync
        + 'static
{
}

/// A line over gRPC.
#[derive(Clone)]
pub struct GrpcLine<S, P> {
    service: S,
    proof: P,
    room: Room,
}

impl<S: Carries, P: Proof> GrpcLine<S, P> {
    /// A line over this channel.
    #[must_use]
    pub const fn new(service: S, proof: P) -> Self {
        Self {
            service,
            proof,
            room: Room::Own,
        }
    }

    /// The same line, which puts the contents of large objects here.
    #[must_use]
    pub fn with_room(self, room: Room) -> Self {
        Self { room, ..self }
    }

    /// What proves who calls.
    pub const fn proof(&self) -> &P {
        &self.proof
    }

    /// A request with the proof, and a service that is ready for the request.
    async fn begin<Q, T: GrpcService<Body>>(
        &self,
        service: T,
        message: Q,
        limit: Option<Duration>,
    ) -> Result<(Grpc<T>, tonic::Request<Q>)> {
        let mut request = tonic::Request::new(message);
        if let Some(limit) = limit {
            request.set_timeout(limit);
        }
        self.proof.prove(request.metadata_mut().as_mut())?;
        let mut grpc = Grpc::new(service)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        let ready = grpc.ready().await;
        ready.map_err(|error| failure(Status::from_error(error.into())))?;
        Ok((grpc, request))
    }

    /// Reads the headers of an answer, or what a status means.
    fn read<T>(&self, answer: std::result::Result<tonic::Response<T>, Status>) -> Result<T> {
        match answer {
            Ok(response) => {
                self.proof.read(response.metadata().as_ref());
                Ok(response.into_inner())
            }
            Err(status) => {
                self.proof.read(status.metadata().as_ref());
                Err(failure(status))
            }
        }
    }

    /// Makes a call, and once more if the other end asks for another proof.
    async fn proven<Q: Sent, T, F: Future<Output = Result<T>>>(
        &self,
        message: Q,
        call: impl Fn(Q) -> F,
    ) -> Result<T> {
        let again = P::RENEWS.then(|| message.clone());
        let answer = call(message).await;
        let is_unproven = |failure: &Failure| failure.class() == Some(Class::Unauthenticated);
        match again {
            Some(message) if answer.as_ref().is_err_and(is_unproven) && self.proof.renew() => {
                call(message).await
            }
            _ => answer,
        }
    }
}

impl<S: Carries, P: Proof> Line for GrpcLine<S, P> {
    async fn call<Q: Sent, A: Read>(
        &self,
        path: &'static str,
        message: Q,
        limit: Option<Duration>,
    ) -> Result<A> {
        self.proven(message, |mut message| async move {
            let content = Content::take(&mut message);
            let service = Beside::<_, A>::new(self.service.clone(), content, self.room);
            let received = service.received();
            let (mut grpc, request) = self.begin(service, message, limit).await?;
            let path = PathAndQuery::from_static(path);
            let answer = grpc.unary(request, path, ProstCodec::default()).await;
            let mut answer = self.read(answer)?;
            received.put_into(&mut answer);
            Ok(answer)
        })
        .await
    }

    async fn stream<Q: Sent, A: Read>(
        &self,
        path: &'static str,
        message: Q,
        limit: Option<Duration>,
    ) -> Result<Answers<A>> {
        self.proven(message, |message| async move {
            let service = self.service.clone();
            let (mut grpc, request) = self.begin(service, message, limit).await?;
            let path = PathAndQuery::from_static(path);
            let answer = grpc.server_streaming(request, path, ProstCodec::default());
            let answers = self.read(answer.await)?;
            Ok(answers.map(|answer| answer.map_err(failure)).boxed())
        })
        .await
    }
}

impl<S, P> fmt::Debug for GrpcLine<S, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrpcLine").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
