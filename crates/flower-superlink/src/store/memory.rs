//! The state in memory: gone with the process.
//!
//! One lock around plain maps. Nothing is awaited and nothing is slow while it is held: the
//! largest step is proportional to the messages that one call names.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use flwr_core::id::{NodeId, RunId};
use flwr_core::message::{Message, MessageId};
use flwr_core::object::ObjectId;
use flwr_core::refusal::Refusal;
use flwr_core::run::{Run, RunStatus};
use flwr_core::time::Timestamp;
use flwr_daemon::apps::Identity;
use flwr_proto::Context;
use flwr_security::key::PublicKey;
use parking_lot::Mutex;

use crate::link::state::{
    APP_FIRST_HEARTBEAT, Answer, Arrival, Dialect, Expiry, Freed, Inserted, Keep, KnownNode,
    LinkState, LogEntry, ObjectEntry, Parcel, Registration, Replied, StateResult, Usage,
};

mod log;
mod messages;
mod nodes;
mod objects;
mod runs;
mod upkeep;

use nodes::Nodes;
use runs::RunState;

/// The state in memory.
#[derive(Debug, Default)]
pub struct MemoryState(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    nodes: Nodes,
    runs: BTreeMap<RunId, RunState>,
    /// Tokens of unfinished runs, by their hash, with when they were issued.
    tokens: HashMap<ObjectId, (RunId, Timestamp)>,
}

impl Inner {
    fn run(&mut self, run: RunId) -> Result<&mut RunState, Refusal> {
        self.runs.get_mut(&run).ok_or(Refusal::UnknownRun(run))
    }

    fn running(&mut self, run: RunId) -> Result<&mut RunState, Refusal> {
        let state = self.run(run)?;
        state.require_running()?;
        Ok(state)
    }

    fn change_run(&mut self, run: RunId, to: RunStatus, now: Timestamp) -> Result<Freed, Refusal> {
        let state = self.run(run)?;
        let finished = to.phase.is_finished();
        state.change(to, now)?;
        if !finished {
            return Ok(Freed::default());
        }
        let freed = state.clear();
        self.tokens.retain(|_, (owner, _)| *owner != run);
        Ok(freed)
    }

    /// Whether there were any.
    fn drop_unused_tokens(&mut self, now: Timestamp) -> bool {
        let Self { runs, tokens, .. } = self;
        let before = tokens.len();
        tokens.retain(|_, (run, issued)| {
            let pending = runs.get(run).is_some_and(RunState::is_pending);
            !pending || now.since(*issued) < APP_FIRST_HEARTBEAT
        });
        tokens.len() < before
    }

    /// The first message in the node's queue that can still be handed out. What cannot falls out
    /// of the queue. A node that asks again without having confirmed never got the last answer.
    fn claim(&mut self, node: NodeId, now: Timestamp) -> Option<Parcel> {
        if let Some((run, message)) = self.nodes.take_unconfirmed(node)
            && self
                .runs
                .get_mut(&run)
                .is_some_and(|state| state.unclaim_one(message))
        {
            self.nodes.wait_first(node, run, message);
        }
        while let Some((run, message)) = self.nodes.next_waiting(node) {
            let Some(state) = self.runs.get_mut(&run) else {
                continue;
            };
            if let Some(parcel) = state.claim(message, now) {
                self.nodes.handed_out(node, run, message);
                return Some(parcel);
            }
        }
        None
    }

    /// What a node took without an answer waits for it again.
    fn reclaim(&mut self, node: NodeId) -> Freed {
        let mut freed = Freed::default();
        for (run, state) in &mut self.runs {
            let (unclaimed, halves) = state.unclaim(node);
            for message in unclaimed {
                self.nodes.wait(node, *run, message);
            }
            freed.0.extend(halves.0);
        }
        freed
    }
}

#[async_trait]
impl LinkState for MemoryState {
    async fn register_node(
        &self,
        key: &PublicKey,
        fresh: NodeId,
        until: Timestamp,
    ) -> StateResult<Registration> {
        let mut inner = self.0.lock();
        let (node, resumed) = inner.nodes.register(key, fresh, until);
        let freed = if resumed {
            inner.reclaim(node)
        } else {
            Freed::default()
        };
        Ok(Registration {
            node,
            resumed,
            freed,
        })
    }

    async fn remove_node(&self, node: NodeId) -> StateResult<()> {
        self.0.lock().nodes.remove(node);
        Ok(())
    }

    async fn node_of_key(&self, key: &PublicKey) -> StateResult<Option<NodeId>> {
        Ok(self.0.lock().nodes.of_key(key))
    }

    async fn keep_node(&self, node: NodeId, until: Timestamp) -> StateResult<bool> {
        Ok(self.0.lock().nodes.keep(node, until))
    }

    async fn set_dialect(&self, node: NodeId, dialect: Dialect) -> StateResult<()> {
        self.0.lock().nodes.set_dialect(node, dialect);
        Ok(())
    }

    async fn dialect(&self, node: NodeId) -> StateResult<Option<Dialect>> {
        Ok(self.0.lock().nodes.dialect(node))
    }

    async fn nodes(&self) -> StateResult<Vec<KnownNode>> {
        Ok(self.0.lock().nodes.all())
    }

    async fn online_nodes(&self, now: Timestamp) -> StateResult<Vec<NodeId>> {
        Ok(self.0.lock().nodes.online(now))
    }

    async fn create_run(&self, run: Run, context: Context) -> StateResult<()> {
        self.0
            .lock()
            .runs
            .insert(run.id, RunState::new(run, context));
        Ok(())
    }

    async fn run(&self, run: RunId) -> StateResult<Option<Run>> {
        Ok(self
            .0
            .lock()
            .runs
            .get(&run)
            .map(|state| state.run().clone()))
    }

    async fn runs(&self) -> StateResult<Vec<Run>> {
        let mut runs: Vec<_> = self
            .0
            .lock()
            .runs
            .values()
            .map(|state| state.run().clone())
            .collect();
        runs.sort_by_key(|run| run.pending_at);
        Ok(runs)
    }

    async fn change_run(&self, run: RunId, to: RunStatus, now: Timestamp) -> StateResult<Freed> {
        Ok(self.0.lock().change_run(run, to, now)?)
    }

    async fn rewind_run(&self, run: RunId) -> StateResult<Freed> {
        let mut inner = self.0.lock();
        let freed = inner.run(run)?.rewind()?;
        inner.tokens.retain(|_, (owner, _)| *owner != run);
        Ok(freed)
    }

    async fn keep_run(&self, run: RunId, until: Timestamp) -> StateResult<bool> {
        Ok(self.0.lock().run(run)?.keep(until))
    }

    async fn context(&self, run: RunId) -> StateResult<Context> {
        Ok(self.0.lock().run(run)?.context.clone())
    }

    async fn set_context(&self, run: RunId, context: Context) -> StateResult<()> {
        self.0.lock().running(run)?.context = context;
        Ok(())
    }

    async fn set_app(&self, run: RunId, app: Option<Identity>) -> StateResult<()> {
        self.0.lock().run(run)?.app = app;
        Ok(())
    }

    async fn apps(&self) -> StateResult<Vec<(RunId, Identity)>> {
        let inner = self.0.lock();
        let runs = inner.runs.iter();
        Ok(runs
            .filter_map(|(id, run)| Some((*id, run.app.clone()?)))
            .collect())
    }

    async fn issue_token(&self, run: RunId, token: ObjectId, now: Timestamp) -> StateResult<()> {
        let mut inner = self.0.lock();
        inner.run(run)?.require_unfinished()?;
        if inner.tokens.values().any(|(owner, _)| *owner == run) {
            return Err(Refusal::HasToken(run).into());
        }
        inner.tokens.insert(token, (run, now));
        Ok(())
    }

    async fn run_of_token(&self, token: ObjectId) -> StateResult<RunId> {
        let inner = self.0.lock();
        let (run, _) = inner.tokens.get(&token).ok_or(Refusal::UnknownToken)?;
        Ok(*run)
    }

    async fn revoke_token(&self, run: RunId) -> StateResult<()> {
        self.0.lock().tokens.retain(|_, (owner, _)| *owner != run);
        Ok(())
    }

    async fn insert_instructions(
        &self,
        run: RunId,
        instructions: Vec<Parcel>,
    ) -> StateResult<Inserted> {
        let mut inner = self.0.lock();
        let Inner { nodes, runs, .. } = &mut *inner;
        let state = runs.get_mut(&run).ok_or(Refusal::UnknownRun(run))?;
        state.require_running()?;
        let inserted = state.insert_instructions(instructions, |node| nodes.contains(node))?;
        for (node, message) in &inserted.whole {
            nodes.wait(*node, run, *message);
        }
        Ok(inserted.into())
    }

    async fn claim_message(&self, node: NodeId, now: Timestamp) -> StateResult<Option<Parcel>> {
        Ok(self.0.lock().claim(node, now))
    }

    async fn insert_reply(&self, reply: Parcel, now: Timestamp) -> StateResult<Replied> {
        let run = reply.message.metadata.run;
        Ok(self.0.lock().running(run)?.insert_reply(reply, now)?)
    }

    async fn answers(
        &self,
        run: RunId,
        instructions: &[MessageId],
        now: Timestamp,
    ) -> StateResult<Vec<Answer>> {
        let mut inner = self.0.lock();
        let Inner { nodes, runs, .. } = &mut *inner;
        let state = runs.get_mut(&run).ok_or(Refusal::UnknownRun(run))?;
        state.require_running()?;
        let online = |node| nodes.online_until(node);
        Ok(instructions
            .iter()
            .map(|id| state.answer(*id, now, online))
            .collect())
    }

    async fn settle(&self, run: RunId, reply: Message) -> StateResult<Freed> {
        Ok(self.0.lock().running(run)?.settle(reply))
    }

    async fn confirm(&self, run: RunId, message: MessageId) -> StateResult<Freed> {
        let mut inner = self.0.lock();
        let state = inner.running(run)?;
        let freed = state.confirm(message);
        if let Some(node) = state.destination(message) {
            inner.nodes.confirmed(node, run, message);
        }
        Ok(freed)
    }

    async fn object(&self, run: RunId, object: ObjectId) -> StateResult<Option<ObjectEntry>> {
        Ok(self.0.lock().running(run)?.objects().entry(object))
    }

    async fn object_arrived(&self, run: RunId, object: ObjectId) -> StateResult<Arrival> {
        let mut inner = self.0.lock();
        let Inner { nodes, runs, .. } = &mut *inner;
        let Some(state) = runs.get_mut(&run) else {
            return Ok(Arrival::default());
        };
        let (arrival, whole) = state.object_arrived(object);
        for (node, message) in whole {
            nodes.wait(node, run, message);
        }
        Ok(arrival)
    }

    async fn append_log(&self, run: RunId, text: String, now: Timestamp) -> StateResult<()> {
        self.0.lock().run(run)?.log.append(text, now);
        Ok(())
    }

    async fn log_after(&self, run: RunId, after: Timestamp) -> StateResult<Vec<LogEntry>> {
        Ok(self.0.lock().run(run)?.log.after(after))
    }

    async fn used(&self) -> StateResult<u64> {
        Ok(0)
    }

    async fn usage(&self) -> StateResult<Usage> {
        Ok(self.0.lock().usage())
    }

    async fn delete_run(&self, run: RunId) -> StateResult<()> {
        Ok(self.0.lock().delete_run(run)?)
    }

    async fn expendable_runs(
        &self,
        keep: Keep,
        now: Timestamp,
        limit: usize,
    ) -> StateResult<Vec<RunId>> {
        Ok(self.0.lock().expendable_runs(keep, now, limit))
    }

    async fn forget_node(&self, node: NodeId, moment: Timestamp) -> StateResult<bool> {
        Ok(self.0.lock().forget_node(node, moment))
    }

    async fn give_back(&self) -> StateResult<()> {
        Ok(())
    }

    async fn close(&self) {}

    fn move_leases(&self, seconds: f64) {
        let mut inner = self.0.lock();
        inner.nodes.move_leases(seconds);
        for state in inner.runs.values_mut() {
            state.move_lease(seconds);
        }
    }

    async fn expire(&self, now: Timestamp) -> StateResult<Expiry> {
        let mut inner = self.0.lock();
        let mut expiry = Expiry::default();
        for state in inner.runs.values_mut() {
            expiry.freed.0.extend(state.drop_expired(now).0);
            if state.is_lost(now) {
                expiry.lost_runs.push(state.run().id);
            }
        }
        for run in &expiry.lost_runs {
            let lost = RunStatus::failed(super::LOST);
            expiry.freed.0.extend(inner.change_run(*run, lost, now)?.0);
        }
        expiry.pending = inner.drop_unused_tokens(now);
        Ok(expiry)
    }
}
