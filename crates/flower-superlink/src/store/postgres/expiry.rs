//! What time alone changes.

use std::sync::Arc;

use async_trait::async_trait;
use flwr_core::id::RunId;
use flwr_core::run::RunStatus;
use flwr_core::time::Timestamp;

use super::lane::Op;
use super::signs::Noted;
use super::unit::{Tx, Unit};
use super::{instructions, lifecycle, logs, runs, signs, tasks};
use crate::link::state::{Changed, StateError, StateResult};
use crate::link::wake::Topic;
use crate::store::presence::Presence;
use crate::store::{EXPIRED_KEPT, LOST, lost_line};

/// Whether there is something to do. It reads only, for it is asked every second.
pub(super) async fn is_due(
    tx: &Tx<'_>,
    lost: &[RunId],
    presence: &Presence,
    (every, now): (f64, Timestamp),
) -> StateResult<bool> {
    if !lost.is_empty() || presence.is_due(now, every) {
        return Ok(true);
    }
    let before = Timestamp::from_secs(now.as_secs() - EXPIRED_KEPT);
    if !instructions::expired(tx, before, 1).await?.is_empty() {
        return Ok(true);
    }
    Ok(presence.may_drop_tokens(now) && tasks::any_unused_token(tx, now).await?)
}

/// What time has changed.
#[derive(Debug, Default)]
pub(super) struct Expired {
    /// The runs that failed by it.
    pub(super) lost: Vec<RunId>,
    /// The runs that were over before.
    pub(super) over: Vec<RunId>,
    /// The runs whose ServerApp another SuperLink hears, with until when it counts as alive.
    pub(super) elsewhere: Vec<(RunId, Timestamp)>,
    pub(super) changed: Changed,
    /// What was written of signs of life, if they were due.
    pub(super) noted: Option<Noted>,
}

/// Lets go of what is over.
#[derive(Debug)]
pub(super) struct Expire {
    pub(super) presence: Arc<Presence>,
    /// The runs whose ServerApp gave no sign of life in time.
    pub(super) due: Vec<RunId>,
    /// Seconds between two writings of who is online.
    pub(super) every: f64,
    pub(super) now: Timestamp,
}

#[async_trait]
impl Op for Expire {
    type Out = Expired;

    async fn apply(&self, unit: &mut Unit<'_>) -> StateResult<Expired> {
        let (presence, now) = (&self.presence, self.now);
        let mut expired = Expired {
            changed: Changed::freed(unit.drop_expired(now).await?),
            ..Expired::default()
        };
        let tx = unit.direct().await?;
        for run in &self.due {
            expired.fail(tx, presence, *run, now).await?;
        }
        let has_dropped =
            presence.may_drop_tokens(now) && tasks::drop_unused_tokens(tx, now).await?;
        let wake = &mut expired.changed.wake;
        wake.extend(has_dropped.then_some(Topic::Pending));
        if presence.is_due(now, self.every) {
            expired.noted = Some(signs::write(tx, presence, now).await?);
        }
        Ok(expired)
    }
}

impl Expired {
    async fn fail(
        &mut self,
        tx: &Tx<'_>,
        presence: &Presence,
        run: RunId,
        now: Timestamp,
    ) -> StateResult<()> {
        match runs::phase(tx, run).await {
            Ok(phase) if !phase.is_finished() => {}
            // It was over in this very moment, or at another SuperLink.
            Ok(_) | Err(StateError::Refused(_)) => {
                self.over.push(run);
                return Ok(());
            }
            Err(broken) => return Err(broken),
        }
        let until = tasks::alive_until(tx, run).await?;
        if let Some(until) = until.filter(|until| presence.may_live_elsewhere(run, *until, now)) {
            self.elsewhere.push((run, until));
            return Ok(());
        }
        logs::append(tx, run, &lost_line(), now).await?;
        match lifecycle::change(tx, run, &RunStatus::failed(LOST), now).await {
            Ok(freed) => {
                self.changed.freed.extend(freed);
                self.changed.wake.extend([Topic::Run(run), Topic::Log(run)]);
                self.lost.push(run);
                Ok(())
            }
            Err(StateError::Refused(_)) => Ok(()),
            Err(broken) => Err(broken),
        }
    }
}
