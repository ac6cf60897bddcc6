//! Prepared ClientApp processes, with all imports done. Each run has its own fork server, so that
//! no state passes from one run to another. A spare server waits for the next run.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use flwr_core::cause::chain;
use flwr_core::id::RunId;
use flwr_daemon::apps::{self, AppBundle, AppCommand, AppProcess, ForkServer, Place, Watchers};
use parking_lot::Mutex;
use tracing::warn;

mod run_server;

use run_server::RunServer;

/// How many fork servers wait at the same time: those of runs between their messages, and the spare
/// one. A run beyond these, for which no message came for longest, loads its app again.
const KEPT_RUNS: usize = 2;

/// Starts ClientApps: by a fork of a prepared process, or else in a new process.
#[derive(Debug)]
pub(crate) struct PreparedApps {
    program: PathBuf,
    /// Variables of the processes, beside the node's own.
    environment: Vec<(OsString, OsString)>,
    watchers: Watchers,
    servers: Mutex<Servers>,
    /// Whether not even a fresh server may be forked.
    unforkable: AtomicBool,
}

#[derive(Debug, Default)]
struct Servers {
    /// The run with the latest message comes last.
    of_runs: Vec<(RunId, RunServer)>,
    /// The server for the next run.
    spare: Option<ForkServer>,
}

impl PreparedApps {
    /// Begins to prepare a server for the first run.
    pub(crate) fn new(
        program: &Path,
        environment: Vec<(OsString, OsString)>,
        watchers: Watchers,
    ) -> Self {
        let prepared = Self {
            program: program.to_owned(),
            environment,
            watchers,
            servers: Mutex::default(),
            unforkable: AtomicBool::new(false),
        };
        prepared.servers.lock().spare = prepared.new_server();
        prepared
    }

    /// Starts a ClientApp process for a run: by a fork if possible, or else a new process.
    pub(crate) async fn start(
        &self,
        run: RunId,
        command: &AppCommand,
        app: AppBundle<'_>,
        place: Place,
    ) -> Result<AppProcess, apps::Error> {
        // While its app is being loaded a run has no processes here: they end if nobody waits for
        // the message any more.
        let Some(mut server) = self.take(run) else {
            return AppProcess::spawn(command, &self.watchers);
        };
        match server.start(command, app, place).await {
            Ok(Some(app)) => {
                self.keep(run, server);
                return Ok(app);
            }
            Ok(None) => self.unforkable.store(true, Ordering::Relaxed),
            Err(error) => warn!(
                error = chain(&error),
                "the ClientApp is started from nothing"
            ),
        }
        AppProcess::spawn(command, &self.watchers)
    }

    /// Forgets a finished run, and prepares a server for the next run.
    pub(crate) fn forget(&self, run: RunId) {
        let mut servers = self.servers.lock();
        servers.take(run);
        self.make_spare(&mut servers);
    }

    fn keep(&self, run: RunId, server: RunServer) {
        let mut servers = self.servers.lock();
        servers.of_runs.push((run, server));
        if servers.of_runs.len() > KEPT_RUNS {
            servers.of_runs.remove(0);
        }
        if servers.of_runs.len() == KEPT_RUNS {
            // With those of two runs the limit is reached.
            servers.spare = None;
        }
    }

    /// Gets a server ready for the next run, unless enough servers wait.
    fn make_spare(&self, servers: &mut Servers) {
        if servers.spare.is_none() && servers.of_runs.len() < KEPT_RUNS {
            servers.spare = self.new_server();
        }
    }

    fn take(&self, run: RunId) -> Option<RunServer> {
        let mut servers = self.servers.lock();
        let kept = servers.take(run).filter(RunServer::is_running);
        let spare = |servers: &mut Servers| servers.spare.take().filter(ForkServer::is_running);
        kept.or_else(|| {
            let server = spare(&mut servers).or_else(|| self.new_server())?;
            Some(RunServer::new(server))
        })
    }

    fn new_server(&self) -> Option<ForkServer> {
        if self.unforkable.load(Ordering::Relaxed) {
            return None;
        }
        ForkServer::start(&self.program, &self.environment, &self.watchers).unwrap_or_else(
            |error| {
                warn!(error = chain(&error), "ClientApps cannot be prepared");
                None
            },
        )
    }
}

impl Servers {
    fn take(&mut self, run: RunId) -> Option<RunServer> {
        let index = self.of_runs.iter().position(|(of, _)| *of == run)?;
        Some(self.of_runs.remove(index).1)
    }
}
