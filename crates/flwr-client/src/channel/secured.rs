//! A TLS connection that tells what the server says against it after the handshake: in TLS 1.3 a
//! server looks at the client's certificate when the client is already talking.
//!
//! As with `plaintext`, the target keeps it for whoever made the call.

use std::io;

use super::watched::Watched;
use super::{ConnectError, Io, Target};
use flwr_security::tls::{Reason, explain};

/// A connection whose handshake is done on this side.
pub(super) fn secured<T: Io>(inner: T, target: &Target) -> impl Io + use<T> {
    let (address, last_word) = (target.address(), target.last_word.clone());
    let mut heard = false;
    Watched::new(inner, move |read| match read {
        Ok(bytes) => {
            if !bytes.is_empty() && !std::mem::replace(&mut heard, true) {
                last_word.forget();
            }
            Ok(())
        }
        Err(error) => Err(match explain(&error) {
            reason @ Reason::Alert(_) => {
                let address = address.clone();
                let refused = ConnectError::Tls { address, reason };
                last_word.keep(&refused);
                io::Error::new(io::ErrorKind::ConnectionAborted, refused)
            }
            _ => error,
        }),
    })
}
