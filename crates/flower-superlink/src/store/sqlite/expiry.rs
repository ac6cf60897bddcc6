//! What time alone changes.

use flwr_core::id::RunId;
use flwr_core::run::RunStatus;
use flwr_core::time::Timestamp;
use rusqlite::Connection;

use super::{lifecycle, logs, messages, runs, signs, tasks};
use crate::link::state::{Changed, StateError, StateResult, Traffic};
use crate::link::wake::Topic;
use crate::store::presence::{Presence, WRITE_EVERY};
use crate::store::{LOST, lost_line};

/// Whether there is something to do. It reads only, for it is asked every second.
pub(super) fn is_due(
    connection: &Connection,
    lost: &[RunId],
    presence: &Presence,
    now: Timestamp,
) -> StateResult<bool> {
    Ok(!lost.is_empty()
        || presence.is_due(now, WRITE_EVERY)
        || messages::any_expired(connection, now)?
        || (presence.may_drop_tokens(now) && tasks::any_unused_token(connection, now)?))
}

/// What time has changed.
#[derive(Debug, Default)]
pub(super) struct Expired {
    /// The runs that failed by it.
    pub(super) lost: Vec<RunId>,
    pub(super) changed: Changed,
    /// What was added to the traffic of runs on disk.
    pub(super) traffic: Vec<(RunId, Traffic)>,
}

pub(super) fn expire(
    connection: &Connection,
    due: Vec<RunId>,
    presence: &Presence,
    now: Timestamp,
) -> StateResult<Expired> {
    let mut changed = Changed::freed(messages::drop_expired(connection, now)?);
    let (mut lost, mut traffic) = (Vec::new(), Vec::new());
    for run in due {
        if runs::phase(connection, run)?.is_finished() {
            // It was over in this very moment.
            continue;
        }
        logs::append(connection, run, &lost_line(), now)?;
        match lifecycle::change(connection, run, &RunStatus::failed(LOST), now) {
            Ok(freed) => {
                changed.freed.extend(freed);
                changed.wake.extend([Topic::Run(run), Topic::Log(run)]);
                lost.push(run);
            }
            // It was over in this very moment.
            Err(StateError::Refused(_)) => {}
            Err(broken) => return Err(broken),
        }
    }
    let has_dropped = presence.may_drop_tokens(now) && tasks::drop_unused_tokens(connection, now)?;
    changed.wake.extend(has_dropped.then_some(Topic::Pending));
    if presence.is_due(now, WRITE_EVERY) {
        traffic = signs::write(presence, connection, now)?;
    }
    Ok(Expired {
        lost,
        changed,
        traffic,
    })
}
