//! Instructions: stored, handed out, handed out again, and forgotten.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use flwr_core::id::{NodeId, RunId};
use flwr_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::objects::Shelf;
use super::row::{self, MESSAGE, MESSAGE_COLUMNS, signed};
use super::{instructions, nodes, replies, runs};
use crate::link::state::{Freed, Inserted, Parcel, StateResult};
use crate::store::EXPIRED_KEPT;

pub(super) fn insert(
    connection: &Connection,
    run: RunId,
    instructions: Vec<Parcel>,
) -> StateResult<Inserted> {
    runs::require_running(connection, run)?;
    let mut shelf = Shelf::new(connection, run);
    for parcel in &instructions {
        shelf.check(&parcel.tree)?;
    }
    let mut inserted = Inserted::default();
    let mut is_node = HashMap::new();
    for parcel in instructions {
        let (node, id) = (parcel.message.metadata.dst, parcel.message.metadata.id);
        let known = match is_node.entry(node) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(unknown) => *unknown.insert(nodes::exists(connection, node)?),
        };
        inserted.ids.push(known.then_some(id));
        if known {
            insert_one(connection, &mut shelf, parcel, &mut inserted)?;
        }
    }
    inserted.missing.sort_unstable();
    inserted.missing.dedup();
    shelf.write()?;
    Ok(inserted)
}

fn insert_one(
    connection: &Connection,
    shelf: &mut Shelf<'_>,
    parcel: Parcel,
    inserted: &mut Inserted,
) -> StateResult<()> {
    let Parcel { message, tree } = parcel;
    let (run, id, node) = (
        message.metadata.run,
        message.metadata.id,
        message.metadata.dst,
    );
    let mut known =
        connection.prepare_cached("SELECT 1 FROM instruction WHERE run = ? AND id = ?")?;
    if known.exists(params![signed(run), id.as_bytes()])? {
        inserted.missing.extend(shelf.missing(&tree)?);
        return Ok(());
    }
    let missing = shelf.announce(&tree)?;
    shelf.await_for(id, &missing)?;
    let mut insert = connection.prepare_cached(&format!(
        "INSERT INTO instruction ({MESSAGE}, expires_at, missing)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    ))?;
    row::bind(&mut insert, &message)?;
    insert.raw_bind_parameter(MESSAGE_COLUMNS + 1, message.metadata.expires_at().as_secs())?;
    insert.raw_bind_parameter(MESSAGE_COLUMNS + 2, missing.len())?;
    insert.raw_execute()?;
    if missing.is_empty() {
        instructions::queue(connection, run, id)?;
        inserted.ready.push(node);
    }
    inserted.missing.extend(missing);
    Ok(())
}

/// What can be handed out: in the node's queue, not taken, not expired, not answered.
const OPEN: &str = "dst = ?1 AND place IS NOT NULL AND NOT taken AND expires_at > ?2
     AND NOT EXISTS (SELECT 1 FROM reply WHERE reply.run = instruction.run
                     AND reply.id = instruction.reply AND reply.missing = 0)";

/// Whether [`claim`] might find something. It reads only: nodes ask far more often than there is
/// something for them.
pub(super) fn anything_for(
    connection: &Connection,
    node: NodeId,
    now: Timestamp,
) -> StateResult<bool> {
    let sql = format!(
        "SELECT 1 FROM node WHERE id = ?1 AND (unconfirmed IS NOT NULL
           OR EXISTS (SELECT 1 FROM instruction WHERE {OPEN}))"
    );
    Ok(connection
        .prepare_cached(&sql)?
        .exists(params![signed(node), now.as_secs()])?)
}

/// The oldest instruction that the node can have. A node that asks again without having
/// confirmed never got the last answer.
pub(super) fn claim(
    connection: &Connection,
    node: NodeId,
    now: Timestamp,
) -> StateResult<Option<Parcel>> {
    if !nodes::exists(connection, node)? {
        return Ok(None);
    }
    if let Some((run, message)) = nodes::unconfirmed(connection, node)? {
        let mut lost = connection.prepare_cached(
            "UPDATE instruction SET taken = 0 WHERE run = ? AND id = ? AND reply IS NULL",
        )?;
        lost.execute(params![signed(run), message.as_bytes()])?;
        nodes::handed_out(connection, node, None)?;
    }
    let mut open = connection.prepare_cached(&format!(
        "SELECT {MESSAGE} FROM instruction WHERE {OPEN} ORDER BY place LIMIT 1"
    ))?;
    let found = open.query_row(params![signed(node), now.as_secs()], |row| {
        row::message(row, None)
    });
    let Some(message) = found.optional()? else {
        return Ok(None);
    };
    let (run, id) = (message.metadata.run, message.metadata.id);
    connection
        .prepare_cached("UPDATE instruction SET taken = 1 WHERE run = ? AND id = ?")?
        .execute(params![signed(run), id.as_bytes()])?;
    nodes::handed_out(connection, node, Some((run, id)))?;
    let tree = Shelf::new(connection, run).tree(id)?;
    Ok(Some(Parcel { message, tree }))
}

/// What the node took and has no whole reply to can be taken again; half a reply goes.
pub(super) fn unclaim(connection: &Connection, node: NodeId) -> StateResult<Freed> {
    let mut taken = connection.prepare_cached(
        "SELECT run, id, reply FROM instruction WHERE dst = ? AND taken AND NOT EXISTS
           (SELECT 1 FROM reply WHERE reply.run = instruction.run
            AND reply.id = instruction.reply AND reply.missing = 0)",
    )?;
    let taken = taken.query_map([signed(node)], |row| {
        let half = row::maybe_object_id(row, 2)?;
        Ok((RunId(row::id(row, 0)?), row::object_id(row, 1)?, half))
    })?;
    let mut freed = Freed::default();
    for found in taken.collect::<Result<Vec<_>, _>>()? {
        let (run, id, half) = found;
        connection
            .prepare_cached(
                "UPDATE instruction SET taken = 0, reply = NULL WHERE run = ? AND id = ?",
            )?
            .execute(params![signed(run), id.as_bytes()])?;
        if let Some(half) = half {
            replies::remove(connection, run, half)?;
            let mut shelf = Shelf::new(connection, run);
            freed.0.extend(shelf.release(half)?.0);
            shelf.write()?;
        }
    }
    Ok(freed)
}

/// Whether [`drop_expired`] would find something.
pub(super) fn any_expired(connection: &Connection, now: Timestamp) -> StateResult<bool> {
    let mut select = connection.prepare_cached("SELECT 1 FROM instruction WHERE expires_at < ?")?;
    Ok(select.exists([now.as_secs() - EXPIRED_KEPT])?)
}

/// Forgets what expired a while ago.
pub(super) fn drop_expired(connection: &Connection, now: Timestamp) -> StateResult<Freed> {
    let mut over =
        connection.prepare_cached("SELECT run, id FROM instruction WHERE expires_at < ?")?;
    let over = over.query_map([now.as_secs() - EXPIRED_KEPT], |row| {
        Ok((RunId(row::id(row, 0)?), row::object_id(row, 1)?))
    })?;
    let mut freed = Freed::default();
    for found in over.collect::<Result<Vec<_>, _>>()? {
        let (run, id) = found;
        let mut shelf = Shelf::new(connection, run);
        let reply = instructions::get(connection, run, id)?.and_then(|asked| asked.reply);
        let reply = replies::get(connection, run, reply)?;
        if reply.as_ref().is_none_or(|reply| reply.missing > 0) {
            freed.0.extend(shelf.release(id)?.0);
        }
        if let Some(reply) = reply {
            let reply = reply.message.metadata.id;
            replies::remove(connection, run, reply)?;
            freed.0.extend(shelf.release(reply)?.0);
        }
        instructions::remove(connection, run, id)?;
        shelf.write()?;
    }
    Ok(freed)
}
