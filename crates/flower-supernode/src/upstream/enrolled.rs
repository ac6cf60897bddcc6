//! How a node asks its SuperLink for more of its enrolment: authorities, and client certificates.

use flwr_client::channel::Route;
use flwr_client::joined::Joined;
use flwr_core::address::Address;
use flwr_security::tls::ClientTls;

/// What the node remembers, and the way to the SuperLink.
#[derive(Clone, Debug)]
pub(crate) struct Enrolled {
    pub(crate) joined: Joined,
    pub(crate) superlink: Address,
    pub(crate) tls: ClientTls,
    pub(crate) route: Route,
}
