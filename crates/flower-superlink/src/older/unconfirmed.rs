//! Unconfirmed replies. ServerApps of flwr 1.8 to 1.18 never confirm a reply. We treat a reply as
//! confirmed when the ServerApp's next request no longer asks for it.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use flwr_core::id::RunId;
use flwr_core::message::MessageId;
use parking_lot::Mutex;
use tracing::error;

use super::message::{self, AssembledMessage};
use crate::error::Result;
use crate::link::Link;

/// The unconfirmed replies of each run, by the instruction that they answer.
#[derive(Debug, Default)]
pub(super) struct UnconfirmedReplies(Mutex<HashMap<RunId, HashMap<MessageId, MessageId>>>);

impl UnconfirmedReplies {
    /// Gives the available replies, converted by `make`. Logs and drops a reply that `make` refuses.
    pub(super) async fn replies<T>(
        &self,
        link: &Link,
        run: RunId,
        asked: &[MessageId],
        patience: Duration,
        make: impl Fn(AssembledMessage) -> std::result::Result<T, String>,
    ) -> Result<Vec<T>> {
        for reply in self.take_not_asked(run, asked) {
            link.confirm(run, reply).await?;
        }
        let mut replies = Vec::new();
        let parcels = link.replies(run, asked, patience).await?;
        forget_finished(&self.0, link).await?;
        for parcel in parcels {
            let metadata = parcel.message.metadata.clone();
            match message::assemble(link, parcel, &make).await? {
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

    /// Removes the replies that the ServerApp has received, as its request no longer asks for them.
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

/// Forgets finished runs. Their ServerApps send no sign of their end.
pub(super) async fn forget_finished<T>(runs: &Mutex<HashMap<RunId, T>>, link: &Link) -> Result<()> {
    let known: Vec<_> = runs.lock().keys().copied().collect();
    for run in known {
        let found = link.run(run).await?;
        if found.is_none_or(|run| run.status.phase.is_finished()) {
            runs.lock().remove(&run);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use flwr_core::config::UserConfig;
    use flwr_core::time::Timestamp;
    use flwr_daemon::clock::MockClock;
    use flwr_daemon::objects::Memory;
    use flwr_daemon::stop::Stopper;

    use super::*;
    use crate::link::{Holds, Parts};
    use crate::store::MemoryState;

    #[tokio::test]
    async fn what_was_handed_out_in_a_run_that_is_over_is_forgotten() {
        let link = Link::new(Parts {
            state: Arc::new(MemoryState::default()),
            objects: Arc::new(Memory::new()),
            fabs: Arc::new(Memory::new()),
            clock: Arc::new(MockClock::new(Timestamp::from_secs(1_750_000_100.0))),
            holds: Holds::default(),
            max_storage: None,
            stopper: Stopper::new(),
        });
        let run = || link.start_run_of_a_stranger(Default::default(), None, UserConfig::new());
        let (over, running) = (run().await.unwrap(), run().await.unwrap());
        let unconfirmed = UnconfirmedReplies::default();
        let (instruction, reply) = (MessageId::of(b"instruction"), MessageId::of(b"reply"));
        for run in [over, running] {
            unconfirmed.note(run, Some(instruction), reply);
        }
        link.stop_run(over).await.unwrap();
        unconfirmed
            .replies(&link, running, &[instruction], Duration::ZERO, |_| Ok(()))
            .await
            .unwrap();
        let known: Vec<_> = unconfirmed.0.lock().keys().copied().collect();
        assert_eq!(known, [running]);
    }
}
