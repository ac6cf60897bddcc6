//! Looks at the heads of requests as they come in. A request with both Content-Length and
//! Transfer-Encoding is refused (RFC 9112, 6.1), and hyper does not tell such a request from others: it
//! drops the first header.
//!
//! Heads are found by the lengths of the bodies between them. After a request in chunks no more is
//! looked at: its connection ends with its answer.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes of a line that are looked at: as many as a head may have. hyper refuses longer ones.
const LINE_BYTES: usize = 64 << 10;

/// Whether a request on a connection had both headers.
#[derive(Clone, Debug, Default)]
pub(super) struct Framing(Arc<AtomicBool>);

impl Framing {
    pub(super) fn is_ambiguous(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What comes next on the connection.
#[derive(Debug)]
enum Next {
    /// A line of a head, as far as it was read.
    Line(Vec<u8>),
    /// So many bytes of a body.
    Body(u64),
    /// Nothing that is looked at.
    Rest,
}

/// Reads heads.
#[derive(Debug)]
struct Reader {
    next: Next,
    /// The Content-Length of the head that is read.
    length: Option<u64>,
    is_chunked: bool,
    framing: Framing,
}

impl Reader {
    const fn new(framing: Framing) -> Self {
        Self {
            next: Next::Line(Vec::new()),
            length: None,
            is_chunked: false,
            framing,
        }
    }

    fn read(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match &mut self.next {
                Next::Rest => return,
                Next::Body(left) => {
                    let part = usize::try_from(*left)
                        .unwrap_or(usize::MAX)
                        .min(bytes.len());
                    *left -= part as u64;
                    bytes = &bytes[part..];
                    if *left == 0 {
                        self.next = Next::Line(Vec::new());
                    }
                }
                Next::Line(line) => {
                    let end = bytes.iter().position(|byte| *byte == b'\n');
                    let part = end.map_or(bytes.len(), |end| end + 1);
                    line.extend_from_slice(&bytes[..part]);
                    bytes = &bytes[part..];
                    if line.len() > LINE_BYTES {
                        self.next = Next::Rest;
                    } else if end.is_some() {
                        let line = std::mem::take(line);
                        self.line(line.trim_ascii());
                    }
                }
            }
        }
    }

    fn line(&mut self, line: &[u8]) {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let name = parts.next().unwrap_or_default().trim_ascii();
        let value = parts.next();
        if let Some(value) = value {
            if name.eq_ignore_ascii_case(b"content-length") {
                let text = std::str::from_utf8(value.trim_ascii()).ok();
                self.length = Some(text.and_then(|text| text.parse().ok()).unwrap_or(0));
            } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
                self.is_chunked = true;
            }
        }
        if self.is_chunked && self.length.is_some() {
            self.framing.0.store(true, Ordering::Relaxed);
            self.next = Next::Rest;
        } else if line.is_empty() {
            self.head_ends();
        }
    }

    fn head_ends(&mut self) {
        self.next = match self.length.take() {
            _ if self.is_chunked => Next::Rest,
            Some(length @ 1..) => Next::Body(length),
            _ => Next::Line(Vec::new()),
        };
    }
}

/// A connection whose heads are looked at.
#[derive(Debug)]
pub(super) struct Framed<S> {
    stream: S,
    reader: Reader,
}

impl<S> Framed<S> {
    pub(super) const fn new(stream: S, framing: Framing) -> Self {
        let reader = Reader::new(framing);
        Self { stream, reader }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Framed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        self.reader.read(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Framed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a connection with these bytes has an ambiguous request, read in parts of each size.
    fn is_ambiguous(bytes: &str) -> bool {
        let read = |size: usize| {
            let framing = Framing::default();
            let mut reader = Reader::new(framing.clone());
            for part in bytes.as_bytes().chunks(size) {
                reader.read(part);
            }
            framing.is_ambiguous()
        };
        let found = [1, 2, 7, 1000].map(read);
        assert!(found.iter().all(|one| *one == found[0]), "{bytes:?}");
        found[0]
    }

    const LENGTH: &str = "Content-Length: 5\r\n";
    const CHUNKED: &str = "transfer-encoding:chunked\r\n";

    #[test]
    fn both_headers_are_seen_in_each_order_and_in_each_request() {
        let head = "POST /v1/fleet/get-run HTTP/1.1\r\nHost: a\r\n";
        let first = format!("{head}{LENGTH}\r\nhello");
        for both in [
            format!("{head}{LENGTH}{CHUNKED}\r\n"),
            format!("{head}{CHUNKED}{LENGTH}\r\n"),
            format!("{head}CONTENT-LENGTH : 5\n{CHUNKED}\n"),
        ] {
            assert!(is_ambiguous(&both));
            assert!(is_ambiguous(&format!("{first}{first}{both}")));
        }
    }

    #[test]
    fn one_header_is_no_matter_and_bodies_are_not_heads() {
        let head = "POST / HTTP/1.1\r\n";
        assert!(!is_ambiguous(&format!("{head}{LENGTH}\r\nhello{head}\r\n")));
        assert!(!is_ambiguous(&format!(
            "{head}{CHUNKED}\r\n5\r\nhello\r\n0\r\n\r\n"
        )));
        assert!(!is_ambiguous(&format!(
            "{head}Content-Length: 60\r\n\r\n{LENGTH}{CHUNKED}\r\n"
        )));
        assert!(!is_ambiguous(&format!("{head}\r\n{head}\r\n")));
        // Two requests with one header each.
        assert!(!is_ambiguous(&format!(
            "{head}{LENGTH}\r\nhello{head}{CHUNKED}\r\n"
        )));
    }
}
