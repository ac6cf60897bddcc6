//! Replies on their way to ServerApps that confirm nothing: one that was handed out is confirmed
//! when its ServerApp asks again, and not for it.

use std::collections::{BTreeSet, HashMap};

use flwr_core::id::RunId;
use flwr_core::message::MessageId;
use parking_lot::Mutex;

/// The instructions of each run whose replies were handed out, and not confirmed; with the reply.
#[derive(Debug, Default)]
pub(super) struct HandedOut(Mutex<HashMap<RunId, HashMap<MessageId, MessageId>>>);

impl HandedOut {
    pub(super) fn note(&self, run: RunId, instruction: Option<MessageId>, reply: MessageId) {
        if let Some(instruction) = instruction {
            let mut runs = self.0.lock();
            runs.entry(run).or_default().insert(instruction, reply);
        }
    }

    /// The replies that have arrived: nobody asks for them any more.
    pub(super) fn take_not_asked(&self, run: RunId, asked: &[MessageId]) -> Vec<MessageId> {
        let asked: BTreeSet<_> = asked.iter().collect();
        let mut runs = self.0.lock();
        let Some(replies) = runs.get_mut(&run) else {
            return Vec::new();
        };
        let arrived = replies.extract_if(|instruction, _| !asked.contains(instruction));
        let arrived = arrived.map(|(_, reply)| reply).collect();
        if replies.is_empty() {
            runs.remove(&run);
        }
        arrived
    }
}
