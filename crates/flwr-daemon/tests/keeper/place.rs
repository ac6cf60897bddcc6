//! A folder in which scripts run as apps, and what they leave there.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use flwr_core::monotonic;
use flwr_daemon::apps::{AppCommand, AppProcess, Identity, Watchers, find_program};
use tempfile::TempDir;
use tokio::time::sleep;

/// Far more than any test takes.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Starts processes of all kinds that leave the group of their app; each writes its id to a file.
pub(crate) const LEAVES: &str = r#"
setsid sh -c 'echo $$ > session; exec sleep 600' &
(setsid sh -c 'echo $$ > forked; trap "" TERM HUP; while :; do sleep 0.05; done' &)
env -i setsid sh -c 'echo $$ > cleared; sleep 600 & echo $! > below; wait' &
sh -c 'echo $$ > group; exec sleep 600' &
"#;
/// The files of [`LEAVES`].
const LEFT: [&str; 5] = ["session", "forked", "cleared", "below", "group"];

pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A script as an app that runs in this folder.
    pub(crate) fn shell(&self, script: &str) -> AppCommand {
        shell(&self.0.path().display().to_string(), script)
    }

    pub(crate) fn spawn(&self, script: &str) -> AppProcess {
        AppProcess::spawn(&self.shell(script), &Watchers::new()).unwrap()
    }

    /// What was written to a file, once a whole line is there.
    pub(crate) async fn line(&self, name: &str) -> String {
        let path = self.path(name);
        let text = || fs::read_to_string(&path).unwrap_or_default();
        until(name, || text().ends_with('\n')).await;
        text().trim().to_owned()
    }

    pub(crate) async fn process(&self, name: &str) -> Identity {
        Identity::of(self.line(name).await.parse().unwrap()).unwrap()
    }

    /// The processes of [`LEAVES`].
    pub(crate) async fn left(&self) -> Vec<Identity> {
        let mut left = Vec::new();
        for name in LEFT {
            left.push(self.process(name).await);
        }
        left
    }

    /// Whether any process works in this folder.
    pub(crate) fn has_processes(&self) -> bool {
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let places = processes.filter_map(|process| process.path().join("cwd").read_link().ok());
        let own = self.0.path().canonicalize().unwrap();
        places.into_iter().any(|place| place == own)
    }

    pub(crate) fn touch(&self, name: &str) {
        fs::write(self.path(name), "").unwrap();
    }
}

pub(crate) fn shell(dir: &str, script: &str) -> AppCommand {
    AppCommand {
        program: find_program("sh").unwrap(),
        args: vec!["-c".into(), format!("cd \"$DIR\"\n{script}").into()],
        told: Vec::new(),
        token: None,
        env: vec![("DIR".into(), dir.into())],
        name: "test app".to_owned(),
        channels: None,
    }
}

pub(crate) fn living(processes: &[Identity]) -> Vec<bool> {
    processes.iter().map(Identity::is_alive).collect()
}

pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    let start = monotonic::now();
    while !holds() {
        assert!(start.elapsed() < DEADLINE, "in vain: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}
