//! Answers the calls of one channel.

use std::io;
use std::sync::Arc;

use flwr_security::peer::Peer;
use flwr_shm::Sealed;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tonic::body::Body;
use tower::ServiceExt;
use tracing::{debug, warn};

use super::AppChannels;
use super::answer::{self, Outgoing};
use super::body::Incoming;
use super::frame::{self, Call, Wire};
use super::socket::{Packet, Socket};

/// Calls of one process under way at the same time. Further ones wait in its socket.
const CALLS: usize = 256;

/// Bytes of the largest body: those of gRPC's largest message. Most methods take less.
pub(super) const MOST_BYTES: usize = i32::MAX as usize;

const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");

/// Answers until the other end is closed, or is used in another way than our launchers use it. Calls
/// under way are dropped then, as those of a connection that is closed.
pub(super) async fn run(socket: Socket, channels: AppChannels, peer: Peer) {
    let socket = Arc::new(socket);
    let places = Arc::new(Semaphore::new(CALLS));
    let mut under_way = JoinSet::new();
    loop {
        // No semaphore is closed here.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        while under_way.try_join_next().is_some() {}
        let packet = match socket.receive().await {
            Ok(Some(packet)) => packet,
            Ok(None) => return,
            Err(error) => return tell(&peer, &error),
        };
        let (call, body) = match frame::read(packet.bytes.clone()) {
            Ok(read) => read,
            Err(error) => return tell(&peer, &error),
        };
        let (channels, socket, peer) = (channels.clone(), Arc::clone(&socket), peer.clone());
        under_way.spawn(async move {
            let _place = place;
            let body = Packet {
                bytes: body,
                body: packet.body,
            };
            let answered = answer(call, body, &channels, peer.clone()).await;
            let sent = match answered {
                Ok(Outgoing { parts, body }) => socket.send(&parts, body.as_deref()).await,
                Err(error) => Err(error),
            };
            if let Err(error) = sent {
                debug!(?peer.process, %error, "an answer was not sent over the channel of an app");
                // Else the process would wait for the answer.
                socket.shut();
            }
        });
    }
}

async fn answer(
    call: Call,
    packet: Packet,
    channels: &AppChannels,
    peer: Peer,
) -> io::Result<Outgoing> {
    let (id, wire) = (call.id, call.wire);
    let request = match request(&call, packet, peer) {
        Ok(request) => request,
        Err(why) => {
            warn!("refused a call of an app process: {why}");
            return answer::refused(id, wire, &why);
        }
    };
    let answered = match wire {
        Wire::Grpc => channels.0.grpc.clone().oneshot(request).await,
        Wire::Http => channels.0.http.clone().oneshot(request).await,
    };
    let response = match answered {
        Ok(response) => response,
        Err(never) => match never {},
    };
    answer::of(id, wire, response).await.or_else(|error| {
        warn!(%error, "an answer to an app process has no room in shared memory");
        answer::unavailable(id, wire, &error)
    })
}

/// The call as a request, or why there is none.
fn request(call: &Call, packet: Packet, peer: Peer) -> Result<Request<Body>, String> {
    let Call { wire, size, .. } = *call;
    let body = match (size, packet.body) {
        (None, None) => Incoming::here(wire, packet.bytes),
        (Some(size), Some(file)) if packet.bytes.is_empty() => {
            let sealed = Sealed::check(file, size, MOST_BYTES).map_err(|why| why.to_string())?;
            Incoming::shared(wire, sealed)
        }
        _ => return Err("its body must be in its packet or in shared memory".to_owned()),
    };
    let mut request = Request::new(Body::new(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = call.path.parse().map_err(|_| "its path is malformed")?;
    *request.headers_mut() = headers(&call.headers)?;
    if wire == Wire::Grpc {
        request.headers_mut().insert(CONTENT_TYPE, GRPC);
    }
    request.extensions_mut().insert(peer);
    Ok(request)
}

fn headers(pairs: &[(String, String)]) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::with_capacity(pairs.len() + 1);
    for (name, value) in pairs {
        let malformed = |_| format!("its header `{}` is malformed", name.escape_debug());
        let name: HeaderName = name.parse().map_err(|_| malformed(()))?;
        let value: HeaderValue = value.parse().map_err(|_| malformed(()))?;
        headers.append(name, value);
    }
    Ok(headers)
}

fn tell(peer: &Peer, error: &(dyn std::error::Error + 'static)) {
    let pid = peer.process.as_ref().map(|process| process.pid);
    warn!(pid, error, "the native channel of an app process is closed");
}
