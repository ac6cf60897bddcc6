//! One run: its status, its ServerApp's Context, its messages, objects and log.

use std::collections::HashSet;

use flwr_core::context::Context;
use flwr_core::id::NodeId;
use flwr_core::message::{Message, MessageId};
use flwr_core::object::ObjectId;
use flwr_core::run::{Phase, Run, RunStatus};
use flwr_core::time::Timestamp;

use super::logs::Log;
use super::messages::Messages;
use super::metrics::Metrics;
use super::objects::Objects;
use crate::link::state::{Answer, Changed, Outlook, Parcel, Role, Sent, Traffic};
use crate::link::wake::Topic;
use crate::store::rules::{self, Stored};
use flwr_core::refusal::Refusal;

#[derive(Debug)]
pub(super) struct RunState {
    run: Run,
    pub(super) context: Context,
    first_context: Context,
    resumed: bool,
    pub(super) log: Log,
    pub(super) metrics: Metrics,
    pub(super) traffic: Traffic,
    messages: Messages,
    objects: Objects,
}

/// What became of pushed messages, with those that nodes can take.
#[derive(Debug, Default)]
pub(super) struct Instructed {
    pub(super) inserted: Sent,
    pub(super) whole: Vec<(NodeId, MessageId)>,
}

impl RunState {
    pub(super) fn new(run: Run, context: Context) -> Self {
        Self {
            run,
            first_context: context.clone(),
            context,
            resumed: false,
            log: Log::default(),
            metrics: Metrics::default(),
            traffic: Traffic::default(),
            messages: Messages::default(),
            objects: Objects::default(),
        }
    }

    pub(super) const fn run(&self) -> &Run {
        &self.run
    }

    /// The messages to nodes without a reply: whether the node has taken each, and when it was made.
    pub(super) fn unanswered(&self) -> impl Iterator<Item = (bool, Timestamp)> {
        self.messages.unanswered()
    }

    /// The objects of the messages to which the node is this.
    pub(super) fn objects_of(&self, node: NodeId, role: Role) -> HashSet<ObjectId> {
        self.objects.below(self.messages.of_node(node, role))
    }

    pub(super) const fn objects(&self) -> &Objects {
        &self.objects
    }

    pub(super) fn require_running(&self) -> Result<(), Refusal> {
        match self.run.status.phase {
            Phase::Running => Ok(()),
            phase => Err(Refusal::RunIs {
                run: self.run.id,
                phase,
            }),
        }
    }

    pub(super) fn require_unfinished(&self) -> Result<(), Refusal> {
        match self.run.status.phase {
            phase @ Phase::Finished(_) => Err(Refusal::RunIs {
                run: self.run.id,
                phase,
            }),
            _ => Ok(()),
        }
    }

    pub(super) fn change(&mut self, to: RunStatus, now: Timestamp) -> Result<(), Refusal> {
        let from = self.run.status.phase;
        rules::admit_phase(self.run.id, from, to.phase)?;
        match to.phase {
            Phase::Pending => {}
            Phase::Starting => self.run.starting_at = Some(now),
            Phase::Running => self.run.running_at = Some(now),
            Phase::Finished(_) => self.run.finished_at = Some(now),
        }
        self.run.status = to;
        Ok(())
    }

    /// Sets the run back to its beginning.
    pub(super) fn rewind(&mut self) -> Result<Vec<ObjectId>, Refusal> {
        self.require_unfinished()?;
        if self.resumed {
            return Err(Refusal::ResumedBefore(self.run.id));
        }
        self.resumed = true;
        self.run.status = RunStatus::plain(Phase::Pending);
        (self.run.starting_at, self.run.running_at) = (None, None);
        self.context = self.first_context.clone();
        self.metrics = Metrics::default();
        Ok(self.clear())
    }

    /// Lets go of all messages and objects.
    pub(super) fn clear(&mut self) -> Vec<ObjectId> {
        self.messages = Messages::default();
        self.objects.clear()
    }

    pub(super) fn insert_instructions(
        &mut self,
        instructions: Vec<Parcel>,
        is_node: impl Fn(NodeId) -> bool,
    ) -> Result<Instructed, Refusal> {
        for parcel in &instructions {
            self.objects.check(&parcel.tree)?;
        }
        let mut instructed = Instructed::default();
        for parcel in instructions {
            let node = parcel.message.metadata.dst;
            let id = is_node(node).then_some(parcel.message.metadata.id);
            if id.is_some() {
                self.insert_instruction(parcel, &mut instructed);
            }
            instructed.inserted.ids.push(id);
        }
        instructed.inserted.missing.sort_unstable();
        instructed.inserted.missing.dedup();
        Ok(instructed)
    }

    fn insert_instruction(&mut self, parcel: Parcel, instructed: &mut Instructed) {
        let (node, id) = (parcel.message.metadata.dst, parcel.message.metadata.id);
        if self.messages.has_instruction(id) {
            instructed
                .inserted
                .missing
                .extend(self.still_missing(&parcel));
            return;
        }
        let missing = self.objects.announce(&parcel.tree);
        self.objects.await_for(id, &missing);
        if missing.is_empty() {
            instructed.whole.push((node, id));
        }
        self.messages.add_instruction(parcel.message, missing.len());
        instructed.inserted.missing.extend(missing);
    }

    /// The objects of an announced message whose bytes did not come yet.
    fn still_missing(&self, parcel: &Parcel) -> Vec<ObjectId> {
        let objects = parcel.tree.post_order().into_iter().map(|tree| tree.id);
        let available = |id| {
            self.objects
                .entry(id)
                .is_some_and(|entry| entry.available())
        };
        let mut missing: Vec<_> = objects.filter(|id| !available(*id)).collect();
        missing.sort_unstable();
        missing.dedup();
        missing
    }

    /// Hands the instruction out, unless it is over, expired or taken already.
    pub(super) fn claim(&mut self, message: MessageId, now: Timestamp) -> Option<Parcel> {
        let message = self.messages.claim(message, now)?;
        let tree = self.objects.tree(message.metadata.id);
        Some(Parcel { message, tree })
    }

    /// What the node took and did not answer in full can be taken again; half a reply goes.
    pub(super) fn unclaim(&mut self, node: NodeId) -> (Vec<MessageId>, Vec<ObjectId>) {
        let (unclaimed, halves) = self.messages.unclaim(node);
        (unclaimed, self.release(halves))
    }

    /// The message never reached its node. Whether it can be handed out again.
    pub(super) fn unclaim_one(&mut self, message: MessageId) -> bool {
        self.messages.unclaim_one(message)
    }

    /// The node that an instruction is for.
    pub(super) fn destination(&self, instruction: MessageId) -> Option<NodeId> {
        self.messages.destination(instruction)
    }

    /// Whether an instruction for the node is there.
    pub(super) fn has_instruction_for(&self, node: NodeId) -> bool {
        self.messages.has_instruction_for(node)
    }

    /// Whether an instruction for the node has no whole reply.
    pub(super) fn awaits(&self, node: NodeId) -> bool {
        self.messages.awaits(node)
    }

    /// Bytes of its Contexts.
    pub(super) fn bytes(&self) -> u64 {
        (self.first_context.kept_bytes() + self.context.kept_bytes()) as u64
    }

    fn release(&mut self, roots: Vec<ObjectId>) -> Vec<ObjectId> {
        let released = roots.into_iter().map(|root| self.objects.release(root));
        released.flatten().collect()
    }

    pub(super) fn insert_reply(
        &mut self,
        reply: Parcel,
        now: Timestamp,
    ) -> Result<(Vec<ObjectId>, Changed), Refusal> {
        let metadata = &reply.message.metadata;
        if self.messages.admit_reply(metadata, now)? == Stored::Already {
            let missing = self.still_missing(&reply);
            let answered = metadata.reply_to.filter(|_| missing.is_empty());
            return Ok((missing, self.answered(answered)));
        }
        self.objects.check(&reply.tree)?;
        let id = reply.message.metadata.id;
        let missing = self.objects.announce(&reply.tree);
        self.objects.await_for(id, &missing);
        let answered = self.messages.add_reply(reply.message, missing.len());
        let mut changed = self.answered(answered);
        changed.freed.extend(
            answered
                .map(|instruction| self.objects.release(instruction))
                .into_iter()
                .flatten(),
        );
        Ok((missing.into_iter().collect(), changed))
    }

    /// The instruction has a whole reply, if it is one.
    fn answered(&self, instruction: Option<MessageId>) -> Changed {
        let mut changed = Changed::default();
        changed
            .wake
            .extend(instruction.map(|id| Topic::Reply(self.run.id, id)));
        changed
    }

    /// What changed, with the instructions that nodes can take now; `None` if nobody waits for it.
    pub(super) fn object_arrived(
        &mut self,
        object: ObjectId,
    ) -> Option<(Changed, Vec<(NodeId, MessageId)>)> {
        let waiting = self.objects.arrive(object)?;
        let (mut changed, mut whole) = (Changed::default(), Vec::new());
        for message in waiting {
            if let Some(node) = self.messages.instruction_progressed(message) {
                whole.push((node, message));
                changed.wake.push(Topic::Node(node));
            } else if let Some(instruction) = self.messages.reply_progressed(message) {
                changed.extend(self.answered(Some(instruction)));
                changed.freed.extend(self.objects.release(instruction));
            }
        }
        Some((changed, whole))
    }

    pub(super) fn answer(
        &self,
        instruction: MessageId,
        now: Timestamp,
        outlook: impl Fn(NodeId) -> Option<Outlook>,
    ) -> Answer {
        match self.messages.answer(instruction, now, outlook) {
            Ok(reply) => {
                let tree = self.objects.tree(reply.metadata.id);
                Answer::Reply(Box::new(Parcel {
                    message: reply.clone(),
                    tree,
                }))
            }
            Err(answer) => answer,
        }
    }

    pub(super) fn settle(&mut self, reply: Message, flawed: Option<MessageId>) -> Vec<ObjectId> {
        let id = reply.metadata.id;
        let tree = reply.childless_tree();
        let Some(replaced) = self.messages.settle(reply, flawed) else {
            return vec![id];
        };
        let known = self
            .objects
            .entry(id)
            .is_some_and(|entry| entry.available());
        // The same error in the same moment is one message.
        if !known {
            self.objects.announce(&tree);
            self.objects.arrive(id);
        }
        let mut freed = self.release(replaced);
        freed.extend(known.then_some(id));
        freed
    }

    pub(super) fn confirm(&mut self, message: MessageId) -> Vec<ObjectId> {
        if self.messages.confirm(message) {
            self.objects.release(message)
        } else {
            Vec::new()
        }
    }

    pub(super) fn drop_expired(&mut self, now: Timestamp) -> Vec<ObjectId> {
        let roots = self.messages.drop_expired(now);
        self.release(roots)
    }
}
