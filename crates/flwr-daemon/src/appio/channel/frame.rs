//! A packet of a channel: the length of a head in four bytes (little-endian), the head, which is an object
//! in JSON, and the body. A large body is in shared memory instead, and the head has its `size`.
//!
//! | of a call | |
//! | --- | --- |
//! | `id` | what the answer is to be known by |
//! | `wire` | `grpc`: the body is a message, without the prefix of gRPC. `http`: the body of a POST |
//! | `path` | of the method |
//! | `headers` | pairs of texts |
//! | `size` | bytes in shared memory |
//!
//! An answer has `id`, `status` (of HTTP), `headers`, among which are gRPC's trailers, and `size`. Its body
//! is what the packet has, and after that what is in shared memory.

use bytes::{Buf, Bytes};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Bytes of the largest body in a packet. A larger one goes through shared memory, which costs a few
/// system calls and page faults, and one copy less.
pub(super) const INLINE_BYTES: usize = 64 << 10;
/// Bytes of the largest packet.
pub(super) const PACKET_BYTES: usize = INLINE_BYTES + HEAD_BYTES + LENGTH_BYTES;
/// Bytes of the largest head.
pub(super) const HEAD_BYTES: usize = 32 << 10;
const LENGTH_BYTES: usize = 4;

/// How a call is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Wire {
    Grpc,
    Http,
}

/// The head of a call.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Call {
    pub(super) id: u64,
    pub(super) wire: Wire,
    pub(super) path: String,
    #[serde(default)]
    pub(super) headers: Vec<(String, String)>,
    pub(super) size: Option<u64>,
}

/// The head of an answer.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    pub(super) id: u64,
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) size: Option<usize>,
}

/// The packet is not one of a call.
#[derive(Debug, Error)]
pub(super) enum Malformed {
    #[error("a packet without a head")]
    NoHead,
    #[error("a packet whose head is malformed: {0}")]
    Head(#[from] serde_json::Error),
}

/// The head of a call, and its body in the packet.
pub(super) fn read(mut packet: Bytes) -> Result<(Call, Bytes), Malformed> {
    let length = packet.try_get_u32_le().map_err(|_| Malformed::NoHead)?;
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > packet.len() {
        return Err(Malformed::NoHead);
    }
    let head = packet.split_to(length);
    Ok((serde_json::from_slice(&head)?, packet))
}

impl Answer {
    /// The beginning of the packet, which the body follows.
    pub(super) fn head(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut head = vec![0; LENGTH_BYTES];
        serde_json::to_writer(&mut head, self)?;
        let length = u32::try_from(head.len() - LENGTH_BYTES).unwrap_or(u32::MAX);
        head[..LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
        Ok(head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(head: &str, body: &[u8]) -> Bytes {
        let length = u32::try_from(head.len()).unwrap().to_le_bytes();
        [&length, head.as_bytes(), body].concat().into()
    }

    #[test]
    fn a_call_is_read() {
        let head = r#"{"id": 7, "wire": "grpc", "path": "/a/B", "headers": [["k", "v"]]}"#;
        let (call, body) = read(packet(head, b"body")).unwrap();
        assert_eq!(
            (call.id, call.wire, call.path.as_str()),
            (7, Wire::Grpc, "/a/B")
        );
        assert_eq!(call.headers, [("k".to_owned(), "v".to_owned())]);
        assert_eq!((call.size, body.as_ref()), (None, b"body".as_slice()));
    }

    #[test]
    fn what_is_no_call_is_refused() {
        for wrong in [
            Bytes::new(),
            Bytes::from_static(b"\x01\0\0"),
            Bytes::from_static(b"\xff\xff\xff\xff{}"),
            packet("", b"body"),
            packet(r#"{"id": -1, "wire": "grpc", "path": "/"}"#, b""),
            packet(r#"{"id": 1, "wire": "smtp", "path": "/"}"#, b""),
            packet(r#"{"id": 1, "wire": "http"}"#, b""),
        ] {
            assert!(read(wrong.clone()).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn an_answer_begins_with_the_length_of_its_head() {
        let answer = Answer {
            id: 7,
            status: 200,
            headers: vec![("grpc-status".to_owned(), "0".to_owned())],
            size: None,
        };
        let head = answer.head().unwrap();
        let text = r#"{"id":7,"status":200,"headers":[["grpc-status","0"]]}"#;
        assert_eq!(head[..LENGTH_BYTES], 53_u32.to_le_bytes());
        assert_eq!(&head[LENGTH_BYTES..], text.as_bytes());
    }
}
