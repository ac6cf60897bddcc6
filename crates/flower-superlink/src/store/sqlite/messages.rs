//! Instructions: stored, handed out, handed out again, and forgotten.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use async_trait::async_trait;
use flwr_core::id::{NodeId, RunId};
use flwr_core::message::{Message, MessageId};
use flwr_core::object::ObjectId;
use flwr_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::SqliteState;
use super::objects::Shelf;
use super::row::{self, signed};
use super::{in_hand, instructions, nodes, replies, runs};
use crate::link::state::{
    self, Answer, Blob, Changed, Parcel, Sent, Session, StateResult, Written,
};
use crate::link::wake::Topic;
use crate::store::EXPIRED_KEPT;
use crate::store::columns::{MESSAGE, MESSAGE_COLUMNS};

pub(super) fn insert(
    connection: &Connection,
    run: RunId,
    instructions: Vec<Parcel>,
) -> Written<Sent> {
    runs::require_running(connection, run)?;
    let mut shelf = Shelf::new(connection, run);
    for parcel in &instructions {
        shelf.check(&parcel.tree)?;
    }
    let (mut inserted, mut changed) = (Sent::default(), Changed::default());
    let mut is_node = HashMap::new();
    for parcel in instructions {
        let (node, id) = (parcel.message.metadata.dst, parcel.message.metadata.id);
        let known = match is_node.entry(node) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(unknown) => *unknown.insert(nodes::exists(connection, node)?),
        };
        inserted.ids.push(known.then_some(id));
        if known {
            let is_whole = insert_one(connection, &mut shelf, parcel, &mut inserted)?;
            changed.wake.extend(is_whole.then_some(Topic::Node(node)));
        }
    }
    inserted.missing.sort_unstable();
    inserted.missing.dedup();
    shelf.write()?;
    Ok((inserted, changed))
}

/// Whether the instruction is new, and whole.
fn insert_one(
    connection: &Connection,
    shelf: &mut Shelf<'_>,
    parcel: Parcel,
    inserted: &mut Sent,
) -> StateResult<bool> {
    let Parcel { message, tree } = parcel;
    let (run, id) = (message.metadata.run, message.metadata.id);
    let mut known =
        connection.prepare_cached("SELECT 1 FROM instruction WHERE run = ? AND id = ?")?;
    if known.exists(params![signed(run), id.as_bytes()])? {
        inserted.missing.extend(shelf.missing(&tree)?);
        return Ok(false);
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
    let is_whole = missing.is_empty();
    if is_whole {
        instructions::queue(connection, run, id)?;
    }
    inserted.missing.extend(missing);
    Ok(is_whole)
}

/// What can be handed out: in the node's queue, not taken, not expired, not answered.
const OPEN: &str = "dst = ?1 AND place IS NOT NULL AND NOT taken AND expires_at > ?2
     AND NOT EXISTS (SELECT 1 FROM reply WHERE reply.run = instruction.run
                     AND reply.id = instruction.reply AND reply.missing = 0)";

/// What there is for a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outlook {
    /// [`claim`] might find something.
    pub(super) anything: bool,
    /// Nothing is queued, not even what is expired: until something is written for the node,
    /// [`claim`] finds nothing, whatever time it is.
    pub(super) nothing_queued: bool,
}

/// What there is for a node. It reads only: nodes ask far more often than there is something for
/// them.
pub(super) fn outlook(
    connection: &Connection,
    node: NodeId,
    now: Timestamp,
) -> StateResult<Outlook> {
    let sql = format!(
        "SELECT unconfirmed IS NOT NULL,
           EXISTS (SELECT 1 FROM instruction WHERE {OPEN}),
           EXISTS (SELECT 1 FROM instruction WHERE dst = ?1 AND place IS NOT NULL AND NOT taken)
         FROM node WHERE id = ?1"
    );
    let mut select = connection.prepare_cached(&sql)?;
    let found = select.query_row(params![signed(node), now.as_secs()], |row| {
        let (unconfirmed, open, queued): (bool, bool, bool) =
            (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(Outlook {
            anything: unconfirmed || open,
            nothing_queued: !unconfirmed && !queued,
        })
    });
    Ok(found.optional()?.unwrap_or(Outlook {
        anything: false,
        nothing_queued: false,
    }))
}

/// The oldest instruction that the node can have. A node that asks again without having
/// confirmed never got the last answer.
pub(super) fn claim(
    connection: &Connection,
    node: NodeId,
    session: Session,
    now: Timestamp,
) -> StateResult<Option<Parcel>> {
    if !nodes::is_in_session(connection, node, session)? {
        return Ok(None);
    }
    if let Some((run, message)) = in_hand::unconfirmed(connection, node)? {
        let mut lost = connection.prepare_cached(
            "UPDATE instruction SET taken = 0 WHERE run = ? AND id = ? AND reply IS NULL",
        )?;
        lost.execute(params![signed(run), message.as_bytes()])?;
        in_hand::handed_out(connection, node, None)?;
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
    in_hand::handed_out(connection, node, Some((run, id)))?;
    let tree = Shelf::new(connection, run).tree(id)?;
    Ok(Some(Parcel { message, tree }))
}

/// What the node took and has no whole reply to can be taken again; half a reply goes.
pub(super) fn unclaim(connection: &Connection, node: NodeId) -> StateResult<Vec<ObjectId>> {
    let mut taken = connection.prepare_cached(
        "SELECT run, id, reply FROM instruction WHERE dst = ? AND taken AND NOT EXISTS
           (SELECT 1 FROM reply WHERE reply.run = instruction.run
            AND reply.id = instruction.reply AND reply.missing = 0)",
    )?;
    let taken = taken.query_map([signed(node)], |row| {
        let half = row::maybe_object_id(row, 2)?;
        Ok((RunId(row::id(row, 0)?), row::object_id(row, 1)?, half))
    })?;
    let mut freed = Vec::new();
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
            freed.extend(shelf.release(half)?);
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
pub(super) fn drop_expired(connection: &Connection, now: Timestamp) -> StateResult<Vec<ObjectId>> {
    let mut over =
        connection.prepare_cached("SELECT run, id FROM instruction WHERE expires_at < ?")?;
    let over = over.query_map([now.as_secs() - EXPIRED_KEPT], |row| {
        Ok((RunId(row::id(row, 0)?), row::object_id(row, 1)?))
    })?;
    let mut freed = Vec::new();
    for found in over.collect::<Result<Vec<_>, _>>()? {
        let (run, id) = found;
        let mut shelf = Shelf::new(connection, run);
        let reply = instructions::get(connection, run, id)?.and_then(|asked| asked.reply);
        let reply = replies::get(connection, run, reply)?;
        if reply.as_ref().is_none_or(|reply| reply.missing > 0) {
            freed.extend(shelf.release(id)?);
        }
        if let Some(reply) = reply {
            let reply = reply.message.metadata.id;
            replies::remove(connection, run, reply)?;
            freed.extend(shelf.release(reply)?);
        }
        instructions::remove(connection, run, id)?;
        shelf.write()?;
    }
    Ok(freed)
}

#[async_trait]
impl state::Messages for SqliteState {
    async fn insert_instructions(&self, run: RunId, instructions: Vec<Parcel>) -> Written<Sent> {
        self.change(move |c| insert(c, run, instructions), |_| {})
            .await
    }

    async fn claim_message(
        &self,
        node: NodeId,
        session: Session,
        now: Timestamp,
    ) -> StateResult<Option<Parcel>> {
        // Before the snapshot is taken: what is written after it makes this number old.
        let Some(version) = self.presence.worth_a_look(node, session) else {
            return Ok(None);
        };
        let outlook = self.reader.read(move |c| outlook(c, node, now)).await?;
        if outlook.nothing_queued {
            self.presence.has_nothing(node, version);
        }
        if !outlook.anything {
            return Ok(None);
        }
        let claim = move |c: &_| claim(c, node, session, now);
        self.writer.write(claim).await
    }

    async fn insert_reply(&self, reply: Parcel, now: Timestamp) -> Written<Vec<ObjectId>> {
        self.writer
            .write(move |c| replies::insert(c, reply, now))
            .await
    }

    async fn answers(
        &self,
        run: RunId,
        instructions: &[MessageId],
        now: Timestamp,
    ) -> StateResult<Vec<Answer>> {
        let (presence, asked) = (self.presence(), instructions.to_vec());
        self.reader
            .read(move |c| {
                runs::require_running(c, run)?;
                let outlook = |node| presence.outlook(node);
                let answer = |id| replies::answer(c, run, id, now, outlook);
                asked.into_iter().map(answer).collect()
            })
            .await
    }

    async fn settle(
        &self,
        run: RunId,
        reply: Message,
        _: Blob,
        flawed: Option<MessageId>,
    ) -> Written<()> {
        let settle = move |c: &_| replies::settle(c, run, &reply, flawed);
        Ok(((), Changed::freed(self.writer.write(settle).await?)))
    }

    async fn is_awaited(&self, node: NodeId) -> StateResult<bool> {
        let is_awaited = move |c: &_| instructions::any_unanswered(c, node);
        self.reader.read(is_awaited).await
    }

    async fn confirm(&self, run: RunId, message: MessageId) -> Written<()> {
        let confirm = move |c: &_| replies::confirm(c, run, message);
        Ok(((), Changed::freed(self.writer.write(confirm).await?)))
    }
}
