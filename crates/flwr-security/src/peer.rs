//! Who is at the other end of a connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flwr_core::id::RunId;
use flwr_core::object::ObjectId;
use parking_lot::Mutex;

use crate::tls::Certificate;

/// Runs for which one connection may speak. An app speaks for one; a forwarder may carry the
/// connections of a few.
const MAX_RUNS: usize = 16;

/// Who is at the other end of a connection: every request that came over it has this among its
/// extensions.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// Our end of the connection.
    pub local: SocketAddr,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// The certificate it has shown, which was checked, if it was asked for one.
    pub certificate: Option<Arc<Certificate>>,
    /// What was proven over the connection.
    pub proven: Arc<Proven>,
}

/// What the caller at the other end of one connection has proven. App processes of flwr 1.20 to 1.22
/// show their token in a few calls only; the connection answers for the others.
#[derive(Debug, Default)]
pub struct Proven {
    /// Each run with what proved the right to it, oldest first.
    runs: Mutex<Vec<(RunId, ObjectId)>>,
    /// When an admitted call came last, on a clock of the daemon's.
    used: AtomicU64,
}

impl Proven {
    /// The caller has proven its right to speak for a run. `by` names the proof.
    pub fn add(&self, run: RunId, by: ObjectId) {
        let mut runs = self.runs.lock();
        runs.retain(|(known, _)| *known != run);
        if runs.len() == MAX_RUNS {
            runs.remove(0);
        }
        runs.push((run, by));
    }

    /// The proof of the right to speak for this run.
    #[must_use]
    pub fn of(&self, run: RunId) -> Option<ObjectId> {
        let runs = self.runs.lock();
        let found = runs.iter().find(|(known, _)| *known == run);
        found.map(|(_, by)| *by)
    }

    /// An admitted call came at this moment.
    pub fn touch(&self, moment: u64) {
        self.used.store(moment, Ordering::Relaxed);
    }

    /// When an admitted call came last.
    #[must_use]
    pub fn last_used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_answers_for_the_runs_that_were_proven_over_it() {
        let proven = Proven::default();
        let (first, second) = (ObjectId::of(b"first"), ObjectId::of(b"second"));
        assert_eq!(proven.of(RunId(7)), None);
        proven.add(RunId(7), first);
        proven.add(RunId(7), second);
        assert_eq!(proven.of(RunId(7)), Some(second));
        assert_eq!(proven.of(RunId(8)), None);
    }

    #[test]
    fn a_connection_remembers_a_few_runs_only() {
        let proven = Proven::default();
        let by = ObjectId::of(b"proof");
        for run in 0..=MAX_RUNS as u64 {
            proven.add(RunId(run), by);
        }
        assert_eq!(proven.of(RunId(0)), None);
        assert_eq!(proven.of(RunId(1)), Some(by));
        assert_eq!(proven.of(RunId(MAX_RUNS as u64)), Some(by));
    }
}
