//! How much a port takes, and for how long.

use std::time::Duration;

use super::{Balancers, Meter, Strangers};

/// The limits of a listener.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at the same time, handshakes included. More wait in the system's backlog.
    pub connections: usize,
    /// TLS handshakes at the same time. A stalled client keeps its place until the timeout, so
    /// there must be many more places than honest clients need.
    pub handshakes: usize,
    /// The time from accept to the HTTP/2 preface.
    pub handshake_timeout: Duration,
    /// The time limit for calls in flight at a stop.
    pub drain_grace: Duration,
    /// Connections without an admitted caller, on all ports that share this.
    pub strangers: Strangers,
    /// How long a connection may have no admitted caller.
    pub stranger_timeout: Duration,
    /// The balancers that tell the address of their clients.
    pub balancers: Balancers,
    /// Counts connections, on all ports that share this.
    pub meter: Meter,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 20_000,
            handshakes: 4096,
            handshake_timeout: Duration::from_secs(10),
            drain_grace: Duration::from_secs(1),
            strangers: Strangers::default(),
            stranger_timeout: Duration::from_secs(60),
            balancers: Balancers::default(),
            meter: Meter::default(),
        }
    }
}
