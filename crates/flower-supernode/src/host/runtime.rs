//! What a session of a ClientApp does.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flwr_client::transfer::is_intact;
use flwr_core::context::Context;
use flwr_core::id::{NodeId, RunId};
use flwr_core::message::{MessageId, Parcel};
use flwr_core::object::{Head, ObjectId, Pulled};
use flwr_core::port::runtime::{Asked, Inputs, Sent};
use flwr_core::port::{Result, Runtime};
use flwr_core::refusal::Refusal;
use flwr_core::run::{KnownRun, Outcome, Phase, RunStatus};

use crate::work::{Desk, Job};

/// A ClientApp process's session. Only [`Host`](super::Host) makes sessions, each from a proof.
#[derive(Clone, Debug)]
pub(crate) struct RuntimeSession {
    desk: Arc<Desk>,
    /// The message in work.
    job: Arc<Job>,
    /// Whether the call shows the token of the message.
    has_token: bool,
}

impl RuntimeSession {
    /// For a call that shows the token of this message.
    pub(super) const fn of_token(desk: Arc<Desk>, job: Arc<Job>) -> Self {
        let has_token = true;
        Self {
            desk,
            job,
            has_token,
        }
    }

    /// For a call of a process that has shown the token of this message in another call.
    pub(super) const fn of_connection(desk: Arc<Desk>, job: Arc<Job>) -> Self {
        let has_token = false;
        Self {
            desk,
            job,
            has_token,
        }
    }

    /// The message, for calls that need its token.
    fn job_by_token(&self) -> Result<&Job> {
        let job = self.has_token.then_some(&*self.job);
        Ok(job.ok_or(Refusal::UnknownToken)?)
    }

    /// The message, for the calls for its objects. These carry no token on the wire, so they reach
    /// the message only while a process holds its token.
    fn job_at_work(&self) -> Option<&Job> {
        self.desk.is_claimed(&self.job).then_some(&*self.job)
    }
}

impl Runtime for RuntimeSession {
    fn run_id(&self) -> Option<RunId> {
        Some(self.job.inbox.metadata().run)
    }

    fn node(&self) -> Option<NodeId> {
        Some(self.job.node)
    }

    async fn inputs(&self) -> Result<Option<Inputs>> {
        let inbox = &self.job_by_token()?.inbox;
        Ok(Some(Inputs {
            run: inbox.inputs.run.clone().into(),
            context: inbox.context.clone(),
            fab: inbox.inputs.fab.bytes.clone(),
        }))
    }

    /// A process that its SuperNode has started is watched, and the message has an end of its own.
    async fn alive(&self, _: f64) -> Result<bool> {
        self.job.lease.alive();
        Ok(true)
    }

    /// A ClientApp has no run of its own to move on.
    async fn at_work(&self) -> Result<()> {
        Ok(())
    }

    async fn nodes(&self) -> Result<Vec<NodeId>> {
        Err(Refusal::NotForClientApps("nodes to send to").into())
    }

    async fn run(&self) -> Result<Option<KnownRun>> {
        Ok(Some(self.job.inbox.inputs.run.clone().into()))
    }

    async fn fab(&self, hash: &str) -> Result<Bytes> {
        let fab = &self.job_by_token()?.inbox.inputs.fab;
        if fab.hash == hash {
            return Ok(fab.bytes.clone());
        }
        Err(Refusal::UnknownFab(hash.to_owned()).into())
    }

    async fn send(&self, parcels: Vec<Parcel>) -> Result<Sent> {
        let job = self.job_by_token()?;
        let count = parcels.len();
        let Ok([reply]) = <[_; 1]>::try_from(parcels) else {
            return Err(Refusal::ReplyCount(count).into());
        };
        let id = reply.message.metadata.id;
        let instruction = job.inbox.metadata();
        let missing = job.outbox.announce(instruction, job.node, reply)?;
        let ids = vec![Some(id)];
        Ok(Sent { ids, missing })
    }

    async fn receive(&self, asked: Asked, _: Duration) -> Result<Vec<Parcel>> {
        let inbox = &self.job_by_token()?.inbox;
        match asked {
            Asked::All => Ok(vec![inbox.take()]),
            // A ClientApp sends no instructions, so nobody replies to it.
            Asked::Replies(_) => Ok(Vec::new()),
        }
    }

    async fn push_object(&self, id: ObjectId, content: Bytes) -> Result<bool> {
        let Some(job) = self.job_at_work() else {
            return Ok(false);
        };
        if !is_intact(id, &content).await {
            return Ok(false);
        }
        Head::read(&content).map_err(|problem| Refusal::Object { id, problem })?;
        Ok(job.outbox.put(id, content))
    }

    async fn pull_object(&self, id: ObjectId) -> Result<Pulled> {
        let found = self.job_at_work().and_then(|job| job.inbox.object(&id));
        Ok(found.map_or(Pulled::Unknown, Pulled::There))
    }

    async fn confirm(&self, message: MessageId) -> Result<()> {
        let job = self.job_at_work();
        if let Some(job) = job.filter(|job| job.inbox.metadata().id == message) {
            job.inbox.free();
        }
        Ok(())
    }

    async fn log(&self, _: String) -> Result<()> {
        Err(Refusal::NotForClientApps("log of its run").into())
    }

    async fn status(&self, _: RunStatus) -> Result<()> {
        Err(Refusal::NotForClientApps("say in the status of its run").into())
    }

    async fn finish(&self, context: Option<Context>) -> Result<()> {
        let job = self.job_by_token()?;
        self.desk.revoke(job);
        job.outbox.finish(context);
        Ok(())
    }

    async fn conclude(&self, context: Option<Context>, end: RunStatus) -> Result<()> {
        if end.phase != Phase::Finished(Outcome::Completed) {
            let details = Some(end.details).filter(|details| !details.is_empty());
            let reason = details.unwrap_or_else(|| end.phase.to_string());
            self.job_by_token()?.outbox.fail(reason);
        }
        self.finish(context).await
    }
}
