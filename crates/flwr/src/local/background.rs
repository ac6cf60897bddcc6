//! `flwr up --detach`: starts the supervisor in the background.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::process::Stdio;
use std::time::Duration;

use flwr_core::monotonic;
use tokio::process::{Child, Command};
use tokio::time::sleep;

use super::Local;
use super::python::{self, Packages};
use crate::error::{Error, Result};
use crate::local_federation::LocalFederation;
use crate::render::Output;

/// The time limit for the start. The supervisor gives up sooner.
const PATIENCE: Duration = Duration::from_secs(180);
/// The polling interval.
const LOOK: Duration = Duration::from_millis(50);
/// The number of log lines that are shown after a failure.
const LAST_LINES: usize = 15;

/// Starts the federation in the background and waits until it is up.
pub(crate) async fn start(
    local: &Local,
    supernodes: u32,
    packages: Packages,
    output: &mut Output,
) -> Result<LocalFederation> {
    // Before the detaching, as the installation may take long and the user should see it.
    let lock = local.tend()?;
    python::prepare(local, packages, output).await?;
    drop(lock);
    output.say(&format!(
        "Starting a SuperLink and {supernodes} SuperNodes ..."
    ))?;
    let child = spawn(local, supernodes)?;
    wait(local, child).await
}

fn spawn(local: &Local, supernodes: u32) -> Result<Child> {
    let path = local.log();
    let log = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(&path);
    let spawned = log.and_then(|log| {
        Command::new(std::env::current_exe()?)
            .args(["up", "--in-background", "--supernodes"])
            .arg(supernodes.to_string())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
    });
    spawned.map_err(|source| Error::Write { path, source })
}

async fn wait(local: &Local, mut child: Child) -> Result<LocalFederation> {
    let deadline = monotonic::now() + PATIENCE;
    loop {
        if let Some(description) = local.description()? {
            return Ok(description);
        }
        let ended = child.try_wait().ok().flatten();
        if ended.is_some() || monotonic::now() > deadline {
            // After the time limit, the supervisor must not go on.
            let _ = child.start_kill();
            return Err(Error::NotUp(last_lines(local)));
        }
        sleep(LOOK).await;
    }
}

fn last_lines(local: &Local) -> String {
    let text = fs::read(local.log()).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().collect();
    let skipped = lines.len().saturating_sub(LAST_LINES);
    lines[skipped..].join("\n")
}
