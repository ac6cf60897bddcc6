//! Limits how fast one address registers new SuperNodes if there is no key list. Each registration
//! adds a row to the state, and anybody can make keys.

use flwr_core::monotonic;
use flwr_core::port::Result;
use flwr_core::refusal::Failure;
use flwr_security::peer::{Peer, counted};

use super::allowances::Allowances;

/// New SuperNodes of one address at once: a site that begins its work behind one address.
const AT_ONCE: f64 = 1000.0;
/// And so many a second from then on.
const A_SECOND: f64 = 5.0;

/// How many new SuperNodes have come from each address.
#[derive(Debug)]
pub(super) struct Newcomers(Allowances);

impl Default for Newcomers {
    fn default() -> Self {
        Self(Allowances::new(AT_ONCE, A_SECOND))
    }
}

impl Newcomers {
    /// Takes a new SuperNode from this peer into account. A program of this machine is not limited:
    /// it may start as many processes as it likes.
    ///
    /// # Errors
    /// If too many have come from its address. That passes.
    pub(super) fn require_room(&self, peer: Option<&Peer>) -> Result<()> {
        let address = peer.map(|peer| peer.address.ip().to_canonical());
        match address.filter(|address| !address.is_loopback()) {
            Some(address) if !self.0.take(counted(address), monotonic::now()) => {
                let text = "too many SuperNodes have registered from this address: try again";
                Err(Failure::TryAgain(text.to_owned()))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_address_has_its_newcomers_at_once_and_then_some_each_second() {
        let newcomers = Newcomers::default();
        let [site, other]: [IpAddr; 2] = ["192.0.2.1", "192.0.2.2"].map(|at| at.parse().unwrap());
        let come = |address, number| {
            let now = monotonic::now();
            let taken = (0..number).filter(|_| newcomers.0.take(address, now));
            taken.count()
        };
        assert_eq!(come(site, 2_000), 1_000);
        assert_eq!(come(other, 10), 10);
        tokio::time::advance(Duration::from_secs(4)).await;
        assert_eq!(come(site, 2_000), 20);
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(come(site, 2_000), 1_000);
    }
}
