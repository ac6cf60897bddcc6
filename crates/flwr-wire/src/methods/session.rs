//! Methods behind a session that the head of a request opens. One generation has each path.

use bytes::Bytes;
use flwr_core::port::Result;
use futures::stream::Stream;
use http::{Request as HttpRequest, Response};
use prost::Message;
use tonic::body::Body;

use super::{Handler, Request, Size, StreamHandler, Table};
use crate::carrier::{Answer, Answers, Carrier, Intake, Reader};
use crate::host::{Head, Host};
use crate::in_flight::Payer;
use crate::rpc::Rpc;

/// Bytes of one message of a person: a FAB of 10 MiB, and room for its configuration. Anybody may
/// call there, so nobody may make the SuperLink hold more.
pub const MAX_CONTROL_BYTES: usize = flwr_core::fab::MAX_BYTES + (1 << 20);

/// A method that a session of this type answers.
pub(crate) enum Method<S> {
    /// One answer. The call is served to its end, also when its caller goes away.
    Unary {
        /// How large a request may be.
        size: Size,
        handler: Handler<(S, Request<Bytes>)>,
    },
    /// Many answers, to a call that only looks.
    Streaming(StreamHandler<(S, Request<Bytes>)>),
}

/// The methods of all generations.
pub(crate) type Methods<S> = Table<Method<S>>;

impl<S: Send + 'static> Methods<S> {
    /// Serves a method to its end, also when the caller goes away.
    pub(crate) fn call<Q, A, M, F>(&mut self, rpc: Rpc<Q, A>, method: M)
    where
        Q: Message + Default + 'static,
        A: Message + 'static,
        M: Fn(S, Request<Q>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<A>> + Send + 'static,
    {
        self.unary(rpc, Size::CALL, method);
    }

    /// Serves a method that takes a FAB, to its end.
    pub(crate) fn upload<Q, A, M, F>(&mut self, rpc: Rpc<Q, A>, method: M)
    where
        Q: Message + Default + 'static,
        A: Message + 'static,
        M: Fn(S, Request<Q>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<A>> + Send + 'static,
    {
        self.unary(rpc, Size::FAB, method);
    }

    fn unary<Q, A, M, F>(&mut self, rpc: Rpc<Q, A>, size: Size, method: M)
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
        self.add(rpc.path(), Method::Unary { size, handler });
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
    /// Answers a request of a command in this session.
    pub(crate) async fn serve(
        &self,
        session: (&impl Host, S),
        head: Head,
        request: HttpRequest<Body>,
    ) -> Response<Body> {
        let reader = Reader::Command(head.release);
        self.serve_for(reader, session, head, request).await
    }

    /// Answers a request in this session, and refuses as this reader knows refusals.
    pub(crate) async fn serve_for(
        &self,
        reader: Reader,
        (host, session): (&impl Host, S),
        head: Head,
        request: HttpRequest<Body>,
    ) -> Response<Body> {
        let carrier = Carrier::of(&request);
        let intake = |size: Size| Intake {
            in_flight: host.in_flight(),
            payer: Payer::of(None, &head),
            limit: size.bytes,
            reader,
        };
        let read = |body| Request::new(body, &head, host);
        match self {
            Self::Unary { size, handler } => {
                let answer = |body: Bytes| async {
                    size.check(&body)?;
                    host.complete(handler((session, read(body)))).await
                };
                carrier.unary(intake(*size), request, answer).await
            }
            Self::Streaming(handler) => {
                let answer = |body| handler((session, read(body)));
                carrier.streaming(intake(Size::CALL), request, answer).await
            }
        }
    }
}
