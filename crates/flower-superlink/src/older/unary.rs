//! A gRPC call by hand, for methods that generated services cannot have.

use http::{Request, Response};
use prost::Message;
use tonic::Status;
use tonic::body::Body;
use tonic::server::Grpc;
use tonic_prost::ProstCodec;
use tower::service_fn;

use crate::api::MAX_MESSAGE_BYTES;

/// Serves one call: the messages that it and its answer are made of are those of `handler`.
pub(super) async fn serve<Q, A, H, F>(request: Request<Body>, handler: H) -> Response<Body>
where
    Q: Message + Default + 'static,
    A: Message + Default + 'static,
    H: FnMut(tonic::Request<Q>) -> F,
    F: Future<Output = Result<A, Status>> + Send,
{
    let mut handler = handler;
    let limit = Some(MAX_MESSAGE_BYTES);
    let service = service_fn(move |request| {
        let answer = handler(request);
        async move { answer.await.map(tonic::Response::new) }
    });
    Grpc::new(ProstCodec::<A, Q>::default())
        .apply_max_message_size_config(limit, limit)
        .unary(service, request)
        .await
}
