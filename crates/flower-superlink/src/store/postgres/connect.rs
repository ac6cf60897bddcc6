//! Connections to the database: how they are made, how many there are, and what each session sets.

use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use flwr_security::tls::{ClientFiles, ClientTls, TlsError};
use rustls::ClientConfig;
use thiserror::Error;
use tokio_postgres::NoTls;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::row;
use super::url::PostgresUrl;
use crate::link::state::StateResult;

/// Connections at most: one that writes, and those that read.
const CONNECTIONS: usize = 17;
/// How long a connection may take to be made, and how long a caller waits for a free one.
const CONNECT: Duration = Duration::from_secs(3);
/// The oldest server whose SQL is spoken here.
const OLDEST_SERVER: i32 = 14;

/// What every session sets. A COMMIT is on disk when it is answered; nothing waits for ever, neither
/// here nor there.
const SESSION: &str = "SET statement_timeout = '10s';
     SET lock_timeout = '5s';
     SET idle_in_transaction_session_timeout = '30s';
     SET client_min_messages = 'warning';
     SELECT set_config('synchronous_commit', 'on', false)
       WHERE current_setting('synchronous_commit') IN ('off', 'local');";

/// Why a server cannot keep a state.
#[derive(Debug, Error)]
pub enum Unfit {
    /// It is too old.
    #[error("the server is PostgreSQL {0}, and flower-superlink needs 14 or newer")]
    Old(i32),
    /// A power cut would take what was acknowledged.
    #[error(
        "the server has fsync=off, and loses runs when its machine fails: set fsync=on in postgresql.conf"
    )]
    NoSync,
    /// It cannot keep every text.
    #[error("the database has the encoding {0}: make the database with ENCODING 'UTF8'")]
    Encoding(String),
}

/// Connections to the database. None is made yet.
pub(super) fn pool(address: &PostgresUrl) -> Result<Pool, TlsError> {
    let mut config = address.config();
    config
        .application_name("flower-superlink")
        .connect_timeout(CONNECT)
        .tcp_user_timeout(Duration::from_secs(15))
        .keepalives_idle(Duration::from_secs(15));
    let recycling = ManagerConfig {
        recycling_method: RecyclingMethod::Fast,
    };
    let manager = if address.is_encrypted() {
        let tls = MakeRustlsConnect::new(tls(address)?);
        Manager::from_config(config, tls, recycling)
    } else {
        Manager::from_config(config, NoTls, recycling)
    };
    let prepare = Hook::async_fn(|client, _| {
        Box::pin(async move {
            let set = client.batch_execute(SESSION).await;
            set.map_err(HookError::Backend)
        })
    });
    let pool = Pool::builder(manager)
        .max_size(CONNECTIONS)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(CONNECT))
        .create_timeout(Some(CONNECT * 2))
        .recycle_timeout(Some(CONNECT))
        .post_create(prepare)
        .build();
    #[expect(
        clippy::expect_used,
        reason = "a pool without a runtime is the only thing that is refused"
    )]
    Ok(pool.expect("the runtime of the pool is given"))
}

fn tls(address: &PostgresUrl) -> Result<ClientConfig, TlsError> {
    let tls = ClientTls::load(ClientFiles {
        roots: address.roots().map(Into::into),
        ..ClientFiles::default()
    })?;
    let mut config = ClientConfig::clone(&tls.config());
    // PostgreSQL has its own protocol behind TLS.
    config.alpn_protocols.clear();
    Ok(config)
}

/// Whether the server can keep a state.
pub(super) async fn inspect(client: &tokio_postgres::Client) -> StateResult<Result<(), Unfit>> {
    let sql = "SELECT current_setting('server_version_num')::int4 / 10000,
                 current_setting('fsync') = 'on', current_setting('server_encoding')";
    let found = client.query_one(sql, &[]).await?;
    let version: i32 = row::get(&found, 0)?;
    if version < OLDEST_SERVER {
        return Ok(Err(Unfit::Old(version)));
    }
    if !row::get::<bool>(&found, 1)? {
        return Ok(Err(Unfit::NoSync));
    }
    let encoding: &str = row::get(&found, 2)?;
    match encoding {
        "UTF8" => Ok(Ok(())),
        other => Ok(Err(Unfit::Encoding(other.to_owned()))),
    }
}
