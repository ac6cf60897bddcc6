//! Calls through the door, as peers frame them.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use flwr_core::id::NodeId;
use flwr_core::time::Timestamp;
use flwr_daemon::clock::MockClock;
use flwr_daemon::objects::Memory;
use flwr_daemon::stop::Stopper;
use flwr_security::peer::Standing;
use flwr_wire::door::FleetDoor;
use flwr_wire::generations::WireName;
use flwr_wire::host::{FleetHost, Head, NodeProof};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use percent_encoding::percent_decode_str;
use prost::Message;
use time::OffsetDateTime;
use tonic::Code;
use tonic::body::Body;
use tower::Service;

use super::*;
use crate::link::Holds;
use crate::link::blobs::BlobStore;
use crate::link::state::{LinkState, Nodes as _};
use crate::store::MemoryState;

mod abandoned;
mod apps;
mod battery;
mod bombs;
mod changes;
mod clients;
mod clock;
mod control;
mod enrolment;
mod http1;
mod intake;
mod joining;
mod launch;
mod loopback;
mod newcomers;
mod people;
mod power;
mod quiet;
mod registered;
mod runtimes;
mod shut_out;
mod standing;
mod starts;
mod taskins;
mod tokens;
mod traffic;
mod wires;

/// A link over this state, at a time of 2025, that holds no call of a node.
fn link(state: MemoryState) -> Arc<Link> {
    link_of(state, Arc::new(Memory::new()), Duration::ZERO)
}

/// The same, which keeps FABs there.
fn link_with_fabs(state: MemoryState, fabs: Arc<dyn BlobStore>) -> Arc<Link> {
    link_of(state, fabs, Duration::ZERO)
}

/// The same, which holds calls of nodes.
fn link_that_holds(state: MemoryState, hold: Duration) -> Arc<Link> {
    link_of(state, Arc::new(Memory::new()), hold)
}

fn link_of(state: MemoryState, fabs: Arc<dyn BlobStore>, hold: Duration) -> Arc<Link> {
    let now = Timestamp::from_secs(1_750_000_100.0);
    Arc::new(Link::new(crate::link::Parts {
        fabs,
        holds: Holds {
            node: hold,
            ..Holds::default()
        },
        ..link_parts(Arc::new(state), now)
    }))
}

/// The parts of a link over this state, at this time.
fn link_parts(state: Arc<dyn LinkState>, now: Timestamp) -> crate::link::Parts {
    crate::link::Parts {
        state,
        objects: Arc::new(Memory::new()),
        fabs: Arc::new(Memory::new()),
        clock: Arc::new(MockClock::new(now)),
        holds: Holds::default(),
        max_storage: None,
        stopper: Stopper::new(),
    }
}

fn host(link: Arc<Link>, policy: Policy, own_key: Option<PrivateKey>) -> Host {
    Host::new(parts(link, policy, own_key))
}

fn parts(link: Arc<Link>, policy: Policy, own_key: Option<PrivateKey>) -> Parts {
    Parts {
        link,
        policy,
        own_key,
        clients: None,
        people: People::default(),
        joining: JoinPlace::default(),
        accounts: None,
        apps: Apps::WithTokens,
        launchers: Launchers::default(),
        is_insecure: true,
        in_flight: InFlight::default(),
    }
}

/// A connection from this address.
fn peer(address: SocketAddr) -> Peer {
    Peer::plaintext(address, (Ipv4Addr::LOCALHOST, 9091).into())
}

/// What a caller gets.
struct Answered {
    code: Code,
    text: String,
    headers: HeaderMap,
    /// Frames.
    message: Bytes,
}

/// Calls a method of Fleet.
async fn call(host: &Host, method: &str, headers: HeaderMap, message: Bytes) -> Answered {
    let path = format!("/flwr.proto.Fleet/{method}");
    call_door(FleetDoor::new(host.clone()), &path, headers, message).await
}

/// Calls a method behind a door.
async fn call_door(
    door: impl Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    path: &str,
    headers: HeaderMap,
    message: Bytes,
) -> Answered {
    call_over(None, door, path, headers, message).await
}

/// Calls a method behind a door over this connection.
async fn call_over(
    peer: Option<&Peer>,
    mut door: impl Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    path: &str,
    headers: HeaderMap,
    message: Bytes,
) -> Answered {
    let mut request = request(path, headers, message);
    if let Some(peer) = peer {
        request.extensions_mut().insert(peer.clone());
    }
    Answered::of(door.call(request).await.unwrap()).await
}

/// A call with one message: five bytes of a frame, then the message (gRPC over HTTP/2).
fn request(path: &str, headers: HeaderMap, message: Bytes) -> Request<Body> {
    let mut body = BytesMut::new();
    body.put_u8(0);
    body.put_u32(u32::try_from(message.len()).unwrap());
    body.put(message);
    let body = Body::new(Full::new(body.freeze()));
    let mut request = Request::post(path).body(body).unwrap();
    *request.headers_mut() = headers;
    request
}

impl Answered {
    async fn of(response: Response<Body>) -> Self {
        let headers = response.headers().clone();
        let body = response.into_body().collect().await.unwrap();
        let trailers = body.trailers().cloned().unwrap_or_default();
        let header = |name| {
            let value = trailers.get(name).or_else(|| headers.get(name));
            value.map_or("", |value| value.to_str().unwrap())
        };
        let text = percent_decode_str(header("grpc-message"));
        Self {
            code: Code::from_bytes(header("grpc-status").as_bytes()),
            text: text.decode_utf8().unwrap().into_owned(),
            message: body.to_bytes(),
            headers,
        }
    }

    /// The messages of the answer, in their order.
    fn read_all<M: Message + Default>(mut self) -> Vec<M> {
        assert_eq!(self.code, Code::Ok, "{}", self.text);
        let mut messages = Vec::new();
        while !self.message.is_empty() {
            assert_eq!(self.message.get_u8(), 0, "not compressed");
            let length = usize::try_from(self.message.get_u32()).unwrap();
            messages.push(M::decode(self.message.split_to(length)).unwrap());
        }
        messages
    }

    fn read<M: Message + Default>(self) -> M {
        let mut messages = self.read_all();
        assert_eq!(messages.len(), 1);
        messages.remove(0)
    }

    fn said(&self) -> (Code, &str) {
        (self.code, &self.text)
    }
}
