//! The line over HTTP/1.1: a method is a path, a message is the body of a request or an answer, and
//! a refusal is an object of JSON (SuperLinks of flwr 1.37 and later; their Fleet from 1.40 on).

use std::time::Duration;

use bytes::Bytes;
use flwr_core::port::Result;
use flwr_core::port::control::Tokens;
use flwr_core::refusal::{Class, Failure, Refused, Silence, Unanswered};
use flwr_proto::MAX_MESSAGE_BYTES;
use flwr_wire::carrier::http1::{PROTOBUF, STREAM, path_of};
use flwr_wire::generations::v1_10_control::call::{REFRESH_PATH, RefreshRequest, refreshed};
use futures::StreamExt;
use futures::stream::try_unfold;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use thiserror::Error;
use tokio::time::{Instant, timeout_at};
use tonic::Status;

use super::{Answers, Line, Proof, Read, Sent};
use crate::channel::HttpChannel;
use crate::refused::failure;

mod answer;
mod frames;

use frames::Frames;

const IDENTITY: HeaderValue = HeaderValue::from_static("identity");
/// The time for a call that has no limit of its own, beside that for its bytes.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes a second that the slowest line carries.
const SLOWEST: u64 = 32 << 10;

/// A line over HTTP/1.1.
#[derive(Clone, Debug)]
pub struct HttpLine<P> {
    channel: HttpChannel,
    proof: P,
}

/// The time of a call is over, by this side's clock.
#[derive(Clone, Copy, Debug, Error)]
#[error("no answer in {} s", .0.as_secs())]
struct Overdue(Duration);

impl From<Overdue> for Failure {
    fn from(overdue: Overdue) -> Self {
        let mut unanswered = Unanswered::caused_by(overdue);
        unanswered.why = Silence::Late;
        unanswered.into()
    }
}

/// A call: where to, what with, and until when.
struct Call {
    path: String,
    body: Bytes,
    accepts: HeaderValue,
    /// Whether the caller proves who it is.
    is_proven: bool,
    limit: Duration,
    end: Instant,
}

impl Call {
    fn new(path: &'static str, message: &impl Sent, limit: Option<Duration>) -> Result<Self> {
        let path = path_of(path).ok_or_else(|| not_spoken(path))?;
        let body = Bytes::from(message.encode_to_vec());
        let for_bytes = Duration::from_secs(body.len() as u64 / SLOWEST);
        let limit = limit.unwrap_or(PATIENCE + for_bytes);
        Ok(Self {
            path,
            body,
            accepts: PROTOBUF,
            is_proven: true,
            limit,
            end: flwr_core::monotonic::now() + limit,
        })
    }

    /// What this future gives, unless the call's time is over before.
    async fn within<T>(&self, step: impl Future<Output = Result<T>>) -> Result<T> {
        let done = timeout_at(self.end, step).await;
        done.map_err(|_| Overdue(self.limit))?
    }
}

/// The answer that a SuperLink gives to a method that HTTP/1.1 does not have.
fn not_spoken(path: &str) -> Failure {
    let text = format!("{path} is not called over HTTP/1.1");
    Refused::read(Class::NotOffered, &text).into()
}

impl<P: Proof> HttpLine<P> {
    /// A line over this channel.
    #[must_use]
    pub const fn new(channel: HttpChannel, proof: P) -> Self {
        Self { channel, proof }
    }

    /// Sends the call once. Gives an answer whose status is 200.
    async fn send(&self, call: &Call) -> Result<Response<Incoming>> {
        let address = self.channel.address();
        let uri = self.channel.uri(&call.path).map_err(|_| {
            let text = format!("{address}: no address that HTTP can name");
            Unanswered::new(Silence::Broken, text)
        })?;
        let mut request = Request::new(Full::new(call.body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, PROTOBUF);
        // hyper leaves out the length of an empty body, and flwr's peers do not.
        headers.insert(CONTENT_LENGTH, call.body.len().into());
        if call.accepts == STREAM {
            headers.insert(ACCEPT_ENCODING, IDENTITY);
        }
        headers.insert(ACCEPT, call.accepts.clone());
        if call.is_proven {
            self.proof.prove_over_http(headers)?;
        }
        let answer = self.channel.send(request).await;
        let answer = answer.map_err(|error| failure(Status::from_error(error)))?;
        answer::checked(&address, answer, &call.accepts).await
    }

    /// Sends the call, and once more if the other end asks for another proof.
    async fn proven(&self, call: &Call) -> Result<Response<Incoming>> {
        let answer = self.send(call).await;
        let is_unproven = |failure: &Failure| failure.class() == Some(Class::Unauthenticated);
        if P::RENEWS && answer.as_ref().is_err_and(is_unproven) && self.renew().await {
            return self.send(call).await;
        }
        answer
    }

    /// Whether there is another proof now: one that was found, or one that the SuperLink gave.
    async fn renew(&self) -> bool {
        if self.proof.renew() {
            return true;
        }
        let Some(refresh_token) = self.proof.refresh_token() else {
            return false;
        };
        match self.refresh(refresh_token).await {
            Ok(Some(tokens)) => {
                self.proof.refreshed(tokens);
                true
            }
            Ok(None) | Err(_) => false,
        }
    }

    /// New tokens for an old one.
    async fn refresh(&self, refresh_token: String) -> Result<Option<Tokens>> {
        let mut call = Call::new(REFRESH_PATH, &RefreshRequest { refresh_token }, None)?;
        call.is_proven = false;
        let answer = call.within(async { whole(self.send(&call).await?).await });
        Ok(refreshed(answer.await?))
    }
}

/// The message that is an answer's whole body.
async fn whole<A: Read>(answer: Response<Incoming>) -> Result<A> {
    let body = Limited::new(answer.into_body(), MAX_MESSAGE_BYTES);
    let body = body.collect().await;
    let body = body.map_err(|error| failure(Status::from_error(error)))?;
    answer::read(body.to_bytes())
}

impl<P: Proof> Line for HttpLine<P> {
    async fn call<Q: Sent, A: Read>(
        &self,
        path: &'static str,
        message: Q,
        limit: Option<Duration>,
    ) -> Result<A> {
        let call = Call::new(path, &message, limit)?;
        call.within(async { whole(self.proven(&call).await?).await })
            .await
    }

    async fn stream<Q: Sent, A: Read>(
        &self,
        path: &'static str,
        message: Q,
        limit: Option<Duration>,
    ) -> Result<Answers<A>> {
        let mut call = Call::new(path, &message, limit)?;
        call.accepts = STREAM;
        let answer = call.within(self.proven(&call)).await?;
        let reading = Reading {
            body: answer.into_body(),
            frames: Frames::default(),
            call,
        };
        Ok(try_unfold(reading, Reading::next).boxed())
    }
}

/// A stream that is being read.
struct Reading {
    body: Incoming,
    frames: Frames,
    call: Call,
}

impl Reading {
    /// The next message, and what is left to read. `None`: the stream has ended well.
    async fn next<A: Read>(mut self) -> Result<Option<(A, Self)>> {
        loop {
            if let Some(frame) = self.frames.next()? {
                return Ok(Some((answer::read(frame)?, self)));
            }
            let more = self.body.frame();
            let Ok(more) = timeout_at(self.call.end, more).await else {
                return Err(Overdue(self.call.limit).into());
            };
            match more {
                Some(Ok(more)) => self.frames.add(&more.into_data().unwrap_or_default()),
                Some(Err(error)) => return Err(failure(Status::from_error(error.into()))),
                None => {
                    self.frames.end()?;
                    return Ok(None);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
