//! The rows of logins that have begun, and of refresh tokens that were shown.

use async_trait::async_trait;
use flwr_core::object::ObjectId;
use flwr_core::time::Timestamp;

use super::PostgresState;
use super::lane::direct;
use super::reader::reading;
use super::row;
use super::unit::Tx;
use crate::link::state::{self, KnownLogin, RefreshTurn, StateResult};

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

/// Takes the token for this SuperLink, unless another has the token, or has what it gave.
async fn begin_refresh(tx: &Tx<'_>, token: ObjectId) -> StateResult<RefreshTurn> {
    // Whoever asks for longer than a provider may take has died.
    let over = "DELETE FROM refresh WHERE begun_at < clock_timestamp()
                  - CASE WHEN given IS NULL THEN interval '30 s' ELSE interval '60 s' END";
    tx.execute(over, &[]).await?;
    let sql = "INSERT INTO refresh (token, begun_at) VALUES ($1, clock_timestamp())
               ON CONFLICT (token) DO NOTHING";
    let token = &token.as_bytes()[..];
    if tx.execute(sql, &[&token]).await? > 0 {
        return Ok(RefreshTurn::Ask);
    }
    let sql = "SELECT given FROM refresh WHERE token = $1";
    let given: Option<Vec<u8>> = row::get(&tx.query_one(sql, &[&token]).await?, 0)?;
    Ok(given.map_or(RefreshTurn::Wait, RefreshTurn::Given))
}

async fn end_refresh(tx: &Tx<'_>, token: ObjectId, given: Option<Vec<u8>>) -> StateResult<()> {
    let token = &token.as_bytes()[..];
    match given {
        Some(given) => {
            let sql = "UPDATE refresh SET given = $2 WHERE token = $1";
            tx.execute(sql, &[&token, &given]).await?;
        }
        None => {
            tx.execute("DELETE FROM refresh WHERE token = $1", &[&token])
                .await?;
        }
    }
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

    async fn begin_refresh(&self, token: ObjectId) -> StateResult<RefreshTurn> {
        if self.name.is_empty() {
            return Ok(RefreshTurn::Ask);
        }
        self.write(direct!([] tx => begin_refresh(tx, token))).await
    }

    async fn end_refresh(&self, token: ObjectId, given: Option<Vec<u8>>) -> StateResult<()> {
        if self.name.is_empty() {
            return Ok(());
        }
        self.write(direct!([given] tx => end_refresh(tx, token, given)))
            .await
    }
}
