//! The line to a SuperLink, over the carrier that the SuperLink speaks.
//!
//! gRPC is tried first. A server of HTTP/1.1 says so at once, by its first bytes or by ALPN: nobody
//! waits, and the call was not carried out. It is made again over HTTP/1.1, which then stays in use for
//! all lines to the SuperLink. When such a call gets no answer of a SuperLink, the carrier counts as
//! unknown again, since a SuperLink of another release may have taken the place of the last.

use std::time::Duration;

use flwr_core::port::Result;
use flwr_core::refusal::{Failure, Silence};
use flwr_security::tls::Reason;
use http::StatusCode;
use tracing::info;

use super::{Answers, GrpcLine, HttpLine, Line, Proof, Read, Room, Sent};
use crate::channel::{Carrier, Channel, ConnectError, Spoken, connect_error, proxied};
use crate::refused;

/// A line to a SuperLink. Clones share what is known of the carrier.
#[derive(Clone, Debug)]
pub struct SuperLinkLine<P> {
    grpc: GrpcLine<Channel, P>,
    http: HttpLine<P>,
    spoken: Spoken,
}

impl<P: Proof> SuperLinkLine<P> {
    /// A line over this channel.
    #[must_use]
    pub fn new(channel: Channel, proof: P) -> Self {
        Self {
            http: HttpLine::new(channel.http().clone(), proof.clone()),
            spoken: channel.spoken().clone(),
            grpc: GrpcLine::new(channel, proof),
        }
    }

    /// The same line, which puts the contents of large objects here where the SuperLink speaks gRPC.
    #[must_use]
    pub fn with_room(self, room: Room) -> Self {
        Self {
            grpc: self.grpc.with_room(room),
            ..self
        }
    }

    /// What proves who calls.
    pub const fn proof(&self) -> &P {
        self.grpc.proof()
    }

    /// The carrier of the last call.
    #[must_use]
    pub fn carrier(&self) -> Carrier {
        self.spoken.carrier()
    }

    /// The next call finds out again which carrier the SuperLink speaks.
    pub fn find_carrier_again(&self) {
        self.spoken.find_out_again();
    }

    /// Makes a call over the carrier that the SuperLink speaks.
    async fn carried<Q: Sent, T, G, H>(
        &self,
        message: Q,
        grpc: impl Fn(Q) -> G,
        http: impl Fn(Q) -> H,
    ) -> Result<T>
    where
        G: Future<Output = Result<T>>,
        H: Future<Output = Result<T>>,
    {
        if self.carrier() == Carrier::Http {
            let answer = http(message.clone()).await;
            return match answer {
                Err(failure) if speaks_grpc(&failure) => {
                    self.spoken.set(Carrier::Grpc);
                    info!("the SuperLink speaks gRPC now");
                    grpc(message).await
                }
                Err(failure) => {
                    if failure.silence() == Some(Silence::Connection) {
                        self.spoken.set(Carrier::Grpc);
                    }
                    Err(failure)
                }
                answer => answer,
            };
        }
        let refused = match grpc(message.clone()).await {
            Err(failure) if speaks_http(&failure) => failure,
            answer => return answer,
        };
        match http(message).await {
            // Something on the way speaks HTTP/1.1, and no SuperLink.
            Err(failure) if is_strange(&failure) => Err(refused),
            Err(failure) if failure.silence() == Some(Silence::Connection) => Err(failure),
            answer => {
                if self.spoken.set(Carrier::Http) {
                    info!("the SuperLink speaks HTTP/1.1");
                }
                answer
            }
        }
    }
}

/// Whether a gRPC call was not carried out because the server speaks HTTP/1.1.
fn speaks_http(failure: &Failure) -> bool {
    connect_error(failure).is_some_and(ConnectError::is_of_http1)
}

/// Whether a call over HTTP/1.1 was not carried out because the server speaks gRPC.
fn speaks_grpc(failure: &Failure) -> bool {
    match (connect_error(failure), failure) {
        (Some(ConnectError::Http2 { .. }), _) => true,
        (Some(ConnectError::Tls { reason, .. }), _) => *reason == Reason::NothingInCommon,
        (_, Failure::Answered(refused)) => refused::speaks_grpc(refused),
        _ => false,
    }
}

/// Whether a web server gave this answer over HTTP/1.1. Proxies in front of a SuperLink that is away
/// say so.
fn is_strange(failure: &Failure) -> bool {
    let is_away = |status| {
        matches!(
            status,
            StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT
        )
    };
    proxied(failure).is_some_and(|answer| !is_away(answer.status))
}

impl<P: Proof> Line for SuperLinkLine<P> {
    async fn call<Q: Sent, A: Read>(
        &self,
        path: &'static str,
        message: Q,
        limit: Option<Duration>,
    ) -> Result<A> {
        let grpc = |message| self.grpc.call(path, message, limit);
        let http = |message| self.http.call(path, message, limit);
        self.carried(message, grpc, http).await
    }

    async fn stream<Q: Sent, A: Read>(
        &self,
        path: &'static str,
        message: Q,
        limit: Option<Duration>,
    ) -> Result<Answers<A>> {
        let grpc = |message| self.grpc.stream(path, message, limit);
        let http = |message| self.http.stream(path, message, limit);
        self.carried(message, grpc, http).await
    }
}
