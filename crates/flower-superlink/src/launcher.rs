//! Which run needs a ServerApp process, and the care of that process to its end.
//!
//! Where the state outlives the SuperLink, so do the processes: their output goes to files, and
//! who they are is noted. The next SuperLink takes over those that it finds (`adoption`).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use flwr_core::cause::chain;
use flwr_core::id::RunId;
use flwr_core::run::{Outcome, Phase};
use flwr_daemon::appio::AppChannels;
use flwr_daemon::apps::{
    AppCommand, AppProcess, Exit, MissingModule, Program, Watchers, install, serverapp_command,
};
use flwr_daemon::stop::Stopper;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{Instrument, error, info, info_span, warn};

use crate::config::Way;
use crate::error::Result;
use crate::link::Link;
use crate::link::wake::Topic;

mod adoption;
mod prepared;
mod silence;
mod tokenless;

use prepared::PreparedApps;

/// How long a ServerApp process whose run is over may take to end by itself: it flushes its log.
/// One whose run was stopped has nothing left to do, and would notice only at its next call.
const FAREWELL: Duration = Duration::from_secs(10);
/// How long a SuperLink leaves a run to others for each ServerApp that it has, and the longest.
const COURTESY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(200));
/// How long an ended process group may take from SIGTERM to SIGKILL.
const GRACE: Duration = Duration::from_secs(5);

/// What a launcher is made of.
#[derive(Debug)]
pub struct Parts {
    /// Where the runs are.
    pub link: Arc<Link>,
    /// `flwr-serverapp`.
    pub program: Program,
    /// Where the processes find ServerAppIo.
    pub serverappio_address: String,
    /// Flower's home, for the processes.
    pub flwr_dir: Option<PathBuf>,
    /// Where the output of processes that outlive the SuperLink goes. Without it they end when
    /// the SuperLink does.
    pub outputs: Option<PathBuf>,
    /// Whether a process is started for the next run before there is one.
    pub ahead: bool,
    /// How the processes come by their runs.
    pub way: Way,
    /// Whether a run whose process is gone begins again.
    pub resume_runs: bool,
    /// The native channels of the processes. Without them the processes connect to the address.
    pub channels: Option<AppChannels>,
    /// The watchers of the processes.
    pub watchers: Watchers,
}

/// Starts a ServerApp process for each pending run.
#[derive(Debug, Clone)]
pub struct Launcher {
    link: Arc<Link>,
    program: Program,
    serverappio_address: String,
    flwr_dir: Option<PathBuf>,
    outputs: Option<PathBuf>,
    prepared: Arc<PreparedApps>,
    watchers: Watchers,
    /// The turn of a process that asks for its run; `None` where they have tokens.
    turns: Option<Arc<Semaphore>>,
    resume_runs: bool,
    channels: Option<AppChannels>,
}

impl Launcher {
    /// A launcher that has started nothing yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts {
            link,
            program,
            serverappio_address,
            flwr_dir,
            outputs,
            ahead,
            way,
            resume_runs,
            channels,
            watchers,
        } = parts;
        let prepared = PreparedApps::new(&program, flwr_dir.as_deref(), outputs.as_deref(), ahead);
        Self {
            link,
            program,
            serverappio_address,
            flwr_dir,
            outputs,
            prepared: Arc::new(prepared),
            watchers,
            turns: (way == Way::Tokenless).then(|| Arc::new(Semaphore::new(1))),
            resume_runs,
            channels,
        }
    }

    /// Takes over what an earlier SuperLink started, launches until it is time to stop, and then
    /// ends what it launched.
    pub async fn run(self, stopper: Stopper) {
        let mut apps = JoinSet::new();
        if let Err(error) = self.take_over(&mut apps, &stopper).await {
            error!(
                error = &error as &dyn std::error::Error,
                "ServerApps of an earlier SuperLink could not be taken over"
            );
        }
        let listener = self.link.wake().listen(Topic::Pending);
        loop {
            let changed = listener.next();
            self.prepared.prepare();
            if let Err(error) = self.launch_pending(&mut apps, &stopper).await {
                error!(
                    error = &error as &dyn std::error::Error,
                    "no ServerApp could be launched"
                );
            }
            tokio::select! {
                () = changed => {}
                Some(_) = apps.join_next() => {}
                () = stopper.cancelled() => break,
            }
        }
        self.prepared.clear();
        while apps.join_next().await.is_some() {}
        // What the processes leave behind is ended by their watchers.
        if timeout(GRACE, self.watchers.settled()).await.is_err() {
            warn!("processes of ServerApps did not end in time");
        }
    }

    async fn launch_pending(&self, apps: &mut JoinSet<()>, stopper: &Stopper) -> Result<()> {
        for run in self.link.unclaimed_runs().await? {
            sleep(self.courtesy(apps.len())).await;
            let Some(token) = self.link.issue_token(run).await? else {
                continue;
            };
            let (launcher, stopper) = (self.clone(), stopper.clone());
            let app = async move { launcher.run_to_end(run, token.as_str(), stopper).await };
            apps.spawn(app.instrument(info_span!("serverapp", run_id = %run)));
        }
        Ok(())
    }

    /// How long others have to take a run first. Who has fewer ServerApps waits less.
    fn courtesy(&self, apps: usize) -> Duration {
        match self.link.has_neighbours() {
            true => (COURTESY
                .0
                .saturating_mul(u32::try_from(apps).unwrap_or(u32::MAX)))
            .min(COURTESY.1),
            false => Duration::ZERO,
        }
    }

    /// Starts the process of a run and stays with it to the end of both.
    async fn run_to_end(&self, run: RunId, token: &str, stopper: Stopper) {
        let started = match (self.install(run).await, &self.turns) {
            (Err(error), _) => Err(error),
            (Ok(()), None) => self.spawn(run, token).await,
            (Ok(()), Some(turns)) => self.spawn_tokenless(run, turns, &stopper).await,
        };
        let outcome = match started {
            Ok(app) => self.stay_with(run, app, &stopper).await,
            Err(error) => {
                let text = chain(&error);
                let reason = format!("The ServerApp could not be started: {text}");
                self.link.fail_run(run, &reason).await
            }
        };
        note(outcome);
    }

    /// Installs the run's app. A bundle that is not there is the process's to complain of.
    async fn install(&self, run: RunId) -> std::result::Result<(), flwr_daemon::apps::Error> {
        let bundle = async {
            let hash = self.link.known_run(run).await?.fab_hash;
            self.link.fab(&hash).await
        };
        match bundle.await {
            Ok(bundle) => install(bundle, self.flwr_dir.as_deref()).await,
            Err(_) => Ok(()),
        }
    }

    async fn spawn(
        &self,
        run: RunId,
        token: &str,
    ) -> std::result::Result<AppProcess, flwr_daemon::apps::Error> {
        let parent = self.outputs.is_none().then(std::process::id);
        let mut command = serverapp_command(
            &self.program,
            &self.serverappio_address,
            token,
            parent,
            self.flwr_dir.as_deref(),
        );
        command.channels.clone_from(&self.channels);
        self.start(run, &command).await
    }

    async fn start(
        &self,
        run: RunId,
        command: &AppCommand,
    ) -> std::result::Result<AppProcess, flwr_daemon::apps::Error> {
        let output = self.output_of(run);
        let app = self
            .prepared
            .start(command, output.as_deref(), &self.watchers)?;
        info!(pid = app.id(), "ServerApp started");
        Ok(app)
    }

    /// Where the process of a run writes to, if it is to outlive the SuperLink.
    fn output_of(&self, run: RunId) -> Option<PathBuf> {
        let outputs = self.outputs.as_ref()?;
        Some(outputs.join(format!("run-{run}.out")))
    }

    /// Notes who the process is, and watches it to its end.
    async fn stay_with(&self, run: RunId, app: AppProcess, stopper: &Stopper) -> Result<()> {
        if let Err(error) = self.link.set_process(run, Some(app.identity())).await {
            error!(
                error = &error as &dyn std::error::Error,
                "the ServerApp process could not be noted: it will not be found after a restart"
            );
        }
        let watched = self.watch(run, &app, stopper).await;
        if self.link.is_shut_out() {
            return watched;
        }
        self.link.set_process(run, None).await?;
        watched
    }

    async fn watch(&self, run: RunId, app: &AppProcess, stopper: &Stopper) -> Result<()> {
        tokio::select! {
            () = self.keep_alive(run) => Ok(()),
            () = self.tell_of_silence(run, app) => Ok(()),
            exit = app.wait() => self.exited(run, &exit).await,
            outcome = self.run_over(run) => {
                let farewell = if outcome? == Outcome::Stopped { Duration::ZERO } else { FAREWELL };
                if timeout(farewell, app.wait()).await.is_err() {
                    app.terminate(GRACE).await;
                }
                Ok(())
            }
            () = stopper.cancelled() => self.interrupt(run, app).await,
        }
    }

    /// The SuperLink stops: its process goes, and its run fails or will begin again.
    async fn interrupt(&self, run: RunId, app: &AppProcess) -> Result<()> {
        const WHY: &str = "The SuperLink was stopped while the run was going on.";
        if self.link.is_shut_out() {
            return self.leave(run, app).await;
        }
        // First the run, for a process that hears SIGTERM reports its run as failed, and not why.
        let ended = match self.outputs.is_some() && self.begin_again(run, WHY).await? {
            true => Ok(()),
            false => self.link.fail_run(run, WHY).await,
        };
        app.terminate(GRACE).await;
        ended
    }

    /// This SuperLink has nothing to say any more. The process goes if its run was taken over; else the
    /// process works with other SuperLinks, and the next start takes it over.
    async fn leave(&self, run: RunId, app: &AppProcess) -> Result<()> {
        let noted = self.link.processes().await;
        let is_left = noted.is_ok_and(|noted| {
            noted
                .iter()
                .any(|(of, process)| *of == run && process.identity == app.identity())
        });
        if !is_left {
            app.terminate(GRACE).await;
        }
        Ok(())
    }

    /// Sets the run back to its beginning, if it is to be and can be.
    async fn begin_again(&self, run: RunId, why: &str) -> Result<bool> {
        let phase = self.link.known_run(run).await?.status.phase;
        if !self.resume_runs || phase.is_finished() {
            return Ok(false);
        }
        self.link.begin_again(run, why).await
    }

    /// Waits until the run is finished.
    async fn run_over(&self, run: RunId) -> Result<Outcome> {
        let listener = self.link.wake().listen(Topic::Run(run));
        loop {
            let changed = listener.next();
            if let Phase::Finished(outcome) = self.link.known_run(run).await?.status.phase {
                return Ok(outcome);
            }
            changed.await;
        }
    }

    /// A process that ends without having finished its run has failed it.
    async fn exited(&self, run: RunId, exit: &Exit) -> Result<()> {
        info!(%exit, "ServerApp ended");
        let reason = format!("The ServerApp process ended before its run was finished: {exit}.");
        let details = with_output(reason, &exit.tail, exit.missing.as_ref());
        self.link.fail_run(run, &details).await
    }
}

/// A reason, the last lines of the process if there are some, and the module that it lacks.
fn with_output(mut reason: String, lines: &[String], missing: Option<&MissingModule>) -> String {
    if !lines.is_empty() {
        reason = format!("{reason} Its last lines:\n{}", lines.join("\n"));
    }
    match missing {
        Some(missing) => format!("{reason}\n{missing}"),
        None => reason,
    }
}

fn note(outcome: Result<()>) {
    if let Err(error) = outcome {
        error!(
            error = &error as &dyn std::error::Error,
            "the run could not be ended"
        );
    }
}
