//! Instructions: stored, handed out, handed out again, and forgotten.

use async_trait::async_trait;
use flwr_core::id::{NodeId, RunId};
use flwr_core::message::{Message, MessageId};
use flwr_core::object::ObjectId;
use flwr_core::time::Timestamp;

use super::PostgresState;
use super::instructions::{self, Instruction, Place};
use super::lane::Op;
use super::objects::ids_of;
use super::reader::reading;
use super::unit::{Unit, Wants, keys};
use crate::link::state::{
    self, Answer, Blob, Changed, Parcel, Sent, Session, StateResult, Written,
};
use crate::link::wake::Topic;
use crate::store::EXPIRED_KEPT;

/// Expired instructions that are forgotten in one statement.
const EXPIRED_AT_ONCE: i64 = 1000;

#[derive(Debug)]
struct InsertInstructions {
    run: RunId,
    instructions: Vec<Parcel>,
}

#[async_trait]
impl Op for InsertInstructions {
    type Out = (Sent, Changed);

    fn wants(&self, wants: &mut Wants) {
        wants.runs.insert(self.run);
        for Parcel { message, tree } in &self.instructions {
            wants.nodes.insert(message.metadata.dst);
            wants.instructions.insert((self.run, message.metadata.id));
            wants.objects.extend(keys(self.run, ids_of(tree)));
        }
    }

    async fn apply(&self, unit: &mut Unit<'_>) -> StateResult<Self::Out> {
        unit.require_running(self.run).await?;
        for parcel in &self.instructions {
            unit.check(self.run, &parcel.tree).await?;
        }
        let (mut inserted, mut changed) = (Sent::default(), Changed::default());
        for parcel in &self.instructions {
            let (node, id) = (parcel.message.metadata.dst, parcel.message.metadata.id);
            let known = unit.node(node).await?.is_some();
            inserted.ids.push(known.then_some(id));
            if known {
                let is_whole = unit.insert_instruction(parcel, &mut inserted).await?;
                changed.wake.extend(is_whole.then_some(Topic::Node(node)));
            }
        }
        inserted.missing.sort_unstable();
        inserted.missing.dedup();
        Ok((inserted, changed))
    }
}

#[derive(Debug)]
struct ClaimMessage {
    node: NodeId,
    session: Session,
    now: Timestamp,
}

#[async_trait]
impl Op for ClaimMessage {
    type Out = Option<Parcel>;

    fn wants(&self, wants: &mut Wants) {
        wants.claims.insert(self.node, self.now);
    }

    async fn apply(&self, unit: &mut Unit<'_>) -> StateResult<Self::Out> {
        unit.claim(self.node, self.session, self.now).await
    }
}

#[derive(Debug)]
struct InsertReply {
    reply: Parcel,
    now: Timestamp,
}

#[async_trait]
impl Op for InsertReply {
    type Out = (Vec<ObjectId>, Changed);

    fn wants(&self, wants: &mut Wants) {
        let Parcel { message, tree } = &self.reply;
        let (run, id) = (message.metadata.run, message.metadata.id);
        let asked = message.metadata.reply_to.unwrap_or(id);
        wants.runs.insert(run);
        wants.instructions.insert((run, asked));
        wants.replies.insert((run, id));
        wants.objects.extend(keys(run, ids_of(tree)));
        wants.trees.insert((run, asked));
    }

    async fn apply(&self, unit: &mut Unit<'_>) -> StateResult<Self::Out> {
        unit.insert_reply(&self.reply, self.now).await
    }
}

#[derive(Debug)]
struct Settle {
    run: RunId,
    reply: Message,
    blob: Blob,
    flawed: Option<MessageId>,
}

#[async_trait]
impl Op for Settle {
    type Out = Vec<ObjectId>;

    fn wants(&self, wants: &mut Wants) {
        let asked = self.reply.metadata.reply_to;
        wants.runs.insert(self.run);
        wants
            .instructions
            .extend(asked.map(|asked| (self.run, asked)));
        wants.trees.extend(asked.map(|asked| (self.run, asked)));
        wants.objects.insert((self.run, self.reply.metadata.id));
    }

    async fn apply(&self, unit: &mut Unit<'_>) -> StateResult<Self::Out> {
        unit.settle(self.run, &self.reply, &self.blob, self.flawed)
            .await
    }
}

#[derive(Debug)]
struct Confirm {
    run: RunId,
    message: MessageId,
}

#[async_trait]
impl Op for Confirm {
    type Out = Vec<ObjectId>;

    fn wants(&self, wants: &mut Wants) {
        let key = (self.run, self.message);
        wants.runs.insert(self.run);
        wants.instructions.insert(key);
        wants.replies.insert(key);
        wants.trees.insert(key);
    }

    async fn apply(&self, unit: &mut Unit<'_>) -> StateResult<Self::Out> {
        unit.confirm(self.run, self.message).await
    }
}

impl Unit<'_> {
    /// Whether the instruction is new, and whole.
    async fn insert_instruction(
        &mut self,
        parcel: &Parcel,
        inserted: &mut Sent,
    ) -> StateResult<bool> {
        let Parcel { message, tree } = parcel;
        let (run, id) = (message.metadata.run, message.metadata.id);
        if self.instruction((run, id)).await?.is_some() {
            inserted.missing.extend(self.missing(run, tree).await?);
            return Ok(false);
        }
        let missing = self.announce(run, tree).await?;
        self.await_for(run, id, &missing);
        let is_whole = missing.is_empty();
        let instruction = Instruction {
            message: message.clone(),
            missing: i64::try_from(missing.len()).unwrap_or(i64::MAX),
            place: if is_whole {
                self.next_place()
            } else {
                Place::None
            },
            taken: false,
            reply: None,
        };
        self.instructions.put((run, id), instruction);
        self.touched.insert(message.metadata.dst);
        inserted.missing.extend(missing);
        Ok(is_whole)
    }

    /// The oldest instruction that the node can have. A node that asks again without having
    /// confirmed never got the last answer.
    async fn claim(
        &mut self,
        node: NodeId,
        session: Session,
        now: Timestamp,
    ) -> StateResult<Option<Parcel>> {
        let holder = self.node(node).await?;
        let Some(holder) = holder.filter(|holder| holder.session == session) else {
            return Ok(None);
        };
        if let Some(lost) = holder.unconfirmed {
            let instruction = self.instruction(lost).await?;
            if instruction.is_some_and(|lost| lost.reply.is_none()) {
                self.change_instruction(lost, |lost| lost.taken = false);
            }
            self.hand_out(node, None);
        }
        let Some(key) = self.next_for(node, now).await? else {
            return Ok(None);
        };
        // What was read may have been written, and forgotten.
        self.node(node).await?;
        let Some(message) = self
            .instruction(key)
            .await?
            .map(|next| next.message.clone())
        else {
            return Ok(None);
        };
        self.change_instruction(key, |next| next.taken = true);
        self.hand_out(node, Some(key));
        let tree = self.tree(key.0, key.1).await?;
        Ok(Some(Parcel { message, tree }))
    }

    /// What the node took and has no whole reply to can be taken again; half a reply goes.
    pub(super) async fn unclaim(&mut self, node: NodeId) -> StateResult<Vec<ObjectId>> {
        let tx = self.direct().await?;
        let taken = instructions::unanswered(tx, node).await?;
        self.read_instructions(taken.iter().copied()).await?;
        let mut freed = Vec::new();
        for key in taken {
            let half = self.instruction(key).await?.and_then(|taken| taken.reply);
            self.change_instruction(key, |taken| {
                taken.taken = false;
                taken.reply = None;
            });
            if let Some(half) = half {
                self.remove_reply((key.0, half)).await?;
                freed.extend(self.release(key.0, half).await?);
            }
        }
        Ok(freed)
    }

    /// Forgets what expired a while ago.
    pub(super) async fn drop_expired(&mut self, now: Timestamp) -> StateResult<Vec<ObjectId>> {
        let before = Timestamp::from_secs(now.as_secs() - EXPIRED_KEPT);
        let mut freed = Vec::new();
        loop {
            let tx = self.direct().await?;
            let over = instructions::expired(tx, before, EXPIRED_AT_ONCE).await?;
            if over.is_empty() {
                return Ok(freed);
            }
            self.read_instructions(over.iter().copied()).await?;
            let replies = over.iter().filter_map(|key| {
                let reply = self.instructions.get(*key)?.reply?;
                Some((key.0, reply))
            });
            let replies: Vec<_> = replies.collect();
            self.read_replies(replies.iter().copied()).await?;
            self.read_trees(over.iter().copied().chain(replies)).await?;
            for key in over {
                freed.extend(self.drop_instruction(key).await?);
            }
        }
    }

    async fn drop_instruction(&mut self, key: (RunId, MessageId)) -> StateResult<Vec<ObjectId>> {
        let mut freed = Vec::new();
        let run = key.0;
        let reply = self.instruction(key).await?.and_then(|asked| asked.reply);
        let reply = reply.and_then(|reply| self.replies.get((run, reply)));
        let reply = reply.map(|reply| (reply.message.metadata.id, reply.missing));
        if reply.is_none_or(|(_, missing)| missing > 0) {
            freed.extend(self.release(run, key.1).await?);
        }
        if let Some((reply, _)) = reply {
            self.remove_reply((run, reply)).await?;
            freed.extend(self.release(run, reply).await?);
        }
        self.remove_instruction(key).await?;
        Ok(freed)
    }
}

#[async_trait]
impl state::Messages for PostgresState {
    async fn insert_instructions(&self, run: RunId, instructions: Vec<Parcel>) -> Written<Sent> {
        let insert = InsertInstructions { run, instructions };
        self.change(insert, |_| {}).await
    }

    async fn claim_message(
        &self,
        node: NodeId,
        session: Session,
        now: Timestamp,
    ) -> StateResult<Option<Parcel>> {
        // Before the look: what is written after it makes this number old.
        let Some(version) = self.presence.worth_a_look(node, session) else {
            return Ok(None);
        };
        let outlook = self.looks.ask(node, now).await?;
        // What is not heard, a look finds.
        if outlook.nothing_queued && self.wakes.is_whole() {
            self.presence.has_nothing(node, version);
        }
        if !outlook.anything {
            return Ok(None);
        }
        self.lane.write(ClaimMessage { node, session, now }).await
    }

    async fn insert_reply(&self, reply: Parcel, now: Timestamp) -> Written<Vec<ObjectId>> {
        self.lane.write(InsertReply { reply, now }).await
    }

    async fn answers(
        &self,
        run: RunId,
        instructions: &[MessageId],
        now: Timestamp,
    ) -> StateResult<Vec<Answer>> {
        let answers = self.known_answers(run, instructions, now).await?;
        let mut gone = answers
            .iter()
            .filter_map(Answer::node_that_is_gone)
            .peekable();
        if gone.peek().is_none() || !self.wakes.has_neighbours() {
            return Ok(answers);
        }
        // What is told now is final, and another SuperLink may have heard the nodes.
        let gone: Vec<_> = gone.collect();
        self.find(&gone).await?;
        self.follow(now).await?;
        self.known_answers(run, instructions, now).await
    }

    async fn settle(
        &self,
        run: RunId,
        reply: Message,
        blob: Blob,
        flawed: Option<MessageId>,
    ) -> Written<()> {
        let settle = Settle {
            run,
            reply,
            blob,
            flawed,
        };
        Ok(((), Changed::freed(self.lane.write(settle).await?)))
    }

    async fn is_awaited(&self, node: NodeId) -> StateResult<bool> {
        reading!(self, tx => instructions::any_unanswered(tx, node))
    }

    async fn confirm(&self, run: RunId, message: MessageId) -> Written<()> {
        let confirm = Confirm { run, message };
        Ok(((), Changed::freed(self.lane.write(confirm).await?)))
    }
}
