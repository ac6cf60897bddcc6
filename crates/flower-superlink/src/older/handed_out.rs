//! Replies on their way to ServerApps that confirm nothing: one that was handed out is confirmed
//! when its ServerApp asks again, and not for it.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use flwr_core::id::RunId;
use flwr_core::message::MessageId;
use parking_lot::Mutex;
use tracing::error;

use super::message::{self, Whole};
use crate::error::Result;
use crate::link::Link;

/// The instructions of each run whose replies were handed out, and not confirmed; with the reply.
#[derive(Debug, Default)]
pub(super) struct HandedOut(Mutex<HashMap<RunId, HashMap<MessageId, MessageId>>>);

impl HandedOut {
    /// The replies that are there, as `make` makes them what the ServerApp knows. One that makes
    /// nothing is left out.
    pub(super) async fn replies<T>(
        &self,
        link: &Link,
        run: RunId,
        asked: &[MessageId],
        patience: Duration,
        make: impl Fn(Whole) -> std::result::Result<T, String>,
    ) -> Result<Vec<T>> {
        for reply in self.take_not_asked(run, asked) {
            link.confirm(run, reply).await?;
        }
        let mut replies = Vec::new();
        for parcel in link.replies(run, asked, patience).await? {
            let metadata = parcel.message.metadata.clone();
            match message::whole(link, parcel, &make).await? {
                Ok(reply) => {
                    self.note(run, metadata.reply_to, metadata.id);
                    replies.push(reply);
                }
                Err(why) => {
                    error!(run_id = %run, message_id = %metadata.id, why, "a reply cannot be put together, and is left out");
                }
            }
        }
        Ok(replies)
    }

    fn note(&self, run: RunId, instruction: Option<MessageId>, reply: MessageId) {
        if let Some(instruction) = instruction {
            let mut runs = self.0.lock();
            runs.entry(run).or_default().insert(instruction, reply);
        }
    }

    /// The replies that have arrived: nobody asks for them any more.
    fn take_not_asked(&self, run: RunId, asked: &[MessageId]) -> Vec<MessageId> {
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
