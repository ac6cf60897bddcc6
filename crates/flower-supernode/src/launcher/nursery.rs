//! Where ClientApp processes come from that have done their imports: a fork server for each run,
//! so that nothing of one run is met by another, and one that no run has used yet.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flwr_core::cause::chain;
use flwr_core::id::RunId;
use flwr_daemon::apps::{self, AppCommand, AppProcess, ForkServer, Place};
use parking_lot::Mutex;
use tracing::warn;

/// Gives out ClientApp processes.
#[derive(Debug)]
pub(crate) struct Nursery {
    program: PathBuf,
    servers: Mutex<Servers>,
}

#[derive(Debug, Default)]
struct Servers {
    of_runs: HashMap<RunId, Arc<ForkServer>>,
    /// For the next run.
    spare: Option<ForkServer>,
}

impl Nursery {
    /// One that has begun to get ready for its first run.
    pub(crate) fn new(program: &Path) -> Self {
        let nursery = Self {
            program: program.to_owned(),
            servers: Mutex::default(),
        };
        nursery.servers.lock().spare = nursery.new_server();
        nursery
    }

    /// A ClientApp process for a run: by a fork, or, where that does not work, from nothing.
    pub(crate) async fn start(
        &self,
        run: RunId,
        command: &AppCommand,
        place: Place,
    ) -> Result<AppProcess, apps::Error> {
        if let Some(server) = self.server_of(run) {
            match server.run(command, place).await {
                Ok(app) => return Ok(app),
                Err(error) => {
                    warn!(
                        error = chain(&error),
                        "the ClientApp is started from nothing"
                    );
                    self.servers.lock().of_runs.remove(&run);
                }
            }
        }
        AppProcess::spawn(command)
    }

    /// The run is over. The next one will find a server ready.
    pub(crate) fn forget(&self, run: RunId) {
        let mut servers = self.servers.lock();
        servers.of_runs.remove(&run);
        if servers.spare.is_none() {
            servers.spare = self.new_server();
        }
    }

    fn server_of(&self, run: RunId) -> Option<Arc<ForkServer>> {
        let mut servers = self.servers.lock();
        let ready = servers.of_runs.get(&run).cloned();
        if let Some(ready) = ready.filter(|server| server.is_running()) {
            return Some(ready);
        }
        let spare = servers.spare.take().filter(ForkServer::is_running);
        let server = Arc::new(spare.or_else(|| self.new_server())?);
        servers.of_runs.insert(run, Arc::clone(&server));
        Some(server)
    }

    fn new_server(&self) -> Option<ForkServer> {
        ForkServer::start(&self.program).unwrap_or_else(|error| {
            warn!(error = chain(&error), "ClientApps cannot be prepared");
            None
        })
    }
}
