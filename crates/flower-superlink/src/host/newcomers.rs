//! Limits how fast one address registers new SuperNodes if there is no key list. Each registration
//! adds a row to the state, and anybody can make keys.

use std::collections::HashMap;
use std::net::IpAddr;

use flwr_core::monotonic;
use flwr_core::port::Result;
use flwr_core::refusal::Failure;
use flwr_security::peer::{Peer, counted};
use parking_lot::Mutex;
use tokio::time::Instant;

/// New SuperNodes of one address at once: a site that begins its work behind one address.
const AT_ONCE: f64 = 1000.0;
/// And so many a second from then on.
const A_SECOND: f64 = 5.0;
/// Addresses that are remembered before those go that have been quiet.
const ADDRESSES: usize = 4096;

/// How many new SuperNodes have come from each address.
#[derive(Debug, Default)]
pub(super) struct Newcomers(Mutex<HashMap<IpAddr, Bucket>>);

/// What an address has left.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Bucket {
    fn left(&self, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        (self.left + passed * A_SECOND).min(AT_ONCE)
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
            Some(address) if !self.take(counted(address), monotonic::now()) => {
                let text = "too many SuperNodes have registered from this address: try again";
                Err(Failure::TryAgain(text.to_owned()))
            }
            _ => Ok(()),
        }
    }

    fn take(&self, address: IpAddr, now: Instant) -> bool {
        let mut buckets = self.0.lock();
        if buckets.len() >= ADDRESSES {
            buckets.retain(|_, bucket| bucket.left(now) < AT_ONCE);
        }
        let left = buckets
            .get(&address)
            .map_or(AT_ONCE, |bucket| bucket.left(now));
        let taken = left >= 1.0;
        let left = if taken { left - 1.0 } else { left };
        buckets.insert(address, Bucket { left, at: now });
        taken
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_address_has_its_newcomers_at_once_and_then_some_each_second() {
        let newcomers = Newcomers::default();
        let [site, other]: [IpAddr; 2] = ["192.0.2.1", "192.0.2.2"].map(|at| at.parse().unwrap());
        let come = |address, number| {
            let now = monotonic::now();
            (0..number).filter(|_| newcomers.take(address, now)).count()
        };
        assert_eq!(come(site, 2_000), 1_000);
        assert_eq!(come(other, 10), 10);
        tokio::time::advance(Duration::from_secs(4)).await;
        assert_eq!(come(site, 2_000), 20);
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(come(site, 2_000), 1_000);
    }

    #[tokio::test(start_paused = true)]
    async fn addresses_that_are_quiet_are_not_remembered() {
        let newcomers = Newcomers::default();
        for bits in 0..u32::try_from(ADDRESSES).unwrap() {
            let address = std::net::Ipv4Addr::from_bits(bits);
            assert!(newcomers.take(address.into(), monotonic::now()));
        }
        tokio::time::advance(Duration::from_secs(1)).await;
        let one = "192.0.2.1".parse().unwrap();
        assert!(newcomers.take(one, monotonic::now()));
        assert_eq!(newcomers.0.lock().len(), 1);
    }
}
