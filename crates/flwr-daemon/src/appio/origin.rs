//! Where the calls of an app come from, by which the app is known again on another connection.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use flwr_security::peer::{Peer, Process};
use rustix::process::Pid;
use tokio::task::spawn_blocking;

use super::sockets::Socket;
use crate::apps::{Identity, descendants};

/// Where the calls of an app come from, as far as this machine can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A process of this machine.
    Process(Identity),
    /// A process of this user of this machine, of which the system does not show more.
    User(u32),
    /// Another machine, or a proxy.
    Address(IpAddr),
}

/// The text is no origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidOrigin;

impl Origin {
    /// The origin of a connection.
    pub async fn of(peer: &Peer) -> Self {
        if let Some(process) = &peer.process {
            return Self::Process(identity(process));
        }
        let looked_up = peer.clone();
        let found = spawn_blocking(move || Self::look_up(&looked_up)).await;
        found.unwrap_or_else(|_| Self::Address(peer.address.ip().to_canonical()))
    }

    fn look_up(peer: &Peer) -> Self {
        let Some(socket) = Socket::of(peer) else {
            return Self::Address(peer.address.ip().to_canonical());
        };
        match socket.process().and_then(Identity::of) {
            Some(process) => Self::Process(process),
            None => Self::User(socket.user),
        }
    }

    /// Whether a connection comes from here: from the process itself or a descendant of it, from
    /// the user, or from the address.
    pub async fn includes(&self, peer: &Peer) -> bool {
        let (origin, peer) = (self.clone(), peer.clone());
        spawn_blocking(move || origin.has(&peer))
            .await
            .unwrap_or(false)
    }

    fn has(&self, peer: &Peer) -> bool {
        if let Some(process) = &peer.process {
            return *self == Self::Process(identity(process));
        }
        match self {
            Self::Process(identity) => {
                Socket::of(peer).is_some_and(|socket| is_below(socket, identity))
            }
            Self::User(user) => Socket::of(peer).is_some_and(|socket| socket.user == *user),
            Self::Address(ip) => peer.address.ip().to_canonical() == *ip,
        }
    }

    /// Whether nobody else has this origin.
    #[must_use]
    pub const fn is_of_one_app(&self) -> bool {
        matches!(self, Self::Process(_))
    }
}

fn identity(process: &Process) -> Identity {
    Identity {
        pid: process.pid,
        started: process.started.clone(),
    }
}

fn is_below(socket: Socket, identity: &Identity) -> bool {
    if !identity.is_alive() {
        return false;
    }
    let root = i32::try_from(identity.pid).ok().and_then(Pid::from_raw);
    socket.is_of(identity.pid)
        || root.is_some_and(|root| {
            let below = descendants(root).into_iter();
            below
                .map(Pid::as_raw_nonzero)
                .any(|pid| socket.is_of(pid.get().unsigned_abs()))
        })
}

/// As [`FromStr`] reads it.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process(Identity { pid, started }) => write!(f, "process {pid} {started}"),
            Self::User(user) => write!(f, "user {user}"),
            Self::Address(ip) => write!(f, "address {ip}"),
        }
    }
}

impl FromStr for Origin {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let mut words = text.split(' ');
        let (kind, value, more) = (words.next(), words.next(), words.next());
        let read = || match (kind?, value?, more) {
            ("process", pid, Some(started)) => {
                let (pid, started) = (pid.parse().ok()?, started.to_owned());
                Some(Self::Process(Identity { pid, started }))
            }
            ("user", user, None) => Some(Self::User(user.parse().ok()?)),
            ("address", ip, None) => Some(Self::Address(ip.parse().ok()?)),
            _ => None,
        };
        read().ok_or(InvalidOrigin)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::process::{Command, Stdio};

    use super::*;

    /// A connection of this process to itself, as its listener sees it.
    fn peer(listener: &TcpListener, client: &TcpStream) -> Peer {
        let address = client.local_addr().unwrap();
        Peer::plaintext(address, listener.local_addr().unwrap())
    }

    #[tokio::test]
    async fn a_connection_within_this_machine_is_of_its_process() {
        for address in ["127.0.0.1:0", "[::]:0"] {
            let listener = TcpListener::bind(address).unwrap();
            let port = listener.local_addr().unwrap().port();
            let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let (_served, _) = listener.accept().unwrap();
            let mut peer = peer(&listener, &client);
            peer.local = client.peer_addr().unwrap();
            let me = Identity::of(std::process::id()).unwrap();
            let origin = Origin::of(&peer).await;
            assert_eq!(origin, Origin::Process(me));
            assert!(origin.includes(&peer).await && origin.is_of_one_app());
            peer.address.set_port(1);
            assert!(!origin.includes(&peer).await, "nobody has that connection");
            let ip = peer.address.ip();
            assert_eq!(Origin::of(&peer).await, Origin::Address(ip));
        }
    }

    #[tokio::test]
    async fn a_connection_of_one_process_is_not_of_another() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let peer = peer(&listener, &client);
        let mut other = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let origin = Origin::Process(Identity::of(other.id()).unwrap());
        assert!(!origin.includes(&peer).await);
        other.kill().unwrap();
        other.wait().unwrap();
    }

    #[test]
    fn an_origin_is_read_as_it_is_written() {
        let process = Identity {
            pid: 7,
            started: "boot:17".to_owned(),
        };
        for origin in [
            Origin::Process(process),
            Origin::User(1000),
            Origin::Address("fe80::1".parse().unwrap()),
        ] {
            assert_eq!(origin.to_string().parse(), Ok(origin));
        }
        for wrong in ["", "process 7", "user x", "address", "address ::1 more"] {
            assert_eq!(wrong.parse::<Origin>(), Err(InvalidOrigin), "{wrong}");
        }
    }
}
