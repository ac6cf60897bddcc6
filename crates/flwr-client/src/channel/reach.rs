//! A TCP connection to the first address of a name that answers.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::{ConnectError, joined};

/// How long the name, a connection and its handshake may take, each.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long bytes may stay without an acknowledgement.
#[cfg(target_os = "linux")]
const SILENCE: Duration = Duration::from_secs(30);

/// Resolves a name, and connects to the first of its addresses that answers.
pub(super) async fn tcp(host: &str, port: u16) -> Result<TcpStream, ConnectError> {
    let addresses = resolve(host, port).await?;
    first_of(host, port, &addresses).await
}

/// The addresses of a name.
pub(super) async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, ConnectError> {
    let addresses = async {
        let addresses = lookup_host((host, port)).await;
        let addresses = addresses.map_err(|error| ConnectError::Dns {
            host: host.to_owned(),
            problem: error.to_string(),
        });
        Ok(addresses?.collect())
    };
    in_time(host, port, addresses).await
}

/// The first of the name's addresses that answers. Each has its own time, so that one behind a
/// black hole does not hide the others.
pub(super) async fn first_of(
    host: &str,
    port: u16,
    addresses: &[SocketAddr],
) -> Result<TcpStream, ConnectError> {
    let lost = io::Error::from(io::ErrorKind::AddrNotAvailable);
    let mut last = network(host, port, &lost);
    for &address in addresses {
        let connected = async {
            let connected = connect(address).await;
            connected.map_err(|error| network(host, port, &error))
        };
        match in_time(host, port, connected).await {
            Ok(tcp) => return Ok(tcp),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let tcp = TcpStream::connect(address).await?;
    // Without it a small call waits for the acknowledgement of the last.
    tcp.set_nodelay(true)?;
    give_up_in_silence(&tcp)?;
    Ok(tcp)
}

/// Ends a connection on which nothing is acknowledged for [`SILENCE`]: the other machine is gone,
/// or a NAT or VPN on the way has lost the connection, and no packet says so. Without it the
/// kernel repeats its packets for about 15 minutes.
#[cfg(target_os = "linux")]
fn give_up_in_silence(tcp: &TcpStream) -> io::Result<()> {
    let milliseconds = u32::try_from(SILENCE.as_millis()).unwrap_or(u32::MAX);
    Ok(rustix::net::sockopt::set_tcp_user_timeout(
        tcp,
        milliseconds,
    )?)
}

#[cfg(not(target_os = "linux"))]
fn give_up_in_silence(_: &TcpStream) -> io::Result<()> {
    Ok(())
}

/// A step of the way to a host, which takes no longer than [`CONNECT_TIMEOUT`].
pub(super) async fn in_time<T>(
    host: &str,
    port: u16,
    step: impl Future<Output = Result<T, ConnectError>>,
) -> Result<T, ConnectError> {
    let late = |_| ConnectError::Timeout {
        address: joined(host, port),
        seconds: CONNECT_TIMEOUT.as_secs(),
    };
    timeout(CONNECT_TIMEOUT, step).await.map_err(late)?
}

fn network(host: &str, port: u16, error: &io::Error) -> ConnectError {
    let address = joined(host, port);
    match error.kind() {
        io::ErrorKind::ConnectionRefused => ConnectError::Refused { address },
        _ => ConnectError::Network {
            address,
            problem: error.to_string(),
        },
    }
}
