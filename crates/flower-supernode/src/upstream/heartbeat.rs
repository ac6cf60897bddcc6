//! Signs of life: without one for a minute the SuperLink takes the node for gone.

use std::time::Duration;

use flwr_client::channel::is_to_be_repeated;
use flwr_client::refused::{Failure, Refused};
use flwr_client::retry::{AT_ONCE, Backoff, Persistence};
use flwr_proto as proto;
use rand::Rng;
use tokio::time::{sleep, timeout};
use tonic::{Request, Status};
use tracing::warn;

use super::Upstream;
use super::registration::{INTERVAL, Session};

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
    async fn beat(&self, session: &Session) {
        let mut backoff = Backoff::new(Persistence::default());
        let (mut missed, mut repeated) = (0, 0);
        loop {
            let received = self.line.received();
            let status = match timeout(DEADLINE, self.send_heartbeat(session)).await {
                Ok(Ok(true)) => return self.report.answered(),
                Ok(Ok(false)) => return self.registration.lost(session),
                Ok(Err(status)) if is_to_be_repeated(&status) && repeated < AT_ONCE => {
                    repeated += 1;
                    continue;
                }
                Ok(Err(status)) => status,
                Err(_) => {
                    // A slow transfer may keep the answer back: what it receives is life, too.
                    let is_silent = self.line.received() == received;
                    missed = if is_silent { missed + 1 } else { 0 };
                    Status::deadline_exceeded("no answer to a heartbeat within 5 s")
                }
            };
            if missed == MISSED {
                missed = 0;
                warn!("{MISSED} heartbeats in a row had no answer: the node connects anew");
                self.line.replace();
            }
            if self.judge(&status) == Failure::Refused(Refused::UnknownNode) {
                return self.registration.lost(session);
            }
            let Some(delay) = backoff.next_delay() else {
                return;
            };
            self.report
                .failed(&self.explainer.explain(&status), backoff.tries(), delay);
            tokio::select! {
                () = sleep(delay) => {}
                () = self.registration.renewed(session) => return,
            }
        }
    }

    async fn send_heartbeat(&self, session: &Session) -> Result<bool, Status> {
        let request = proto::SendNodeHeartbeatRequest {
            node: Some(proto::Node {
                node_id: session.node.0,
            }),
            heartbeat_interval: INTERVAL.as_secs_f64(),
        };
        let answer = self
            .fleet
            .clone()
            .send_node_heartbeat(Request::new(request))
            .await?;
        Ok(answer.into_inner().success)
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
