//! `flwr-serverapp` speaks plaintext. It connects to a port of this machine, and each connection
//! goes on to the SuperLink over one with TLS.
//!
//! Whoever else connects to the port could reach the SuperLink by itself: no certificate of ours
//! is shown there. gRPC in Python names a Unix socket in a way that servers in Rust refuse, so
//! that it is no way for this.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use flwr_client::channel::{Route, Trust, dial};
use flwr_core::address::Address;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::{debug, error, warn};

/// The pause after a failed accept.
const PAUSE: Duration = Duration::from_millis(100);

/// A port that leads to a SuperLink.
pub(crate) struct Tunnel {
    listener: TcpListener,
    address: SocketAddr,
    superlink: Arc<Superlink>,
}

struct Superlink {
    address: Address,
    trust: Trust,
    route: Route,
}

impl Tunnel {
    /// Opens the port.
    pub(crate) async fn open(address: Address, trust: Trust, route: Route) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        Ok(Self {
            address: listener.local_addr()?,
            listener,
            superlink: Arc::new(Superlink {
                address,
                trust,
                route,
            }),
        })
    }

    /// Where the ServerApp connects to.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Passes on until it is dropped.
    pub(crate) async fn serve(&self) {
        let mut connections = JoinSet::new();
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    connections.spawn(pass_on(stream, Arc::clone(&self.superlink)));
                }
                Err(problem) => {
                    error!("the ServerApp cannot connect: {problem}");
                    sleep(PAUSE).await;
                }
            }
            while connections.try_join_next().is_some() {}
        }
    }
}

async fn pass_on(mut app: TcpStream, superlink: Arc<Superlink>) {
    // Small calls wait for each other otherwise.
    let _ = app.set_nodelay(true);
    let Superlink {
        address,
        trust,
        route,
    } = &*superlink;
    let mut link = match dial((&address.host, address.port), trust, route).await {
        Ok(link) => link,
        // The ServerApp sees its connection close, and tries again.
        Err(refused) => return warn!("{refused}"),
    };
    if let Err(ended) = copy_bidirectional(&mut app, &mut link).await {
        debug!("a connection of the ServerApp ended: {ended}");
    }
}
