//! The connections on which apps have shown their tokens, and whose place a newcomer may take.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use flwr_core::id::RunId;
use flwr_core::monotonic;
use flwr_security::peer::{Peer, Proven};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::Origin;

/// A connection without a call for so long counts as lost. Apps give a sign of life every 30 s, and
/// a machine whose network fails closes nothing.
const SILENCE: Duration = Duration::from_secs(60);

/// The connections on which apps have shown their tokens, by run.
#[derive(Debug)]
pub struct Holders {
    since: Instant,
    runs: Mutex<HashMap<RunId, Vec<Weak<Proven>>>>,
}

/// What becomes of a caller that shows no token on a new connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readmission {
    /// It is the app of the run, on another connection.
    Admitted,
    /// It may be the app. A connection of the app is still open: when that closes, or falls silent,
    /// the caller takes its place.
    Later,
    /// It is not the app.
    Refused,
}

impl Default for Holders {
    fn default() -> Self {
        Self {
            since: monotonic::now(),
            runs: Mutex::default(),
        }
    }
}

impl Holders {
    /// The app of this run has shown its token on this connection.
    pub fn opened(&self, run: RunId, connection: &Arc<Proven>) {
        self.used(connection);
        let mut runs = self.runs.lock();
        // What is left of runs whose connections are all closed.
        runs.retain(|_, open| {
            open.retain(|open| open.strong_count() > 0);
            !open.is_empty()
        });
        let open = runs.entry(run).or_default();
        let connection = Arc::downgrade(connection);
        if !open.iter().any(|known| known.ptr_eq(&connection)) {
            open.push(connection);
        }
    }

    /// An admitted call came on this connection.
    pub fn used(&self, connection: &Proven) {
        connection.touch(self.moment());
    }

    /// Whether a caller on a new connection is the app of this run, whose calls came from `origin`.
    pub async fn readmit(&self, run: RunId, origin: &Origin, peer: &Peer) -> Readmission {
        if !origin.includes(peer).await {
            return Readmission::Refused;
        }
        // Others may have the same address or be of the same user: one at a time.
        if !origin.is_of_one_app() && self.is_held(run) {
            return Readmission::Later;
        }
        self.opened(run, &peer.proven);
        Readmission::Admitted
    }

    fn is_held(&self, run: RunId) -> bool {
        let now = self.moment();
        let silence = SILENCE.as_millis().try_into().unwrap_or(u64::MAX);
        let runs = self.runs.lock();
        let mut open = runs.get(&run).into_iter().flatten();
        open.any(|open| {
            open.upgrade()
                .is_some_and(|open| now.saturating_sub(open.last_used()) < silence)
        })
    }

    /// Milliseconds since these were made.
    fn moment(&self) -> u64 {
        let since = monotonic::now().saturating_duration_since(self.since);
        since.as_millis().try_into().unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use tokio::time::advance;

    use super::*;

    const RUN: RunId = RunId(7);
    const APP: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

    fn peer(ip: Ipv4Addr) -> Peer {
        let local = (Ipv4Addr::new(192, 0, 2, 9), 9091).into();
        Peer::plaintext((ip, 50_000).into(), local)
    }

    fn origin() -> Origin {
        Origin::Address(IpAddr::from(APP))
    }

    #[tokio::test(start_paused = true)]
    async fn a_newcomer_takes_the_place_of_a_connection_that_is_closed_or_silent() {
        let holders = Holders::default();
        let (first, second) = (peer(APP), peer(APP));
        holders.opened(RUN, &first.proven);
        let readmit = |peer: &Peer| {
            let (holders, peer) = (&holders, peer.clone());
            async move { holders.readmit(RUN, &origin(), &peer).await }
        };
        assert_eq!(readmit(&second).await, Readmission::Later);
        advance(SILENCE / 2).await;
        holders.used(&first.proven);
        advance(SILENCE / 2).await;
        assert_eq!(readmit(&second).await, Readmission::Later);
        drop(first);
        assert_eq!(readmit(&second).await, Readmission::Admitted);
        let third = peer(APP);
        assert_eq!(readmit(&third).await, Readmission::Later);
        advance(SILENCE).await;
        assert_eq!(readmit(&third).await, Readmission::Admitted);
    }

    #[tokio::test]
    async fn a_newcomer_from_elsewhere_is_not_the_app() {
        let holders = Holders::default();
        let stranger = peer(Ipv4Addr::new(192, 0, 2, 2));
        let refused = holders.readmit(RUN, &origin(), &stranger).await;
        assert_eq!(refused, Readmission::Refused);
    }

    #[test]
    fn closed_connections_are_forgotten() {
        let holders = Holders::default();
        for run in 0..100 {
            holders.opened(RunId(run), &Arc::default());
        }
        let open = Arc::default();
        holders.opened(RUN, &open);
        holders.opened(RUN, &open);
        let runs = holders.runs.lock();
        assert_eq!((runs.len(), runs[&RUN].len()), (1, 1));
    }
}
