//! A plaintext connection that notices when the other side speaks TLS or HTTP/1.
//!
//! The first byte that a server sends tells: HTTP/2 begins with a SETTINGS frame, whose length is
//! far below 0x150000, and TLS with an alert or a handshake record. Nothing is waited for.
//!
//! h2 keeps the kind and the text of a failed read, and drops the error itself. So the target keeps
//! it for whoever made the call.

use std::io;

use super::proxied::printable;
use super::watched::Watched;
use super::{ConnectError, Io, Target};

/// Content types of TLS records (RFC 8446, 5.1) with which a server begins.
const ALERT: u8 = 0x15;
const HANDSHAKE: u8 = 0x16;

/// A connection without TLS.
pub(super) fn plaintext<T: Io>(inner: T, target: &Target) -> impl Io + use<T> {
    let (address, last_word) = (target.address(), target.last_word.clone());
    let mut heard = false;
    Watched::new(inner, move |read| {
        if std::mem::replace(&mut heard, true) {
            return read.map(drop);
        }
        match check(read, address.clone()) {
            Ok(()) => {
                last_word.forget();
                Ok(())
            }
            Err(First::Refused(error)) => {
                last_word.keep(&error);
                Err(io::Error::new(io::ErrorKind::ConnectionAborted, error))
            }
            Err(First::Broken(error)) => Err(error),
        }
    })
}

/// Why the first read gave nothing.
enum First {
    Refused(ConnectError),
    Broken(io::Error),
}

/// Looks at what the first read gave.
fn check(first: io::Result<&[u8]>, address: String) -> Result<(), First> {
    match first {
        Ok([ALERT | HANDSHAKE, ..]) => Err(First::Refused(ConnectError::TlsServer { address })),
        Ok(bytes) if bytes.starts_with(b"HTTP/1") => Err(First::Refused(ConnectError::Http1 {
            address,
            answer: first_line(bytes),
        })),
        Ok([]) => Err(First::Refused(ConnectError::Wordless { address })),
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
            Err(First::Refused(ConnectError::Wordless { address }))
        }
        Ok(_) => Ok(()),
        Err(error) => Err(First::Broken(error)),
    }
}

fn first_line(bytes: &[u8]) -> String {
    let line = bytes.split(|byte| *byte == b'\r' || *byte == b'\n').next();
    printable(line.unwrap_or_default())
}
