//! The reply, as the ClientApp delivers it: announced first, then object by object, and at last
//! the Context.
//!
//! The SuperLink hears of a reply only when it is complete. Were it announced earlier and the
//! ClientApp then died, the ServerApp would wait for objects that nobody has any more.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use flwr_core::context::Context;
use flwr_core::id::NodeId;
use flwr_core::message::{Metadata, Parcel};
use flwr_core::object::ObjectId;
use flwr_core::refusal::Refusal;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::store::Reply;

/// What the ClientApp gives back for one instruction.
#[derive(Debug)]
pub(crate) struct Outbox {
    content: Mutex<Content>,
    progress: watch::Sender<Progress>,
}

/// How far the ClientApp has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The reply and all its objects are here.
    pub(crate) is_answered: bool,
    /// The Context is here: the ClientApp has nothing more to say.
    pub(crate) is_finished: bool,
}

#[derive(Debug, Default)]
struct Content {
    reply: Option<Reply>,
    /// Announced, and not here yet.
    missing: BTreeSet<ObjectId>,
    context: Option<Context>,
    /// Why the ClientApp failed, if it said so.
    failure: Option<String>,
}

impl Default for Outbox {
    fn default() -> Self {
        Self {
            content: Mutex::default(),
            progress: watch::Sender::new(Progress::default()),
        }
    }
}

impl Outbox {
    /// Takes the announcement of a reply; gives the ids of the objects it still lacks. The same
    /// announcement twice is a repeated call.
    pub(crate) fn announce(
        &self,
        instruction: &Metadata,
        node: NodeId,
        reply: Parcel,
    ) -> Result<Vec<ObjectId>, Refusal> {
        check(&reply.message.metadata, instruction, node)?;
        let Parcel { message, tree } = reply;
        let mut content = self.content.lock();
        if let Some(before) = &content.reply {
            let is_same = before.tree == tree;
            return if is_same {
                Ok(content.missing.iter().copied().collect())
            } else {
                Err(Refusal::AlreadyAnswered(instruction.id))
            };
        }
        content.missing = tree.post_order().iter().map(|part| part.id).collect();
        content.reply = Some(Reply {
            message,
            tree,
            objects: HashMap::new(),
            worked: None,
        });
        Ok(content.missing.iter().copied().collect())
    }

    /// Takes an object, whose bytes were checked. False: it was not announced.
    pub(crate) fn put(&self, id: ObjectId, object: Bytes) -> bool {
        let mut content = self.content.lock();
        let content = &mut *content;
        let Some(reply) = &mut content.reply else {
            return false;
        };
        if !content.missing.remove(&id) {
            return reply.objects.contains_key(&id);
        }
        reply.objects.insert(id, object);
        if content.missing.is_empty() {
            self.progress
                .send_modify(|progress| progress.is_answered = true);
        }
        true
    }

    /// Takes the Context: the ClientApp is done.
    pub(crate) fn finish(&self, context: Option<Context>) {
        self.content.lock().context = context;
        self.progress
            .send_modify(|progress| progress.is_finished = true);
    }

    /// Takes the reason for which the ClientApp failed. Its Context follows.
    pub(crate) fn fail(&self, reason: String) {
        self.content.lock().failure = Some(reason);
    }

    /// Waits until the ClientApp has come as far as `wanted` says.
    pub(crate) async fn until(&self, wanted: impl Fn(Progress) -> bool) {
        // The sender is in `self`: it outlives this wait.
        let _ = self
            .progress
            .subscribe()
            .wait_for(|progress| wanted(*progress))
            .await;
    }

    pub(crate) fn progress(&self) -> Progress {
        *self.progress.borrow()
    }

    /// The reply, if it is complete. Once.
    pub(crate) fn take_reply(&self) -> Option<Reply> {
        let mut content = self.content.lock();
        content
            .missing
            .is_empty()
            .then(|| content.reply.take())
            .flatten()
    }

    /// Why the ClientApp failed, if it said so. Once.
    pub(crate) fn take_failure(&self) -> Option<String> {
        self.content.lock().failure.take()
    }

    /// The Context, if it came. Once.
    pub(crate) fn take_context(&self) -> Option<Context> {
        self.content.lock().context.take()
    }
}

/// Whether the reply answers this instruction, for this node.
fn check(reply: &Metadata, instruction: &Metadata, node: NodeId) -> Result<(), Refusal> {
    if reply.run != instruction.run {
        return Err(Refusal::OtherRun {
            message: reply.id,
            run: instruction.run,
            found: reply.run,
        });
    }
    let reply_to = reply.reply_to.map(|id| id.to_string()).unwrap_or_default();
    let pairs = [
        (
            "metadata.src_node_id",
            reply.src.to_string(),
            node.to_string(),
        ),
        (
            "metadata.reply_to_message_id",
            reply_to,
            instruction.id.to_string(),
        ),
    ];
    for (field, found, expected) in pairs {
        if found != expected {
            let problem = format!("is {found}; {expected} is expected");
            return Err(Refusal::Field { field, problem });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
