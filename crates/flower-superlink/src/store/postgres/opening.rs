//! How a state in a database begins: the server proven fit, the database held, the schema brought to
//! the latest version, and what the state counts on.

use std::sync::Arc;

use deadpool_postgres::{Object, Pool};
use flwr_core::time::Timestamp;
use flwr_security::tls::TlsError;
use thiserror::Error;

use super::audit::{self, Found};
use super::connect::{self, Connector, Unfit};
use super::hold::{self, Company, Hold, Holder, Obstacle};
use super::lane::Lane;
use super::looks::Looks;
use super::schema::{self, Newer};
use super::url::PostgresUrl;
use super::wakes::{Ear, LineError, Wakes};
use super::{PostgresState, identity, reader, row, signs};
use crate::link::state::{StateError, StateResult};
use crate::machine;
use crate::store::blobs::{Beside, Start};

/// Why a database is not opened.
#[derive(Debug, Error)]
pub enum PostgresError {
    /// The certificates to trust.
    #[error("{address}: TLS could not be set up")]
    Tls {
        /// The database.
        address: PostgresUrl,
        /// Why.
        source: TlsError,
    },
    /// Nobody answers, or the server does not let us in.
    #[error("{address} could not be reached")]
    Unreachable {
        /// The database.
        address: PostgresUrl,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server cannot keep a state.
    #[error("{address} cannot be used: {why}")]
    Unfit {
        /// The database.
        address: PostgresUrl,
        /// Why.
        why: Unfit,
    },
    /// Another SuperLink works with it, and not both of them let others work too.
    #[error(
        "{address} is in use by another flower-superlink{}: stop that one, give another --database, or give \
         each of them --storage s3://…", shown(.by.as_ref())
    )]
    Held {
        /// The database.
        address: PostgresUrl,
        /// Who works with it.
        by: Option<(String, i64)>,
    },
    /// Another SuperLink of the federation has the name.
    #[error(
        "--superlink-name: another flower-superlink{} works with {address} as `{name}`: give each a name of \
         its own, or stop that one", shown(.by.as_ref())
    )]
    NameTaken {
        /// The database.
        address: PostgresUrl,
        /// The name.
        name: String,
        /// Who has it.
        by: Option<(String, i64)>,
    },
    /// A newer program made it.
    #[error(
        "{address} has schema version {found}, and this flower-superlink knows versions up to {known}: it is left untouched; use the newer flower-superlink, or another --database"
    )]
    Newer {
        /// The database.
        address: PostgresUrl,
        /// Its version.
        found: i32,
        /// The latest version known here.
        known: i32,
    },
    /// Something of it could not be read or written.
    #[error("{address} could not be opened")]
    Failed {
        /// The database.
        address: PostgresUrl,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

fn shown(by: Option<&(String, i64)>) -> String {
    by.map(|(host, pid)| format!(" (pid {pid} on {host})"))
        .unwrap_or_default()
}

/// Marks an error with its database.
pub(super) fn failed(address: &PostgresUrl) -> impl Fn(StateError) -> PostgresError + '_ {
    |error| PostgresError::Failed {
        address: address.clone(),
        source: match error {
            StateError::Broken(cause) => cause,
            refused @ StateError::Refused(_) => Box::new(refused),
        },
    }
}

impl PostgresState {
    /// Opens the database for this SuperLink alone, and makes its tables where there are none.
    ///
    /// # Errors
    /// If the server cannot be reached or is not fit, another SuperLink works with the database, or
    /// the database is of a newer version. Nothing is changed then.
    pub async fn open(address: &PostgresUrl, now: Timestamp) -> Result<Self, PostgresError> {
        Self::open_in(address, Company::Alone, now).await
    }

    /// Opens the database, beside others or alone, and makes its tables where there are none.
    ///
    /// # Errors
    /// As above; beside others, another SuperLink may not have the name.
    pub(in crate::store) async fn open_in(
        address: &PostgresUrl,
        company: Company<'_>,
        now: Timestamp,
    ) -> Result<Self, PostgresError> {
        let connector = connector(address)?;
        let pool = connector.pool();
        // A pooler that swallows what is notified is found out before anything is changed.
        let ear = listens(address, Ear::open(connector).await)?;
        let mut connection = reach(address, &pool).await?;
        let hold = take(address, &pool, &mut connection, company).await?;
        let opened = load(&mut connection, &hold, now).await;
        let opened = opened.map_err(failed(address))?;
        let presence = Arc::new(opened.presence);
        let wakes = Wakes::start(ear, pool.clone(), Arc::clone(&presence));
        if let Company::Named(_) = company {
            wakes.expect_neighbours();
        }
        Ok(Self {
            epoch: hold.epoch(),
            name: company.name().to_owned(),
            beside: Beside::new(opened.beside),
            watch: parking_lot::Mutex::default(),
            lane: Lane::start(hold, connection),
            wakes,
            looks: Looks::start(pool.clone()),
            pool,
            presence,
            used: parking_lot::Mutex::default(),
            followed: parking_lot::Mutex::default(),
            id: opened.id,
            database: opened.database,
        })
    }

    /// Reads what a database notes, while nobody works with it. Nothing is changed.
    ///
    /// # Errors
    /// If the server cannot be reached or is not fit, or a SuperLink works with the database.
    pub(in crate::store) async fn look(address: &PostgresUrl) -> Result<Found, PostgresError> {
        let pool = connector(address)?.pool();
        let mut connection = reach(address, &pool).await?;
        lock(address, &connection, Company::Alone).await?;
        // The lock ends with the connection, and the connection with the pool.
        audit::read(&mut connection).await.map_err(failed(address))
    }

    /// Whether the server of a database can keep a state: it is fit, delivers what is notified, and
    /// lets the user make tables and write. What is written for that is taken back.
    ///
    /// # Errors
    /// If the server cannot be reached, or is not fit.
    pub async fn inspect(address: &PostgresUrl) -> Result<(), PostgresError> {
        let connector = connector(address)?;
        let pool = connector.pool();
        listens(address, Ear::open(connector).await)?;
        let mut connection = reach(address, &pool).await?;
        let written = connect::try_to_write(&mut connection).await;
        written.map_err(failed(address))?.map_err(unfit(address))
    }

    /// What the operator should know of the server.
    pub(in crate::store) async fn warnings(&self) -> StateResult<Vec<String>> {
        let may_lose = connect::may_lose_acknowledged(&*self.pool.get().await?).await?;
        let warning = "the database has an asynchronous standby: if that takes over, work is lost that was acknowledged; set synchronous_standby_names on the server";
        Ok(may_lose.then(|| warning.to_owned()).into_iter().collect())
    }

    /// A name that no other state has.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The database, by a name that no copy of it has.
    pub(in crate::store) fn database(&self) -> &str {
        &self.database
    }

    /// The start of this SuperLink, and who else has begun and may be at work.
    pub(in crate::store) fn start(&self) -> Start {
        Start {
            state: self.id.clone(),
            epoch: self.epoch,
            beside: self.beside.clone(),
        }
    }
}

pub(super) fn connector(address: &PostgresUrl) -> Result<Connector, PostgresError> {
    Connector::of(address).map_err(|source| PostgresError::Tls {
        address: address.clone(),
        source,
    })
}

/// Marks an error of the line with its database.
fn listens<T>(address: &PostgresUrl, listens: Result<T, LineError>) -> Result<T, PostgresError> {
    listens.map_err(|error| {
        let unreachable = |source| PostgresError::Unreachable {
            address: address.clone(),
            source,
        };
        match error {
            LineError::Deaf => unfit(address)(Unfit::Deaf),
            LineError::Lost(source) => unreachable(source.into()),
            silent @ LineError::Silent => unreachable(silent.into()),
        }
    })
}

/// Marks what a server lacks with its database.
fn unfit(address: &PostgresUrl) -> impl Fn(Unfit) -> PostgresError {
    |why| PostgresError::Unfit {
        address: address.clone(),
        why,
    }
}

/// A connection to a server that is fit.
pub(super) async fn reach(address: &PostgresUrl, pool: &Pool) -> Result<Object, PostgresError> {
    let connection = pool.get().await;
    let connection = connection.map_err(|error| PostgresError::Unreachable {
        address: address.clone(),
        source: Box::new(error),
    })?;
    let fit = connect::inspect(&connection).await;
    let fit = fit.map_err(failed(address))?;
    fit.map_err(unfit(address))?;
    Ok(connection)
}

/// Takes the locks of the database.
pub(super) async fn lock(
    address: &PostgresUrl,
    connection: &Object,
    company: Company<'_>,
) -> Result<(), PostgresError> {
    let locked = hold::lock(connection, company).await;
    let Err(obstacle) = locked.map_err(failed(address))? else {
        return Ok(());
    };
    let holder = hold::holder(connection, company).await;
    let (address, by) = (
        address.clone(),
        holder.map(|holder| (holder.host, holder.pid)),
    );
    Err(match (obstacle, company) {
        (Obstacle::Name, Company::Named(name)) => PostgresError::NameTaken {
            address,
            name: name.to_owned(),
            by,
        },
        _ => PostgresError::Held { address, by },
    })
}

/// Brings the schema to the latest version.
pub(super) async fn migrate(
    address: &PostgresUrl,
    connection: &mut Object,
) -> Result<(), PostgresError> {
    let migrated = schema::migrate(connection).await.map_err(failed(address))?;
    migrated.map_err(|Newer { found }| PostgresError::Newer {
        address: address.clone(),
        found,
        known: schema::VERSION,
    })
}

/// Takes hold of the database, and brings its schema to the latest version.
async fn take(
    address: &PostgresUrl,
    pool: &Pool,
    connection: &mut Object,
    company: Company<'_>,
) -> Result<Hold, PostgresError> {
    let failed = failed(address);
    lock(address, connection, company).await?;
    migrate(address, connection).await?;
    let holder = Holder {
        host: machine::name(),
        pid: i64::from(std::process::id()),
    };
    let hold = Hold::begin_epoch(pool.clone(), connection, company, &holder).await;
    hold.map_err(&failed)
}

/// What a state holds when it is opened.
struct Loaded {
    id: String,
    database: String,
    beside: Vec<i64>,
    presence: crate::store::presence::Presence,
}

async fn load(connection: &mut Object, hold: &Hold, now: Timestamp) -> StateResult<Loaded> {
    make_state(connection, now).await?;
    let epoch = hold.epoch();
    let has_others = hold::has_others(connection, epoch).await?;
    let snapshot = reader::snapshot(connection).await?;
    let id = snapshot.query_one("SELECT id FROM state", &[]).await?;
    let loaded = Loaded {
        id: row::get(&id, 0)?,
        database: identity::of(&snapshot).await?,
        beside: hold::others(&snapshot, epoch).await?,
        presence: signs::load(&snapshot, has_others, hold.seen_before, now).await?,
    };
    snapshot.commit().await?;
    Ok(loaded)
}

/// Gives a new state its name.
async fn make_state(connection: &Object, now: Timestamp) -> StateResult<()> {
    let sql = "INSERT INTO state (id, seen_at) SELECT $1, $2
               WHERE NOT EXISTS (SELECT 1 FROM state)";
    let id = format!("{:032x}", rand::random::<u128>());
    connection.execute(sql, &[&id, &now.as_secs()]).await?;
    Ok(())
}
