//! Messages: from a ServerApp to a node, and the reply back. Nobody polls where they can wait.

use std::collections::{BTreeSet, HashSet};
use std::sync::LazyLock;
use std::time::Duration;

use flwr_core::id::{NodeId, RunId};
use flwr_core::message::{ErrorCode, Message, MessageId, Metadata};
use flwr_core::monotonic;
use flwr_core::object::Object;
use flwr_core::quiet::Quiet;
use flwr_core::refusal::Refusal;
use flwr_core::time::Timestamp;
use flwr_metrics::held;
use futures::future;
use tokio::time::{Instant, sleep_until};
use tracing::{debug, warn};

use super::Link;
use super::commit::Stores;
use super::state::{Answer, Parcel, Sent, own_line};
use super::tallies;
use super::wake::{News, Topic};
use crate::error::{Error, Result};

/// Why no reply comes, in the words that Flower's apps know.
const MESSAGE_UNAVAILABLE: &str = "Error: Message Unavailable - The requested message could not be found in the database. It may have expired due to its TTL or never existed.";
const REPLY_UNAVAILABLE: &str = "Error: Reply Message Unavailable - The reply message has expired.";
const NODE_UNAVAILABLE: &str = "Error: Node Unavailable — The destination node failed to report a heartbeat within 2 × its expected interval.";
const NODE_LEFT: &str = "Error: Node Unavailable — The destination node left the federation.";
/// Nodes that a line of a run's log names.
const NAMED: usize = 5;

/// Limits the log lines of dropped replies, which a node may push without end.
static DROPPED: LazyLock<Quiet<NodeId>> = LazyLock::new(Quiet::default);

/// The replies that a call has found, and the instructions whose replies have not come.
struct Gathered {
    replies: Vec<Parcel>,
    outstanding: HashSet<MessageId>,
    /// Nothing changes before, unless something is pushed.
    next_change: Timestamp,
}

impl Gathered {
    /// What to look up after this news. A reply that comes costs one look-up, however many
    /// others are outstanding: a broadcast to many nodes would otherwise cost their square.
    fn due(&mut self, news: News) -> Vec<MessageId> {
        match news {
            News::Anything => {
                self.next_change = Timestamp::NEVER;
                self.outstanding.iter().copied().collect()
            }
            News::Replies(mut ids) => {
                ids.retain(|id| self.outstanding.contains(id));
                ids
            }
        }
    }
}

impl Link {
    /// Sends instructions of a running run.
    ///
    /// # Errors
    /// If the run is not running, a message is of another, or there is no space for more.
    pub async fn send(&self, run: RunId, instructions: Vec<Parcel>) -> Result<Sent> {
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
        let inserted = self.commit(move |Stores { state, .. }| async move {
            state.insert_instructions(run, instructions).await
        });
        let inserted = inserted.await?;
        debug!(run_id = %run, messages = inserted.ids.len(), "instructions stored");
        Ok(inserted)
    }

    /// The next message for a node, waiting for one as long as the link's hold and the caller's
    /// `patience` allow, or until the node registers again.
    ///
    /// # Errors
    /// If the state fails.
    pub async fn claim(&self, node: NodeId, patience: Duration) -> Result<Option<Parcel>> {
        self.claim_while(node, patience, || true).await
    }

    /// The same for a node that may be shut out meanwhile: it gets no message from then on.
    ///
    /// # Errors
    /// If the state fails.
    pub async fn claim_while(
        &self,
        node: NodeId,
        patience: Duration,
        is_admitted: impl Fn() -> bool + Send,
    ) -> Result<Option<Parcel>> {
        let session = self.state.session(node).await?;
        // A call whose connection is lost is held for one hold at most.
        let suspicious = 2 * self.holds.node.max(Duration::from_secs(1));
        let (_held, is_shared) =
            self.connections
                .hold(node, session.unwrap_or_default(), suspicious);
        if is_shared {
            warn!(
                node_id = %node,
                "two SuperNodes use one key at the same time, and each gets a part of the messages: \
                 stop one of them, or give it a key of its own"
            );
        }
        let listener = self.wake.listen(Topic::Node(node));
        let deadline = monotonic::now() + self.holds.node.min(patience);
        loop {
            let changed = listener.next();
            if !is_admitted() {
                return Ok(None);
            }
            let claimed = match session {
                Some(session) => self.state.claim_message(node, session, self.now()).await?,
                None => None,
            };
            if let Some(parcel) = claimed {
                let metadata = &parcel.message.metadata;
                if let Some(flawed) = self.flaw_of(&parcel).await? {
                    self.answer_flawed(metadata, flawed).await?;
                    continue;
                }
                let Metadata { run, id, .. } = *metadata;
                self.connections.use_node(node);
                self.reach.receives(node, run, &parcel.tree);
                debug!(run_id = %run, node_id = %node, message_id = %id, "message handed out");
                return Ok(Some(parcel));
            }
            // The session is over: whoever made this call is gone.
            if self.state.session(node).await? != session {
                return Ok(None);
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
        let is_error = tallies::is_error(&reply.message.body);
        let now = self.now();
        let replied =
            self.commit(
                move |Stores { state, .. }| async move { state.insert_reply(reply, now).await },
            );
        let missing = match replied.await {
            Ok(missing) => missing,
            Err(Error::Refused(refusal)) if !refusal.is_about_the_run() => {
                self.tallies.dropped();
                if let Some(more) = DROPPED.ask(src) {
                    warn!(run_id = %run, node_id = %src, message_id = %id, %refusal, more, "reply dropped");
                }
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        self.tallies.replied(is_error);
        self.reach.sends(src, run, &missing);
        debug!(run_id = %run, node_id = %src, message_id = %id, "reply stored");
        Ok(Some(missing))
    }

    /// The replies to these instructions that are there, waiting for a first one as long as the
    /// link's hold and the caller's `patience` allow, and then a moment for the others. An
    /// instruction that cannot be answered any more gets an error reply, and so does one that was
    /// not sent (`None`).
    ///
    /// # Errors
    /// If the run is not running, or ceases to.
    pub async fn replies(
        &self,
        run: RunId,
        asked: &[Option<MessageId>],
        patience: Duration,
    ) -> Result<Vec<Parcel>> {
        self.waiting.goes_on(run);
        let linger = if self.pace.asks(run) {
            self.holds.linger
        } else {
            self.holds.short_linger
        };
        let mut listener = self.wake.listen(Topic::Run(run));
        let mut deadline = monotonic::now() + self.holds.app.min(patience);
        let mut first_seen = false;
        let mut gathered = Gathered {
            replies: Vec::new(),
            outstanding: HashSet::new(),
            next_change: Timestamp::NEVER,
        };
        let mut changed = listener.next();
        // Who names a message twice gets its reply once, as with flwr's SuperLink.
        let mut asked_for = HashSet::new();
        let sent = asked.iter().flatten().copied();
        let sent: Vec<_> = sent.filter(|id| asked_for.insert(*id)).collect();
        self.gather(run, &sent, &mut gathered).await?;
        if asked.contains(&None) {
            gathered.replies.push(self.answer_unsent(run).await?);
        }
        loop {
            if gathered.outstanding.is_empty() {
                return Ok(gathered.replies);
            }
            if !first_seen && !gathered.replies.is_empty() {
                first_seen = true;
                deadline = deadline.min(monotonic::now() + linger);
            }
            let look_again = self.instant_of(gathered.next_change).min(deadline);
            let waited_in_vain = self.wait(changed, look_again).await.is_none();
            if (waited_in_vain && look_again == deadline) || self.stopper.is_stopped() {
                self.pace.answered_partly(run);
                return Ok(gathered.replies);
            }
            changed = listener.next();
            let news = listener.news();
            let due = gathered.due(if waited_in_vain { News::Anything } else { news });
            if !due.is_empty() {
                self.gather(run, &due, &mut gathered).await?;
            }
        }
    }

    /// The message arrived, says its receiver.
    ///
    /// # Errors
    /// If the run is not running.
    pub async fn confirm(&self, run: RunId, message: MessageId) -> Result<()> {
        let confirmed = self
            .commit(move |Stores { state, .. }| async move { state.confirm(run, message).await });
        confirmed.await
    }

    /// Looks these instructions up, and sorts what there is to say about each.
    async fn gather(&self, run: RunId, due: &[MessageId], gathered: &mut Gathered) -> Result<()> {
        let answers = self.state.answers(run, due, self.now()).await?;
        self.tell_lost_nodes(run, &answers).await?;
        for (id, answer) in due.iter().zip(answers) {
            if let Answer::Waiting { until } = answer {
                gathered.outstanding.insert(*id);
                gathered.next_change = gathered.next_change.min(until);
                continue;
            }
            gathered.outstanding.remove(id);
            match answer {
                Answer::Reply(parcel) => {
                    gathered.replies.push(match self.flaw_of(&parcel).await? {
                        None => *parcel,
                        Some(flawed) => self.replace_flawed(&parcel.message, flawed).await?,
                    });
                }
                lost => gathered.replies.extend(self.settle(run, *id, &lost).await?),
            }
        }
        Ok(())
    }

    /// Tells the run's log of nodes whose replies are not waited for any more: an app need not say why
    /// it goes on without them.
    async fn tell_lost_nodes(&self, run: RunId, answers: &[Answer]) -> Result<()> {
        let lost = answers.iter().filter_map(|answer| match answer {
            Answer::NodeLost(instruction) => Some((instruction.dst, "gave no sign of life")),
            Answer::NodeLeft(instruction) => Some((instruction.dst, "left")),
            _ => None,
        });
        let lost: BTreeSet<_> = lost.collect();
        if lost.is_empty() {
            return Ok(());
        }
        let named = lost.iter().take(NAMED);
        let named: Vec<_> = named.map(|(node, why)| format!("{node} {why}")).collect();
        let others = match lost.len().saturating_sub(NAMED) {
            0 => String::new(),
            others => format!(", and {others} more"),
        };
        let text = format!(
            "Messages of this run to SuperNodes that are gone get an error for a reply: {}{others}.",
            named.join(", ")
        );
        self.push_log(run, own_line(text)).await
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
                Message::unavailable(run, Some(asked), MESSAGE_UNAVAILABLE, now)
            }
            Answer::ReplyExpired(instruction) => {
                error(instruction, ErrorCode::ReplyUnavailable, REPLY_UNAVAILABLE)
            }
            Answer::NodeLost(instruction) => {
                error(instruction, ErrorCode::NodeUnavailable, NODE_UNAVAILABLE)
            }
            Answer::NodeLeft(instruction) => {
                error(instruction, ErrorCode::NodeUnavailable, NODE_LEFT)
            }
            Answer::Reply(_) | Answer::Waiting { .. } => return Ok(None),
        };
        self.tallies.lost();
        debug!(run_id = %run, message_id = %asked, ?lost, "answered with an error");
        self.keep_error(run, message.clone(), object, None).await?;
        let mut answers = self.state.answers(run, &[asked], now).await?;
        let tree = message.childless_tree();
        match answers.pop() {
            Some(Answer::Reply(parcel)) => Ok(Some(*parcel)),
            _ => Ok(Some(Parcel { message, tree })),
        }
    }

    /// The answer to an instruction that was not sent.
    async fn answer_unsent(&self, run: RunId) -> Result<Parcel> {
        let (message, object) = Message::unavailable(run, None, MESSAGE_UNAVAILABLE, self.now());
        self.keep_error(run, message.clone(), object, None).await?;
        let tree = message.childless_tree();
        Ok(Parcel { message, tree })
    }

    /// Keeps an error of the SuperLink, so that the ServerApp can pull it as it pulls a reply. It also
    /// takes the place of a `flawed` reply.
    pub(super) async fn keep_error(
        &self,
        run: RunId,
        error: Message,
        object: Object,
        flawed: Option<MessageId>,
    ) -> Result<()> {
        let Object { id, bytes } = object;
        let asked = error.metadata.reply_to;
        let settled = self.commit(move |stores| async move {
            let blob = stores.objects.keep(run, id, bytes).await?;
            let settled = stores.state.settle(run, error, blob.clone(), flawed).await;
            if let Err(error) = &settled {
                stores.discard(id, &blob, error).await;
            }
            let ((), mut changed) = settled?;
            // A ServerApp may be waiting for the reply.
            let asked = asked.map(|asked| Topic::Reply(run, asked));
            changed.wake.extend(asked);
            Ok::<_, Error>(((), changed))
        });
        settled.await
    }

    /// Waits for the change. `None`: the deadline passed or the daemon ends.
    pub(super) async fn wait(
        &self,
        changed: impl Future<Output = ()>,
        deadline: Instant,
    ) -> Option<()> {
        let waiting = future::select(Box::pin(changed), Box::pin(sleep_until(deadline)));
        match held(self.stopper.run_until_stopped(waiting)).await? {
            future::Either::Left(_) => Some(()),
            future::Either::Right(_) => None,
        }
    }

    /// When the link's clock will show that moment.
    fn instant_of(&self, moment: Timestamp) -> Instant {
        // A day at most: nothing is held that long, and an endless one cannot be added.
        let seconds = moment.since(self.now()).clamp(0.0, 86_400.0);
        monotonic::now() + Duration::from_secs_f64(seconds) + Duration::from_millis(1)
    }
}
