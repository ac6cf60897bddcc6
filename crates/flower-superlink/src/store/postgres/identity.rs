//! Which database it is, for a bucket: a copy of the database has the same state.

use super::row;
use super::unit::Tx;
use crate::link::state::StateResult;

/// The name of the database in all servers: what `initdb` drew, and the numbers of database and schema
/// there. A standby that takes over has the same name, and a dump that is restored elsewhere has not.
pub(super) async fn of(tx: &Tx<'_>) -> StateResult<String> {
    let sql = "SELECT has_function_privilege('pg_control_system()', 'EXECUTE'),
                 (SELECT oid::int8 FROM pg_database WHERE datname = current_database()),
                 (SELECT oid::int8 FROM pg_namespace WHERE nspname = current_schema())";
    let found = tx.query_one(sql, &[]).await?;
    let (database, schema) = (row::get::<i64>(&found, 1)?, row::get::<i64>(&found, 2)?);
    let server = match row::get(&found, 0)? {
        true => {
            let sql = "SELECT system_identifier FROM pg_control_system()";
            row::get(&tx.query_one(sql, &[]).await?, 0)?
        }
        // A provider may have taken the function away.
        false => 0_i64,
    };
    Ok(format!(
        "{:016x}-{database}-{schema}",
        server.cast_unsigned()
    ))
}
