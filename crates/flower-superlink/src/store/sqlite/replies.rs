//! Replies: stored, told, settled by an error, and confirmed.

use flwr_core::id::{NodeId, RunId};
use flwr_core::message::{Message, MessageId, Metadata};
use flwr_core::object::ObjectId;
use flwr_core::refusal::Refusal;
use flwr_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::objects::Shelf;
use super::row::{self, signed};
use super::{in_hand, instructions, runs};
use crate::link::state::{Answer, Changed, Outlook, Parcel, StateResult, Written};
use crate::link::wake::Topic;
use crate::store::columns::{MESSAGE, MESSAGE_COLUMNS};
use crate::store::rules::{self, Stored};

/// A reply, whole or not.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) message: Message,
    /// Objects whose bytes are not there.
    pub(super) missing: i64,
}

pub(super) fn get(
    connection: &Connection,
    run: RunId,
    id: Option<MessageId>,
) -> StateResult<Option<Reply>> {
    let Some(id) = id else {
        return Ok(None);
    };
    let mut select = connection.prepare_cached(&format!(
        "SELECT {MESSAGE}, reply_to, missing FROM reply WHERE run = ? AND id = ?"
    ))?;
    let found = select.query_row(params![signed(run), id.as_bytes()], |row| {
        let reply_to = row::maybe_object_id(row, MESSAGE_COLUMNS)?;
        Ok(Reply {
            message: row::message(row, reply_to)?,
            missing: row.get(MESSAGE_COLUMNS + 1)?,
        })
    });
    Ok(found.optional()?)
}

fn whole(
    connection: &Connection,
    run: RunId,
    id: Option<MessageId>,
) -> StateResult<Option<Message>> {
    let reply = get(connection, run, id)?;
    Ok(reply
        .filter(|reply| reply.missing == 0)
        .map(|reply| reply.message))
}

fn add(connection: &Connection, message: &Message, missing: usize) -> StateResult<()> {
    let mut insert = connection.prepare_cached(&format!(
        "INSERT OR REPLACE INTO reply ({MESSAGE}, reply_to, missing)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    ))?;
    row::bind(&mut insert, message)?;
    let reply_to = message.metadata.reply_to;
    insert.raw_bind_parameter(
        MESSAGE_COLUMNS + 1,
        reply_to.as_ref().map(MessageId::as_bytes),
    )?;
    insert.raw_bind_parameter(MESSAGE_COLUMNS + 2, missing)?;
    insert.raw_execute()?;
    Ok(())
}

/// Forgets a reply. Whether there was one, and what it answered.
pub(super) fn remove(
    connection: &Connection,
    run: RunId,
    id: MessageId,
) -> StateResult<Option<Option<MessageId>>> {
    let mut delete = connection
        .prepare_cached("DELETE FROM reply WHERE run = ? AND id = ? RETURNING reply_to")?;
    let removed = delete.query_row(params![signed(run), id.as_bytes()], |row| {
        row::maybe_object_id(row, 0)
    });
    Ok(removed.optional()?)
}

pub(super) fn insert(
    connection: &Connection,
    parcel: Parcel,
    now: Timestamp,
) -> Written<Vec<ObjectId>> {
    let Parcel { message, tree } = parcel;
    let (run, id) = (message.metadata.run, message.metadata.id);
    runs::require_running(connection, run)?;
    let asked = message.metadata.reply_to.unwrap_or(id);
    let unknown = Refusal::UnknownInstruction(asked);
    let instruction = instructions::get(connection, run, asked)?.ok_or(unknown)?;
    let about = &instruction.message.metadata;
    let admitted = rules::admit_reply(about, instruction.reply, &message.metadata, now)?;
    let mut shelf = Shelf::new(connection, run);
    if admitted == Stored::Already {
        let missing = shelf.missing(&tree)?;
        let mut changed = Changed::default();
        let is_whole = missing.is_empty();
        changed
            .wake
            .extend(is_whole.then_some(Topic::Reply(run, asked)));
        return Ok((missing, changed));
    }
    shelf.check(&tree)?;
    let missing = shelf.announce(&tree)?;
    shelf.await_for(id, &missing)?;
    instructions::set_reply(connection, run, asked, id)?;
    add(connection, &message, missing.len())?;
    let mut changed = Changed::default();
    if missing.is_empty() {
        changed.freed = shelf.release(asked)?;
        changed.wake.push(Topic::Reply(run, asked));
    }
    shelf.write()?;
    Ok((missing.into_iter().collect(), changed))
}

/// The bytes of an object are there: what becomes whole by that.
pub(super) fn object_arrived(
    connection: &Connection,
    run: RunId,
    object: ObjectId,
) -> Written<bool> {
    let mut shelf = Shelf::new(connection, run);
    let mut changed = Changed::default();
    let Some(waiting) = shelf.arrive(object)? else {
        return Ok((false, Changed::freed(vec![object])));
    };
    for message in waiting {
        if let Some(node) = instructions::progressed(connection, run, message)? {
            changed.wake.extend(node.map(Topic::Node));
        } else if let Some(instruction) = progressed(connection, run, message)? {
            changed.wake.push(Topic::Reply(run, instruction));
            changed.freed.extend(shelf.release(instruction)?);
        }
    }
    shelf.write()?;
    Ok((true, changed))
}

/// One more object of the reply arrived: its instruction, if the reply is now whole.
fn progressed(
    connection: &Connection,
    run: RunId,
    id: MessageId,
) -> StateResult<Option<MessageId>> {
    let mut update = connection.prepare_cached(
        "UPDATE reply SET missing = max(missing - 1, 0) WHERE run = ? AND id = ?
         RETURNING missing, reply_to",
    )?;
    let now = update.query_row(params![signed(run), id.as_bytes()], |row| {
        Ok((row.get::<_, i64>(0)?, row::maybe_object_id(row, 1)?))
    });
    Ok(match now.optional()? {
        Some((0, instruction)) => instruction,
        _ => None,
    })
}

/// What there is to say about an instruction.
pub(super) fn answer(
    connection: &Connection,
    run: RunId,
    id: MessageId,
    now: Timestamp,
    outlook: impl Fn(NodeId) -> Option<Outlook>,
) -> StateResult<Answer> {
    let Some(instruction) = instructions::get(connection, run, id)? else {
        return Ok(Answer::Unknown);
    };
    let whole = whole(connection, run, instruction.reply)?;
    let about = &instruction.message.metadata;
    Ok(match rules::answer(about, whole, now, outlook) {
        Ok(message) => {
            let tree = Shelf::new(connection, run).tree(message.metadata.id)?;
            Answer::Reply(Box::new(Parcel { message, tree }))
        }
        Err(answer) => answer,
    })
}

/// Stores an error of the SuperLink's own, unless a whole reply is there that can be taken and is
/// not `flawed`.
pub(super) fn settle(
    connection: &Connection,
    run: RunId,
    reply: &Message,
    flawed: Option<MessageId>,
) -> StateResult<Vec<ObjectId>> {
    runs::require_running(connection, run)?;
    let (id, made_at) = (reply.metadata.id, reply.metadata.created_at);
    let mut shelf = Shelf::new(connection, run);
    let mut replaced = Vec::new();
    if let Some(asked) = reply.metadata.reply_to
        && let Some(instruction) = instructions::get(connection, run, asked)?
    {
        let whole = whole(connection, run, instruction.reply)?;
        let stands = |reply: &Message| {
            let Metadata { id, .. } = reply.metadata;
            reply.metadata.expires_at() >= made_at && Some(id) != flawed
        };
        if whole.as_ref().is_some_and(stands) {
            return Ok(vec![id]);
        }
        if whole.is_none() {
            // Until now the instruction held its objects.
            replaced.push(asked);
        }
        replaced.extend(instruction.reply);
        instructions::set_reply(connection, run, asked, id)?;
    }
    let mut freed = Vec::new();
    let known = shelf.entry(id)?.is_some_and(|entry| entry.available());
    // The same error in the same moment is one message.
    if !known {
        shelf.announce(&reply.childless_tree())?;
        shelf.arrive(id)?;
    }
    for message in replaced {
        remove(connection, run, message)?;
        freed.extend(shelf.release(message)?);
    }
    add(connection, reply, 0)?;
    shelf.write()?;
    freed.extend(known.then_some(id));
    Ok(freed)
}

/// The message arrived at whom it was for.
pub(super) fn confirm(
    connection: &Connection,
    run: RunId,
    message: MessageId,
) -> StateResult<Vec<ObjectId>> {
    runs::require_running(connection, run)?;
    in_hand::confirmed(connection, run, message)?;
    // Nobody can have pulled half a reply.
    if whole(connection, run, Some(message))?.is_none() {
        return Ok(Vec::new());
    }
    let Some(instruction) = remove(connection, run, message)? else {
        return Ok(Vec::new());
    };
    if let Some(instruction) = instruction {
        instructions::remove(connection, run, instruction)?;
    }
    let mut shelf = Shelf::new(connection, run);
    let freed = shelf.release(message)?;
    shelf.write()?;
    Ok(freed)
}
