//! How long a ClientApp may be silent that somebody else has started: nobody here sees its process end.
//! ClientApps of some releases give no signs of life. Nothing limits those once they have begun.

use std::time::Duration;

use flwr_core::monotonic;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// From the claim to the first call: the process may have to import much.
const FIRST_CONTACT: Duration = Duration::from_secs(600);
/// From one sign of life to the next. Those that give signs give one every 18 to 23 s.
const SILENCE: Duration = Duration::from_secs(60);

/// How long the ClientApp of a message may be silent.
#[derive(Debug)]
pub(crate) struct Lease(watch::Sender<Stage>);

/// How far a ClientApp has come, with the end of its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nobody has claimed the message.
    Waiting,
    /// Somebody has, and has not called yet.
    Claimed(Instant),
    /// The ClientApp has called.
    Begun,
    /// The ClientApp gives signs of life.
    Alive(Instant),
}

/// Why the time of a ClientApp is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lapse {
    /// Whoever claimed the message never called.
    NeverBegan,
    /// The ClientApp gave signs of life, and gives none any more.
    FellSilent,
}

impl Default for Lease {
    fn default() -> Self {
        Self(watch::Sender::new(Stage::Waiting))
    }
}

impl Lease {
    /// Somebody has claimed the message.
    pub(super) fn claimed(&self) {
        let until = monotonic::now() + FIRST_CONTACT;
        self.0.send_replace(Stage::Claimed(until));
    }

    /// Nobody has the message any more.
    pub(super) fn given_back(&self) {
        self.0.send_replace(Stage::Waiting);
    }

    /// The ClientApp has called.
    pub(crate) fn called(&self) {
        self.0.send_if_modified(|stage| {
            let is_first = matches!(stage, Stage::Claimed(_));
            if is_first {
                *stage = Stage::Begun;
            }
            is_first
        });
    }

    /// The ClientApp gives a sign of life.
    pub(crate) fn alive(&self) {
        let until = monotonic::now() + SILENCE;
        self.0.send_replace(Stage::Alive(until));
    }

    /// Waits until the time of the ClientApp is over.
    pub(super) async fn lapsed(&self) -> Lapse {
        let mut stages = self.0.subscribe();
        loop {
            let (until, lapse) = match *stages.borrow_and_update() {
                Stage::Claimed(until) => (Some(until), Lapse::NeverBegan),
                Stage::Alive(until) => (Some(until), Lapse::FellSilent),
                Stage::Waiting | Stage::Begun => (None, Lapse::FellSilent),
            };
            let over = async {
                match until {
                    Some(until) => sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = over => return lapse,
                // The sender is in `self`: it outlives this wait.
                _ = stages.changed() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use tokio::time::{advance, timeout};

    use super::*;

    async fn lapses(lease: &Lease) -> Option<Lapse> {
        timeout(Duration::ZERO, pin!(lease.lapsed())).await.ok()
    }

    #[tokio::test(start_paused = true)]
    async fn a_claim_lapses_unless_the_clientapp_calls() {
        let lease = Lease::default();
        advance(FIRST_CONTACT * 2).await;
        assert_eq!(lapses(&lease).await, None, "nobody has claimed it");
        lease.claimed();
        advance(FIRST_CONTACT - Duration::from_secs(1)).await;
        assert_eq!(lapses(&lease).await, None);
        advance(Duration::from_secs(2)).await;
        assert_eq!(lapses(&lease).await, Some(Lapse::NeverBegan));
        lease.given_back();
        assert_eq!(lapses(&lease).await, None);
        lease.claimed();
        lease.called();
        advance(FIRST_CONTACT * 2).await;
        assert_eq!(lapses(&lease).await, None, "it may give no signs of life");
    }

    #[tokio::test(start_paused = true)]
    async fn a_clientapp_that_gave_signs_of_life_may_not_fall_silent() {
        let lease = Lease::default();
        lease.claimed();
        for _ in 0..3 {
            lease.alive();
            lease.called();
            advance(SILENCE - Duration::from_secs(1)).await;
            assert_eq!(lapses(&lease).await, None);
        }
        advance(Duration::from_secs(2)).await;
        assert_eq!(lapses(&lease).await, Some(Lapse::FellSilent));
    }
}
