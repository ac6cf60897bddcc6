//! Reading, beside the writing: each read is a snapshot of what is committed. A read that fails for a
//! reason that passes is tried again for a while.

use deadpool_postgres::Object;
use tokio_postgres::IsolationLevel;

use super::unit::Tx;
use crate::link::state::StateResult;

/// Begins a snapshot. Nothing can be changed in it.
pub(super) async fn snapshot(connection: &mut Object) -> StateResult<Tx<'_>> {
    let begin = connection.build_transaction();
    let begin = begin.isolation_level(IsolationLevel::RepeatableRead);
    Ok(begin.read_only(true).start().await?)
}

/// Reads from a state: `reading!(state, tx => read(tx))`. The expression is evaluated again for each
/// attempt.
macro_rules! reading {
    ($state:expr, $tx:ident => $read:expr) => {{
        let mut patience = $crate::store::postgres::patience::Patience::new(
            $crate::store::postgres::patience::PATIENCE,
        );
        loop {
            let attempt = async {
                let mut connection = $state.pool.get().await?;
                let snapshot = $crate::store::postgres::reader::snapshot(&mut connection).await?;
                let $tx = &snapshot;
                let found = $read.await;
                // A snapshot that is not ended is rolled back.
                snapshot.commit().await?;
                found
            };
            let found: $crate::link::state::StateResult<_> = attempt.await;
            match found {
                Err(error) if patience.allows_after(&error).await => {}
                found => break found,
            }
        }
    }};
}

pub(super) use reading;
