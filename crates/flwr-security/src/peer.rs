//! Who is at the other end of a connection.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::tls::Certificate;

/// Who is at the other end of a connection: every request that came over it has this among its
/// extensions.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// The certificate it has shown, which was checked, if it was asked for one.
    pub certificate: Option<Arc<Certificate>>,
}
