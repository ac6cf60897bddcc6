//! Connections over which no caller was admitted yet. They are limited for each address and in all,
//! since each takes one of the files that this process may open: idle connections to one port would
//! otherwise keep everybody from all ports. Admitted connections are not limited: behind a balancer
//! or NAT thousands of SuperNodes have one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use flwr_security::peer::counted;
use parking_lot::Mutex;

use crate::limits::open_files;

/// Connections of strangers that every address may have, however few files may be open.
const LEAST: usize = 64;
/// The share of all open files that strangers of one address may have, and strangers in all.
const SHARES: (usize, usize) = (8, 2);
/// What counts as the limit of open files where there is none.
const MOST_FILES: usize = 40_000;

/// Connections of strangers, on all ports of a daemon.
#[derive(Clone, Debug)]
pub struct Strangers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    for_one: usize,
    in_all: usize,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    by_address: HashMap<IpAddr, usize>,
    all: usize,
}

/// The place of a connection among those of strangers. It is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    strangers: Strangers,
    address: IpAddr,
}

/// There are too many connections of strangers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TooMany {
    /// From one address: the number.
    OfOne(usize),
    /// From all: the number.
    InAll(usize),
}

impl Strangers {
    /// As many for one address as `--max-strangers` says, or a share of the open files.
    #[must_use]
    pub fn new(for_one: Option<usize>) -> Self {
        let files = open_files().and_then(|files| usize::try_from(files).ok());
        let files = files.unwrap_or(MOST_FILES).min(MOST_FILES);
        let for_one = for_one.unwrap_or_else(|| LEAST.max(files / SHARES.0));
        Self::of(for_one, for_one.max(files / SHARES.1))
    }

    fn of(for_one: usize, in_all: usize) -> Self {
        Self(Arc::new(Inner {
            for_one,
            in_all,
            counts: Mutex::default(),
        }))
    }

    /// How many connections strangers of one address may have.
    #[must_use]
    pub fn for_one(&self) -> usize {
        self.0.for_one
    }

    /// A place for a connection from this address.
    pub(super) fn enter(&self, address: IpAddr) -> Result<Place, TooMany> {
        let address = counted(address);
        let mut counts = self.0.counts.lock();
        let of_one = counts.by_address.get(&address).copied().unwrap_or(0);
        if of_one >= self.0.for_one {
            return Err(TooMany::OfOne(self.0.for_one));
        }
        if counts.all >= self.0.in_all {
            return Err(TooMany::InAll(self.0.in_all));
        }
        counts.by_address.insert(address, of_one + 1);
        counts.all += 1;
        drop(counts);
        Ok(Place {
            strangers: self.clone(),
            address,
        })
    }
}

impl Default for Strangers {
    fn default() -> Self {
        Self::new(None)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.strangers.0.counts.lock();
        counts.all = counts.all.saturating_sub(1);
        match counts.by_address.get_mut(&self.address) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(counts.by_address.remove(&self.address)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_leaves_room_for_others_and_all_for_the_admitted() {
        let strangers = Strangers::of(2, 3);
        let [one, other]: [IpAddr; 2] = ["192.0.2.1", "192.0.2.2"].map(|at| at.parse().unwrap());
        let first = strangers.enter(one).unwrap();
        let _second = strangers
            .enter("::ffff:192.0.2.1".parse().unwrap())
            .unwrap();
        assert_eq!(strangers.enter(one).unwrap_err(), TooMany::OfOne(2));
        let third = strangers.enter(other).unwrap();
        assert_eq!(strangers.enter(other).unwrap_err(), TooMany::InAll(3));
        drop((first, third));
        assert_eq!(strangers.0.counts.lock().by_address.len(), 1);
        strangers.enter(one).unwrap();
    }

    #[test]
    fn a_share_of_the_open_files_is_for_strangers() {
        let strangers = Strangers::default();
        assert!(strangers.for_one() >= LEAST && strangers.0.in_all >= strangers.for_one());
        assert_eq!(Strangers::new(Some(7)).for_one(), 7);
    }
}
