//! The time of the database server, by which all SuperLinks of a database go.

use deadpool_postgres::ClientWrapper;
use flwr_core::time::Timestamp;
use flwr_daemon::clock::{Asked, FollowingClock};

use super::opening::{PostgresError, connector, failed, reach};
use super::url::PostgresUrl;
use super::{PostgresState, row};
use crate::link::state::StateResult;

/// Asks for the time, and tells the clock.
pub(super) async fn ask(connection: &ClientWrapper, clock: &FollowingClock) -> StateResult<()> {
    let sql = "SELECT extract(epoch FROM clock_timestamp())::float8";
    let select = connection.prepare_cached(sql).await?;
    let asked = Asked::now();
    let told = connection.query_one(&select, &[]).await?;
    clock.follow(asked, Timestamp::from_secs(row::get(&told, 0)?));
    Ok(())
}

impl PostgresState {
    /// Tells the clock the time of a server whose state is not opened yet.
    ///
    /// # Errors
    /// If the server cannot be reached, or is not fit.
    pub(in crate::store) async fn ask_time(
        address: &PostgresUrl,
        clock: &FollowingClock,
    ) -> Result<(), PostgresError> {
        let pool = connector(address)?.pool();
        let connection = reach(address, &pool).await?;
        ask(&connection, clock).await.map_err(failed(address))
    }
}
