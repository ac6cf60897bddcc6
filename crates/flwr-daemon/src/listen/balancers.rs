//! Reads the client's address from the PROXY protocol, version 2 (HAProxy, "The PROXY protocol").
//! Only balancers that `--proxy-protocol-from` names may send it: anybody else could forge an
//! address.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use proxy_header::{ParseConfig, ProxyHeader};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::network::Network;

/// Bytes before the addresses; the last two are the length of the rest.
const HEAD_BYTES: usize = 16;
/// Bytes after that at most: addresses take 36, and cloud balancers add a few hundred.
const MOST_BYTES: usize = 4096;

/// The networks of the balancers that tell the address of their clients.
#[derive(Clone, Debug, Default)]
pub struct Balancers(Arc<[Network]>);

impl Balancers {
    /// Balancers in these networks.
    #[must_use]
    pub fn new(networks: &[Network]) -> Self {
        Self(networks.into())
    }

    /// Whether a balancer has this address.
    pub(super) fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

/// The address of the client that a balancer connects for. A balancer that checks this port speaks
/// for itself: its own address stays.
pub(super) async fn client(
    stream: &mut (impl AsyncRead + Unpin),
    balancer: SocketAddr,
) -> io::Result<SocketAddr> {
    let invalid = |text| io::Error::new(io::ErrorKind::InvalidData, text);
    let mut header = vec![0; HEAD_BYTES];
    stream.read_exact(&mut header).await?;
    let rest = usize::from(u16::from_be_bytes([header[14], header[15]]));
    if rest > MOST_BYTES {
        return Err(invalid("the header is too long"));
    }
    header.resize(HEAD_BYTES + rest, 0);
    stream.read_exact(&mut header[HEAD_BYTES..]).await?;
    let config = ParseConfig {
        allow_v1: false,
        ..ParseConfig::default()
    };
    let (header, _) =
        ProxyHeader::parse(&header, config).map_err(|_| invalid("the header is malformed"))?;
    let client = header.proxied_address().map(|proxied| proxied.source);
    Ok(client.unwrap_or(balancer))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn balancer() -> SocketAddr {
        "10.0.0.1:5000".parse().unwrap()
    }

    #[tokio::test]
    async fn the_client_of_a_balancer_has_its_own_address() {
        let v4 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0f\xc0\0\x02\x07\x0a\0\0\x01\xc3\x50\x23\x84\x04\0\0PRI";
        let mut bytes = &v4[..];
        let client_at = client(&mut bytes, balancer()).await.unwrap();
        assert_eq!(client_at.to_string(), "192.0.2.7:50000");
        assert_eq!(bytes, b"PRI", "what follows is left");
        let local = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
        assert_eq!(
            client(&mut &local[..], balancer()).await.unwrap(),
            balancer()
        );
        let mut v6 = b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24".to_vec();
        v6.extend([0xfd; 32]);
        v6.extend([0, 80, 0, 80]);
        let client_at = client(&mut &v6[..], balancer()).await.unwrap();
        assert!(client_at.is_ipv6() && client_at.port() == 80);
    }

    #[tokio::test]
    async fn what_is_no_header_of_version_2_is_refused() {
        for header in [
            &b"PROXY TCP4 192.0.2.7 10.0.0.1 50000 9092\r\n"[..],
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x02\xc0\0",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff\xc0\0",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11",
            b"",
        ] {
            client(&mut &header[..], balancer()).await.unwrap_err();
        }
    }

    #[test]
    fn balancers_are_in_the_named_networks() {
        let networks = ["10.0.0.0/8", "192.0.2.7", "fd00::/8"].map(|text| text.parse().unwrap());
        let balancers = Balancers::new(&networks);
        for (address, expected) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("fd12::1", true),
        ] {
            assert_eq!(
                balancers.contain(address.parse().unwrap()),
                expected,
                "{address}"
            );
        }
        assert!(!Balancers::default().contain(balancer().ip()));
    }
}
