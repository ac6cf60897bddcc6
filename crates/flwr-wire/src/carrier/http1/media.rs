//! The kinds of bodies over HTTP/1.1, for both ends.

use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderValue};

/// A message.
pub const PROTOBUF: HeaderValue = HeaderValue::from_static("application/protobuf");
/// The messages of a stream, each with its length before it.
pub const STREAM: HeaderValue = HeaderValue::from_static("application/flower-protobuf-stream");
/// A refusal.
pub const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// Bytes of the length before each message of a stream.
pub const LENGTH_BYTES: usize = 4;

/// Whether the body is of this kind. What stands behind the kind, such as a charset, does not count.
#[must_use]
pub fn is_kind(headers: &HeaderMap, kind: &HeaderValue) -> bool {
    let told = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let told = told.and_then(|told| told.split(|byte| *byte == b';').next());
    told.is_some_and(|told| told.trim_ascii().eq_ignore_ascii_case(kind.as_bytes()))
}
