//! What becomes of a run whose ServerApp is lost with its SuperLink.

use flwr_core::id::RunId;
use flwr_core::object::ObjectId;
use flwr_core::refusal::Refusal;
use flwr_core::run::RunStatus;
use flwr_core::time::Timestamp;

use super::unit::Tx;
use super::{lifecycle, logs};
use crate::link::state::{Changed, StateError, StateResult, begins_again, own_line};
use crate::link::wake::Topic;

/// A run whose ServerApp is lost begins again, if it may, or fails; its log tells why. Gives whether it begins
/// again.
pub(super) async fn end(
    tx: &Tx<'_>,
    run: RunId,
    reason: &str,
    (may_resume, now): (bool, Timestamp),
    changed: &mut Changed,
) -> StateResult<bool> {
    let rewound = match may_resume {
        true => rewind(tx, run).await?,
        false => None,
    };
    let resumed = rewound.is_some();
    let freed = if let Some(freed) = rewound {
        logs::append(tx, run, &begins_again(reason), now).await?;
        changed.wake.push(Topic::Pending);
        freed
    } else {
        logs::append(tx, run, &own_line(reason), now).await?;
        lifecycle::change(tx, run, &RunStatus::failed(reason), now).await?
    };
    changed.freed.extend(freed);
    changed.wake.extend([Topic::Run(run), Topic::Log(run)]);
    Ok(resumed)
}

/// Sets the run back. `None`: that happened to the run before.
async fn rewind(tx: &Tx<'_>, run: RunId) -> StateResult<Option<Vec<ObjectId>>> {
    match lifecycle::rewind(tx, run).await {
        Ok(freed) => Ok(Some(freed)),
        Err(StateError::Refused(Refusal::ResumedBefore(_))) => Ok(None),
        Err(error) => Err(error),
    }
}
