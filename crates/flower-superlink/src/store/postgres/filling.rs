//! An empty database that takes the rows of another state: all of them in one transaction. The locks are
//! held until the end, so that no SuperLink works with the database meanwhile.

use std::error::Error;
use std::pin::Pin;

use bytes::BytesMut;
use deadpool_postgres::{Object, Pool};
use thiserror::Error;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use super::hold::Company;
use super::opening::{self, PostgresError};
use super::row::escaped;
use super::unit::Tx;
use super::{PostgresState, PostgresUrl, audit, identity, reader, row};
use crate::link::state::StateResult;
use crate::store::tables::{INLINE, Kind, TABLES, Table, Value};

/// While files are stored, the session with the locks is idle.
const SESSION: &str = "SET idle_session_timeout = 0";
/// Tables that hold what a state knows, beside those that are filled.
const OTHERS: [&str; 2] = ["garbage", "login"];
/// The transaction may wait for files, and a table may take longer than a call may.
const TRANSACTION: &str = "SET LOCAL statement_timeout = 0;
     SET LOCAL idle_in_transaction_session_timeout = 0;";
/// Instructions that come are queued behind those that are there.
const PLACES: &str = "SELECT setval('instruction_place', max(place)) FROM instruction
     HAVING max(place) IS NOT NULL";

/// A value of another kind than the column's.
#[derive(Debug, Error)]
#[error("a value is no {0:?}")]
struct OtherKind(Kind);

/// A database without a state, held.
#[derive(Debug)]
pub(in crate::store) struct Vacant {
    connection: Object,
    // The connection ends with it, and the locks with the connection.
    _pool: Pool,
    database: String,
    epoch: i64,
}

/// What keeps a database from being filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Occupied;

impl Vacant {
    /// Takes hold of a database that holds no state, and makes its tables.
    ///
    /// # Errors
    /// If the server cannot be reached or is not fit, or a SuperLink works with the database. Nothing is
    /// changed then, and if the database holds a state.
    pub(in crate::store) async fn open(
        address: &PostgresUrl,
    ) -> Result<Result<Self, Occupied>, PostgresError> {
        // What would keep a SuperLink from starting is told before the work.
        PostgresState::inspect(address).await?;
        let failed = opening::failed(address);
        let pool = opening::connector(address)?.pool();
        let mut connection = opening::reach(address, &pool).await?;
        opening::lock(address, &connection, Company::Alone).await?;
        if is_occupied(&connection).await.map_err(&failed)? {
            return Ok(Err(Occupied));
        }
        opening::migrate(address, &mut connection).await?;
        let idle = connection.batch_execute(SESSION).await;
        idle.map_err(|error| failed(error.into()))?;
        let epoch = begin_epoch(&connection).await.map_err(&failed)?;
        let database = name(&mut connection).await.map_err(&failed)?;
        Ok(Ok(Self {
            connection,
            _pool: pool,
            database,
            epoch,
        }))
    }

    /// The database, by a name that no copy of it has.
    pub(in crate::store) fn database(&self) -> &str {
        &self.database
    }

    /// Numbers this work among the starts of SuperLinks.
    pub(in crate::store) const fn epoch(&self) -> i64 {
        self.epoch
    }

    /// Begins the transaction.
    pub(in crate::store) async fn begin(&mut self) -> StateResult<Filling<'_>> {
        let tx = self.connection.transaction().await?;
        tx.batch_execute(TRANSACTION).await?;
        Ok(Filling { tx })
    }
}

/// Whether there is any row of a state.
async fn is_occupied(connection: &Object) -> StateResult<bool> {
    let filled = TABLES.iter().chain([&INLINE]).map(|table| table.name);
    for table in filled.chain(OTHERS) {
        let there = connection
            .query_one("SELECT to_regclass($1) IS NOT NULL", &[&table])
            .await?;
        if !row::get::<bool>(&there, 0)? {
            continue;
        }
        let sql = format!("SELECT EXISTS (SELECT 1 FROM {table})");
        if row::get(&connection.query_one(&sql, &[]).await?, 0)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A number that no SuperLink has: bytes that are left behind are known by it.
async fn begin_epoch(connection: &Object) -> StateResult<i64> {
    let sql = "SELECT nextval('link_epoch')";
    row::get(&connection.query_one(sql, &[]).await?, 0)
}

async fn name(connection: &mut Object) -> StateResult<String> {
    let snapshot = reader::snapshot(connection).await?;
    identity::of(&snapshot).await
}

/// The transaction that fills a database. Dropped, it has changed nothing.
pub(in crate::store) struct Filling<'v> {
    tx: Tx<'v>,
}

impl Filling<'_> {
    /// Begins to fill a table.
    pub(in crate::store) async fn copy<'t>(&self, table: &'t Table) -> StateResult<Copying<'t>> {
        let columns = table.columns;
        let names: Vec<_> = columns.iter().map(|column| column.name).collect();
        let sql = format!(
            "COPY {} ({}) FROM STDIN (FORMAT binary)",
            table.name,
            names.join(", ")
        );
        let sink = self.tx.copy_in(&sql).await?;
        let types: Vec<_> = columns.iter().map(|column| type_of(column.kind)).collect();
        Ok(Copying {
            writer: Box::pin(BinaryCopyInWriter::new(sink, &types)),
            table,
        })
    }

    /// What does not fit together in the rows.
    pub(in crate::store) async fn problems(&self) -> StateResult<Vec<String>> {
        self.tx.execute(PLACES, &[]).await?;
        // The rules join tables of which the server knows nothing yet.
        let filled = TABLES.iter().chain([&INLINE]).map(|table| table.name);
        let filled: Vec<_> = filled.collect();
        let analyze = format!("ANALYZE {}", filled.join(", "));
        self.tx.batch_execute(&analyze).await?;
        audit::problems(&self.tx).await
    }

    /// Commits everything. An error does not tell whether that happened.
    pub(in crate::store) async fn commit(self) -> StateResult<()> {
        Ok(self.tx.commit().await?)
    }
}

/// A table that is filled.
pub(in crate::store) struct Copying<'t> {
    writer: Pin<Box<BinaryCopyInWriter>>,
    table: &'t Table,
}

impl Copying<'_> {
    pub(in crate::store) async fn write(&mut self, values: Vec<Value>) -> StateResult<()> {
        let kinds = self.table.columns.iter().map(|column| column.kind);
        let cells: Vec<_> = values
            .into_iter()
            .zip(kinds)
            .map(|(value, kind)| Cell { value, kind })
            .collect();
        Ok(self.writer.as_mut().write_raw(cells).await?)
    }

    /// Ends the table. Gives the number of its rows.
    pub(in crate::store) async fn finish(mut self) -> StateResult<u64> {
        Ok(self.writer.as_mut().finish().await?)
    }
}

const fn type_of(kind: Kind) -> Type {
    match kind {
        Kind::Integer => Type::INT8,
        Kind::Truth => Type::BOOL,
        Kind::Real => Type::FLOAT8,
        Kind::Text => Type::TEXT,
        Kind::Bytes => Type::BYTEA,
    }
}

/// A value for a column.
#[derive(Debug)]
struct Cell {
    value: Value,
    kind: Kind,
}

impl ToSql for Cell {
    fn to_sql(
        &self,
        to: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match (&self.value, self.kind) {
            (Value::Null, _) => Ok(IsNull::Yes),
            (Value::Integer(number), Kind::Integer) => number.to_sql(to, out),
            (Value::Integer(number @ 0..=1), Kind::Truth) => (*number == 1).to_sql(to, out),
            (Value::Real(number), Kind::Real) => number.to_sql(to, out),
            (Value::Text(text), Kind::Text) => escaped(text).to_sql(to, out),
            (Value::Bytes(bytes), Kind::Bytes) => bytes.to_sql(to, out),
            _ => Err(OtherKind(self.kind).into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}
