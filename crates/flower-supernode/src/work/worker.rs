//! The loop: pull a message, attend to it, pull the next.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use flwr_core::config::UserConfig;
use flwr_core::fab::Fab;
use flwr_core::id::RunId;
use flwr_core::monotonic;
use flwr_daemon::apps::AppProcess;
use flwr_daemon::clock::Clock;
use flwr_daemon::stop::Stopper;
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{Instrument, debug, info, info_span, warn};

use super::abandoned::Abandoned;
use super::again::{Again, GivenUp};
use super::desk::Desk;
use super::runs::Runs;
use crate::error::Error;
use crate::launcher::Launcher;
use crate::metrics::Measured;
use crate::store::Store;
use crate::upstream::{NoAnswer, Upstream};

/// The pause after an empty answer that came at once (Flower's SuperLink does not hold the
/// call).
const PAUSE: Duration = Duration::from_secs(3);
/// An empty answer after this time was held by the SuperLink: ask again at once.
const HELD: Duration = Duration::from_secs(1);
/// What an app gets between SIGTERM and SIGKILL.
const END_GRACE: Duration = Duration::from_secs(3);
/// How long a ClientApp that has said all may take to leave.
const LEAVING: Duration = Duration::from_secs(10);
/// No message lives longer than a timer can count.
const LONGEST_LIFE: Duration = Duration::from_secs(365 * 24 * 3600);

/// What a worker is made of.
#[derive(Debug)]
pub(crate) struct WorkerParts {
    pub(crate) upstream: Upstream,
    pub(crate) desk: Arc<Desk>,
    pub(crate) launcher: Launcher,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) node_config: UserConfig,
    pub(crate) store: Store,
    /// The app of a node that runs this one, whatever app a run has.
    pub(crate) app: Option<Arc<Fab>>,
    /// What is measured of messages, if somebody reads it.
    pub(crate) measured: Option<Measured>,
}

/// Works on one message after the other.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(super) parts: WorkerParts,
    pub(super) runs: Mutex<Runs>,
    /// The ClientApp at work, so that it can be ended when its message is given up.
    pub(super) app: Mutex<Option<Arc<AppProcess>>>,
    pub(super) again: Mutex<Again>,
    /// ClientApps that have said all, and are about to leave.
    leaving: Mutex<JoinSet<()>>,
}

impl Worker {
    pub(crate) fn new(parts: WorkerParts) -> Self {
        Self {
            parts,
            runs: Mutex::default(),
            app: Mutex::new(None),
            again: Mutex::default(),
            leaving: Mutex::default(),
        }
    }

    /// Works until `stopper` stops, then ends the ClientApp at work. Once `draining` stops, the
    /// message in hand is the last one.
    pub(crate) async fn run(self, draining: Stopper, stopper: Stopper) -> Result<(), Error> {
        self.parts.store.sweep().await;
        let work = async {
            tokio::select! {
                ended = self.work_on(&draining) => ended,
                () = self.keep_sweeping() => Ok(()),
            }
        };
        let ended = stopper.run_until_stopped(work).await.unwrap_or(Ok(()));
        self.parts.desk.clear();
        self.end_app().await;
        ended
    }

    /// Attends to one message after the other, until an error ends this node or `draining` stops.
    async fn work_on(&self, draining: &Stopper) -> Result<(), Error> {
        let first = async {
            self.remember_runs().await;
            self.deliver_kept().await
        };
        let Some(delivered) = draining.run_until_stopped(first).await else {
            return Ok(());
        };
        delivered?;
        while let Some(next) = draining.run_until_stopped(self.next_message()).await {
            if let Some(message) = next? {
                self.take_on(message).await?;
            }
        }
        Ok(())
    }

    /// The message to attend to: one that was given up and is due again, or the next one of the
    /// SuperLink's. `None`: there is none yet.
    async fn next_message(&self) -> Result<Option<GivenUp>, Error> {
        let node = self.parts.upstream.node().await;
        let is_kept_due = self.again.lock().takes_kept();
        if is_kept_due {
            self.deliver_kept().await?;
        }
        let due = {
            let mut again = self.again.lock();
            if let Some(message) = again.next() {
                return Ok(Some(message));
            }
            again.due()
        };
        let asked = monotonic::now();
        let pulled = tokio::select! {
            biased;
            pulled = self.parts.upstream.pull(node) => pulled,
            // A message that comes with the lost answer of this call comes again: nobody confirmed it.
            () = until(due) => return Ok(None),
        };
        match pulled {
            Ok(Some(parcel)) => {
                let offered = self.again.lock().take(parcel.message.metadata.id);
                let known = offered.filter(|kept| kept.node == node);
                Ok(Some(known.unwrap_or_else(|| GivenUp::fresh(node, parcel))))
            }
            Ok(None) => {
                if asked.elapsed() < HELD {
                    sleep(PAUSE).await;
                }
                Ok(None)
            }
            Err(NoAnswer::GaveUp { tries, reason }) => Err(Error::GaveUp { tries, reason }),
            Err(no_answer) => {
                debug!("no message: {no_answer}");
                Ok(None)
            }
        }
    }

    /// Attends to one message, as long as it lives and this node is the one it is for.
    async fn take_on(&self, mut message: GivenUp) -> Result<(), Error> {
        let node = message.node;
        let metadata = message.parcel.message.metadata.clone();
        let span = info_span!("message", run_id = %metadata.run, node_id = %node, message_id = %metadata.id);
        let life = metadata.expires_at().since(self.parts.clock.now());
        let life = Duration::try_from_secs_f64(life.max(0.0))
            .unwrap_or(LONGEST_LIFE)
            .min(LONGEST_LIFE);
        let run = metadata.run;
        self.runs.lock().begin(run);
        let ended = async {
            let started = monotonic::now();
            info!("took a message: {}", metadata.message_type);
            let ended = tokio::select! {
                ended = self.answer(&mut message) => ended,
                () = self.parts.upstream.replaced(node) => Err(NoAnswer::Replaced.into()),
                () = sleep(life) => Err(Abandoned::Expired),
            };
            self.parts.desk.clear();
            if ended.as_ref().err().is_none_or(Abandoned::is_final) {
                self.parts.store.forget_reply(metadata.id).await;
            }
            let Err(abandoned) = ended else {
                info!("answered after {:.2} s", started.elapsed().as_secs_f64());
                return Ok(());
            };
            self.end_app().await;
            match abandoned {
                Abandoned::NoAnswer(NoAnswer::GaveUp { tries, reason }) => {
                    return Err(Error::GaveUp { tries, reason });
                }
                Abandoned::Fatal(error) => return Err(error),
                over if over.is_final() => {
                    warn!("gave the message up: {over}");
                    if over.is_run_over() {
                        self.forget(run).await;
                    }
                }
                refused => {
                    warn!("gave the message up for now, and tries it again later: {refused}");
                    self.again.lock().keep(message);
                }
            }
            Ok(())
        }
        .instrument(span)
        .await;
        self.runs.lock().rest();
        self.see_out();
        ended
    }

    /// Ends the ClientApp at work, if there is one, and waits until it is gone.
    async fn end_app(&self) {
        let app = self.app.lock().take();
        if let Some(app) = app {
            let exit = app.terminate(END_GRACE).await;
            info!("ended the {}: it {exit}", app.name());
        }
    }

    /// Lets a ClientApp that has said all leave by itself, while the next message is pulled.
    fn see_out(&self) {
        let Some(app) = self.app.lock().take() else {
            return;
        };
        let mut leaving = self.leaving.lock();
        leaving.spawn(async move {
            if timeout(LEAVING, app.wait()).await.is_err() {
                let exit = app.terminate(END_GRACE).await;
                warn!(
                    "the {} did not leave after its work and was ended: it {exit}",
                    app.name()
                );
            }
        });
        while leaving.try_join_next().is_some() {}
    }

    /// Drops what is kept of a run that is over.
    pub(super) async fn forget(&self, run: RunId) {
        self.runs.lock().forget(run);
        self.again.lock().forget(run);
        self.parts.launcher.forget(run);
        self.parts.store.forget_run(run).await;
    }
}

/// Waits until that moment; for ever, if there is none.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => pending().await,
    }
}
