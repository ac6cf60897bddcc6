//! What is done for one message, from its objects to its reply.

use std::collections::HashMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use flwr_client::transfer::TransferError;
use flwr_core::cause::chain;
use flwr_core::context::Context;
use flwr_core::id::{NodeId, RunId};
use flwr_core::message::{Body, ErrorCode, Message, Metadata, Parcel};
use flwr_core::monotonic;
use flwr_core::refusal::Refusal;
use flwr_daemon::apps::{self, AppProcess, Exit};
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::{Instant, timeout};
use tracing::{error, info, warn};

use super::abandoned::Abandoned;
use super::again::GivenUp;
use super::desk::Job;
use super::inbox::Inbox;
use super::lease::Lapse;
use super::outbox::{Outbox, Progress};
use super::runs::{InputsError, RunInputs};
use super::worker::Worker;
use crate::error::Error;
use crate::store::{Reply, Stored};
use crate::upstream::{NoAnswer, Transfer};

/// How long a reply waits for the Context that belongs to it.
const CONTEXT_SOON: Duration = Duration::from_secs(2);
/// How long the Context may come after the reply.
const CONTEXT_GRACE: Duration = Duration::from_secs(60);
/// Characters of a reason that travels to the ServerApp.
const REASON_CHARS: usize = 4000;

/// Why there is no reply of the ClientApp's.
enum NoReply {
    /// Nobody waits for one.
    Abandoned(Abandoned),
    /// The ServerApp is told why.
    Told(ErrorCode, String),
}

impl From<InputsError> for NoReply {
    fn from(error: InputsError) -> Self {
        Self::Told(ErrorCode::LoadClientApp, error.to_string())
    }
}

impl From<NoAnswer> for NoReply {
    /// A refusal that stands is told, should the SuperLink listen to that. A reply whose objects were
    /// not taken is announced already: an error in its place would replace the ClientApp's work. All
    /// others mean that the message is no longer this node's.
    fn from(no_answer: NoAnswer) -> Self {
        match no_answer {
            NoAnswer::Unusable(Refusal::RunConfig(error)) => InputsError::Config(*error).into(),
            NoAnswer::Refused(_) | NoAnswer::Unusable(_) => {
                Self::Told(ErrorCode::Unknown, no_answer.to_string())
            }
            other => Self::Abandoned(other.into()),
        }
    }
}

impl From<TransferError<NoAnswer>> for NoReply {
    fn from(error: TransferError<NoAnswer>) -> Self {
        match error {
            TransferError::Request(no_answer) => no_answer.into(),
            other => Self::Told(ErrorCode::MessageUnavailable, other.to_string()),
        }
    }
}

impl Worker {
    /// Has the message answered, by the ClientApp or with the reason why it is not.
    pub(super) async fn answer(&self, message: &mut GivenUp) -> Result<(), Abandoned> {
        let GivenUp {
            node,
            parcel,
            reply,
            ..
        } = message;
        let instruction = &parcel.message.metadata;
        let transfer = Transfer {
            upstream: &self.parts.upstream,
            node: *node,
            run: instruction.run,
        };
        if reply.is_none() {
            *reply = self.finished_before(instruction, *node).await;
        }
        let worked = match &*reply {
            Some(stored) => {
                info!("this reply was finished before: it is pushed now");
                let delivered = self.deliver(&transfer, stored).await;
                delivered.map_err(Into::into)
            }
            None => self.work(&transfer, parcel, reply).await,
        };
        self.settle(&transfer, instruction, worked).await
    }

    /// Where there is no reply of the ClientApp's, tells the ServerApp why, if it still waits.
    async fn settle(
        &self,
        transfer: &Transfer<'_>,
        instruction: &Metadata,
        worked: Result<(), NoReply>,
    ) -> Result<(), Abandoned> {
        let told = match worked {
            Ok(()) => return Ok(()),
            Err(NoReply::Abandoned(abandoned)) => return Err(abandoned),
            Err(NoReply::Told(code, reason)) => {
                (code, reason.chars().take(REASON_CHARS).collect::<String>())
            }
        };
        error!("no reply from the ClientApp: {}", told.1);
        let now = self.parts.clock.now();
        let (reply, object) = Message::error_reply(instruction, transfer.node, told.0, told.1, now);
        let reply = Reply {
            tree: reply.childless_tree(),
            message: reply,
            objects: HashMap::from([(object.id, object.bytes)]),
            worked: None,
        };
        Ok(push(transfer, &reply).await?)
    }

    /// The reply to this instruction that an earlier process of this node did not come to push.
    async fn finished_before(&self, instruction: &Metadata, node: NodeId) -> Option<Stored> {
        let stored = self.parts.store.reply(instruction.id).await?;
        let reply = &stored.reply.message.metadata;
        let fits = reply.run == instruction.run
            && reply.src == node
            && reply.reply_to == Some(instruction.id);
        fits.then_some(stored)
    }

    /// Pushes a finished reply, after which what it left of the run's state counts.
    pub(super) async fn deliver(
        &self,
        transfer: &Transfer<'_>,
        stored: &Stored,
    ) -> Result<(), NoAnswer> {
        let began = monotonic::now();
        push(transfer, &stored.reply).await?;
        if let Some(measured) = &self.parts.measured {
            measured.pushed(began.elapsed());
        }
        if let Some(context) = &stored.context {
            self.keep_context(transfer.run, context.clone()).await;
        }
        Ok(())
    }

    async fn keep_context(&self, run: RunId, context: Context) {
        self.parts.store.keep_context(run, &context).await;
        self.runs.lock().keep(run, context);
    }

    async fn work(
        &self,
        transfer: &Transfer<'_>,
        Parcel { message, tree }: &Parcel,
        finished: &mut Option<Stored>,
    ) -> Result<(), NoReply> {
        let instruction = message.metadata.id;
        let inputs = self.inputs(transfer).await?;
        let ids = tree.post_order().iter().map(|part| part.id).collect();
        let began = monotonic::now();
        let objects = transfer.pull_all(ids).await?;
        if let Some(measured) = &self.parts.measured {
            measured.pulled(began.elapsed());
        }
        transfer.confirm(instruction).await?;
        let context =
            self.runs
                .lock()
                .context(transfer.run, transfer.node, &self.parts.node_config);
        let inbox = Inbox::new(message.clone(), tree.clone(), inputs, context, objects);
        let job = Arc::new(Job::new(transfer.node, inbox, Outbox::default()));
        self.parts.desk.open(Arc::clone(&job));
        let launched = monotonic::now();
        let app = self.launch(&job).await?;
        let app = (app.as_deref(), launched);
        tokio::select! {
            done = self.follow(transfer, &job, app, finished) => done,
            over = self.parts.upstream.watch_run(transfer.node, transfer.run) => Err(NoReply::Abandoned(over.into())),
        }
    }

    async fn launch(&self, job: &Job) -> Result<Option<Arc<AppProcess>>, NoReply> {
        let (run, issue) = (job.inbox.metadata().run, || self.parts.desk.issue(job));
        let started = self.parts.launcher.start(run, job.inbox.app(), issue);
        let app = match started.await {
            Ok(app) => app.map(Arc::new),
            Err(Error::Apps(error)) => {
                return Err(NoReply::Told(ErrorCode::Unknown, chain(&error)));
            }
            Err(fatal) => return Err(NoReply::Abandoned(Abandoned::Fatal(fatal))),
        };
        self.app.lock().clone_from(&app);
        Ok(app)
    }

    /// Follows the ClientApp's work to its end. A finished reply is `finished` from before its first
    /// push.
    async fn follow(
        &self,
        transfer: &Transfer<'_>,
        job: &Job,
        (app, launched): (Option<&AppProcess>, Instant),
        finished: &mut Option<Stored>,
    ) -> Result<(), NoReply> {
        let end = self.end_of(job, app).await;
        let Some(mut reply) = job.outbox.take_reply() else {
            return Err(NoReply::Told(ErrorCode::Unknown, end.describe(job)));
        };
        reply.worked = job.inbox.taken_for();
        if let Some(measured) = &self.parts.measured {
            measured.worked(launched.elapsed(), reply.worked).await;
        }
        if let Some(cause) = not_loaded(&reply, app).await {
            return Err(NoReply::Told(ErrorCode::LoadClientApp, cause));
        }
        // What the ClientApp left of its state follows in a moment, and belongs to the reply.
        self.wait_for_context(job, app, CONTEXT_SOON).await;
        let context = job.outbox.take_context();
        let has_context = context.is_some();
        let instruction = job.inbox.metadata().id;
        let store = &self.parts.store;
        let stored = finished.insert(store.keep_reply(instruction, reply, context).await);
        self.deliver(transfer, stored).await?;
        // A model need not stay in memory while the Context comes.
        *finished = None;
        if !has_context {
            self.late_context(job, app).await;
        }
        Ok(())
    }

    /// Waits until there is a reply, or will be none any more.
    async fn end_of(&self, job: &Job, app: Option<&AppProcess>) -> End {
        let said_all = |progress: Progress| progress.is_answered || progress.is_finished;
        loop {
            let lapse = tokio::select! {
                biased;
                () = job.outbox.until(said_all) => return End::Said,
                exit = exit_of(app) => return End::Exited(exit),
                // A process that is watched may be as silent as it likes.
                lapse = job.lease.lapsed(), if app.is_none() => lapse,
            };
            match lapse {
                Lapse::FellSilent => return End::Silent,
                Lapse::NeverBegan => {
                    warn!("whoever claimed the message never called: others can claim it again");
                    self.parts.desk.give_back(job);
                }
            }
        }
    }

    /// Takes a Context that did not come with its reply.
    async fn late_context(&self, job: &Job, app: Option<&AppProcess>) {
        self.wait_for_context(job, app, CONTEXT_GRACE).await;
        match job.outbox.take_context() {
            Some(context) => self.keep_context(job.inbox.metadata().run, context).await,
            None => warn!(
                "the ClientApp replied, but did not give its Context back; the run's state is as before"
            ),
        }
    }

    async fn wait_for_context(&self, job: &Job, app: Option<&AppProcess>, patience: Duration) {
        let came = async {
            tokio::select! {
                biased;
                () = job.outbox.until(|progress| progress.is_finished) => {}
                _ = exit_of(app) => {}
            }
        };
        let _ = timeout(patience, came).await;
    }

    /// The run's app and configuration: fetched with the run's first message.
    async fn inputs(&self, transfer: &Transfer<'_>) -> Result<Arc<RunInputs>, NoReply> {
        let run_id = transfer.run;
        let kept = self.runs.lock().inputs(run_id);
        if let Some(inputs) = kept {
            return Ok(inputs);
        }
        let upstream = &self.parts.upstream;
        let run = upstream.run(transfer.node, run_id).await?;
        let inputs = match &self.parts.app {
            Some(app) => RunInputs::bound(run, app),
            None => {
                let bundle = upstream.fab(transfer.node, &run).await?;
                let checked = spawn_blocking(move || RunInputs::new(run, bundle)).await;
                let ended =
                    |ended: JoinError| NoReply::Told(ErrorCode::LoadClientApp, ended.to_string());
                checked.map_err(ended)??
            }
        };
        let installed = self.parts.launcher.install(inputs.fab.bytes.clone()).await;
        let failed = |error: apps::Error| NoReply::Told(ErrorCode::LoadClientApp, chain(&error));
        installed.map_err(failed)?;
        let context = self.parts.store.context(run_id).await;
        let mut runs = self.runs.lock();
        let inputs = runs.add(run_id, inputs);
        if let Some(context) = context {
            runs.keep(run_id, context);
        }
        Ok(inputs)
    }
}

async fn push(transfer: &Transfer<'_>, reply: &Reply) -> Result<(), NoAnswer> {
    transfer.push_reply(reply).await
}

/// How the work of a ClientApp ended.
enum End {
    /// It has said everything.
    Said,
    /// Its process has ended.
    Exited(Exit),
    /// It gives no signs of life any more.
    Silent,
}

impl End {
    /// Why there is no reply.
    fn describe(&self, job: &Job) -> String {
        match (self, job.outbox.take_failure()) {
            (_, Some(failure)) => format!("the ClientApp failed without a reply: {failure}"),
            (Self::Said, None) => "the ClientApp gave no reply".to_owned(),
            (Self::Exited(exit), None) => describe(exit),
            (Self::Silent, None) => {
                "the ClientApp stopped responding: it gives no signs of life any more".to_owned()
            }
        }
    }
}

/// The end of the app's process; never, where somebody else started it.
async fn exit_of(app: Option<&AppProcess>) -> Exit {
    match app {
        Some(app) => app.wait().await,
        None => pending().await,
    }
}

/// Why the ClientApp could not be loaded, where it replies so without a word of the cause: the
/// module that it lacks stands in its output alone.
async fn not_loaded(reply: &Reply, app: Option<&AppProcess>) -> Option<String> {
    let Body::Error { code, .. } = reply.message.body else {
        return None;
    };
    if code != ErrorCode::LoadClientApp as i64 {
        return None;
    }
    let exit = timeout(CONTEXT_SOON, app?.wait()).await.ok()?;
    let missing = exit.missing?;
    Some(format!("The ClientApp could not be loaded: {missing}"))
}

fn describe(exit: &Exit) -> String {
    let output = exit.output();
    let mut last = if output.is_empty() {
        "; it wrote nothing".to_owned()
    } else {
        format!("; its last lines:\n{output}")
    };
    if let Some(missing) = &exit.missing {
        last.push_str(&format!("\n{missing}"));
    }
    format!("the ClientApp's process {exit} without a reply{last}")
}
