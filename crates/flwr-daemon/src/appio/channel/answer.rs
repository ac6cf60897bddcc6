//! An answer, as it goes back to the process.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use bytes::Bytes;
use flwr_shm::Draft;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt;
use tokio::task::spawn_blocking;
use tonic::body::Body;

use super::body::without_prefix;
use super::frame::{Answer, HEAD_BYTES, INLINE_BYTES, Wire};

/// gRPC's numbers.
const INVALID_ARGUMENT: &str = "3";
const INTERNAL: &str = "13";
const UNAVAILABLE: &str = "14";

/// Bytes beside a large part at most, for it to go by itself.
const OTHERS_BYTES: usize = 4 << 10;

/// A packet to be sent.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) parts: Vec<Bytes>,
    pub(super) body: Option<Arc<OwnedFd>>,
}

/// The answer to a call that the daemon itself refuses: what came with it is not what it said.
pub(super) fn refused(id: u64, wire: Wire, why: &str) -> io::Result<Outgoing> {
    failed(id, wire, StatusCode::BAD_REQUEST, INVALID_ARGUMENT, why)
}

/// The answer to a call whose answer cannot be written. The process may try again.
pub(super) fn unavailable(id: u64, wire: Wire, why: &io::Error) -> io::Result<Outgoing> {
    let why = format!("no shared memory for the answer: {why}");
    failed(id, wire, StatusCode::SERVICE_UNAVAILABLE, UNAVAILABLE, &why)
}

/// The answer of the service.
pub(super) async fn of(id: u64, wire: Wire, response: Response<Body>) -> io::Result<Outgoing> {
    let (head, mut body) = response.into_parts();
    let mut headers = head.headers;
    let mut parts = VecDeque::new();
    while let Some(frame) = body.frame().await {
        match frame.map(http_body::Frame::into_data) {
            Ok(Ok(data)) => parts.push_back(data),
            Ok(Err(frame)) => headers.extend(frame.into_trailers().unwrap_or_default()),
            Err(status) => {
                let why = format!("the answer broke off: {}", status.message());
                return failed(id, wire, StatusCode::INTERNAL_SERVER_ERROR, INTERNAL, &why);
            }
        }
    }
    if wire == Wire::Grpc {
        without_prefix(&mut parts);
    }
    let body = Written::of(parts).await?;
    let answer = Answer {
        id,
        status: head.status.as_u16(),
        headers: texts(&headers),
        size: body.shared.as_ref().map(|(_, size)| *size),
    };
    let head = answer.head()?;
    if head.len() > HEAD_BYTES {
        let why = "the headers of the answer are too long for this channel";
        return failed(id, wire, StatusCode::INTERNAL_SERVER_ERROR, INTERNAL, why);
    }
    let mut packet = vec![head.into()];
    packet.extend(body.here);
    Ok(Outgoing {
        parts: packet,
        body: body.shared.map(|(file, _)| file),
    })
}

/// A body that is ready to be sent: the parts in the packet, then what is in shared memory.
struct Written {
    here: VecDeque<Bytes>,
    shared: Option<(Arc<OwnedFd>, usize)>,
}

impl Written {
    /// A large part that comes last goes by itself, and is not copied where it is in shared memory already.
    async fn of(mut parts: VecDeque<Bytes>) -> io::Result<Self> {
        let length: usize = parts.iter().map(Bytes::len).sum();
        if length <= INLINE_BYTES {
            return Ok(Self {
                here: parts,
                shared: None,
            });
        }
        let last = parts.pop_back().unwrap_or_default();
        let others = length - last.len();
        if others > OTHERS_BYTES {
            parts.push_back(last);
            let shared = Some((Arc::new(written(parts).await?), length));
            let here = VecDeque::new();
            return Ok(Self { here, shared });
        }
        let length = last.len();
        let file = match flwr_shm::file_of(&last) {
            Some(file) => file,
            None => Arc::new(written([last].into()).await?),
        };
        Ok(Self {
            here: parts,
            shared: Some((file, length)),
        })
    }
}

fn failed(id: u64, wire: Wire, status: StatusCode, code: &str, why: &str) -> io::Result<Outgoing> {
    match wire {
        Wire::Grpc => {
            let headers = [("grpc-status", code), ("grpc-message", why)];
            packet(id, StatusCode::OK, &headers, Bytes::new())
        }
        Wire::Http => {
            let headers = [("content-type", "application/json")];
            let text = serde_json::json!({ "detail": why }).to_string();
            packet(id, status, &headers, text.into())
        }
    }
}

fn packet(
    id: u64,
    status: StatusCode,
    headers: &[(&str, &str)],
    body: Bytes,
) -> io::Result<Outgoing> {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let answer = Answer {
        id,
        status: status.as_u16(),
        headers: headers.iter().map(own).collect(),
        size: None,
    };
    Ok(Outgoing {
        parts: vec![answer.head()?.into(), body],
        body: None,
    })
}

fn texts(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let headers = headers.iter();
    headers
        .map(|(name, value)| (name.to_string(), text(value.as_bytes())))
        .collect()
}

/// The parts in new shared memory, one after the other. Large ones are copied off the async workers.
async fn written(parts: VecDeque<Bytes>) -> io::Result<OwnedFd> {
    let write = move || {
        let mut draft = Draft::new()?;
        for part in &parts {
            draft.write_all(part)?;
        }
        draft.seal()
    };
    spawn_blocking(write).await.map_err(io::Error::other)?
}
