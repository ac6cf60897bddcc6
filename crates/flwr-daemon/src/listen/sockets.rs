//! The sockets of a port: one for each address of its name, as gRPC binds them. A client may try
//! any address of the name first.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener as StdListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with, sockopt};
use tokio::net::{TcpListener, TcpStream};

/// The backlog, if the system allows as much (net.core.somaxconn). All nodes connect at once after
/// a restart, and a node without a place tries again after seconds.
const BACKLOG: i32 = 16_384;
/// The number of free ports tried: a port that is free at one address may be taken at another.
const FREE_PORTS: u32 = 16;

/// The addresses on which a port listens: one or more, with the same port number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound(Vec<SocketAddr>);

/// Listening sockets, before the accept loop.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) listeners: Vec<StdListener>,
    /// Addresses of the name that this machine lacks.
    pub(crate) missing: Vec<SocketAddr>,
}

/// The address at which a name could not be bound.
#[derive(Debug)]
pub(crate) struct NotBound {
    pub(crate) address: SocketAddr,
    pub(crate) source: io::Error,
}

/// The sockets of a listener.
#[derive(Debug)]
pub(super) struct Sockets {
    listeners: Vec<TcpListener>,
    bound: Bound,
    /// The socket to accept from first. It changes, so that a busy socket does not shut out the
    /// others.
    turn: AtomicUsize,
}

/// Opens every address of a name. An address that this machine lacks is left out if another one can
/// be opened. Port 0 takes one free port for all addresses.
pub(crate) fn open(addresses: &[SocketAddr]) -> Result<Opened, NotBound> {
    let mut tries = FREE_PORTS;
    loop {
        tries -= 1;
        match open_once(addresses) {
            // The system chose the port by the first address alone.
            Err(error)
                if tries > 0
                    && error.source.kind() == io::ErrorKind::AddrInUse
                    && addresses.iter().all(|address| address.port() == 0) => {}
            opened => return opened,
        }
    }
}

fn open_once(addresses: &[SocketAddr]) -> Result<Opened, NotBound> {
    let mut opened = Opened {
        listeners: Vec::new(),
        missing: Vec::new(),
    };
    let mut port = None;
    let mut lacks = None;
    let with_v4 = addresses.iter().any(SocketAddr::is_ipv4);
    for (at, address) in addresses.iter().enumerate() {
        // A hosts file may name an address twice.
        if addresses[..at].contains(address) {
            continue;
        }
        let mut address = *address;
        address.set_port(port.unwrap_or(address.port()));
        match listen_at(address, with_v4) {
            Ok(listener) => {
                port = port.or_else(|| Some(listener.local_addr().ok()?.port()));
                opened.listeners.push(listener);
            }
            Err(source) if is_lacking(&source) => {
                opened.missing.push(address);
                lacks = Some(NotBound { address, source });
            }
            Err(source) => return Err(NotBound { address, source }),
        }
    }
    match lacks {
        Some(lacks) if opened.listeners.is_empty() => Err(lacks),
        _ => Ok(opened),
    }
}

/// Whether this machine lacks the address, or IPv6 at all.
fn is_lacking(error: &io::Error) -> bool {
    let unsupported = rustix::io::Errno::AFNOSUPPORT.raw_os_error();
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(unsupported)
}

/// Listens at an address. `::` alone takes IPv4 connections too. `with_v4` says that IPv4 addresses
/// have sockets of their own: an IPv6 socket then leaves them alone.
fn listen_at(address: SocketAddr, with_v4: bool) -> io::Result<StdListener> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, SocketType::STREAM, flags, None)?;
    // Connections of an earlier process that are not yet forgotten do not matter.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if address.is_ipv6() && with_v4 {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    bind(&socket, &address)?;
    listen(&socket, BACKLOG)?;
    Ok(StdListener::from(socket))
}

impl Sockets {
    /// Takes over sockets that are open.
    pub(super) fn new(listeners: Vec<StdListener>) -> io::Result<Self> {
        let listeners = listeners.into_iter().map(TcpListener::from_std);
        let listeners = listeners.collect::<io::Result<Vec<_>>>()?;
        let bound = listeners.iter().map(TcpListener::local_addr);
        Ok(Self {
            bound: Bound(bound.collect::<io::Result<_>>()?),
            listeners,
            turn: AtomicUsize::new(0),
        })
    }

    pub(super) const fn bound(&self) -> &Bound {
        &self.bound
    }

    /// The next connection of any socket.
    pub(super) async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        poll_fn(|context| {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.listeners.len().max(1);
            let (later, sooner) = self.listeners.split_at(turn);
            let accepted = sooner
                .iter()
                .chain(later)
                .map(|listener| listener.poll_accept(context))
                .find(Poll::is_ready);
            accepted.unwrap_or(Poll::Pending)
        })
        .await
    }
}

impl Bound {
    /// Whether only this machine reaches the addresses.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.0
            .iter()
            .all(|address| address.ip().to_canonical().is_loopback())
    }

    /// The first of the addresses.
    #[must_use]
    pub fn first(&self) -> SocketAddr {
        let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        self.0.first().copied().unwrap_or(nowhere)
    }

    /// All addresses.
    #[must_use]
    pub fn all(&self) -> &[SocketAddr] {
        &self.0
    }

    /// The address at which processes of this machine reach the port: loopback if possible, IPv4
    /// first.
    #[must_use]
    pub fn reachable(&self) -> SocketAddr {
        let here =
            |address: &&SocketAddr| address.ip().is_loopback() || address.ip().is_unspecified();
        let nearest = self.0.iter().filter(here).min_by_key(|at| at.is_ipv6());
        let nearest = nearest.copied().unwrap_or_else(|| self.first());
        let ip = match nearest.ip() {
            ip if !ip.is_unspecified() => ip,
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        };
        SocketAddr::new(ip, nearest.port())
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&joined(&self.0))
    }
}

/// Lists addresses in a sentence.
pub(crate) fn joined(addresses: &[SocketAddr]) -> String {
    let texts: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    texts.join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn bound(texts: &[&str]) -> Bound {
        Bound(addresses(texts))
    }

    fn ports(opened: &Opened) -> Vec<u16> {
        let ports = opened.listeners.iter();
        ports.map(|at| at.local_addr().unwrap().port()).collect()
    }

    #[test]
    fn every_address_of_a_name_is_bound_on_one_port() {
        let opened = open(&addresses(&["[::1]:0", "127.0.0.1:0", "[::1]:0"])).unwrap();
        let ports = ports(&opened);
        assert_eq!(ports.len(), 2);
        assert_eq!(ports[0], ports[1]);
        assert_eq!(opened.missing, []);
    }

    #[test]
    fn an_address_that_this_machine_lacks_is_left_out_unless_it_is_the_only_one() {
        let opened = open(&addresses(&["192.0.2.1:0", "127.0.0.1:0"])).unwrap();
        assert_eq!(opened.listeners.len(), 1);
        assert_eq!(opened.missing, addresses(&["192.0.2.1:0"]));
        let error = open(&addresses(&["192.0.2.1:0"])).unwrap_err();
        assert_eq!(error.source.kind(), io::ErrorKind::AddrNotAvailable);
    }

    #[test]
    fn a_port_that_is_taken_on_one_address_is_an_error() {
        let taken = StdListener::bind("127.0.0.1:0").unwrap();
        let taken = taken.local_addr().map(|at| (at, taken)).unwrap();
        let both = [
            SocketAddr::from((Ipv6Addr::LOCALHOST, taken.0.port())),
            taken.0,
        ];
        let error = open(&both).unwrap_err();
        assert_eq!(error.address, taken.0);
        assert_eq!(error.source.kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn every_interface_of_both_families_is_had_beside_each_other() {
        let opened = open(&addresses(&["0.0.0.0:0", "[::]:0"])).unwrap();
        let ports = ports(&opened);
        assert_eq!((ports.len(), ports[0]), (2, ports[1]));
        let alone = open(&addresses(&["[::]:0"])).unwrap();
        let port = alone.listeners[0].local_addr().unwrap().port();
        std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    }

    #[tokio::test]
    async fn a_connection_to_each_address_is_accepted() {
        let opened = open(&addresses(&["[::1]:0", "127.0.0.1:0"])).unwrap();
        let sockets = Sockets::new(opened.listeners).unwrap();
        for address in sockets.bound().all() {
            let client = TcpStream::connect(address).await.unwrap();
            let (_, peer) = sockets.accept().await.unwrap();
            assert_eq!(peer, client.local_addr().unwrap());
        }
    }

    #[test]
    fn processes_of_this_machine_come_over_loopback() {
        let reached = |texts: &[&str]| bound(texts).reachable().to_string();
        assert_eq!(reached(&["0.0.0.0:9094"]), "127.0.0.1:9094");
        assert_eq!(reached(&["[::]:9094"]), "[::1]:9094");
        assert_eq!(reached(&["10.0.0.5:9094"]), "10.0.0.5:9094");
        assert_eq!(reached(&["[::1]:9094", "127.0.0.1:9094"]), "127.0.0.1:9094");
        assert_eq!(reached(&["10.0.0.5:9094", "[::1]:9094"]), "[::1]:9094");
    }
}
