//! Messages that were given up while their ServerApp still waits: a refusal that stood for some tries
//! may be gone later. The node keeps such a message, with the reply if the ClientApp has finished it,
//! and takes the message up again. A SuperLink of pip's never offers a message twice.
//!
//! Of a reply that an earlier process finished, only the reply is here: it is pushed again.

use std::collections::VecDeque;
use std::time::Duration;

use flwr_core::id::{NodeId, RunId};
use flwr_core::message::{MessageId, Parcel};
use flwr_core::monotonic;
use tokio::time::Instant;
use tracing::warn;

use crate::store::Stored;

/// The pause before the second try. Each later pause is twice as long, up to [`LONGEST`].
const FIRST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(300);
/// Messages that are kept. Each may hold a whole model in memory.
const MOST: usize = 16;

/// The messages to take up again, the one that was given up first in front.
#[derive(Debug, Default)]
pub(super) struct Again {
    queue: VecDeque<GivenUp>,
    /// The next push of replies of an earlier process, where some were refused.
    kept: Option<Instant>,
    /// How often some were.
    kept_tries: u32,
}

/// A message that was given up.
#[derive(Debug)]
pub(super) struct GivenUp {
    pub(super) node: NodeId,
    pub(super) parcel: Parcel,
    /// The reply, if it is finished.
    pub(super) reply: Option<Stored>,
    /// How often the message was given up before.
    tries: u32,
    due: Instant,
}

impl GivenUp {
    /// A message that has not been given up yet.
    pub(super) fn fresh(node: NodeId, parcel: Parcel) -> Self {
        Self {
            node,
            parcel,
            reply: None,
            tries: 0,
            due: monotonic::now(),
        }
    }
}

impl Again {
    /// Keeps a message for a later try.
    pub(super) fn keep(&mut self, mut given_up: GivenUp) {
        given_up.due = next_try(given_up.tries);
        given_up.tries += 1;
        if self.queue.len() == MOST {
            warn!("{MOST} messages wait for another try: the oldest is dropped");
            self.queue.pop_front();
        }
        self.queue.push_back(given_up);
    }

    /// The next message whose pause is over.
    pub(super) fn next(&mut self) -> Option<GivenUp> {
        let now = monotonic::now();
        let place = self.queue.iter().position(|message| message.due <= now)?;
        self.queue.remove(place)
    }

    /// Replies of an earlier process were refused: they are pushed again later.
    pub(super) fn keep_kept(&mut self) {
        self.kept = Some(next_try(self.kept_tries));
        self.kept_tries += 1;
    }

    /// Whether replies of an earlier process are to be pushed again now. Once for each pause.
    pub(super) fn takes_kept(&mut self) -> bool {
        let now = monotonic::now();
        self.kept.take_if(|due| *due <= now).is_some()
    }

    /// The time of the next try.
    pub(super) fn due(&self) -> Option<Instant> {
        let messages = self.queue.iter().map(|message| message.due);
        messages.chain(self.kept).min()
    }

    /// The SuperLink has offered this message itself: it need not be kept twice. Gives its reply.
    pub(super) fn take(&mut self, message: MessageId) -> Option<GivenUp> {
        let id = |given_up: &GivenUp| given_up.parcel.message.metadata.id;
        let place = self.queue.iter().position(|kept| id(kept) == message)?;
        self.queue.remove(place)
    }

    /// The run is over.
    pub(super) fn forget(&mut self, run: RunId) {
        self.queue
            .retain(|kept| kept.parcel.message.metadata.run != run);
    }
}

/// When to try again after so many tries, and the one that failed now.
fn next_try(before: u32) -> Instant {
    let pause = FIRST.saturating_mul(1 << before.min(10));
    monotonic::now() + pause.min(LONGEST)
}

#[cfg(test)]
mod tests {
    use flwr_core::message::{Body, Message, Metadata};
    use flwr_core::object::{ObjectId, ObjectTree};
    use flwr_core::time::Timestamp;

    use super::*;

    fn given_up(run: u64) -> GivenUp {
        let id = ObjectId::of(&run.to_le_bytes());
        let metadata = Metadata {
            run: RunId(run),
            id,
            src: NodeId::SUPERLINK,
            dst: NodeId(9),
            reply_to: None,
            group: String::new(),
            ttl: 3600.0,
            message_type: "train".to_owned(),
            created_at: Timestamp::from_secs(1_758_000_000.0),
        };
        let message = Message {
            metadata,
            body: Body::Content,
        };
        let tree = ObjectTree::leaf(id);
        GivenUp::fresh(NodeId(9), Parcel { message, tree })
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_and_the_number_of_messages_does_not() {
        let mut again = Again::default();
        let mut message = given_up(1);
        for pause in [5, 10, 20, 40, 80, 160, 300, 300] {
            again.keep(message);
            let due = again.due().unwrap() - monotonic::now();
            assert_eq!(due, Duration::from_secs(pause));
            assert!(again.next().is_none());
            tokio::time::advance(due).await;
            message = again.next().unwrap();
        }
        for run in 0..100 {
            again.keep(given_up(run));
        }
        assert_eq!(again.queue.len(), MOST);
        again.forget(RunId(99));
        let id = given_up(98).parcel.message.metadata.id;
        assert!(again.take(id).is_some() && again.take(id).is_none());
        assert_eq!(again.queue.len(), MOST - 2);
    }
}
