//! The keeper of an app: a small process between the daemon and the app.
//!
//! An app may start processes that leave its process group: torchrun, Ray and loky give them a
//! session of their own. The keeper is their subreaper (prctl(2), `PR_SET_CHILD_SUBREAPER`): a
//! process whose parent ends becomes a child of the keeper. So all processes of an app are
//! descendants of its keeper, and no process of another app is. When the app ends, the keeper kills
//! its other descendants, and then exits as the app did.
//!
//! The keeper is the daemon's own program under another name: a daemon calls [`run_if_asked`]
//! first of all. It has one thread and no runtime. It leads the process group of the app:
//!
//! - `SIGTERM` goes to the group. The app hears it; the keeper stays.
//! - `SIGUSR1` goes to the keeper: it kills the app and all that is below it.
//! - The keeper of an app that belongs to its daemon does the same when the daemon dies.
//! - The output of a lasting app goes through the keeper to its file (`spool.rs`).
//! - Somebody may kill the keeper itself (SIGKILL). The daemon then ends what the keeper left
//!   (`leftovers.rs`): the app and its descendants carry the keeper's mark in their environment.

use std::collections::HashSet;
use std::env::{self, ArgsOs};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use flwr_core::monotonic;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Resource, Rlimit, Signal, WaitOptions, WaitStatus, getpid, getppid,
    kill_process, pidfd_open, set_child_subreaper, setrlimit, wait,
};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::low_level::{emulate_default_handler, pipe};
use tokio::time::Instant;

use super::descendants::{children, descendants};
use super::leftovers::{LeftBehind, Mark};
use super::spool::Spool;
use crate::limits;

/// The name under which the daemon's program is a keeper.
const NAME: &str = "flwr-app-keeper";
/// Stands in place of the daemon's process id if the app goes on without its daemon.
const LASTING: &str = "lasting";
/// Exit status of a keeper whose app cannot be started, as in shells.
const NOT_STARTED: u8 = 127;
/// The time limit for ending what an app left behind. A process may hang in the kernel.
const PATIENCE: Duration = Duration::from_secs(30);
/// The interval between two looks meanwhile.
const LOOK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 50_000_000,
};

/// Whether this program can be a keeper: its `main` has called [`run_if_asked`].
static OFFERED: AtomicBool = AtomicBool::new(false);

/// If this process was started as a keeper: does a keeper's work, and gives the exit status. Else
/// notes that this program can be started as a keeper. Each daemon's `main` calls this function
/// first, while there is one thread.
pub fn run_if_asked() -> Option<ExitCode> {
    let mut args = env::args_os();
    if args.next().as_deref() == Some(OsStr::new(NAME)) {
        return Some(keep(args));
    }
    OFFERED.store(cfg!(target_os = "linux"), Ordering::Relaxed);
    None
}

/// How long an app may live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// As long as its daemon.
    Daemon,
    /// Without a limit.
    Own,
}

/// The command that starts `program` under a keeper, or without a keeper if this program cannot be
/// one.
pub(super) fn command(program: &OsStr, life: Life) -> tokio::process::Command {
    if !is_offered() {
        return tokio::process::Command::new(program);
    }
    // The running program, even if an update has removed its file.
    let mut command = tokio::process::Command::new("/proc/self/exe");
    command.arg0(NAME);
    match life {
        Life::Daemon => command.arg(std::process::id().to_string()),
        Life::Own => command.arg(LASTING),
    };
    command.arg(program);
    command
}

/// Whether the apps of this program have keepers.
pub(super) fn is_offered() -> bool {
    OFFERED.load(Ordering::Relaxed)
}

/// Whether this process is a keeper.
pub(super) fn is_keeper(pid: Pid) -> bool {
    let mut start = [0; NAME.len() + 1];
    let path = format!("/proc/{}/cmdline", pid.as_raw_nonzero());
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start.strip_suffix(&[0]) == Some(NAME.as_bytes())
}

/// Tells a keeper to kill all its descendants, and to end.
pub(super) fn end_all(keeper: Pid) {
    // Errors say that the keeper has ended. A stopped keeper has to go on to hear of it.
    let _ = kill_process(keeper, Signal::USR1);
    let _ = kill_process(keeper, Signal::CONT);
}

#[expect(
    clippy::print_stderr,
    reason = "the app's stderr: the daemon shows it as the app's last words"
)]
fn keep(mut args: ArgsOs) -> ExitCode {
    let (Some(daemon), Some(program)) = (args.next(), args.next()) else {
        eprintln!("{NAME}: is started by the Flower daemons alone");
        return ExitCode::from(2);
    };
    let args = with_parent(args, &daemon);
    match Keeper::start(&daemon, Command::new(&program).args(args)) {
        Ok(keeper) => keeper.stay(),
        Err(error) => {
            let limit = limits::named(&error);
            eprintln!("could not start `{}`{limit}: {error}", program.display());
            ExitCode::from(NOT_STARTED)
        }
    }
}

/// The app's arguments, in which the keeper stands for the daemon: the `flwr-clientapp` of flwr
/// 1.20 ends itself where its parent is another process than `--parent-pid` says.
fn with_parent(args: impl Iterator<Item = OsString>, daemon: &OsStr) -> Vec<OsString> {
    let mut told: Vec<OsString> = Vec::new();
    for arg in args {
        let is_parent = told.last().is_some_and(|flag| flag == "--parent-pid");
        told.push(if is_parent && arg == daemon {
            std::process::id().to_string().into()
        } else {
            arg
        });
    }
    told
}

/// The state of a keeper process.
struct Keeper {
    app: Pid,
    /// How the app ended.
    status: Option<WaitStatus>,
    /// Becomes readable after a signal.
    signals: UnixStream,
    /// Whether SIGUSR1 came.
    asked: Arc<AtomicBool>,
    daemon: Option<Daemon>,
    /// The output of a lasting app, where it goes to a file.
    spool: Option<Spool>,
}

impl Keeper {
    fn start(daemon: &OsStr, app: &mut Command) -> io::Result<Self> {
        set_child_subreaper(Some(getpid()))?;
        // Shown by `ps` and `top`, where "exe" would stand; not worth an error.
        let _ = rustix::thread::set_name(c"flwr-keeper");
        let (asked, terminated) = (Arc::default(), Arc::default());
        // An exec resets handlers, not ignored signals: an app would go on ignoring them.
        signal_hook::flag::register(SIGUSR1, Arc::clone(&asked))?;
        signal_hook::flag::register(SIGTERM, Arc::clone(&terminated))?;
        let (signals, wake) = UnixStream::pair()?;
        signals.set_nonblocking(true)?;
        wake.set_nonblocking(true)?;
        for signal in [SIGCHLD, SIGHUP, SIGINT, SIGTERM, SIGUSR1] {
            pipe::register(signal, wake.try_clone()?)?;
        }
        let daemon = Daemon::find(daemon)?;
        if let Some(mark) = Mark::own() {
            app.env(Mark::VARIABLE, mark.as_str());
        }
        let spool = match &daemon {
            None => Spool::of(app)?,
            Some(_) => None,
        };
        let child = app.spawn()?;
        Spool::release(app);
        let gone = || io::Error::other("it has no process id");
        let app = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let app = app.ok_or_else(gone)?;
        if terminated.load(Ordering::SeqCst) {
            // The app was not in the group yet when the signal came.
            let _ = kill_process(app, Signal::TERM);
        }
        // What the app reads is the app's alone.
        rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
        Ok(Self {
            app,
            status: None,
            signals,
            asked,
            daemon,
            spool,
        })
    }

    /// Waits until the app has ended, or has to end. Then ends everything.
    fn stay(mut self) -> ExitCode {
        loop {
            self.reap();
            if self.status.is_some() || self.asked.load(Ordering::SeqCst) || self.is_forsaken() {
                self.end_all();
                // The last words, which are in the pipe.
                self.pass_on();
                return self.follow();
            }
            self.pause(None);
        }
    }

    fn is_forsaken(&self) -> bool {
        self.daemon.as_ref().is_some_and(Daemon::is_gone)
    }

    fn pass_on(&mut self) {
        if let Some(spool) = &mut self.spool {
            spool.pass_on();
        }
    }

    /// Waits for a signal, output, or the end of the daemon. Passes the output on.
    fn pause(&mut self, limit: Option<&Timespec>) {
        let mut ready = vec![PollFd::new(&self.signals, PollFlags::IN)];
        let daemon = self.daemon.as_ref();
        if let (None, Some(pidfd)) = (limit, daemon.and_then(|daemon| daemon.pidfd.as_ref())) {
            ready.push(PollFd::from_borrowed_fd(pidfd.as_fd(), PollFlags::IN));
        }
        if let Some(source) = self.spool.as_ref().and_then(Spool::source) {
            ready.push(PollFd::from_borrowed_fd(source, PollFlags::IN));
        }
        let blind = daemon.is_some_and(|daemon| daemon.pidfd.is_none());
        // An error is a signal, too.
        let _ = poll(&mut ready, limit.or(blind.then_some(&LOOK)));
        let mut bytes = [0; 64];
        while self.signals.read(&mut bytes).is_ok_and(|read| read > 0) {}
        self.pass_on();
    }

    /// Reaps all children that have ended. False if there is no child any more.
    fn reap(&mut self) -> bool {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(None) => return true,
                Ok(Some((pid, status))) if pid == self.app => self.status = Some(status),
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Err(_) => return false,
            }
        }
    }

    /// Kills all descendants of this process, until there are none.
    fn end_all(&mut self) {
        let deadline = monotonic::now() + PATIENCE;
        while self.reap() {
            let left = self.kill_all(deadline);
            let killed = left
                .iter()
                .filter(|process| kill_process(**process, Signal::KILL) != Err(Errno::PERM));
            let are_others = killed.count() == 0 && !left.is_empty();
            if are_others || monotonic::now() >= deadline {
                // The processes are another user's now, or they do not end.
                return tell_left(&left);
            }
            self.pause(Some(&LOOK));
        }
    }

    /// Kills all descendants of this process, until no new one is found. Gives those that are still
    /// there. We do not stop them first: if the keeper were killed meanwhile, they would stay for
    /// ever. Orphans of a process that forks and ends at once are children of this process, so
    /// children are looked at first.
    fn kill_all(&mut self, deadline: Instant) -> Vec<Pid> {
        let mut killed = HashSet::new();
        loop {
            self.reap();
            let mut fresh = children();
            fresh.retain(|process| !killed.contains(process));
            if fresh.is_empty() || monotonic::now() >= deadline {
                let seen = descendants(getpid());
                fresh = seen.clone();
                fresh.retain(|process| !killed.contains(process));
                if fresh.is_empty() || monotonic::now() >= deadline {
                    return seen;
                }
            }
            for process in fresh {
                // An error says that it has ended, or is another user's.
                let _ = kill_process(process, Signal::KILL);
                killed.insert(process);
            }
        }
    }

    /// Exits as the app did.
    fn follow(&self) -> ExitCode {
        let Some(status) = self.status else {
            return ExitCode::FAILURE;
        };
        if let Some(signal) = status.terminating_signal() {
            let none = Rlimit {
                current: Some(0),
                maximum: None,
            };
            // The app's memory is worth a core file, not the keeper's.
            let _ = setrlimit(Resource::Core, none);
            if signal == Signal::KILL.as_raw() {
                let _ = kill_process(getpid(), Signal::KILL);
            }
            let _ = emulate_default_handler(signal);
            return ExitCode::from(128 | u8::try_from(signal).unwrap_or_default());
        }
        let code = status
            .exit_status()
            .and_then(|code| u8::try_from(code).ok());
        code.map_or(ExitCode::FAILURE, ExitCode::from)
    }
}

/// Reports processes that do not end. The keeper gives up on them.
#[expect(
    clippy::print_stderr,
    reason = "the app's stderr: the daemon shows it as the app's last words"
)]
fn tell_left(left: &[Pid]) {
    if !left.is_empty() {
        eprintln!("{NAME}: {}", LeftBehind(left.to_vec()));
    }
}

/// The daemon that the app belongs to.
struct Daemon {
    pid: Pid,
    /// `None` before Linux 5.3.
    pidfd: Option<OwnedFd>,
}

impl Daemon {
    /// `None` for an app that goes on without a daemon.
    fn find(daemon: &OsStr) -> io::Result<Option<Self>> {
        let Some(pid) = daemon.to_str().and_then(|id| id.parse().ok()) else {
            return Ok(None);
        };
        let pid = Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidInput)?;
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).ok();
        let daemon = Self { pid, pidfd };
        if daemon.is_gone() {
            return Err(io::Error::other("its daemon has ended"));
        }
        Ok(Some(daemon))
    }

    /// Whether the parent of this process has changed.
    fn is_gone(&self) -> bool {
        getppid() != Some(self.pid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keeper_is_the_parent_that_an_app_is_told_of() {
        let given = ["--parent-pid", "7", "--token", "7", "--parent-pid", "8"];
        let told = with_parent(given.into_iter().map(OsString::from), OsStr::new("7"));
        let own = std::process::id().to_string();
        let expected = ["--parent-pid", &own, "--token", "7", "--parent-pid", "8"];
        assert_eq!(told, expected);
    }
}
