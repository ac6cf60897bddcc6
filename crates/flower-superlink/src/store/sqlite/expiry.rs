//! What time alone changes.

use flwr_core::id::RunId;
use flwr_core::run::RunStatus;
use flwr_core::time::Timestamp;
use rusqlite::Connection;

use super::presence::Presence;
use super::{lifecycle, messages, runs};
use crate::link::state::{Expiry, StateError, StateResult};
use crate::store::LOST;

/// Whether there is something to do. It reads only, for it is asked every second.
pub(super) fn is_due(
    connection: &Connection,
    lost: &[RunId],
    presence: &Presence,
    now: Timestamp,
) -> StateResult<bool> {
    Ok(!lost.is_empty()
        || presence.is_due(now)
        || messages::any_expired(connection, now)?
        || runs::any_unused_token(connection, now)?)
}

pub(super) fn expire(
    connection: &Connection,
    lost: Vec<RunId>,
    presence: &Presence,
    now: Timestamp,
) -> StateResult<Expiry> {
    let mut expiry = Expiry {
        freed: messages::drop_expired(connection, now)?,
        ..Expiry::default()
    };
    for run in lost {
        match lifecycle::change(connection, run, &RunStatus::failed(LOST), now) {
            Ok(freed) => {
                expiry.freed.0.extend(freed.0);
                expiry.lost_runs.push(run);
            }
            // It was over in this very moment.
            Err(StateError::Refused(_)) => {}
            Err(broken) => return Err(broken),
        }
    }
    expiry.pending = runs::drop_unused_tokens(connection, now)?;
    if presence.is_due(now) {
        presence.write(connection, now)?;
    }
    Ok(expiry)
}
