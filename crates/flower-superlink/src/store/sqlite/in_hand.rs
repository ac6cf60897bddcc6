//! What each node has in hand: the message that was handed to it last.

use flwr_core::id::{NodeId, RunId};
use flwr_core::message::MessageId;
use rusqlite::{Connection, OptionalExtension, params};

use super::row::{self, signed};
use crate::link::state::StateResult;

/// What was handed to the node last, if it never said that it arrived.
pub(super) fn unconfirmed(
    connection: &Connection,
    node: NodeId,
) -> StateResult<Option<(RunId, MessageId)>> {
    let mut select = connection.prepare_cached(
        "SELECT unconfirmed_run, unconfirmed FROM node WHERE id = ? AND unconfirmed IS NOT NULL",
    )?;
    let found = select.query_row([signed(node)], |row| {
        Ok((RunId(row::id(row, 0)?), row::object_id(row, 1)?))
    });
    Ok(found.optional()?)
}

pub(super) fn handed_out(
    connection: &Connection,
    node: NodeId,
    message: Option<(RunId, MessageId)>,
) -> StateResult<()> {
    let mut update = connection
        .prepare_cached("UPDATE node SET unconfirmed_run = ?, unconfirmed = ? WHERE id = ?")?;
    let (run, id) = message.unzip();
    let id = id.as_ref().map(MessageId::as_bytes);
    update.execute(params![run.map(signed), id, signed(node)])?;
    Ok(())
}

/// The node has the message.
pub(super) fn confirmed(
    connection: &Connection,
    run: RunId,
    message: MessageId,
) -> StateResult<()> {
    let mut update = connection.prepare_cached(
        "UPDATE node SET unconfirmed_run = NULL, unconfirmed = NULL
         WHERE id = (SELECT dst FROM instruction WHERE run = ?1 AND id = ?2)
         AND unconfirmed_run = ?1 AND unconfirmed = ?2",
    )?;
    update.execute(params![signed(run), message.as_bytes()])?;
    Ok(())
}
