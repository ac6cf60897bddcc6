//! What a client reads that speaks the wrong protocol.

pub(super) const USE_TLS: &str =
    "this port speaks TLS: leave out --insecure and give --root-certificates";
pub(super) const USE_PLAINTEXT: &str =
    "this port speaks plaintext: use --insecure, or start the server with TLS";
pub(super) const USE_HTTP1: &str =
    "this port speaks HTTP/1.1: gRPC is spoken on the port of each service, such as Fleet's";
pub(super) const USE_HTTP2: &str = "this port speaks gRPC over HTTP/2, not HTTP/1";

pub(super) fn http1_answer(text: &str) -> String {
    let length = text.len() + 1;
    format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}\n"
    )
}

/// An empty SETTINGS frame, as every server must start, and GOAWAY with INADEQUATE_SECURITY and
/// a debug text (RFC 9113, 6.5, 6.8 and 7).
pub(super) fn goaway(text: &str) -> Vec<u8> {
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    const INADEQUATE_SECURITY: u8 = 0xc;
    // The texts are constants of this file, far below 248 bytes.
    let length = u8::try_from(text.len() + 8).unwrap_or(u8::MAX);
    let mut frames = SETTINGS.to_vec();
    frames.extend([0, 0, length, 7, 0, 0, 0, 0, 0]);
    frames.extend([0, 0, 0, 0, 0, 0, 0, INADEQUATE_SECURITY]);
    frames.extend(text.bytes().take(usize::from(length) - 8));
    frames
}
