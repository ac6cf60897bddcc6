//! The messages of one run: instructions, their replies, and how far each has come.
//!
//! ```text
//! instruction: announced ─▶ whole ─▶ taken ─▶ answered (a whole reply is there) ─▶ confirmed
//! ```
//! An instruction keeps its objects until its reply is whole: should the node that took it die,
//! it can be handed out again. Both go when the ServerApp has confirmed the reply.

use std::collections::HashMap;

use async_trait::async_trait;
use flwr_core::id::{NodeId, RunId};
use flwr_core::message::{Message, MessageId, Metadata};
use flwr_core::object::ObjectId;
use flwr_core::time::Timestamp;

use super::{Inner, MemoryState};
use crate::link::state::{
    self, Answer, Blob, Changed, Outlook, Parcel, Role, Sent, Session, StateResult, Written,
};
use crate::link::wake::Topic;
use crate::store::EXPIRED_KEPT;
use crate::store::rules::{self, Stored};
use flwr_core::refusal::Refusal;

#[derive(Debug, Default)]
pub(super) struct Messages {
    instructions: HashMap<MessageId, Instruction>,
    replies: Replies,
}

#[derive(Debug, Default)]
struct Replies(HashMap<MessageId, Reply>);

#[derive(Debug)]
struct Instruction {
    message: Message,
    /// Objects whose bytes are not there.
    missing: usize,
    taken: bool,
    reply: Option<MessageId>,
}

#[derive(Debug)]
struct Reply {
    message: Message,
    missing: usize,
}

impl Messages {
    /// The whole instructions without a reply: whether each is taken, and when it was made.
    pub(super) fn unanswered(&self) -> impl Iterator<Item = (bool, Timestamp)> {
        let instructions = self.instructions.values();
        let open = instructions.filter(|open| open.missing == 0 && open.reply.is_none());
        open.map(|open| (open.taken, open.message.metadata.created_at))
    }

    pub(super) fn has_instruction(&self, id: MessageId) -> bool {
        self.instructions.contains_key(&id)
    }

    pub(super) fn has_instruction_for(&self, node: NodeId) -> bool {
        let mut instructions = self.instructions.values();
        instructions.any(|instruction| instruction.message.metadata.dst == node)
    }

    pub(super) fn awaits(&self, node: NodeId) -> bool {
        self.instructions.values().any(|instruction| {
            let is_for_node = instruction.message.metadata.dst == node;
            is_for_node && self.replies.whole(instruction.reply).is_none()
        })
    }

    /// The messages to which the node is this.
    pub(super) fn of_node(&self, node: NodeId, role: Role) -> Vec<MessageId> {
        let id_of = |message: &Message| message.metadata.id;
        match role {
            Role::Receiver => {
                let all = self.instructions.values().map(|asked| &asked.message);
                all.filter(|message| message.metadata.dst == node)
                    .map(id_of)
                    .collect()
            }
            Role::Sender => {
                let all = self.replies.0.values().map(|reply| &reply.message);
                all.filter(|message| message.metadata.src == node)
                    .map(id_of)
                    .collect()
            }
        }
    }

    pub(super) fn add_instruction(&mut self, message: Message, missing: usize) {
        let id = message.metadata.id;
        self.instructions.insert(
            id,
            Instruction {
                message,
                missing,
                taken: false,
                reply: None,
            },
        );
    }

    pub(super) fn claim(&mut self, id: MessageId, now: Timestamp) -> Option<Message> {
        let instruction = self.instructions.get_mut(&id)?;
        // One that was whole before its run began again may not be now.
        let open = instruction.missing == 0
            && !instruction.taken
            && !self.replies.has_whole(instruction.reply)
            && instruction.message.metadata.expires_at() > now;
        if !open {
            return None;
        }
        instruction.taken = true;
        Some(instruction.message.clone())
    }

    /// The instructions that this node took and has no whole reply to, now to be taken again,
    /// and the half replies to them.
    pub(super) fn unclaim(&mut self, node: NodeId) -> (Vec<MessageId>, Vec<MessageId>) {
        let (mut unclaimed, mut halves) = (Vec::new(), Vec::new());
        for (id, instruction) in &mut self.instructions {
            let its = instruction.message.metadata.dst == node && instruction.taken;
            if !its || self.replies.has_whole(instruction.reply) {
                continue;
            }
            instruction.taken = false;
            unclaimed.push((instruction.message.metadata.created_at, *id));
            halves.extend(instruction.reply.take());
        }
        for half in &halves {
            self.replies.0.remove(half);
        }
        unclaimed.sort_unstable();
        (unclaimed.into_iter().map(|(_, id)| id).collect(), halves)
    }

    /// The message never reached its node. Whether it can be handed out again.
    pub(super) fn unclaim_one(&mut self, id: MessageId) -> bool {
        let lost = self
            .instructions
            .get_mut(&id)
            .filter(|lost| lost.reply.is_none());
        lost.map(|lost| lost.taken = false).is_some()
    }

    pub(super) fn destination(&self, id: MessageId) -> Option<NodeId> {
        self.instructions
            .get(&id)
            .map(|instruction| instruction.message.metadata.dst)
    }

    pub(super) fn admit_reply(&self, reply: &Metadata, now: Timestamp) -> Result<Stored, Refusal> {
        let asked = reply.reply_to.unwrap_or(reply.id);
        let unknown = Refusal::UnknownInstruction(asked);
        let instruction = self.instructions.get(&asked).ok_or(unknown)?;
        rules::admit_reply(&instruction.message.metadata, instruction.reply, reply, now)
    }

    /// Stores an admitted reply. Gives the instruction if it is thereby answered.
    pub(super) fn add_reply(&mut self, message: Message, missing: usize) -> Option<MessageId> {
        let (id, instruction) = (message.metadata.id, message.metadata.reply_to?);
        self.instructions.get_mut(&instruction)?.reply = Some(id);
        self.replies.0.insert(id, Reply { message, missing });
        (missing == 0).then_some(instruction)
    }

    /// One more object of the instruction arrived: its node, if it is now whole.
    pub(super) fn instruction_progressed(&mut self, id: MessageId) -> Option<NodeId> {
        let instruction = self.instructions.get_mut(&id)?;
        instruction.missing = instruction.missing.saturating_sub(1);
        (instruction.missing == 0).then_some(instruction.message.metadata.dst)
    }

    /// One more object of the reply arrived: its instruction, if the reply is now whole.
    pub(super) fn reply_progressed(&mut self, id: MessageId) -> Option<MessageId> {
        let reply = self.replies.0.get_mut(&id)?;
        reply.missing = reply.missing.saturating_sub(1);
        if reply.missing == 0 {
            reply.message.metadata.reply_to
        } else {
            None
        }
    }

    /// The whole reply, or what there is to say in its place.
    pub(super) fn answer(
        &self,
        id: MessageId,
        now: Timestamp,
        outlook: impl Fn(NodeId) -> Option<Outlook>,
    ) -> Result<&Message, Answer> {
        let instruction = self.instructions.get(&id).ok_or(Answer::Unknown)?;
        let whole = self.replies.whole(instruction.reply);
        rules::answer(&instruction.message.metadata, whole, now, outlook)
    }

    /// Stores an error of the SuperLink's own, and gives the messages that need their objects no
    /// more. `None`: a whole reply is there, and stays, unless it is too old to be taken, or
    /// `flawed`.
    pub(super) fn settle(
        &mut self,
        reply: Message,
        flawed: Option<MessageId>,
    ) -> Option<Vec<MessageId>> {
        let (id, made_at) = (reply.metadata.id, reply.metadata.created_at);
        let mut replaced = Vec::new();
        let asked = reply.metadata.reply_to;
        if let Some(instruction) = asked.and_then(|asked| self.instructions.get_mut(&asked)) {
            let whole = self.replies.whole(instruction.reply);
            let stands = |reply: &Message| {
                let Metadata { id, .. } = reply.metadata;
                reply.metadata.expires_at() >= made_at && Some(id) != flawed
            };
            if whole.is_some_and(stands) {
                return None;
            }
            if whole.is_none() {
                // Until now the instruction held its objects.
                replaced.push(instruction.message.metadata.id);
            }
            replaced.extend(instruction.reply.replace(id));
        }
        for reply in &replaced {
            self.replies.0.remove(reply);
        }
        self.replies.0.insert(
            id,
            Reply {
                message: reply,
                missing: 0,
            },
        );
        Some(replaced)
    }

    /// Forgets a reply that arrived, and its instruction. Whether there was one; nobody can have
    /// pulled half a reply.
    pub(super) fn confirm(&mut self, id: MessageId) -> bool {
        if !self.replies.has_whole(Some(id)) {
            return false;
        }
        let Some(reply) = self.replies.0.remove(&id) else {
            return false;
        };
        if let Some(instruction) = reply.message.metadata.reply_to {
            self.instructions.remove(&instruction);
        }
        true
    }

    /// Forgets what expired a while ago. Gives the messages that held objects.
    pub(super) fn drop_expired(&mut self, now: Timestamp) -> Vec<MessageId> {
        let mut roots = Vec::new();
        let replies = &mut self.replies;
        self.instructions.retain(|id, instruction| {
            let over = instruction.message.metadata.expires_at() + EXPIRED_KEPT < now;
            if over {
                if !replies.has_whole(instruction.reply) {
                    roots.push(*id);
                }
                let reply = instruction
                    .reply
                    .filter(|reply| replies.0.remove(reply).is_some());
                roots.extend(reply);
            }
            !over
        });
        roots
    }
}

impl Replies {
    /// Whether a reply is there with all its objects.
    fn has_whole(&self, reply: Option<MessageId>) -> bool {
        self.whole(reply).is_some()
    }

    fn whole(&self, reply: Option<MessageId>) -> Option<&Message> {
        let reply = self.0.get(&reply?)?;
        (reply.missing == 0).then_some(&reply.message)
    }
}

impl Inner {
    /// The first message in the node's queue that can still be handed out. What cannot falls out
    /// of the queue. A node that asks again without having confirmed never got the last answer.
    pub(super) fn claim(&mut self, node: NodeId, now: Timestamp) -> Option<Parcel> {
        if let Some((run, message)) = self.nodes.take_unconfirmed(node)
            && self
                .runs
                .get_mut(&run)
                .is_some_and(|state| state.unclaim_one(message))
        {
            self.nodes.wait_first(node, run, message);
        }
        while let Some((run, message)) = self.nodes.next_waiting(node) {
            let Some(state) = self.runs.get_mut(&run) else {
                continue;
            };
            if let Some(parcel) = state.claim(message, now) {
                self.nodes.handed_out(node, run, message);
                return Some(parcel);
            }
        }
        None
    }
}

#[async_trait]
impl state::Messages for MemoryState {
    async fn insert_instructions(&self, run: RunId, instructions: Vec<Parcel>) -> Written<Sent> {
        let mut inner = self.0.lock();
        let Inner { nodes, runs, .. } = &mut *inner;
        let state = runs.get_mut(&run).ok_or(Refusal::UnknownRun(run))?;
        state.require_running()?;
        let instructed = state.insert_instructions(instructions, |node| nodes.contains(node))?;
        let mut changed = Changed::default();
        for (node, message) in instructed.whole {
            nodes.wait(node, run, message);
            changed.wake.push(Topic::Node(node));
        }
        Ok((instructed.inserted, changed))
    }

    async fn claim_message(
        &self,
        node: NodeId,
        session: Session,
        now: Timestamp,
    ) -> StateResult<Option<Parcel>> {
        let mut inner = self.0.lock();
        if !inner.nodes.is_in_session(node, session) {
            return Ok(None);
        }
        Ok(inner.claim(node, now))
    }

    async fn insert_reply(&self, reply: Parcel, now: Timestamp) -> Written<Vec<ObjectId>> {
        let run = reply.message.metadata.run;
        Ok(self.0.lock().running(run)?.insert_reply(reply, now)?)
    }

    async fn answers(
        &self,
        run: RunId,
        instructions: &[MessageId],
        now: Timestamp,
    ) -> StateResult<Vec<Answer>> {
        let mut inner = self.0.lock();
        #[cfg(test)]
        {
            inner.looked_up += instructions.len();
        }
        let Inner { nodes, runs, .. } = &mut *inner;
        let state = runs.get_mut(&run).ok_or(Refusal::UnknownRun(run))?;
        state.require_running()?;
        let outlook = |node| nodes.outlook(node);
        Ok(instructions
            .iter()
            .map(|id| state.answer(*id, now, outlook))
            .collect())
    }

    async fn settle(
        &self,
        run: RunId,
        reply: Message,
        _: Blob,
        flawed: Option<MessageId>,
    ) -> Written<()> {
        let freed = self.0.lock().running(run)?.settle(reply, flawed);
        Ok(((), Changed::freed(freed)))
    }

    async fn is_awaited(&self, node: NodeId) -> StateResult<bool> {
        let inner = self.0.lock();
        let mut runs = inner.runs.values();
        Ok(runs.any(|state| state.awaits(node)))
    }

    async fn confirm(&self, run: RunId, message: MessageId) -> Written<()> {
        let mut inner = self.0.lock();
        let state = inner.running(run)?;
        let freed = state.confirm(message);
        if let Some(node) = state.destination(message) {
            inner.nodes.confirmed(node, run, message);
        }
        Ok(((), Changed::freed(freed)))
    }
}
