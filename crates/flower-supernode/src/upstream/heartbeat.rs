//! Signs of life: without one for a minute the SuperLink takes the node for gone.

use std::time::Duration;

use flwr_client::channel::is_to_be_repeated;
use flwr_client::retry::{AT_ONCE, Backoff, Persistence};
use flwr_core::port::Fleet as _;
use flwr_core::refusal::{Silence, Unanswered};
use rand::RngExt;
use tokio::time::{sleep, timeout};
use tracing::warn;

use super::registration::{INTERVAL, Session};
use super::{Fleet, Upstream, Verdict};

/// The deadline of one heartbeat (flwr 1.22).
const DEADLINE: Duration = Duration::from_secs(5);
/// Heartbeats in a row without an answer after which the node connects anew: the SuperLink may
/// have moved to another address, or the network may have lost the connection.
const MISSED: u32 = 2;

impl Upstream {
    /// Sends heartbeats, for ever. Refusals are never a reason to stop: the other calls judge
    /// whether the SuperLink is there.
    pub(crate) async fn keep_alive(&self) {
        loop {
            let session = self.registration.current().await;
            self.beat(&session).await;
            tokio::select! {
                () = sleep(pause()) => {}
                // A new registration counts as a heartbeat of 30 s only.
                () = self.registration.renewed(&session) => {}
            }
        }
    }

    /// One heartbeat, until it is answered.
    async fn beat(&self, session: &Session<Fleet>) {
        let mut backoff = Backoff::new(Persistence::default());
        let (mut missed, mut repeated) = (0, 0);
        loop {
            let received = self.channel.received();
            let heartbeat = session.fleet.heartbeat(INTERVAL.as_secs_f64());
            let failure = match timeout(DEADLINE, heartbeat).await {
                Ok(Ok(true)) => return self.report.answered(),
                Ok(Ok(false)) => return self.registration.lost(session),
                Ok(Err(failure)) if is_to_be_repeated(&failure) && repeated < AT_ONCE => {
                    repeated += 1;
                    continue;
                }
                Ok(Err(failure)) => failure,
                Err(_) => {
                    // A slow transfer may keep the answer back: what it receives is life, too.
                    let is_silent = self.channel.received() == received;
                    missed = if is_silent { missed + 1 } else { 0 };
                    let text = "no answer to a heartbeat within 5 s";
                    Unanswered::new(Silence::Late, text).into()
                }
            };
            if missed == MISSED {
                missed = 0;
                warn!("{MISSED} heartbeats in a row had no answer: the node connects anew");
                self.channel.replace();
            }
            if self.judge(&failure) == Verdict::UnknownNode {
                return self.registration.lost(session);
            }
            let Some(delay) = backoff.next_delay() else {
                return;
            };
            let reason = self.explainer.explain(&failure);
            self.report
                .failed(&failure, &reason, backoff.tries(), delay);
            tokio::select! {
                () = sleep(delay) => {}
                () = self.registration.renewed(session) => return,
            }
        }
    }
}

/// 17.5 to 22.5 s, so that nodes started together do not beat together (flwr 1.22's formula).
fn pause() -> Duration {
    let jitter = rand::rng().random_range(-0.1..=0.1);
    (INTERVAL - DEADLINE).mul_f64(0.8 + jitter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heartbeats_come_every_20_seconds_give_or_take() {
        for _ in 0..100 {
            let pause = pause().as_secs_f64();
            assert!((17.5..=22.5).contains(&pause), "{pause}");
        }
    }
}
