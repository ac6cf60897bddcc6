//! Connections to the database: how they are made, how many there are, and what each session sets.

use std::time::Duration;

use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime,
};
use flwr_security::tls::TlsError;
use futures::stream::{self, BoxStream};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::{AsyncMessage, Client, Config, Connection, NoTls, Socket};

use super::row;
use super::tls::Tls;
use super::url::PostgresUrl;
use crate::link::state::StateResult;

/// Connections of a pool at most: one that writes, and those that read.
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
    /// LISTEN does nothing.
    #[error(
        "it accepts LISTEN and delivers no notification, as a pooler in transaction mode (PgBouncer) does: name the server itself in --database, or set the pooler to session mode"
    )]
    Deaf,
    /// A role without rights.
    #[error(
        "the user may not {0}: make the user the owner of the database, or of a schema of its own"
    )]
    NoRight(&'static str),
    /// It cannot keep every text.
    #[error("the database has the encoding {0}: make the database with ENCODING 'UTF8'")]
    Encoding(String),
}

/// What the server sends on a connection without being asked. The connection works while this is read.
pub(super) type Messages = BoxStream<'static, Result<AsyncMessage, tokio_postgres::Error>>;

/// How connections to a database are made. The certificates to trust are read once.
#[derive(Clone)]
pub(super) struct Connector {
    config: Config,
    /// `None`: everything is sent in the clear.
    tls: Option<Tls>,
}

impl Connector {
    pub(super) fn of(address: &PostgresUrl) -> Result<Self, TlsError> {
        let mut config = address.config();
        config
            .application_name("flower-superlink")
            .connect_timeout(CONNECT)
            .tcp_user_timeout(Duration::from_secs(15))
            .keepalives_idle(Duration::from_secs(15));
        let tls = address.is_encrypted().then(|| Tls::of(address));
        let tls = tls.transpose()?;
        Ok(Self { config, tls })
    }

    /// Connections to share. None is made yet.
    pub(super) fn pool(&self) -> Pool {
        let config = self.config.clone();
        let recycling = ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        };
        let manager = match &self.tls {
            Some(tls) => Manager::from_config(config, tls.clone(), recycling),
            None => Manager::from_config(config, NoTls, recycling),
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
        pool.expect("the runtime of the pool is given")
    }

    /// A connection of its own, with what the server sends on it.
    pub(super) async fn direct(&self) -> Result<(Client, Messages), tokio_postgres::Error> {
        match &self.tls {
            Some(tls) => Ok(split(self.config.connect(tls.clone()).await?)),
            None => Ok(split(self.config.connect(NoTls).await?)),
        }
    }
}

fn split<T>((client, connection): (Client, Connection<Socket, T>)) -> (Client, Messages)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut connection = connection;
    let messages = stream::poll_fn(move |cx| connection.poll_message(cx));
    (client, Box::pin(messages))
}

/// Whether the server can keep a state.
pub(super) async fn inspect(client: &Client) -> StateResult<Result<(), Unfit>> {
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

/// Whether a standby of the server may take over without the last transactions that were acknowledged: one
/// follows, and no COMMIT waits for it.
pub(super) async fn may_lose_acknowledged(client: &Client) -> StateResult<bool> {
    let sql = "SELECT current_setting('synchronous_standby_names') = ''
                 AND EXISTS (SELECT 1 FROM pg_stat_replication)";
    row::get(&client.query_one(sql, &[]).await?, 0)
}

/// Whether the user may do with the schema what a state does. Nothing stays.
pub(super) async fn try_to_write(connection: &mut Object) -> StateResult<Result<(), Unfit>> {
    let tx = connection.transaction().await?;
    let sql = "SELECT current_schema() IS NOT NULL
                 AND has_schema_privilege(current_schema(), 'CREATE'),
               coalesce(has_table_privilege(to_regclass('writer'), 'SELECT, UPDATE'), true)";
    let found = tx.query_one(sql, &[]).await?;
    if !row::get::<bool>(&found, 0)? {
        return Ok(Err(Unfit::NoRight("make tables in the schema")));
    }
    if !row::get::<bool>(&found, 1)? {
        return Ok(Err(Unfit::NoRight("write the tables that are there")));
    }
    let probe = "CREATE TABLE flower_superlink_probe (number integer);
                 INSERT INTO flower_superlink_probe VALUES (1)";
    tx.batch_execute(probe).await?;
    tx.rollback().await?;
    Ok(Ok(()))
}
