//! Messages: from a ServerApp to a node, and the reply back. Nobody polls where they can wait.

use std::time::Duration;

use flwr_core::id::{NodeId, RunId};
use flwr_core::message::{ErrorCode, Message, MessageId, Metadata};
use flwr_core::object::Object;
use flwr_core::refusal::Refusal;
use flwr_core::time::Timestamp;
use futures::future;
use tokio::time::{Instant, sleep_until};
use tracing::{debug, warn};

use super::Link;
use super::state::{Answer, Inserted, Parcel, StateError};
use super::wake::Topic;
use crate::error::Result;

/// Why no reply comes, in the words that flwr 1.22 peers know.
const MESSAGE_UNAVAILABLE: &str = "Error: Message Unavailable - The requested message could not be found in the database. It may have expired due to its TTL or never existed.";
const REPLY_UNAVAILABLE: &str = "Error: Reply Message Unavailable - The reply message has expired.";
const NODE_UNAVAILABLE: &str = "Error: Node Unavailable — The destination node failed to report a heartbeat within 2 × its expected interval.";

/// Replies that can be given now, and when to look again for the others.
struct Gathered {
    replies: Vec<Parcel>,
    /// Nothing changes before, unless something is pushed. `None`: nothing is outstanding.
    next_change: Option<Timestamp>,
}

impl Link {
    /// Sends instructions of a running run.
    ///
    /// # Errors
    /// If the run is not running, a message is of another, or there is no space for more.
    pub async fn send(&self, run: RunId, instructions: Vec<Parcel>) -> Result<Inserted> {
        for Parcel { message, tree } in &instructions {
            let Metadata { id, run: found, .. } = message.metadata;
            if found != run {
                return Err(Refusal::OtherRun {
                    message: id,
                    run,
                    found,
                }
                .into());
            }
            if tree.id != id {
                return Err(Refusal::NoTree(id).into());
            }
        }
        self.waiting.goes_on(run);
        self.require_space().await?;
        let inserted = self.state.insert_instructions(run, instructions).await?;
        for node in &inserted.ready {
            self.wake.notify(Topic::Node(*node));
        }
        debug!(run_id = %run, messages = inserted.ids.len(), "instructions stored");
        Ok(inserted)
    }

    /// The next message for a node, waiting for one as long as the link's hold and the caller's
    /// `patience` allow, or until the node registers again.
    ///
    /// # Errors
    /// If the state fails.
    pub async fn claim(&self, node: NodeId, patience: Duration) -> Result<Option<Parcel>> {
        let session = self.sessions.current(node);
        // A call whose connection is lost is held for one hold at most.
        let suspicious = 2 * self.holds.node.max(Duration::from_secs(1));
        let (_held, is_shared) = self.sessions.hold(node, suspicious);
        if is_shared {
            warn!(
                node_id = %node,
                "two SuperNodes use one key at the same time, and each gets a part of the messages: \
                 stop one of them, or give it a key of its own"
            );
        }
        let listener = self.wake.listen(Topic::Node(node));
        let deadline = Instant::now() + self.holds.node.min(patience);
        loop {
            let changed = listener.next();
            if self.sessions.current(node) != session {
                return Ok(None);
            }
            let claimed = self.state.claim_message(node, self.now()).await?;
            if let Some(parcel) = claimed {
                let Metadata { run, id, .. } = parcel.message.metadata;
                debug!(run_id = %run, node_id = %node, message_id = %id, "message handed out");
                return Ok(Some(parcel));
            }
            if self.wait(changed, deadline).await.is_none() {
                return Ok(None);
            }
        }
    }

    /// Takes the reply of a node. Gives the objects that are still to be pushed, or `None` where
    /// the reply is refused and dropped.
    ///
    /// # Errors
    /// If the run is not running.
    pub async fn reply(&self, reply: Parcel) -> Result<Option<Vec<MessageId>>> {
        let Metadata { id, run, src, .. } = reply.message.metadata;
        if reply.tree.id != id {
            return Err(Refusal::NoTree(id).into());
        }
        let replied = match self.state.insert_reply(reply, self.now()).await {
            Ok(replied) => replied,
            Err(StateError::Refused(refusal)) if !refusal.is_about_the_run() => {
                warn!(run_id = %run, node_id = %src, message_id = %id, %refusal, "reply dropped");
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        self.let_go(replied.freed).await;
        if replied.ready {
            self.wake.notify(Topic::Run(run));
        }
        debug!(run_id = %run, node_id = %src, message_id = %id, "reply stored");
        Ok(Some(replied.missing))
    }

    /// The replies to these instructions that are there, waiting for a first one as long as the
    /// link's hold and the caller's `patience` allow, and then a moment for the others. An instruction that cannot be
    /// answered any more gets an error reply.
    ///
    /// # Errors
    /// If the run is not running, or ceases to.
    pub async fn replies(
        &self,
        run: RunId,
        asked: &[MessageId],
        patience: Duration,
    ) -> Result<Vec<Parcel>> {
        self.waiting.goes_on(run);
        let linger = if self.pace.asks(run) {
            self.holds.linger
        } else {
            self.holds.short_linger
        };
        let listener = self.wake.listen(Topic::Run(run));
        let mut deadline = Instant::now() + self.holds.app.min(patience);
        let mut first_seen = false;
        loop {
            let changed = listener.next();
            let Gathered {
                replies,
                next_change,
            } = self.gather(run, asked).await?;
            let Some(next_change) = next_change else {
                return Ok(replies);
            };
            if !first_seen && !replies.is_empty() {
                first_seen = true;
                deadline = deadline.min(Instant::now() + linger);
            }
            let look_again = self.instant_of(next_change).min(deadline);
            let waited_in_vain = self.wait(changed, look_again).await.is_none();
            if (waited_in_vain && look_again == deadline) || self.stopper.is_stopped() {
                self.pace.answered_partly(run);
                return Ok(replies);
            }
        }
    }

    /// The message arrived, says its receiver.
    ///
    /// # Errors
    /// If the run is not running.
    pub async fn confirm(&self, run: RunId, message: MessageId) -> Result<()> {
        let freed = self.state.confirm(run, message).await?;
        self.let_go(freed).await;
        Ok(())
    }

    async fn gather(&self, run: RunId, asked: &[MessageId]) -> Result<Gathered> {
        let answers = self.state.answers(run, asked, self.now()).await?;
        let mut gathered = Gathered {
            replies: Vec::new(),
            next_change: None,
        };
        for (id, answer) in asked.iter().zip(answers) {
            match answer {
                Answer::Reply(parcel) => gathered.replies.push(*parcel),
                Answer::Waiting { until } => {
                    let sooner = gathered.next_change.map_or(until, |other| other.min(until));
                    gathered.next_change = Some(sooner);
                }
                lost => gathered.replies.extend(self.settle(run, *id, &lost).await?),
            }
        }
        Ok(gathered)
    }

    /// Makes an error the answer to an instruction that cannot be answered any more, and gives
    /// what is then the answer.
    async fn settle(&self, run: RunId, asked: MessageId, lost: &Answer) -> Result<Option<Parcel>> {
        let now = self.now();
        let error = |instruction: &Metadata, code, reason| {
            Message::error_reply(instruction, NodeId::SUPERLINK, code, reason, now)
        };
        let (message, object) = match lost {
            Answer::Unknown | Answer::Expired(_) => {
                Message::unavailable(run, asked, MESSAGE_UNAVAILABLE, now)
            }
            Answer::ReplyExpired(instruction) => {
                error(instruction, ErrorCode::ReplyUnavailable, REPLY_UNAVAILABLE)
            }
            Answer::NodeLost(instruction) => {
                error(instruction, ErrorCode::NodeUnavailable, NODE_UNAVAILABLE)
            }
            Answer::Reply(_) | Answer::Waiting { .. } => return Ok(None),
        };
        debug!(run_id = %run, message_id = %asked, ?lost, "answered with an error");
        let Object { id, bytes } = object;
        self.objects.put(id, bytes).await?;
        let freed = self.state.settle(run, message.clone()).await?;
        self.let_go(freed).await;
        let mut answers = self.state.answers(run, &[asked], now).await?;
        let tree = message.childless_tree();
        match answers.pop() {
            Some(Answer::Reply(parcel)) => Ok(Some(*parcel)),
            _ => Ok(Some(Parcel { message, tree })),
        }
    }

    /// Waits for the change. `None`: the deadline passed or the daemon ends.
    pub(super) async fn wait(
        &self,
        changed: impl Future<Output = ()>,
        deadline: Instant,
    ) -> Option<()> {
        let waiting = future::select(Box::pin(changed), Box::pin(sleep_until(deadline)));
        match self.stopper.run_until_stopped(waiting).await? {
            future::Either::Left(_) => Some(()),
            future::Either::Right(_) => None,
        }
    }

    /// When the link's clock will show that moment.
    fn instant_of(&self, moment: Timestamp) -> Instant {
        // A day at most: nothing is held that long, and an endless one cannot be added.
        let seconds = moment.since(self.now()).clamp(0.0, 86_400.0);
        Instant::now() + Duration::from_secs_f64(seconds) + Duration::from_millis(1)
    }
}
