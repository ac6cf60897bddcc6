//! Replies that an earlier process of this node finished and did not see through to the end. The
//! SuperLink may have taken such a reply just before that process ended. Nobody asks for the reply
//! again then, and the Context that belongs to it would be lost: the next message of the run would
//! begin one step back.

use flwr_core::message::MessageId;
use tracing::{info, warn};

use super::worker::Worker;
use crate::error::Error;
use crate::upstream::{NoAnswer, Transfer};

impl Worker {
    /// Runs whose state is on disk are asked about, whether or not a message of them comes.
    pub(super) async fn remember_runs(&self) {
        let runs = self.parts.store.runs().await;
        self.runs.lock().remember(runs);
    }

    /// Pushes the replies that are kept: before any message is pulled, and again later where some are
    /// refused. A reply that the SuperLink has taken already changes nothing there, and its Context
    /// counts from then on here.
    pub(super) async fn deliver_kept(&self) -> Result<(), Error> {
        let mut is_refused = false;
        for instruction in self.parts.store.replies().await {
            is_refused |= !self.deliver_one(instruction).await?;
        }
        if is_refused {
            self.again.lock().keep_kept();
        }
        Ok(())
    }

    /// False: the SuperLink refuses the reply for now.
    async fn deliver_one(&self, instruction: MessageId) -> Result<bool, Error> {
        let store = &self.parts.store;
        // A damaged file is told of, and stays for `--check-state`.
        let Some(stored) = store.reply(instruction).await else {
            return Ok(true);
        };
        let metadata = &stored.reply.message.metadata;
        let (run, message_id) = (metadata.run, instruction);
        let transfer = Transfer {
            upstream: &self.parts.upstream,
            node: self.parts.upstream.node().await,
            run,
        };
        let delivered = if metadata.src == transfer.node {
            self.deliver(&transfer, &stored).await
        } else {
            Err(NoAnswer::Replaced)
        };
        match delivered {
            Ok(()) => {
                info!(run_id = %run, %message_id, "pushed a reply that was finished before");
                store.forget_reply(instruction).await;
            }
            Err(NoAnswer::RunOver(_)) => self.forget(run).await,
            Err(NoAnswer::Replaced) => {
                warn!(run_id = %run, %message_id, "dropped a reply of this node under an earlier id");
                store.forget_reply(instruction).await;
            }
            Err(NoAnswer::GaveUp { tries, reason }) => {
                return Err(Error::GaveUp { tries, reason });
            }
            // A SuperLink of ours may offer the message before the next try. One of pip's never does.
            Err(refused @ (NoAnswer::Refused(_) | NoAnswer::Unusable(_) | NoAnswer::NotTaken)) => {
                warn!(run_id = %run, %message_id, "a reply that was finished before is kept, and pushed again later: {refused}");
                return Ok(false);
            }
        }
        Ok(true)
    }
}
