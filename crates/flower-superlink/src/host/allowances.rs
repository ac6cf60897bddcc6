//! How often one address may do something: so often at once, and so often a second from then on.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Addresses that are remembered before those go that have been quiet.
const ADDRESSES: usize = 4096;

/// What each address has left.
#[derive(Debug)]
pub(super) struct Allowances {
    at_once: f64,
    a_second: f64,
    buckets: Mutex<HashMap<IpAddr, Bucket>>,
}

/// What an address had left at a time.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Allowances {
    pub(super) fn new(at_once: f64, a_second: f64) -> Self {
        Self {
            at_once,
            a_second,
            buckets: Mutex::default(),
        }
    }

    fn left(&self, bucket: Option<&Bucket>, now: Instant) -> f64 {
        bucket.map_or(self.at_once, |bucket| {
            let passed = now.saturating_duration_since(bucket.at).as_secs_f64();
            (bucket.left + passed * self.a_second).min(self.at_once)
        })
    }

    /// How long the address has to wait. `None`: it has something left.
    pub(super) fn wait(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let left = self.left(self.buckets.lock().get(&address), now);
        let missing = (1.0 - left) / self.a_second;
        (missing > 0.0).then(|| Duration::from_secs_f64(missing))
    }

    /// Takes one from the address. False if it has none left.
    pub(super) fn take(&self, address: IpAddr, now: Instant) -> bool {
        let mut buckets = self.buckets.lock();
        if buckets.len() >= ADDRESSES {
            buckets.retain(|_, bucket| self.left(Some(bucket), now) < self.at_once);
        }
        let left = self.left(buckets.get(&address), now);
        let taken = left >= 1.0;
        let left = if taken { left - 1.0 } else { left };
        buckets.insert(address, Bucket { left, at: now });
        taken
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use flwr_core::monotonic;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_address_waits_when_nothing_is_left() {
        let allowances = Allowances::new(2.0, 0.1);
        let [one, other]: [IpAddr; 2] = ["192.0.2.1", "192.0.2.2"].map(|at| at.parse().unwrap());
        for _ in 0..2 {
            assert_eq!(allowances.wait(one, monotonic::now()), None);
            assert!(allowances.take(one, monotonic::now()));
        }
        let wait = Duration::from_secs(10);
        assert_eq!(allowances.wait(one, monotonic::now()), Some(wait));
        assert!(!allowances.take(one, monotonic::now()));
        assert_eq!(allowances.wait(other, monotonic::now()), None);
        tokio::time::advance(wait).await;
        assert_eq!(allowances.wait(one, monotonic::now()), None);
    }

    #[tokio::test(start_paused = true)]
    async fn addresses_that_are_quiet_are_not_remembered() {
        let allowances = Allowances::new(10.0, 5.0);
        for bits in 0..u32::try_from(ADDRESSES).unwrap() {
            let address = Ipv4Addr::from_bits(bits);
            assert!(allowances.take(address.into(), monotonic::now()));
        }
        tokio::time::advance(Duration::from_secs(1)).await;
        let one = "192.0.2.1".parse().unwrap();
        assert!(allowances.take(one, monotonic::now()));
        assert_eq!(allowances.buckets.lock().len(), 1);
    }
}
