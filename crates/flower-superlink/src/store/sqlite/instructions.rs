//! The rows of instructions, one at a time.

use flwr_core::id::{NodeId, RunId};
use flwr_core::message::{Message, MessageId};
use rusqlite::{Connection, OptionalExtension, params};

use super::row::{self, signed};
use crate::link::state::StateResult;
use crate::store::columns::{MESSAGE, MESSAGE_COLUMNS};

/// An instruction as far as replies to it are concerned.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) message: Message,
    pub(super) reply: Option<MessageId>,
}

pub(super) fn get(
    connection: &Connection,
    run: RunId,
    id: MessageId,
) -> StateResult<Option<Asked>> {
    let mut select = connection.prepare_cached(&format!(
        "SELECT {MESSAGE}, reply FROM instruction WHERE run = ? AND id = ?"
    ))?;
    let found = select.query_row(params![signed(run), id.as_bytes()], |row| {
        Ok(Asked {
            message: row::message(row, None)?,
            reply: row::maybe_object_id(row, MESSAGE_COLUMNS)?,
        })
    });
    Ok(found.optional()?)
}

pub(super) fn set_reply(
    connection: &Connection,
    run: RunId,
    id: MessageId,
    reply: MessageId,
) -> StateResult<()> {
    connection
        .prepare_cached("UPDATE instruction SET reply = ? WHERE run = ? AND id = ?")?
        .execute(params![reply.as_bytes(), signed(run), id.as_bytes()])?;
    Ok(())
}

/// Whether an instruction for the node has no whole reply.
pub(super) fn any_unanswered(connection: &Connection, node: NodeId) -> StateResult<bool> {
    let mut select = connection.prepare_cached(
        "SELECT 1 FROM instruction LEFT JOIN reply
           ON reply.run = instruction.run AND reply.id = instruction.reply
         WHERE instruction.dst = ? AND (reply.id IS NULL OR reply.missing > 0)",
    )?;
    Ok(select.exists([signed(node)])?)
}

pub(super) fn remove(connection: &Connection, run: RunId, id: MessageId) -> StateResult<()> {
    connection
        .prepare_cached("DELETE FROM instruction WHERE run = ? AND id = ?")?
        .execute(params![signed(run), id.as_bytes()])?;
    Ok(())
}

/// Gives a whole instruction the last place in its node's queue.
pub(super) fn queue(connection: &Connection, run: RunId, id: MessageId) -> StateResult<()> {
    let mut update = connection.prepare_cached(
        "UPDATE instruction AS this SET place = 1 +
           (SELECT coalesce(max(place), 0) FROM instruction WHERE dst = this.dst)
         WHERE run = ? AND id = ?",
    )?;
    update.execute(params![signed(run), id.as_bytes()])?;
    Ok(())
}

/// One more object of the instruction arrived: its node, if it is now whole. `None`: there is no
/// such instruction.
pub(super) fn progressed(
    connection: &Connection,
    run: RunId,
    id: MessageId,
) -> StateResult<Option<Option<NodeId>>> {
    let mut update = connection.prepare_cached(
        "UPDATE instruction SET missing = max(missing - 1, 0) WHERE run = ? AND id = ?
         RETURNING missing, dst",
    )?;
    let now = update.query_row(params![signed(run), id.as_bytes()], |row| {
        Ok((row.get::<_, i64>(0)?, NodeId(row::id(row, 1)?)))
    });
    match now.optional()? {
        Some((0, node)) => {
            queue(connection, run, id)?;
            Ok(Some(Some(node)))
        }
        Some(_) => Ok(Some(None)),
        None => Ok(None),
    }
}
