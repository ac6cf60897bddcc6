//! The state in a SQLite file: there after a crash, whatever was answered before.
//!
//! ```text
//!   writes ─▶ writer: one thread, group commit, WAL, synchronous FULL ─▶ answer
//!   reads  ─▶ reader: a few connections, each a snapshot of what is committed
//!   signs of life ─▶ presence: memory, written now and then
//! ```

use std::sync::Arc;

use async_trait::async_trait;
use flwr_core::id::{NodeId, RunId};
use flwr_core::message::{Message, MessageId};
use flwr_core::object::ObjectId;
use flwr_core::run::{Phase, Run, RunStatus};
use flwr_core::time::Timestamp;
use flwr_daemon::apps::Identity;
use flwr_proto::Context;
use flwr_security::key::PublicKey;

use crate::link::state::{
    APP_FIRST_HEARTBEAT, Answer, Arrival, Dialect, Expiry, Freed, Inserted, Keep, KnownNode,
    LinkState, LogEntry, ObjectEntry, Parcel, Registration, Replied, StateResult, Usage,
};

mod audit;
mod expiry;
mod file;
mod instructions;
mod lifecycle;
mod log;
mod messages;
mod nodes;
mod objects;
mod opening;
mod presence;
mod reader;
mod registration;
mod replies;
mod row;
mod runs;
mod upkeep;
mod writer;

pub(super) use audit::Audit;
pub use file::OpenError;
pub(super) use file::beside;

use objects::Shelf;
use presence::Presence;
use reader::Reader;
use writer::Writer;

/// What a state counts on: each object or FAB, and how often.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) objects: Vec<(ObjectId, usize)>,
    pub(super) fabs: Vec<(ObjectId, usize)>,
}

/// The state in a SQLite file.
#[derive(Debug)]
pub struct SqliteState {
    writer: Writer,
    reader: Reader,
    presence: Arc<Presence>,
    id: String,
    kept: Kept,
    _hold: file::Hold,
}

impl SqliteState {
    fn presence(&self) -> Arc<Presence> {
        Arc::clone(&self.presence)
    }
}

#[async_trait]
impl LinkState for SqliteState {
    async fn register_node(
        &self,
        key: &PublicKey,
        fresh: NodeId,
        until: Timestamp,
    ) -> StateResult<Registration> {
        let (presence, key) = (self.presence(), key.clone());
        let known_by = key.clone();
        self.writer
            .write_then(
                move |c| registration::register(c, &key, fresh, until),
                move |registration| presence.registered(registration.node, known_by, until),
            )
            .await
    }

    async fn remove_node(&self, node: NodeId) -> StateResult<()> {
        let presence = self.presence();
        self.writer
            .write_then(
                move |c| nodes::remove(c, node),
                move |()| presence.removed(node),
            )
            .await
    }

    async fn node_of_key(&self, key: &PublicKey) -> StateResult<Option<NodeId>> {
        Ok(self.presence.of_key(key))
    }

    async fn keep_node(&self, node: NodeId, until: Timestamp) -> StateResult<bool> {
        Ok(self.presence.keep_node(node, until))
    }

    async fn set_dialect(&self, node: NodeId, dialect: Dialect) -> StateResult<()> {
        let presence = self.presence();
        self.writer
            .write_then(
                move |c| nodes::set_dialect(c, node, dialect),
                move |()| presence.set_dialect(node, dialect),
            )
            .await
    }

    async fn dialect(&self, node: NodeId) -> StateResult<Option<Dialect>> {
        Ok(self.presence.dialect(node))
    }

    async fn nodes(&self) -> StateResult<Vec<KnownNode>> {
        Ok(self.presence.all())
    }

    async fn online_nodes(&self, now: Timestamp) -> StateResult<Vec<NodeId>> {
        Ok(self.presence.online(now))
    }

    async fn create_run(&self, run: Run, context: Context) -> StateResult<()> {
        let (presence, id) = (self.presence(), run.id);
        let starting_at = run.starting_at;
        self.writer
            .write_then(
                move |c| runs::create(c, &run, &context),
                move |()| {
                    if let Some(starting_at) = starting_at {
                        presence.run_began(id, starting_at + APP_FIRST_HEARTBEAT);
                    }
                },
            )
            .await
    }

    async fn run(&self, run: RunId) -> StateResult<Option<Run>> {
        self.reader.read(move |c| runs::get(c, run)).await
    }

    async fn runs(&self) -> StateResult<Vec<Run>> {
        self.reader.read(runs::all).await
    }

    async fn change_run(&self, run: RunId, to: RunStatus, now: Timestamp) -> StateResult<Freed> {
        let (presence, phase) = (self.presence(), to.phase);
        self.writer
            .write_then(
                move |c| lifecycle::change(c, run, &to, now),
                move |_| match phase {
                    Phase::Starting => presence.run_began(run, now + APP_FIRST_HEARTBEAT),
                    Phase::Finished(_) => presence.run_ended(run),
                    Phase::Pending | Phase::Running => {}
                },
            )
            .await
    }

    async fn rewind_run(&self, run: RunId) -> StateResult<Freed> {
        let presence = self.presence();
        self.writer
            .write_then(
                move |c| lifecycle::rewind(c, run),
                move |_| presence.run_ended(run),
            )
            .await
    }

    async fn keep_run(&self, run: RunId, until: Timestamp) -> StateResult<bool> {
        if self.presence.keep_run(run, until) {
            return Ok(true);
        }
        // Not begun, over, or not known: which of them, the table tells.
        self.reader
            .read(move |c| runs::phase(c, run).map(|_| false))
            .await
    }

    async fn context(&self, run: RunId) -> StateResult<Context> {
        self.reader.read(move |c| runs::context(c, run)).await
    }

    async fn set_context(&self, run: RunId, context: Context) -> StateResult<()> {
        self.writer
            .write(move |c| runs::set_context(c, run, &context))
            .await
    }

    async fn set_app(&self, run: RunId, app: Option<Identity>) -> StateResult<()> {
        self.writer.write(move |c| runs::set_app(c, run, app)).await
    }

    async fn apps(&self) -> StateResult<Vec<(RunId, Identity)>> {
        self.reader.read(runs::apps).await
    }

    async fn issue_token(&self, run: RunId, token: ObjectId, now: Timestamp) -> StateResult<()> {
        self.writer
            .write(move |c| runs::issue_token(c, run, token, now))
            .await
    }

    async fn run_of_token(&self, token: ObjectId) -> StateResult<RunId> {
        self.reader.read(move |c| runs::of_token(c, token)).await
    }

    async fn revoke_token(&self, run: RunId) -> StateResult<()> {
        self.writer.write(move |c| runs::revoke_token(c, run)).await
    }

    async fn insert_instructions(
        &self,
        run: RunId,
        instructions: Vec<Parcel>,
    ) -> StateResult<Inserted> {
        self.writer
            .write(move |c| messages::insert(c, run, instructions))
            .await
    }

    async fn claim_message(&self, node: NodeId, now: Timestamp) -> StateResult<Option<Parcel>> {
        let anything = move |c: &_| messages::anything_for(c, node, now);
        if !self.reader.read(anything).await? {
            return Ok(None);
        }
        self.writer
            .write(move |c| messages::claim(c, node, now))
            .await
    }

    async fn insert_reply(&self, reply: Parcel, now: Timestamp) -> StateResult<Replied> {
        self.writer
            .write(move |c| replies::insert(c, reply, now))
            .await
    }

    async fn answers(
        &self,
        run: RunId,
        instructions: &[MessageId],
        now: Timestamp,
    ) -> StateResult<Vec<Answer>> {
        let (presence, asked) = (self.presence(), instructions.to_vec());
        self.reader
            .read(move |c| {
                runs::require_running(c, run)?;
                let online = |node| presence.online_until(node);
                let answer = |id| replies::answer(c, run, id, now, online);
                asked.into_iter().map(answer).collect()
            })
            .await
    }

    async fn settle(&self, run: RunId, reply: Message) -> StateResult<Freed> {
        self.writer
            .write(move |c| replies::settle(c, run, &reply))
            .await
    }

    async fn confirm(&self, run: RunId, message: MessageId) -> StateResult<Freed> {
        self.writer
            .write(move |c| replies::confirm(c, run, message))
            .await
    }

    async fn object(&self, run: RunId, object: ObjectId) -> StateResult<Option<ObjectEntry>> {
        self.reader
            .read(move |c| {
                runs::require_running(c, run)?;
                Shelf::new(c, run).entry(object)
            })
            .await
    }

    async fn object_arrived(&self, run: RunId, object: ObjectId) -> StateResult<Arrival> {
        self.writer
            .write(move |c| replies::object_arrived(c, run, object))
            .await
    }

    async fn append_log(&self, run: RunId, text: String, now: Timestamp) -> StateResult<()> {
        self.writer
            .write(move |c| log::append(c, run, &text, now))
            .await
    }

    async fn log_after(&self, run: RunId, after: Timestamp) -> StateResult<Vec<LogEntry>> {
        self.reader.read(move |c| log::after(c, run, after)).await
    }

    async fn used(&self) -> StateResult<u64> {
        self.reader.read(file::used).await
    }

    async fn usage(&self) -> StateResult<Usage> {
        self.reader.read(upkeep::usage).await
    }

    async fn delete_run(&self, run: RunId) -> StateResult<()> {
        self.writer.write(move |c| upkeep::delete_run(c, run)).await
    }

    async fn expendable_runs(
        &self,
        keep: Keep,
        now: Timestamp,
        limit: usize,
    ) -> StateResult<Vec<RunId>> {
        self.reader
            .read(move |c| upkeep::expendable_runs(c, keep, now, limit))
            .await
    }

    async fn forget_node(&self, node: NodeId, moment: Timestamp) -> StateResult<bool> {
        let (presence, forgotten) = (self.presence(), self.presence());
        self.writer
            .write_then(
                move |c| {
                    let seen = presence.online_until(node);
                    Ok(seen.is_some_and(|seen| seen < moment) && upkeep::forget_node(c, node)?)
                },
                move |gone| {
                    if *gone {
                        forgotten.removed(node);
                    }
                },
            )
            .await
    }

    async fn give_back(&self) -> StateResult<()> {
        let mut steps = 0;
        while steps < upkeep::STEPS
            && self.writer.is_idle()
            && self.reader.read(upkeep::spare_pages).await? > 0
        {
            self.writer.write(upkeep::give_back).await?;
            steps += 1;
        }
        if steps > 0 {
            self.writer.checkpoint().await;
        }
        Ok(())
    }

    async fn close(&self) {
        self.writer.close().await;
    }

    fn move_leases(&self, seconds: f64) {
        self.presence.move_leases(seconds);
    }

    async fn expire(&self, now: Timestamp) -> StateResult<Expiry> {
        let lost = self.presence.lost_runs(now);
        let presence = self.presence();
        let due = self
            .reader
            .read({
                let (lost, presence) = (lost.clone(), self.presence());
                move |c| expiry::is_due(c, &lost, &presence, now)
            })
            .await?;
        if !due {
            return Ok(Expiry::default());
        }
        let written = self.presence();
        self.writer
            .write_then(
                move |c| expiry::expire(c, lost, &written, now),
                move |expiry: &Expiry| {
                    for run in &expiry.lost_runs {
                        presence.run_ended(*run);
                    }
                },
            )
            .await
    }
}

#[cfg(test)]
mod tests;
