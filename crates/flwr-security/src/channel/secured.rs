//! A TLS connection that tells what the server says against it after the handshake: in TLS 1.3 a
//! server looks at the client's certificate when the client is already talking.
//!
//! As with `plaintext`, whoever made the call finds the text among the causes of its status.

use std::io;

use super::watched::Watched;
use super::{ConnectError, Io};
use crate::tls::{Reason, explain};

/// A connection whose handshake is done on this side.
pub(super) fn secured(inner: impl Io, address: String) -> impl Io {
    Watched::new(inner, move |read| {
        read.map(drop).map_err(|error| explained(error, &address))
    })
}

fn explained(error: io::Error, address: &str) -> io::Error {
    match explain(&error) {
        reason @ Reason::Alert(_) => {
            let address = address.to_owned();
            let kind = io::ErrorKind::ConnectionAborted;
            io::Error::new(kind, ConnectError::Tls { address, reason })
        }
        _ => error,
    }
}
