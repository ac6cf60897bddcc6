//! An app process: started in a process group of its own, watched, and ended as a group.

use std::fmt;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::BufReader;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::tail::{Tail, pass_on};
use super::{AppCommand, Error};

/// How long the pipes of an ended app are read on, should somebody still hold them open.
const PIPE_GRACE: Duration = Duration::from_secs(1);

/// A running app. Dropping it kills the whole process group.
#[derive(Debug)]
pub struct AppProcess {
    name: String,
    pid: u32,
    exit: watch::Receiver<Option<Exit>>,
}

/// How an app ended.
#[derive(Clone, Debug, Default)]
pub struct Exit {
    /// The exit status; `None` where the system lost track of the process.
    pub status: Option<ExitStatus>,
    /// The last lines it wrote to stdout and stderr, oldest first.
    pub tail: Vec<String>,
}

impl AppProcess {
    /// Starts the app. Its output goes to the daemon's own stdout and stderr; it reads nothing.
    ///
    /// # Errors
    /// The system cannot start the program.
    pub fn spawn(command: &AppCommand) -> Result<Self, Error> {
        let failed = |source| Error::Spawn {
            program: command.program.display().to_string(),
            source,
        };
        let mut child = Command::new(&command.program)
            .args(&command.args)
            .envs(command.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own: Ctrl-C at the daemon's terminal reaches the daemon alone,
            // which then ends its apps in order, and what the app starts ends with it.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let pid = child
            .id()
            .ok_or_else(|| failed(io::Error::other("it ended at once")))?;
        let tail = Tail::default();
        let readers = readers(&mut child, &tail);
        let (report, exit) = watch::channel(None);
        tokio::spawn(watch_over(child, pid, readers, tail, report));
        Ok(Self {
            name: command.name.clone(),
            pid,
            exit,
        })
    }

    /// What the logs call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The process id, which is the id of its group too.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.pid
    }

    /// Whether it has not ended yet.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.exit.borrow().is_none()
    }

    /// Waits until it has ended and its output is read. Several may wait; each gets the answer.
    pub async fn wait(&self) -> Exit {
        let mut exit = self.exit.clone();
        match exit.wait_for(Option::is_some).await {
            Ok(ended) => ended.clone().unwrap_or_default(),
            // The watcher is gone only when the runtime goes down.
            Err(_) => Exit::default(),
        }
    }

    /// Ends the app and all it started: asks by SIGTERM, and after `grace` sends SIGKILL.
    pub async fn terminate(&self, grace: Duration) -> Exit {
        if self.is_running() {
            signal_group(self.pid, Signal::TERM);
        }
        if let Ok(exit) = timeout(grace, self.wait()).await {
            return exit;
        }
        self.kill();
        self.wait().await
    }

    /// Sends SIGKILL to the whole group, if the app is still there.
    pub fn kill(&self) {
        if self.is_running() {
            signal_group(self.pid, Signal::KILL);
        }
    }
}

impl Drop for AppProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Exit {
    /// The last lines in one text.
    #[must_use]
    pub fn output(&self) -> String {
        self.tail.join("\n")
    }

    /// Whether it ended by itself with status 0.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }
}

/// "exited with status 1", "was killed by signal 9 (SIGKILL)".
impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(status) = self.status else {
            return f.write_str("ended in an unknown way");
        };
        match (status.code(), status.signal()) {
            (Some(code), _) => write!(f, "exited with status {code}"),
            (None, Some(signal)) => {
                write!(f, "was killed by signal {signal}{}", signal_name(signal))
            }
            (None, None) => write!(f, "ended: {status}"),
        }
    }
}

fn signal_name(number: i32) -> &'static str {
    match number {
        2 => " (SIGINT)",
        6 => " (SIGABRT)",
        9 => " (SIGKILL; out of memory?)",
        11 => " (SIGSEGV)",
        15 => " (SIGTERM)",
        _ => "",
    }
}

fn readers(child: &mut Child, tail: &Tail) -> Vec<JoinHandle<()>> {
    let mut readers = Vec::new();
    if let Some(pipe) = child.stdout.take() {
        readers.push(tokio::spawn(pass_on(
            BufReader::new(pipe),
            tokio::io::stdout(),
            tail.clone(),
        )));
    }
    if let Some(pipe) = child.stderr.take() {
        readers.push(tokio::spawn(pass_on(
            BufReader::new(pipe),
            tokio::io::stderr(),
            tail.clone(),
        )));
    }
    readers
}

/// Reaps the app, ends what it left behind, and reports once its output is read.
async fn watch_over(
    mut child: Child,
    pid: u32,
    readers: Vec<JoinHandle<()>>,
    tail: Tail,
    report: watch::Sender<Option<Exit>>,
) {
    let status = child.wait().await.ok();
    // What the app started and did not end is in its group still, and keeps the id in use.
    signal_group(pid, Signal::KILL);
    for mut reader in readers {
        if timeout(PIPE_GRACE, &mut reader).await.is_err() {
            reader.abort();
        }
    }
    report.send_replace(Some(Exit {
        status,
        tail: tail.lines(),
    }));
}

fn signal_group(pid: u32, signal: Signal) {
    let group = i32::try_from(pid).ok().and_then(Pid::from_raw);
    if let Some(group) = group {
        // An error says that nobody is left in the group: what was wanted.
        let _ = kill_process_group(group, signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apps::find_program;

    fn shell(script: &str) -> AppCommand {
        AppCommand {
            program: find_program("sh").unwrap(),
            args: vec!["-c".into(), script.into()],
            env: vec![("GREETING".into(), "hello".into())],
            name: "test app".to_owned(),
        }
    }

    fn is_alive(pid: &str) -> bool {
        // A zombie has ended; nobody has reaped it yet.
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(')')
            .next()
            .is_some_and(|rest| !rest.trim().is_empty() && !rest.trim().starts_with('Z'))
    }

    #[tokio::test]
    async fn the_exit_tells_status_and_last_lines_of_both_pipes() {
        let app = AppProcess::spawn(&shell("echo $GREETING; echo oops >&2; exit 3")).unwrap();
        let exit = app.wait().await;
        assert_eq!(exit.to_string(), "exited with status 3");
        assert!(!exit.is_success() && !app.is_running());
        let mut tail = exit.tail.clone();
        tail.sort();
        assert_eq!(tail, ["hello", "oops"]);
        assert_eq!(
            app.wait().await.tail.len(),
            2,
            "a second wait gets the same answer"
        );
    }

    #[tokio::test]
    async fn terminate_asks_first() {
        let app = AppProcess::spawn(&shell(
            "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.05; done",
        ))
        .unwrap();
        // SIGTERM before the trap is set would end the shell by signal.
        wait_for_line(&app, "ready").await;
        let exit = app.terminate(Duration::from_secs(10)).await;
        assert!(exit.is_success(), "{exit}");
        assert_eq!(exit.tail.last().unwrap(), "bye");
    }

    #[tokio::test]
    async fn terminate_kills_the_group_of_an_app_that_does_not_listen() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pid");
        let script = format!(
            "trap '' TERM; sleep 600 & echo $! > {0}.tmp; mv {0}.tmp {0}; wait; wait",
            file.display()
        );
        let app = AppProcess::spawn(&shell(&script)).unwrap();
        while !file.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let grandchild = std::fs::read_to_string(&file).unwrap();
        assert!(is_alive(grandchild.trim()));
        let exit = app.terminate(Duration::from_millis(50)).await;
        assert!(
            exit.to_string().starts_with("was killed by signal 9"),
            "{exit}"
        );
        while is_alive(grandchild.trim()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[tokio::test]
    async fn dropping_an_app_kills_it() {
        let app = AppProcess::spawn(&shell("sleep 600")).unwrap();
        let pid = app.id().to_string();
        assert!(is_alive(&pid));
        drop(app);
        while is_alive(&pid) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[tokio::test]
    async fn a_program_that_cannot_start_is_named() {
        let mut command = shell("true");
        command.program = "/nonexistent/app".into();
        let error = AppProcess::spawn(&command).unwrap_err();
        assert_eq!(error.to_string(), "could not start `/nonexistent/app`");
    }

    async fn wait_for_line(app: &AppProcess, line: &str) {
        // The tail is private to the watcher until the end: look at what the app holds open.
        let stat = format!("/proc/{}/status", app.id());
        loop {
            let status = std::fs::read_to_string(&stat).unwrap();
            let caught = status
                .lines()
                .find_map(|l| l.strip_prefix("SigCgt:"))
                .unwrap()
                .trim();
            // Bit 14 is SIGTERM: the trap stands, and `line` is on its way.
            if u64::from_str_radix(caught, 16).unwrap() & (1 << 14) != 0 {
                return;
            }
            assert!(app.is_running(), "ended before `{line}`");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
