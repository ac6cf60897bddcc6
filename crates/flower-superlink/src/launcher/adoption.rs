//! After a restart: the processes that an earlier SuperLink started.

use std::fs;
use std::io;
use std::path::PathBuf;

use flwr_core::id::RunId;
use flwr_core::run::Phase;
use flwr_daemon::apps::{AppProcess, MissingModule, last_lines};
use flwr_daemon::stop::Stopper;
use tokio::task::{JoinSet, spawn_blocking};
use tracing::{Instrument, info, info_span, warn};

use super::{Launcher, note, with_output};
use crate::error::Result;
use crate::link::state::Process;

impl Launcher {
    /// Goes on with the processes that are still there, and settles the runs of those that are
    /// not. A pending run whose process was not noted can be launched anew.
    pub(super) async fn take_over(&self, apps: &mut JoinSet<()>, stopper: &Stopper) -> Result<()> {
        let noted = self.link.processes().await?;
        for (run, process) in &noted {
            let (launcher, stopper) = (self.clone(), stopper.clone());
            let (run, process) = (*run, process.clone());
            let attend = async move { note(launcher.take_over_one(run, process, &stopper).await) };
            apps.spawn(attend.instrument(info_span!("serverapp", run_id = %run)));
        }
        for run in self.link.left_runs().await? {
            if noted.iter().all(|(noted, _)| *noted != run) {
                self.link.revoke_token(run).await?;
            }
        }
        self.remove_strays(&noted).await;
        Ok(())
    }

    async fn take_over_one(&self, run: RunId, process: Process, stopper: &Stopper) -> Result<()> {
        let Process { host, identity } = process;
        let output = self.output_of(run).unwrap_or_default();
        // A process of another machine, or of a container of before, is none of ours.
        match AppProcess::adopt("ServerApp", &identity, &output, &self.watchers) {
            Some(app) => {
                info!(
                    pid = app.id(),
                    "ServerApp of an earlier SuperLink taken over"
                );
                let phase = self.link.known_run(run).await?.status.phase;
                if self.turns.is_some() && phase == Phase::Pending {
                    self.link.expect(run, app.identity());
                }
                self.stay_with(run, app, stopper).await
            }
            None => {
                let host = (!host.is_empty()).then_some(host);
                info!(
                    pid = identity.pid,
                    host, "the ServerApp of an earlier SuperLink is gone"
                );
                self.ended_unseen(run, output).await
            }
        }
    }

    /// The process ended while there was no SuperLink.
    async fn ended_unseen(&self, run: RunId, output: PathBuf) -> Result<()> {
        const WHY: &str = "The ServerApp process ended while the SuperLink was down.";
        let known = self.link.known_run(run).await?.status.phase;
        let file = output.clone();
        let lines = spawn_blocking(move || last_lines(&file)).await;
        let lines = lines.unwrap_or_default();
        let missing = MissingModule::in_output(&lines.join("\n"));
        let reason = with_output(WHY.to_owned(), &lines, missing.as_ref());
        if !known.is_finished() && !self.begin_again(run, &reason).await? {
            self.link.fail_run(run, &reason).await?;
        }
        self.link.set_process(run, None).await?;
        remove(output).await;
        if known == Phase::Pending {
            info!("its run had not begun");
        }
        Ok(())
    }

    /// Removes the output of processes that nobody noted.
    async fn remove_strays(&self, noted: &[(RunId, Process)]) {
        let Some(dir) = self.outputs.clone() else {
            return;
        };
        let kept: Vec<_> = noted
            .iter()
            .filter_map(|(run, _)| self.output_of(*run))
            .collect();
        let strays = spawn_blocking(move || {
            let files = fs::read_dir(dir).into_iter().flatten().flatten();
            let paths = files.map(|file| file.path());
            let is_output = |path: &PathBuf| path.extension().is_some_and(|end| end == "out");
            paths
                .filter(|path| is_output(path) && !kept.contains(path))
                .collect::<Vec<_>>()
        });
        for stray in strays.await.unwrap_or_default() {
            remove(stray).await;
        }
    }
}

async fn remove(file: PathBuf) {
    if let Err(error) = tokio::fs::remove_file(&file).await
        && error.kind() != io::ErrorKind::NotFound
    {
        warn!(%error, path = %file.display(), "the output of an ended ServerApp was not removed");
    }
}
