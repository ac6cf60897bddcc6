//! The rows of logins that have begun.

use async_trait::async_trait;
use flwr_core::object::ObjectId;
use flwr_core::time::Timestamp;

use super::PostgresState;
use super::lane::direct;
use super::reader::reading;
use super::row;
use super::unit::Tx;
use crate::link::state::{self, KnownLogin, StateResult};

async fn add(tx: &Tx<'_>, code: ObjectId, login: KnownLogin, now: Timestamp) -> StateResult<()> {
    let over = "DELETE FROM login WHERE until <= $1";
    tx.execute(over, &[&now.as_secs()]).await?;
    let sql = "INSERT INTO login (code, until, interval) VALUES ($1, $2, $3)
               ON CONFLICT (code) DO UPDATE SET until = excluded.until, interval = excluded.interval";
    let code = &code.as_bytes()[..];
    tx.execute(sql, &[&code, &login.until.as_secs(), &login.interval])
        .await?;
    Ok(())
}

async fn get(tx: &Tx<'_>, code: ObjectId) -> StateResult<Option<KnownLogin>> {
    let sql = "SELECT until, interval FROM login WHERE code = $1";
    let Some(found) = tx.query_opt(sql, &[&&code.as_bytes()[..]]).await? else {
        return Ok(None);
    };
    Ok(Some(KnownLogin {
        until: row::moment(&found, 0)?,
        interval: row::get(&found, 1)?,
    }))
}

async fn end(tx: &Tx<'_>, code: ObjectId) -> StateResult<()> {
    let sql = "DELETE FROM login WHERE code = $1";
    tx.execute(sql, &[&&code.as_bytes()[..]]).await?;
    Ok(())
}

#[async_trait]
impl state::Logins for PostgresState {
    async fn add_login(
        &self,
        code: ObjectId,
        login: KnownLogin,
        now: Timestamp,
    ) -> StateResult<()> {
        self.write(direct!([] tx => add(tx, code, login, now)))
            .await
    }

    async fn login(&self, code: ObjectId) -> StateResult<Option<KnownLogin>> {
        reading!(self, tx => get(tx, code))
    }

    async fn end_login(&self, code: ObjectId) -> StateResult<()> {
        self.write(direct!([] tx => end(tx, code))).await
    }
}
