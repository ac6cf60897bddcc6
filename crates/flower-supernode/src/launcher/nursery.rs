//! Where ClientApp processes come from that have done their imports: a fork server for each run,
//! so that nothing of one run is met by another, and one that no run has used yet.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use flwr_core::cause::chain;
use flwr_core::id::RunId;
use flwr_daemon::apps::{self, AppBundle, AppCommand, AppProcess, ForkServer, Place};
use parking_lot::Mutex;
use tracing::warn;

mod litter;

use litter::Litter;

/// How many fork servers wait at the same time: those of runs between their messages, and the spare
/// one. A run beyond these, for which no message came for longest, loads its app again.
const KEPT_RUNS: usize = 2;

/// Gives out ClientApp processes.
#[derive(Debug)]
pub(crate) struct Nursery {
    program: PathBuf,
    /// Variables of the processes, beside the node's own.
    environment: Vec<(OsString, OsString)>,
    servers: Mutex<Servers>,
    /// Whether even a server that has run nothing must not be forked.
    barren: AtomicBool,
}

#[derive(Debug, Default)]
struct Servers {
    /// The run that had a message last is the last.
    of_runs: Vec<(RunId, Litter)>,
    /// For the next run.
    spare: Option<ForkServer>,
}

impl Nursery {
    /// One that has begun to get ready for its first run.
    pub(crate) fn new(program: &Path, environment: Vec<(OsString, OsString)>) -> Self {
        let nursery = Self {
            program: program.to_owned(),
            environment,
            servers: Mutex::default(),
            barren: AtomicBool::new(false),
        };
        nursery.servers.lock().spare = nursery.new_server();
        nursery
    }

    /// A ClientApp process for a run: by a fork, or, where that does not work, from nothing.
    pub(crate) async fn start(
        &self,
        run: RunId,
        command: &AppCommand,
        app: AppBundle<'_>,
        place: Place,
    ) -> Result<AppProcess, apps::Error> {
        // While its app is being loaded a run has no processes here: they end if nobody waits for
        // the message any more.
        let Some(mut litter) = self.take(run) else {
            return AppProcess::spawn(command);
        };
        match litter.start(command, app, place).await {
            Ok(Some(app)) => {
                self.keep(run, litter);
                return Ok(app);
            }
            Ok(None) => self.barren.store(true, Ordering::Relaxed),
            Err(error) => warn!(
                error = chain(&error),
                "the ClientApp is started from nothing"
            ),
        }
        AppProcess::spawn(command)
    }

    /// The run is over. The next one will find a server ready.
    pub(crate) fn forget(&self, run: RunId) {
        let mut servers = self.servers.lock();
        servers.take(run);
        self.make_spare(&mut servers);
    }

    fn keep(&self, run: RunId, litter: Litter) {
        let mut servers = self.servers.lock();
        servers.of_runs.push((run, litter));
        if servers.of_runs.len() > KEPT_RUNS {
            servers.of_runs.remove(0);
        }
        if servers.of_runs.len() == KEPT_RUNS {
            // Runs take turns. A server for yet another one would be a third.
            servers.spare = None;
        }
    }

    /// Gets a server ready for the next run, unless enough servers wait.
    fn make_spare(&self, servers: &mut Servers) {
        if servers.spare.is_none() && servers.of_runs.len() < KEPT_RUNS {
            servers.spare = self.new_server();
        }
    }

    fn take(&self, run: RunId) -> Option<Litter> {
        let mut servers = self.servers.lock();
        let kept = servers.take(run).filter(Litter::is_running);
        let spare = |servers: &mut Servers| servers.spare.take().filter(ForkServer::is_running);
        kept.or_else(|| {
            let server = spare(&mut servers).or_else(|| self.new_server())?;
            Some(Litter::new(server))
        })
    }

    fn new_server(&self) -> Option<ForkServer> {
        if self.barren.load(Ordering::Relaxed) {
            return None;
        }
        ForkServer::start(&self.program, &self.environment).unwrap_or_else(|error| {
            warn!(error = chain(&error), "ClientApps cannot be prepared");
            None
        })
    }
}

impl Servers {
    fn take(&mut self, run: RunId) -> Option<Litter> {
        let index = self.of_runs.iter().position(|(of, _)| *of == run)?;
        Some(self.of_runs.remove(index).1)
    }
}
