//! What is spoken over a connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What is spoken over a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// gRPC, over HTTP/2.
    Grpc,
    /// HTTP/1.1.
    Http,
}

/// The carrier that the program at the other end of a channel speaks. gRPC until something else is
/// known. Clones share the knowledge.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spoken(Arc<AtomicBool>);

impl Spoken {
    pub(crate) fn carrier(&self) -> Carrier {
        if self.0.load(Ordering::Relaxed) {
            Carrier::Http
        } else {
            Carrier::Grpc
        }
    }

    /// Remembers a carrier. True: it was another one before.
    pub(crate) fn set(&self, carrier: Carrier) -> bool {
        let is_http = carrier == Carrier::Http;
        self.0.swap(is_http, Ordering::Relaxed) != is_http
    }
}
