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
pub(crate) struct Spoken(Arc<Known>);

#[derive(Debug, Default)]
struct Known {
    is_http: AtomicBool,
    /// The last answer was HTTP/1.1. Stays when the carrier is to be found out again.
    was_http: AtomicBool,
}

impl Spoken {
    pub(crate) fn carrier(&self) -> Carrier {
        if self.0.is_http.load(Ordering::Relaxed) {
            Carrier::Http
        } else {
            Carrier::Grpc
        }
    }

    /// Remembers a carrier. True: the last answer was over another one.
    pub(crate) fn set(&self, carrier: Carrier) -> bool {
        let is_http = carrier == Carrier::Http;
        self.0.is_http.store(is_http, Ordering::Relaxed);
        self.0.was_http.swap(is_http, Ordering::Relaxed) != is_http
    }

    /// The next call is made over gRPC first. A server of HTTP/1.1 answers it as before: that is no news.
    pub(crate) fn find_out_again(&self) {
        self.0.is_http.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::{Carrier, Spoken};

    #[test]
    fn a_carrier_that_is_found_out_again_is_no_news() {
        let spoken = Spoken::default();
        assert!(spoken.set(Carrier::Http));
        spoken.find_out_again();
        assert_eq!(spoken.carrier(), Carrier::Grpc);
        assert!(!spoken.set(Carrier::Http));
        assert_eq!(spoken.carrier(), Carrier::Http);
        assert!(spoken.set(Carrier::Grpc));
    }
}
