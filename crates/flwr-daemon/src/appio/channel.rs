//! The native channel of an app process: calls over a pair of Unix sockets, one end of which the process
//! gets at its start. No path leads to the pair, so whoever calls there is the process, or has the end
//! from it.
//!
//! A call is a packet: see [`frame`]. A large body is in shared memory, and its descriptor goes along with
//! the packet. What answers the calls is the service of the port that other apps connect to.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use bytes::Bytes;
use clap::ValueEnum;
use flwr_security::peer::{Peer, Process};
use http::{Request, Response};
use tonic::body::Body;
use tonic::service::Routes;
use tower::util::BoxCloneSyncService;

use crate::apps::Identity;
use crate::task::{self, Task};

mod answer;
mod body;
mod frame;
mod serve;
mod socket;

use socket::Socket;

/// By which way the app processes that a daemon starts call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AppChannel {
    /// A pair of sockets that each process gets at its start, with shared memory for large bodies
    Native,
    /// The port that all other apps connect to
    Tcp,
}

impl Default for AppChannel {
    fn default() -> Self {
        if cfg!(target_os = "linux") {
            Self::Native
        } else {
            Self::Tcp
        }
    }
}

/// What answers calls over HTTP.
type Http = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

/// Opens a channel for each app process that a launcher starts.
#[derive(Clone)]
pub struct AppChannels(Arc<Inner>);

struct Inner {
    address: String,
    grpc: Routes,
    http: Http,
}

/// The daemon's end of a channel. What the process calls meanwhile waits.
#[derive(Debug)]
#[must_use = "nobody answers the process else"]
pub(crate) struct Opened {
    channels: AppChannels,
    socket: Socket,
}

impl fmt::Display for AppChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::Tcp => "tcp",
        })
    }
}

impl AppChannels {
    /// Channels that stand for the port at `address`, as processes are told of it. Calls over gRPC are
    /// answered by `grpc`, and others by `http`, as at the port, with the [`Peer`] among their extensions.
    pub fn new<S>(address: String, grpc: Routes, http: S) -> Self
    where
        S: tower::Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        Self(Arc::new(Inner {
            address,
            grpc,
            http: BoxCloneSyncService::new(http),
        }))
    }

    /// The address of the port that the channels stand for.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.0.address
    }

    /// A channel, and the end for a process.
    pub(crate) fn open(&self) -> io::Result<(Opened, OwnedFd)> {
        let (socket, theirs) = Socket::pair()?;
        let channels = self.clone();
        Ok((Opened { channels, socket }, theirs))
    }
}

impl fmt::Debug for AppChannels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppChannels")
            .field("address", &self.0.address)
            .finish_non_exhaustive()
    }
}

impl Opened {
    /// Answers the calls of the process that has the other end, until it has closed that. The channel is
    /// closed when the returned value is dropped.
    pub(crate) fn serve(self, process: &Identity) -> Task<()> {
        let Self { channels, socket } = self;
        task::start(serve::run(socket, channels, peer(process)))
    }
}

/// Whether these bytes are a packet by which a process calls.
#[must_use]
pub fn is_call(packet: Bytes) -> bool {
    frame::read(packet).is_ok()
}

/// Who is at the other end.
fn peer(process: &Identity) -> Peer {
    let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Peer {
        process: Some(Arc::new(Process {
            pid: process.pid,
            started: process.started.clone(),
        })),
        ..Peer::plaintext(nowhere, nowhere)
    }
}

#[cfg(test)]
mod tests;
