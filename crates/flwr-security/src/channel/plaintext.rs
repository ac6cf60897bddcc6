//! A plaintext connection that notices when the other side speaks TLS or HTTP/1.
//!
//! The first byte that a server sends tells: HTTP/2 begins with a SETTINGS frame, whose length is
//! far below 0x150000, and TLS with an alert or a handshake record. Nothing is waited for.
//!
//! h2 keeps the kind and the text of a failed read, and drops the error itself: whoever made the
//! call finds the text among the causes of its status, and not the [`ConnectError`].

use std::io;

use super::proxied::printable;
use super::watched::Watched;
use super::{ConnectError, Io};

/// Content types of TLS records (RFC 8446, 5.1) with which a server begins.
const ALERT: u8 = 0x15;
const HANDSHAKE: u8 = 0x16;

/// A connection without TLS.
pub(super) fn plaintext(inner: impl Io, address: String) -> impl Io {
    let mut heard = false;
    Watched::new(inner, move |read| {
        if std::mem::replace(&mut heard, true) {
            return read.map(drop);
        }
        check(read, address.clone())
    })
}

/// Looks at what the first read gave.
fn check(first: io::Result<&[u8]>, address: String) -> io::Result<()> {
    match first {
        Ok([ALERT | HANDSHAKE, ..]) => Err(failure(ConnectError::TlsServer { address })),
        Ok(bytes) if bytes.starts_with(b"HTTP/1") => Err(failure(ConnectError::Http1 {
            address,
            answer: first_line(bytes),
        })),
        Ok([]) => Err(failure(ConnectError::Wordless { address })),
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
            Err(failure(ConnectError::Wordless { address }))
        }
        other => other.map(drop),
    }
}

fn first_line(bytes: &[u8]) -> String {
    let line = bytes.split(|byte| *byte == b'\r' || *byte == b'\n').next();
    printable(line.unwrap_or_default())
}

/// The form of a failed read.
fn failure(error: ConnectError) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, error)
}
