//! ServerApp processes: who is admitted, and what a session does.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flwr_core::context::Context;
use flwr_core::id::{NodeId, RunId};
use flwr_core::message::{MessageId, Parcel};
use flwr_core::object::{ObjectId, Pulled};
use flwr_core::port::runtime::{Asked, Inputs, Sent};
use flwr_core::port::{Result, Runtime};
use flwr_core::refusal::Refusal;
use flwr_core::run::{KnownRun, RunStatus};
use flwr_wire::host::{AppProof, Head, Launch, LauncherProof, RuntimeHost, ServerAppHost};

use super::jobs::JobsSession;
use super::{Apps, Host};
use crate::link::Link;

/// A ServerApp process's session. Only [`Host`] makes sessions, each from a proof.
#[derive(Debug, Clone)]
pub struct RuntimeSession {
    link: Arc<Link>,
    /// None: no run waits for a process.
    run: Option<RunId>,
}

impl RuntimeSession {
    fn required_run(&self) -> Result<RunId> {
        Ok(self.run.ok_or(Refusal::UnknownToken)?)
    }
}

impl Runtime for RuntimeSession {
    fn run_id(&self) -> Option<RunId> {
        self.run
    }

    fn node(&self) -> Option<NodeId> {
        Some(NodeId::SUPERLINK)
    }

    async fn inputs(&self) -> Result<Option<Inputs>> {
        match self.run {
            None => Ok(None),
            Some(run) => Ok(Some(self.link.inputs(run).await?)),
        }
    }

    async fn alive(&self, interval: f64) -> Result<bool> {
        Ok(self.link.app_lives(self.required_run()?, interval).await?)
    }

    async fn at_work(&self) -> Result<()> {
        Ok(self.link.app_works(self.required_run()?).await?)
    }

    async fn nodes(&self) -> Result<Vec<NodeId>> {
        Ok(self.link.nodes(self.required_run()?).await?)
    }

    async fn run(&self) -> Result<Option<KnownRun>> {
        let run = self.link.run(self.required_run()?).await?;
        Ok(run.map(KnownRun::Full))
    }

    async fn fab(&self, hash: &str) -> Result<Bytes> {
        Ok(self.link.fab(hash).await?)
    }

    async fn send(&self, parcels: Vec<Parcel>) -> Result<Sent> {
        Ok(self.link.send(self.required_run()?, parcels).await?)
    }

    async fn receive(&self, asked: Asked, patience: Duration) -> Result<Vec<Parcel>> {
        let run = self.required_run()?;
        match asked {
            // A ServerApp gets nothing but replies.
            Asked::All => Ok(Vec::new()),
            Asked::Replies(ids) => Ok(self.link.replies(run, &ids, patience).await?),
        }
    }

    async fn push_object(&self, id: ObjectId, content: Bytes) -> Result<bool> {
        let run = self.required_run()?;
        Ok(self.link.push_object_again(run, id, content).await?)
    }

    async fn pull_object(&self, id: ObjectId) -> Result<Pulled> {
        Ok(self.link.pull_object(self.required_run()?, id).await?)
    }

    async fn confirm(&self, message: MessageId) -> Result<()> {
        Ok(self.link.confirm(self.required_run()?, message).await?)
    }

    async fn log(&self, text: String) -> Result<()> {
        Ok(self.link.push_app_log(self.required_run()?, text).await?)
    }

    async fn status(&self, to: RunStatus) -> Result<()> {
        Ok(self.link.report_status(self.required_run()?, to).await?)
    }

    async fn finish(&self, context: Option<Context>) -> Result<()> {
        let run = self.required_run()?;
        let context = context.unwrap_or_default();
        Ok(self.link.keep_context(run, context).await?)
    }

    async fn conclude(&self, context: Option<Context>, end: RunStatus) -> Result<()> {
        let run = self.required_run()?;
        Ok(self.link.conclude_run(run, context, end).await?)
    }
}

impl RuntimeHost for Host {
    type Runtime = RuntimeSession;
    type Jobs = JobsSession;

    async fn admit(&self, proof: AppProof, head: &Head) -> Result<RuntimeSession> {
        let run = self.run_of(proof, head).await?;
        let link = Arc::clone(self.link());
        Ok(RuntimeSession { link, run })
    }

    fn admit_launcher(&self, proof: &LauncherProof, head: &Head) -> Result<JobsSession> {
        let (launchers, now) = (&self.0.parts.launchers, self.link().now());
        let (headers, call) = (proof.headers.as_ref(), proof.call());
        launchers.admit(headers, call, head.peer.as_ref(), now)?;
        let is_waiting = self.0.parts.apps == Apps::OfStrangers;
        let link = Arc::clone(self.link());
        Ok(JobsSession { link, is_waiting })
    }
}

impl ServerAppHost for Host {
    async fn launch(&self, launch: Launch, head: &Head) -> Result<RunId> {
        self.require_tls(head.peer.as_ref())?;
        let app = (launch.fab_id, launch.fab_version);
        let started = self
            .link()
            .start_run_of_a_stranger(app, launch.fab, launch.overrides);
        let run = started.await?;
        // Nobody is told the token: the connection stands for the run.
        self.link().issue_token(run).await?;
        self.bind(run, head).await?;
        Ok(run)
    }

    async fn is_over(&self, run: RunId) -> Result<bool> {
        let run = self.link().run(run).await?;
        Ok(run.is_none_or(|run| run.status.phase.is_finished()))
    }
}
