//! Methods behind a session that the head of a request opens. One generation has each path.

use bytes::Bytes;
use flwr_core::port::Result;
use futures::stream::Stream;
use http::{Request as HttpRequest, Response};
use prost::Message;
use tonic::body::Body;

use super::{Handler, Request, Size, StreamHandler, Table};
use crate::carrier::grpc::{self, Answer, Answers, Intake};
use crate::host::{Head, Host};
use crate::in_flight::Payer;
use crate::rpc::Rpc;

/// Bytes of one message of a person: a FAB of 10 MiB, and room for its configuration. Anybody may
/// call there, so nobody may make the SuperLink hold more.
pub const MAX_CONTROL_BYTES: usize = flwr_core::fab::MAX_BYTES + (1 << 20);

/// A method that a session of this type answers.
pub(crate) enum Method<S> {
    /// One answer.
    Unary {
        /// Whether the call changes something, and is therefore served to its end also when its
        /// caller goes away.
        changes: bool,
        /// How large a request may be.
        size: Size,
        handler: Handler<(S, Request<Bytes>)>,
    },
    /// Many answers.
    Streaming(StreamHandler<(S, Request<Bytes>)>),
}

/// The methods of all generations.
pub(crate) type Methods<S> = Table<Method<S>>;

impl<S: Send + 'static> Methods<S> {
    /// Serves a method that only looks.
    pub(crate) fn look<Q, A, M, F>(&mut self, rpc: Rpc<Q, A>, method: M)
    where
        Q: Message + Default + 'static,
        A: Message + 'static,
        M: Fn(S, Request<Q>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<A>> + Send + 'static,
    {
        self.unary(rpc, false, Size::CALL, method);
    }

    /// Serves a method that changes something.
    pub(crate) fn change<Q, A, M, F>(&mut self, rpc: Rpc<Q, A>, method: M)
    where
        Q: Message + Default + 'static,
        A: Message + 'static,
        M: Fn(S, Request<Q>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<A>> + Send + 'static,
    {
        self.unary(rpc, true, Size::CALL, method);
    }

    /// Serves a method that changes something, and takes a FAB.
    pub(crate) fn upload<Q, A, M, F>(&mut self, rpc: Rpc<Q, A>, method: M)
    where
        Q: Message + Default + 'static,
        A: Message + 'static,
        M: Fn(S, Request<Q>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<A>> + Send + 'static,
    {
        self.unary(rpc, true, Size::FAB, method);
    }

    fn unary<Q, A, M, F>(&mut self, rpc: Rpc<Q, A>, changes: bool, size: Size, method: M)
    where
        Q: Message + Default + 'static,
        A: Message + 'static,
        M: Fn(S, Request<Q>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<A>> + Send + 'static,
    {
        let handler: Handler<(S, Request<Bytes>)> = Box::new(move |(session, request)| {
            let method = method.clone();
            Box::pin(async move { Ok(Answer::new(method(session, request.decoded()?).await?)) })
        });
        let method = Method::Unary {
            changes,
            size,
            handler,
        };
        self.add(rpc.path(), method);
    }

    /// Serves a method that only looks, and has many answers.
    pub(crate) fn streaming<Q, A, M, F, T>(&mut self, rpc: Rpc<Q, A>, method: M)
    where
        Q: Message + Default + 'static,
        A: Message + 'static,
        M: Fn(S, Request<Q>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
        T: Stream<Item = Result<A>> + Send + 'static,
    {
        let handler: StreamHandler<(S, Request<Bytes>)> = Box::new(move |(session, request)| {
            let method = method.clone();
            Box::pin(async move { Ok(Answers::new(method(session, request.decoded()?).await?)) })
        });
        self.add(rpc.path(), Method::Streaming(handler));
    }
}

impl<S: Send> Method<S> {
    /// Answers a request in this session.
    pub(crate) async fn serve(
        &self,
        (host, session): (&impl Host, S),
        head: Head,
        request: HttpRequest<Body>,
    ) -> Response<Body> {
        let intake = |size: Size| Intake {
            in_flight: host.in_flight(),
            payer: Payer::of(None, &head),
            limit: size.bytes,
        };
        let read = |body| Request::new(body, &head, host);
        match self {
            Self::Unary {
                changes,
                size,
                handler,
            } => {
                let answer = |body: Bytes| async {
                    size.check(&body)?;
                    let answer = handler((session, read(body)));
                    host.answered(*changes, answer).await
                };
                grpc::unary(intake(*size), request, answer).await
            }
            Self::Streaming(handler) => {
                let answer = |body| handler((session, read(body)));
                grpc::streaming(intake(Size::CALL), request, answer).await
            }
        }
    }
}
