//! Calls through the door, as peers frame them.

use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use flwr_core::id::NodeId;
use flwr_core::time::Timestamp;
use flwr_daemon::clock::MockClock;
use flwr_daemon::objects::Memory;
use flwr_daemon::stop::Stopper;
use flwr_wire::door::FleetDoor;
use flwr_wire::generations::WireName;
use flwr_wire::host::{FleetHost, Head, NodeProof};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use prost::Message;
use time::OffsetDateTime;
use tonic::Code;
use tonic::body::Body;
use tower::Service;

use super::*;
use crate::link::Holds;
use crate::link::state::Nodes as _;
use crate::store::MemoryState;

mod apps;
mod changes;
mod taskins;
mod wires;

/// A link over this state, at a time of 2025, that holds no call of a node.
fn link(state: MemoryState) -> Arc<Link> {
    Arc::new(Link::new(crate::link::Parts {
        state: Arc::new(state),
        objects: Arc::new(Memory::new()),
        fabs: Arc::new(Memory::new()),
        clock: Arc::new(MockClock::new(Timestamp::from_secs(1_750_000_100.0))),
        holds: Holds {
            node: Duration::ZERO,
            ..Holds::default()
        },
        max_storage: None,
        stopper: Stopper::new(),
    }))
}

fn host(link: Arc<Link>, policy: Policy, own_key: Option<PrivateKey>) -> Host {
    Host::new(Parts {
        link,
        policy,
        own_key,
        apps: Apps::WithTokens,
        is_insecure: true,
    })
}

/// What a caller gets.
struct Answered {
    code: Code,
    text: String,
    headers: HeaderMap,
    message: Bytes,
}

impl Answered {
    fn read<M: Message + Default>(self) -> M {
        assert_eq!(self.code, Code::Ok, "{}", self.text);
        M::decode(self.message).unwrap()
    }
}

/// Calls a method of Fleet: five bytes of a frame, then the message (gRPC over HTTP/2).
async fn call(host: &Host, method: &str, headers: HeaderMap, message: Bytes) -> Answered {
    let mut body = BytesMut::new();
    body.put_u8(0);
    body.put_u32(u32::try_from(message.len()).unwrap());
    body.put(message);
    let mut request = Request::post(format!("/flwr.proto.Fleet/{method}"))
        .body(Body::new(Full::new(body.freeze())))
        .unwrap();
    *request.headers_mut() = headers;
    let response = FleetDoor::new(host.clone()).call(request).await.unwrap();
    let headers = response.headers().clone();
    let body = response.into_body().collect().await.unwrap();
    let trailers = body.trailers().cloned().unwrap_or_default();
    let status = tonic::Status::from_header_map(&trailers)
        .or_else(|| tonic::Status::from_header_map(&headers))
        .unwrap();
    let bytes = body.to_bytes();
    Answered {
        code: status.code(),
        text: status.message().to_owned(),
        headers,
        message: bytes.slice(bytes.len().min(5)..),
    }
}
