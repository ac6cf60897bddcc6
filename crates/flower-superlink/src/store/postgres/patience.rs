//! Which failures of a database pass, and how long they are waited for.

use std::time::Duration;

use deadpool_postgres::PoolError;
use flwr_core::monotonic;
use thiserror::Error;
use tokio::time::{Instant, sleep};
use tokio_postgres::error::SqlState;

use super::hold::Lost;
use super::lane::Silent;
use crate::link::state::StateError;

/// How long a call waits for a database that is away: a server that was killed answers again after
/// about five seconds.
pub(super) const PATIENCE: Duration = Duration::from_secs(8);
/// The first pause, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

/// No connection could be had.
#[derive(Debug, Error)]
#[error("the database could not be reached")]
pub(super) struct Unreachable(#[source] pub(super) PoolError);

impl From<PoolError> for StateError {
    fn from(error: PoolError) -> Self {
        Self::Broken(Box::new(Unreachable(error)))
    }
}

/// How much longer somebody waits.
#[derive(Debug)]
pub(super) struct Patience {
    until: Instant,
    pause: Duration,
}

impl Patience {
    pub(super) fn new(patience: Duration) -> Self {
        Self {
            until: monotonic::now() + patience,
            pause: PAUSES.0,
        }
    }

    /// Waits a moment, if the failure passes and there is time left. Whether to try again.
    pub(super) async fn allows_after(&mut self, error: &StateError) -> bool {
        if !is_passing(error) || monotonic::now() >= self.until {
            return false;
        }
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(PAUSES.1);
        true
    }
}

/// Whether the same may succeed a little later.
pub(super) fn is_passing(error: &StateError) -> bool {
    let StateError::Broken(cause) = error else {
        return false;
    };
    if let Some(error) = cause.downcast_ref::<tokio_postgres::Error>() {
        return passes(error);
    }
    match cause.downcast_ref::<Unreachable>() {
        Some(Unreachable(PoolError::Backend(error))) => passes(error),
        Some(Unreachable(PoolError::Timeout(_))) => true,
        Some(_) => false,
        None => cause.is::<Lost>() || cause.is::<Silent>(),
    }
}

fn passes(error: &tokio_postgres::Error) -> bool {
    let Some(code) = error.code() else {
        // The connection, and not the server, failed; but a text that does not fit into its type
        // never does.
        return error.is_closed() || has_io_cause(error);
    };
    *code == SqlState::T_R_SERIALIZATION_FAILURE
        || *code == SqlState::T_R_DEADLOCK_DETECTED
        || *code == SqlState::LOCK_NOT_AVAILABLE
        || *code == SqlState::QUERY_CANCELED
        || *code == SqlState::READ_ONLY_SQL_TRANSACTION
        || *code == SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
        // Connection exceptions, too many connections, and shutdown.
        || ["08", "57P0", "53300"].iter().any(|class| code.code().starts_with(class))
}

/// Whether the connection failed.
fn has_io_cause(error: &tokio_postgres::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if error.is::<std::io::Error>() {
            return true;
        }
        cause = error.source();
    }
    // A connection that was not made in time has no cause.
    error.to_string().starts_with("timeout waiting for server")
}
