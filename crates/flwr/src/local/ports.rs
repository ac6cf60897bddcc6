//! Picks ports for the local federation: Flower's usual ports if they are free, else others.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// An address to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The address.
    pub(super) address: SocketAddr,
    /// The usual port, if it was taken.
    pub(super) instead_of: Option<u16>,
}

/// The usual port if it is free, else another free port.
pub(super) fn free(usual: u16) -> io::Result<Place> {
    let here = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    if TcpListener::bind(here(usual)).is_ok() {
        return Ok(Place {
            address: here(usual),
            instead_of: None,
        });
    }
    Ok(Place {
        address: TcpListener::bind(here(0))?.local_addr()?,
        instead_of: Some(usual),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_taken_is_replaced_and_told() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let usual = taken.local_addr().unwrap().port();
        let place = free(usual).unwrap();
        assert_eq!(place.instead_of, Some(usual));
        assert_ne!(place.address.port(), usual);
        drop(taken);
        assert_eq!(free(usual).unwrap().address.port(), usual);
    }
}
