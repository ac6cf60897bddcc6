//! Prepared ServerApp processes: one process with all imports done waits for the next run.

use std::path::{Path, PathBuf};

use flwr_core::cause::chain;
use flwr_daemon::apps::{AppCommand, AppProcess, Error, Program, WaitingApp, Watchers};
use parking_lot::Mutex;
use tracing::warn;

/// The output file of the prepared process, until it has a run.
const NEXT: &str = "next.out";

/// Starts ServerApps: in the prepared process, or else in a new process.
#[derive(Debug)]
pub(super) struct PreparedApps {
    program: Program,
    flwr_dir: Option<PathBuf>,
    outputs: Option<PathBuf>,
    ahead: bool,
    waiting: Mutex<Option<WaitingApp>>,
}

impl PreparedApps {
    pub(super) fn new(
        program: &Program,
        flwr_dir: Option<&Path>,
        outputs: Option<&Path>,
        ahead: bool,
    ) -> Self {
        Self {
            program: program.clone(),
            flwr_dir: flwr_dir.map(Path::to_owned),
            outputs: outputs.map(Path::to_owned),
            ahead,
            waiting: Mutex::default(),
        }
    }

    /// Prepares a process for the next run, unless there is a prepared process.
    pub(super) fn prepare(&self) {
        let mut waiting = self.waiting.lock();
        if !self.ahead || waiting.is_some() {
            return;
        }
        let output = self.outputs.as_ref().map(|outputs| outputs.join(NEXT));
        let flwr_dir = self.flwr_dir.as_deref();
        let spawned = WaitingApp::spawn(&self.program, flwr_dir, output.as_deref());
        *waiting = spawned.unwrap_or_else(|error| {
            warn!(error = chain(&error), "no ServerApp can be prepared");
            None
        });
    }

    /// Starts the app. Its output goes to the file `output`, where it is to outlive the SuperLink.
    pub(super) fn start(
        &self,
        command: &AppCommand,
        output: Option<&Path>,
        watchers: &Watchers,
    ) -> Result<AppProcess, Error> {
        let waiting = self.waiting.lock().take();
        if let Some(waiting) = waiting {
            match waiting.begin(command, output, watchers) {
                Ok(app) => return Ok(app),
                Err(error) => {
                    warn!(
                        error = chain(&error),
                        "the ServerApp is started from nothing"
                    );
                }
            }
        }
        match output {
            Some(output) => AppProcess::spawn_lasting(command, output, watchers),
            None => AppProcess::spawn(command, watchers),
        }
    }

    /// Ends the prepared process. Called when the launcher stops.
    pub(super) fn clear(&self) {
        self.waiting.lock().take();
    }
}
