//! Replies: their rows, what is told of them, and what ends them.

use flwr_core::id::{NodeId, RunId};
use flwr_core::message::{Message, MessageId, Metadata};
use flwr_core::object::ObjectId;
use flwr_core::refusal::Refusal;
use flwr_core::time::Timestamp;
use tokio_postgres::Row;

use super::PostgresState;
use super::reader::reading;
use super::row::{self, Key};
use super::unit::{Tx, Unit, keys};
use crate::link::state::{Answer, Blob, Changed, Outlook, Parcel, StateResult, Written};
use crate::link::wake::Topic;
use crate::store::columns::{MESSAGE, MESSAGE_COLUMNS};
use crate::store::rules::{self, Stored};

/// A reply, whole or not.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) message: Message,
    /// Objects whose bytes are not there.
    pub(super) missing: i64,
    /// It came in this transaction.
    pub(super) is_new: bool,
}

impl Reply {
    pub(super) const fn key(&self) -> Key {
        (self.message.metadata.run, self.message.metadata.id)
    }
}

fn read(row: &Row) -> StateResult<Reply> {
    let reply_to = row::maybe_object_id(row, MESSAGE_COLUMNS)?;
    Ok(Reply {
        message: row::message(row, reply_to)?,
        missing: row::get(row, MESSAGE_COLUMNS + 1)?,
        is_new: false,
    })
}

pub(super) async fn select(tx: &Tx<'_>, keys: &[Key]) -> StateResult<Vec<Reply>> {
    let sql = format!(
        "SELECT {MESSAGE}, reply_to, missing FROM reply
         WHERE (run, id) IN (SELECT * FROM unnest($1::int8[], $2::bytea[]))"
    );
    let (runs, ids) = row::columns(keys);
    let select = tx.prepare_cached(&sql).await?;
    let rows = tx.query(&select, &[&runs, &ids]).await?;
    rows.iter().map(read).collect()
}

impl Unit<'_> {
    async fn reply(&mut self, key: Key) -> StateResult<Option<&Reply>> {
        self.read_replies([key]).await?;
        Ok(self.replies.get(key))
    }

    async fn whole_reply(
        &mut self,
        run: RunId,
        id: Option<MessageId>,
    ) -> StateResult<Option<&Message>> {
        let Some(id) = id else {
            return Ok(None);
        };
        let reply = self.reply((run, id)).await?;
        Ok(reply
            .filter(|reply| reply.missing == 0)
            .map(|reply| &reply.message))
    }

    /// Forgets a reply. Whether there was one, and what it answered.
    pub(super) async fn remove_reply(
        &mut self,
        key: Key,
    ) -> StateResult<Option<Option<MessageId>>> {
        self.read_replies([key]).await?;
        let gone = self.replies.remove(key);
        Ok(gone.map(|reply| reply.message.metadata.reply_to))
    }

    pub(super) async fn insert_reply(
        &mut self,
        parcel: &Parcel,
        now: Timestamp,
    ) -> Written<Vec<ObjectId>> {
        let Parcel { message, tree } = parcel;
        let (run, id) = (message.metadata.run, message.metadata.id);
        self.require_running(run).await?;
        let asked = message.metadata.reply_to.unwrap_or(id);
        let unknown = Refusal::UnknownInstruction(asked);
        let instruction = self.instruction((run, asked)).await?.ok_or(unknown)?;
        let about = &instruction.message.metadata;
        let admitted = rules::admit_reply(about, instruction.reply, &message.metadata, now)?;
        if admitted == Stored::Already {
            let missing = self.missing(run, tree).await?;
            let mut changed = Changed::default();
            let is_whole = missing.is_empty();
            changed
                .wake
                .extend(is_whole.then_some(Topic::Reply(run, asked)));
            return Ok((missing, changed));
        }
        self.check(run, tree).await?;
        // A reply with this id that was there before is read, so that it is replaced.
        self.read_replies([(run, id)]).await?;
        let missing = self.announce(run, tree).await?;
        self.await_for(run, id, &missing);
        self.change_instruction((run, asked), |instruction| instruction.reply = Some(id));
        self.put_reply(message.clone(), missing.len());
        let mut changed = Changed::default();
        if missing.is_empty() {
            changed.freed = self.release(run, asked).await?;
            changed.wake.push(Topic::Reply(run, asked));
        }
        Ok((missing.into_iter().collect(), changed))
    }

    fn put_reply(&mut self, message: Message, missing: usize) {
        let reply = Reply {
            message,
            missing: i64::try_from(missing).unwrap_or(i64::MAX),
            is_new: true,
        };
        self.replies.put(reply.key(), reply);
    }

    /// The bytes of an object are there: what becomes whole by that.
    pub(super) async fn object_arrived(
        &mut self,
        run: RunId,
        object: ObjectId,
        blob: &Blob,
    ) -> Written<bool> {
        let mut changed = Changed::default();
        let Some(waiting) = self.arrive(run, object, blob).await? else {
            return Ok((false, Changed::freed(vec![object])));
        };
        for message in waiting {
            if let Some(node) = self.instruction_progressed((run, message)).await? {
                changed.wake.extend(node.map(Topic::Node));
            } else if let Some(instruction) = self.reply_progressed((run, message)).await? {
                changed.wake.push(Topic::Reply(run, instruction));
                changed.freed.extend(self.release(run, instruction).await?);
            }
        }
        Ok((true, changed))
    }

    /// One more object of the reply arrived: its instruction, if the reply is now whole.
    async fn reply_progressed(&mut self, key: Key) -> StateResult<Option<MessageId>> {
        self.read_replies([key]).await?;
        let Some(reply) = self.replies.change(key) else {
            return Ok(None);
        };
        reply.missing = (reply.missing - 1).max(0);
        let is_whole = reply.missing == 0;
        let asked = reply.message.metadata.reply_to.filter(|_| is_whole);
        if let Some(asked) = asked {
            // An instruction that is answered is not handed out any more.
            let instruction = self.instruction((key.0, asked)).await?;
            let receiver = instruction.map(|known| known.message.metadata.dst);
            self.touched.extend(receiver);
        }
        Ok(asked)
    }

    /// What there is to say about an instruction.
    pub(super) async fn answer(
        &mut self,
        run: RunId,
        id: MessageId,
        now: Timestamp,
        outlook: impl Fn(NodeId) -> Option<Outlook> + Send,
    ) -> StateResult<Answer> {
        let Some(instruction) = self.instruction((run, id)).await? else {
            return Ok(Answer::Unknown);
        };
        let (about, reply) = (instruction.message.metadata.clone(), instruction.reply);
        let whole = self.whole_reply(run, reply).await?.cloned();
        Ok(match rules::answer(&about, whole, now, outlook) {
            Ok(message) => {
                let tree = self.tree(run, message.metadata.id).await?;
                Answer::Reply(Box::new(Parcel { message, tree }))
            }
            Err(answer) => answer,
        })
    }

    /// Stores an error of the SuperLink's own, unless a whole reply is there that can be taken and is
    /// not `flawed`.
    pub(super) async fn settle(
        &mut self,
        run: RunId,
        reply: &Message,
        blob: &Blob,
        flawed: Option<MessageId>,
    ) -> StateResult<Vec<ObjectId>> {
        self.require_running(run).await?;
        let (id, made_at) = (reply.metadata.id, reply.metadata.created_at);
        let mut replaced = Vec::new();
        if let Some(asked) = reply.metadata.reply_to
            && let Some(instruction) = self.instruction((run, asked)).await?
        {
            let first = instruction.reply;
            let whole = self.whole_reply(run, first).await?;
            let stands = |reply: &Message| {
                let Metadata { id, .. } = reply.metadata;
                reply.metadata.expires_at() >= made_at && Some(id) != flawed
            };
            if whole.is_some_and(stands) {
                self.blobs.refuse(blob);
                return Ok(vec![id]);
            }
            if whole.is_none() {
                // Until now the instruction held its objects.
                replaced.push(asked);
            }
            replaced.extend(first);
            self.change_instruction((run, asked), |instruction| instruction.reply = Some(id));
        }
        let mut freed = Vec::new();
        let known = self
            .object(run, id)
            .await?
            .is_some_and(|object| object.available);
        // The same error in the same moment is one message.
        if known {
            self.blobs.refuse(blob);
        } else {
            self.announce(run, &reply.childless_tree()).await?;
            self.arrive(run, id, blob).await?;
        }
        for message in replaced {
            self.remove_reply((run, message)).await?;
            freed.extend(self.release(run, message).await?);
        }
        self.read_replies([(run, id)]).await?;
        self.put_reply(reply.clone(), 0);
        freed.extend(known.then_some(id));
        Ok(freed)
    }

    /// The message arrived at whom it was for.
    pub(super) async fn confirm(
        &mut self,
        run: RunId,
        message: MessageId,
    ) -> StateResult<Vec<ObjectId>> {
        self.require_running(run).await?;
        let instruction = self.instruction((run, message)).await?;
        let receiver = instruction.map(|known| known.message.metadata.dst);
        if let Some(node) = receiver
            && let Some(holder) = self.node(node).await?
            && holder.unconfirmed == Some((run, message))
        {
            self.hand_out(node, None);
        }
        // Nobody can have pulled half a reply.
        if self.whole_reply(run, Some(message)).await?.is_none() {
            return Ok(Vec::new());
        }
        let Some(instruction) = self.remove_reply((run, message)).await? else {
            return Ok(Vec::new());
        };
        if let Some(instruction) = instruction {
            self.remove_instruction((run, instruction)).await?;
        }
        self.release(run, message).await
    }
}

impl PostgresState {
    /// What there is to say by what memory knows of the nodes.
    pub(super) async fn known_answers(
        &self,
        run: RunId,
        instructions: &[MessageId],
        now: Timestamp,
    ) -> StateResult<Vec<Answer>> {
        let presence = &self.presence;
        reading!(self, tx => async {
            let mut unit = Unit::new(tx);
            unit.require_running(run).await?;
            unit.read_answers(run, instructions).await?;
            let mut answers = Vec::with_capacity(instructions.len());
            for id in instructions {
                let outlook = |node| presence.outlook(node);
                answers.push(unit.answer(run, *id, now, outlook).await?);
            }
            Ok(answers)
        })
    }
}

impl Unit<'_> {
    /// Reads what there is to say about these instructions.
    async fn read_answers(&mut self, run: RunId, instructions: &[MessageId]) -> StateResult<()> {
        let asked = keys(run, instructions.iter().copied());
        self.read_instructions(asked.iter().copied()).await?;
        let replies = asked
            .iter()
            .filter_map(|key| self.instructions.get(*key)?.reply);
        let replies = keys(run, replies);
        self.read_replies(replies.iter().copied()).await?;
        let whole = replies.into_iter().filter(|key| {
            let reply = self.replies.get(*key);
            reply.is_some_and(|reply| reply.missing == 0)
        });
        let whole: Vec<_> = whole.collect();
        self.read_trees(whole).await
    }
}
