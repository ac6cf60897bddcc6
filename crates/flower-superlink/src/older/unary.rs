//! A gRPC call by hand, for methods that generated services cannot have.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes};
use futures::future::BoxFuture;
use http::{Request, Response};
use prost::encoding::{DecodeContext, WireType};
use prost::{DecodeError, Message};
use tonic::Status;
use tonic::body::Body;
use tonic::server::Grpc;
use tonic_prost::ProstCodec;
use tower::service_fn;

use crate::api::MAX_MESSAGE_BYTES;

/// The answer to a call, on its way.
pub(super) type Served = BoxFuture<'static, Result<Response<Body>, Infallible>>;

/// Serves one call by a method of `of`, which says of what messages it and its answer are made.
pub(super) fn serve<T, Q, A, M, F>(of: Arc<T>, request: Request<Body>, method: M) -> Served
where
    T: Send + Sync + 'static,
    Q: Message + Default + 'static,
    A: Message + Default + 'static,
    M: Fn(Arc<T>, tonic::Request<Q>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<A, Status>> + Send + 'static,
{
    serve_with_metadata(of, request, move |of, request| {
        let answer = method(of, request);
        async move { answer.await.map(tonic::Response::new) }
    })
}

/// The same where the answer has metadata too.
pub(super) fn serve_with_metadata<T, Q, A, M, F>(
    of: Arc<T>,
    request: Request<Body>,
    method: M,
) -> Served
where
    T: Send + Sync + 'static,
    Q: Message + Default + 'static,
    A: Message + Default + 'static,
    M: Fn(Arc<T>, tonic::Request<Q>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<tonic::Response<A>, Status>> + Send + 'static,
{
    let limit = Some(MAX_MESSAGE_BYTES);
    let method = service_fn(move |request| method(Arc::clone(&of), request));
    Box::pin(async move {
        let mut grpc =
            Grpc::new(ProstCodec::<A, Q>::default()).apply_max_message_size_config(limit, limit);
        Ok(grpc.unary(method, request).await)
    })
}

/// A message that is not looked into: for methods whose messages two versions lay out differently.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Raw(pub(super) Bytes);

impl Raw {
    /// Whether there is a field with this number, and it is a number.
    pub(super) fn has_number(&self, wanted: u32) -> bool {
        self.kind_of(wanted) == Some(WireType::Varint)
    }

    /// Whether there is a field with this number, and it is a text, bytes or a message.
    pub(super) fn has_bytes(&self, wanted: u32) -> bool {
        self.kind_of(wanted) == Some(WireType::LengthDelimited)
    }

    fn kind_of(&self, wanted: u32) -> Option<WireType> {
        let mut rest = self.0.clone();
        while rest.has_remaining() {
            let (number, kind) = prost::encoding::decode_key(&mut rest).ok()?;
            if number == wanted {
                return Some(kind);
            }
            let context = DecodeContext::default();
            prost::encoding::skip_field(kind, number, &mut rest, context).ok()?;
        }
        None
    }

    /// What it says in one of the layouts.
    pub(super) fn read<M: Message + Default>(self) -> Result<M, Status> {
        M::decode(self.0).map_err(|error| Status::internal(error.to_string()))
    }
}

impl Message for Raw {
    fn merge(&mut self, mut bytes: impl Buf) -> Result<(), DecodeError> {
        self.0 = bytes.copy_to_bytes(bytes.remaining());
        Ok(())
    }

    fn merge_field(
        &mut self,
        number: u32,
        kind: WireType,
        bytes: &mut impl Buf,
        context: DecodeContext,
    ) -> Result<(), DecodeError> {
        // Not called: `merge` takes all fields at once.
        prost::encoding::skip_field(kind, number, bytes, context)
    }

    fn encode_raw(&self, bytes: &mut impl BufMut) {
        bytes.put_slice(&self.0);
    }

    fn encoded_len(&self) -> usize {
        self.0.len()
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}

/// An answer in one of the layouts.
pub(super) fn raw(answer: &impl Message) -> Raw {
    Raw(answer.encode_to_vec().into())
}

#[cfg(test)]
mod tests {
    use flwr_proto::older::inline as wire;
    use flwr_proto::{PullAppMessagesRequest, PushAppMessagesRequest};

    use super::*;

    #[test]
    fn the_layouts_of_a_request_are_told_by_where_the_run_is() {
        let run_id = 7;
        let today = raw(&PullAppMessagesRequest {
            token: "t".to_owned(),
            message_ids: vec!["a".to_owned()],
            run_id,
        });
        let older = raw(&wire::PullResMessagesRequest {
            message_ids: vec!["a".to_owned()],
            run_id,
        });
        assert!(!today.has_number(2) && older.has_number(2));
        let today = raw(&PushAppMessagesRequest {
            messages_list: vec![Default::default()],
            run_id,
            ..PushAppMessagesRequest::default()
        });
        let older = raw(&wire::PushInsMessagesRequest {
            messages_list: vec![Default::default()],
            run_id,
        });
        assert!(!today.has_number(2) && older.has_number(2));
        assert!(!Raw(Bytes::from_static(b"\xff\xff")).has_number(2));
    }

    #[test]
    fn a_raw_message_is_its_bytes() {
        let message = PullAppMessagesRequest {
            run_id: 9,
            ..PullAppMessagesRequest::default()
        };
        let bytes = message.encode_to_vec();
        let raw = Raw::decode(&bytes[..]).unwrap();
        assert_eq!(raw.encode_to_vec(), bytes);
        assert_eq!(raw.read::<PullAppMessagesRequest>().unwrap(), message);
    }
}
