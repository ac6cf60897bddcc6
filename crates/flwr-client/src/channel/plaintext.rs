//! A plaintext connection that notices when the other side speaks TLS, or HTTP of another version.
//!
//! The first bytes that a server sends tell: HTTP/2 begins with a SETTINGS frame, whose length is
//! far below 0x150000, HTTP/1 with its name, and TLS with an alert or a handshake record. For gRPC the
//! first bytes are waited for, see `greeting`.
//!
//! h2 and hyper keep the kind and the text of a failed read, and drop the error itself. So the target
//! keeps it for whoever made the call.

use std::io;

use super::greeting::greet;
use super::proxied::printable;
use super::watched::Watched;
use super::{Carrier, ConnectError, Io, Target};

/// Content types of TLS records (RFC 8446, 5.1) with which a server begins.
const ALERT: u8 = 0x15;
const HANDSHAKE: u8 = 0x16;
/// The type of the frame with which a server of HTTP/2 begins (RFC 9113, 3.4 and 6.5).
const SETTINGS: u8 = 4;

/// A connection without TLS.
///
/// # Errors
/// If the server speaks something else, as far as that is known by now.
pub(super) async fn plaintext<T: Io + 'static>(
    inner: T,
    target: &Target,
) -> Result<Box<dyn Io>, ConnectError> {
    if target.carrier == Carrier::Http {
        return Ok(Box::new(heard(inner, target)));
    }
    let (connection, first) = match greet(inner).await {
        Ok((connection, Some(first))) => (Some(connection), Ok(first)),
        Ok((connection, None)) => return Ok(Box::new(heard(connection, target))),
        Err(error) => (None, Err(error)),
    };
    let first = first.as_deref().map_err(copy);
    let address = target.address();
    match (check(target.carrier, first, address.clone()), connection) {
        (Ok(()), Some(connection)) => {
            target.last_word.forget();
            Ok(Box::new(connection))
        }
        (Err(First::Refused(error)), _) => Err(error),
        (Err(First::Broken(error)), _) => Err(ConnectError::Network {
            address,
            problem: error.to_string(),
        }),
        (Ok(()), None) => Err(ConnectError::Wordless { address }),
    }
}

fn copy(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), error.to_string())
}

/// A connection whose first bytes are looked at when they come.
fn heard<T: Io>(inner: T, target: &Target) -> impl Io + use<T> {
    let (address, last_word) = (target.address(), target.last_word.clone());
    let carrier = target.carrier;
    let mut heard = false;
    Watched::new(inner, move |read| {
        if std::mem::replace(&mut heard, true) {
            return read.map(drop);
        }
        match check(carrier, read, address.clone()) {
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
fn check(carrier: Carrier, first: io::Result<&[u8]>, address: String) -> Result<(), First> {
    match first {
        Ok([ALERT | HANDSHAKE, ..]) => Err(First::Refused(ConnectError::TlsServer { address })),
        Ok([0, _, _, SETTINGS, ..]) if carrier == Carrier::Http => {
            Err(First::Refused(ConnectError::Http2 { address }))
        }
        Ok(bytes) if carrier == Carrier::Grpc && bytes.starts_with(b"HTTP/1") => {
            Err(First::Refused(ConnectError::Http1 {
                address,
                answer: first_line(bytes),
            }))
        }
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
