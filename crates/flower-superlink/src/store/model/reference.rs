//! The model: what has been promised, said as plainly as possible. Nothing is counted; what is
//! needed is looked for each time.

use std::collections::{BTreeSet, HashMap, HashSet};

use flwr_core::id::NodeId;
use flwr_core::message::{Message, MessageId};
use flwr_core::object::{ObjectId, ObjectTree};
use flwr_core::time::Timestamp;

use super::NODES;
use super::life::{Node, Task};
use crate::link::state::{Parcel, RETURN};
use crate::store::EXPIRED_KEPT;
use crate::store::battery::world::Sent;

/// What is to be told of an instruction.
#[derive(Debug, PartialEq)]
pub(super) enum Told {
    Reply(MessageId),
    Waiting(Timestamp),
    Unknown,
    Expired,
    ReplyExpired,
    NodeLost,
    NodeLeft,
}

#[derive(Debug, Default)]
pub(super) struct Reference {
    pub(super) nodes: [Option<Node>; NODES],
    pub(super) task: Task,
    instructions: HashMap<MessageId, Instruction>,
    replies: HashMap<MessageId, Parcel>,
    arrived: HashSet<ObjectId>,
    rewound: bool,
}

#[derive(Debug)]
struct Instruction {
    parcel: Parcel,
    taken: bool,
    reply: Option<MessageId>,
}

impl Reference {
    pub(super) fn register(
        &mut self,
        node: usize,
        fresh: NodeId,
        until: Timestamp,
    ) -> (NodeId, bool) {
        let is_known = self.nodes[node].is_some();
        let known = self.nodes[node].get_or_insert(Node::new(fresh));
        known.begin(until);
        let id = known.id;
        let whole: HashSet<_> = self
            .replies
            .keys()
            .filter(|r| self.is_whole(**r))
            .copied()
            .collect();
        for instruction in self.instructions.values_mut() {
            let its = instruction.parcel.message.metadata.dst == id && instruction.taken;
            if its
                && instruction
                    .reply
                    .is_none_or(|reply| !whole.contains(&reply))
            {
                instruction.taken = false;
                let half = instruction.reply.take();
                half.map(|half| self.replies.remove(&half));
            }
        }
        self.forget_objects();
        (id, is_known)
    }

    pub(super) fn leave(&mut self, node: usize) {
        self.nodes[node] = None;
    }

    pub(super) fn keep(&mut self, node: usize, until: Timestamp) -> bool {
        let known = self.nodes[node].as_mut();
        known.map(|node| node.keep(until)).is_some()
    }

    /// Whether its node is known, and what is missing; `None` if it is refused.
    pub(super) fn send(&mut self, sent: &Sent) -> Option<(bool, Vec<ObjectId>)> {
        let node = sent.parcel.message.metadata.dst;
        if !self.nodes.iter().flatten().any(|known| known.id == node) {
            return Some((false, Vec::new()));
        }
        self.instructions.entry(sent.id()).or_insert(Instruction {
            parcel: sent.parcel.clone(),
            taken: false,
            reply: None,
        });
        Some((true, self.missing(&sent.parcel.tree)))
    }

    pub(super) fn arrive(&mut self, object: ObjectId) -> bool {
        let kept = self.knows(object) && self.arrived.insert(object);
        // A reply that is whole now relieves its instruction.
        self.forget_objects();
        kept
    }

    /// The instructions that the node may be given.
    pub(super) fn claimable(&self, node: usize, now: Timestamp) -> BTreeSet<MessageId> {
        let Some(node) = &self.nodes[node] else {
            return BTreeSet::new();
        };
        let open = self.instructions.iter().filter(|(id, instruction)| {
            let metadata = &instruction.parcel.message.metadata;
            let lost = node.in_hand == Some(**id) && instruction.reply.is_none();
            metadata.dst == node.id
                && metadata.expires_at() > now
                && (!instruction.taken || lost)
                && self.missing(&instruction.parcel.tree).is_empty()
                && instruction.reply.is_none_or(|reply| !self.is_whole(reply))
        });
        open.map(|(id, _)| *id).collect()
    }

    pub(super) fn claimed(&mut self, node: usize, id: MessageId) {
        let before = self.nodes[node]
            .as_mut()
            .and_then(|node| node.in_hand.replace(id));
        // It is handed out again later, if this one is another.
        if let Some(lost) = before.and_then(|before| self.instructions.get_mut(&before)) {
            lost.taken &= lost.reply.is_some();
        }
        if let Some(instruction) = self.instructions.get_mut(&id) {
            instruction.taken = true;
        }
    }

    pub(super) fn parcel(&self, id: MessageId) -> Option<&Parcel> {
        self.instructions
            .get(&id)
            .map(|instruction| &instruction.parcel)
    }

    pub(super) fn confirm(&mut self, message: MessageId) -> bool {
        let there = self.instructions.contains_key(&message);
        for node in self.nodes.iter_mut().flatten() {
            node.in_hand = node.in_hand.filter(|in_hand| *in_hand != message || !there);
        }
        if self.is_whole(message) {
            self.replies.remove(&message);
            self.instructions
                .retain(|_, instruction| instruction.reply != Some(message));
            self.forget_objects();
        }
        true
    }

    /// What is missing of a reply; `None` if it is refused.
    pub(super) fn reply(&mut self, reply: &Sent, now: Timestamp) -> Option<Vec<ObjectId>> {
        let metadata = &reply.parcel.message.metadata;
        let asked = self.instructions.get_mut(&metadata.reply_to?)?;
        let about = &asked.parcel.message.metadata;
        let fits = about.dst == metadata.src && about.expires_at() > now;
        if !fits || asked.reply.is_some_and(|first| first != reply.id()) {
            return None;
        }
        if asked.reply.is_none() {
            asked.reply = Some(reply.id());
            self.replies.insert(reply.id(), reply.parcel.clone());
        }
        let missing = self.missing(&reply.parcel.tree);
        self.forget_objects();
        Some(missing)
    }

    pub(super) fn answer(&self, id: MessageId, now: Timestamp) -> Option<Told> {
        let Some(instruction) = self.instructions.get(&id) else {
            return Some(Told::Unknown);
        };
        let about = &instruction.parcel.message.metadata;
        if let Some(reply) = instruction.reply.filter(|reply| self.is_whole(*reply)) {
            let metadata = &self.replies[&reply].message.metadata;
            let is_old = metadata.src != NodeId::SUPERLINK && metadata.expires_at() < now;
            return Some(if is_old {
                Told::ReplyExpired
            } else {
                Told::Reply(reply)
            });
        }
        if about.expires_at() < now {
            return Some(Told::Expired);
        }
        let node = self
            .nodes
            .iter()
            .flatten()
            .find(|node| node.id == about.dst);
        let Some(node) = node else {
            return Some(Told::NodeLeft);
        };
        let until = node.until + if node.left { RETURN } else { 0.0 };
        Some(match node.left {
            _ if until >= now => Told::Waiting(until.min(about.expires_at())),
            true => Told::NodeLeft,
            false => Told::NodeLost,
        })
    }

    /// The SuperLink's own word in place of what cannot come any more.
    pub(super) fn settle(&mut self, error: &Message, _now: Timestamp) {
        let id = error.metadata.id;
        let asked = error
            .metadata
            .reply_to
            .and_then(|asked| self.instructions.get_mut(&asked));
        if let Some(old) = asked.and_then(|asked| asked.reply.replace(id)) {
            self.replies.remove(&old);
        }
        let tree = ObjectTree::leaf(id);
        let message = error.clone();
        self.replies.insert(id, Parcel { message, tree });
        self.arrived.insert(id);
        self.forget_objects();
    }

    pub(super) fn expire(&mut self, now: Timestamp) {
        let over = |instruction: &Instruction| {
            instruction.parcel.message.metadata.expires_at() + EXPIRED_KEPT < now
        };
        let replies: Vec<_> = self
            .instructions
            .values()
            .filter(|i| over(i))
            .filter_map(|i| i.reply)
            .collect();
        self.instructions
            .retain(|_, instruction| !over(instruction));
        self.replies.retain(|id, _| !replies.contains(id));
        self.forget_objects();
    }

    pub(super) fn rewind(&mut self) -> bool {
        if self.rewound {
            return false;
        }
        self.rewound = true;
        self.task.rewind();
        self.instructions.clear();
        self.replies.clear();
        self.forget_objects();
        true
    }

    pub(super) fn knows(&self, object: ObjectId) -> bool {
        let asked = self.instructions.values().filter(|instruction| {
            // A whole reply relieves its instruction.
            instruction.reply.is_none_or(|reply| !self.is_whole(reply))
        });
        let needed = asked.map(|instruction| &instruction.parcel);
        needed.chain(self.replies.values()).any(|parcel| {
            let parts = parcel.tree.post_order();
            parts.iter().any(|part| part.id == object)
        })
    }

    pub(super) fn needs_bytes(&self, object: ObjectId) -> bool {
        self.arrived.contains(&object) && self.knows(object)
    }

    fn is_whole(&self, reply: MessageId) -> bool {
        let reply = self.replies.get(&reply);
        reply.is_some_and(|reply| self.missing(&reply.tree).is_empty())
    }

    fn missing(&self, tree: &ObjectTree) -> Vec<ObjectId> {
        let parts = tree.post_order().into_iter().map(|part| part.id);
        let missing: BTreeSet<_> = parts.filter(|id| !self.arrived.contains(id)).collect();
        missing.into_iter().collect()
    }

    /// Objects that nobody needs have not arrived, should they be needed again.
    fn forget_objects(&mut self) {
        let gone: Vec<_> = self
            .arrived
            .iter()
            .filter(|id| !self.knows(**id))
            .copied()
            .collect();
        for object in gone {
            self.arrived.remove(&object);
        }
    }
}
