//! Columns to values and back.

use flwr_core::id::{NodeId, RunId};
use flwr_core::message::{Body, Message, MessageId, Metadata};
use flwr_core::object::ObjectId;
use flwr_core::time::Timestamp;
use flwr_security::key::PublicKey;
use rusqlite::types::{FromSqlError, Type};
use rusqlite::{Row, Statement};

use crate::link::state::StateError;

impl From<rusqlite::Error> for StateError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Broken(Box::new(error))
    }
}

/// SQLite's integers are signed: the same 64 bits.
pub(super) fn signed(id: impl Into<u64>) -> i64 {
    id.into().cast_signed()
}

/// An id of a node or run.
pub(super) fn id(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(row.get::<_, i64>(column)?.cast_unsigned())
}

/// An id of a message or object.
pub(super) fn object_id(row: &Row<'_>, column: usize) -> rusqlite::Result<ObjectId> {
    row.get(column).map(ObjectId::from_bytes)
}

/// The same where there may be none.
pub(super) fn maybe_object_id(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<ObjectId>> {
    Ok(row.get::<_, Option<_>>(column)?.map(ObjectId::from_bytes))
}

/// A moment that may not have come.
pub(super) fn moment(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<f64>>(column)?.map(Timestamp::from_secs))
}

/// A public key.
pub(super) fn key(row: &Row<'_>, column: usize) -> rusqlite::Result<PublicKey> {
    let line: String = row.get(column)?;
    PublicKey::from_openssh(&line).map_err(|problem| unreadable(column, problem))
}

/// The same where there may be none.
pub(super) fn maybe_key(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<PublicKey>> {
    let line: Option<String> = row.get(column)?;
    line.map(|_| key(row, column)).transpose()
}

/// Says that a column holds what no version of this program wrote there.
pub(super) fn unreadable(
    column: usize,
    problem: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(
        column,
        Type::Text,
        Box::new(FromSqlError::Other(Box::new(problem))),
    )
}

/// Reads the columns of a message.
pub(super) fn message(row: &Row<'_>, reply_to: Option<MessageId>) -> rusqlite::Result<Message> {
    let metadata = Metadata {
        run: RunId(id(row, 0)?),
        id: object_id(row, 1)?,
        src: NodeId(id(row, 2)?),
        dst: NodeId(id(row, 3)?),
        reply_to,
        group: row.get(4)?,
        ttl: row.get(5)?,
        message_type: row.get(6)?,
        created_at: Timestamp::from_secs(row.get(7)?),
    };
    let body = match row.get::<_, Option<i64>>(8)? {
        None => Body::Content,
        Some(code) => Body::Error {
            code,
            reason: row.get::<_, Option<String>>(9)?.unwrap_or_default(),
        },
    };
    Ok(Message { metadata, body })
}

/// Binds the columns of a message as the first parameters.
pub(super) fn bind(statement: &mut Statement<'_>, message: &Message) -> rusqlite::Result<()> {
    let metadata = &message.metadata;
    let (code, reason) = match &message.body {
        Body::Content => (None, None),
        Body::Error { code, reason } => (Some(*code), Some(reason)),
    };
    statement.raw_bind_parameter(1, signed(metadata.run))?;
    statement.raw_bind_parameter(2, metadata.id.as_bytes())?;
    statement.raw_bind_parameter(3, signed(metadata.src))?;
    statement.raw_bind_parameter(4, signed(metadata.dst))?;
    statement.raw_bind_parameter(5, &metadata.group)?;
    statement.raw_bind_parameter(6, metadata.ttl)?;
    statement.raw_bind_parameter(7, &metadata.message_type)?;
    statement.raw_bind_parameter(8, metadata.created_at.as_secs())?;
    statement.raw_bind_parameter(9, code)?;
    statement.raw_bind_parameter(10, reason)
}
