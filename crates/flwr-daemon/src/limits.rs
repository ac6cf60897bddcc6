//! The system's limits for this process.

use std::io;
use std::thread;

use parking_lot::Mutex;
use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, umask};
use tokio::runtime::{Builder, Runtime};

/// Threads beside those of the runtime that a daemon starts with: its blocking work.
const BLOCKING_THREADS: usize = 8;

/// What limits processes and threads.
const SETTINGS: &str = "`ulimit -u`, `TasksMax=` of a systemd unit, `--pids-limit` of a container";

/// Why a program has no runtime.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The system allows too few threads.
    #[error(transparent)]
    TooFewThreads(#[from] TooFewThreads),
    /// The system refuses something else.
    #[error("could not start the runtime")]
    System(#[from] io::Error),
}

/// The system allows too few threads.
#[derive(Debug, thiserror::Error)]
#[error(
    "this user or container may have too few processes and threads: a daemon starts with {wanted} threads, and the one after {started} could not be started; raise the limit ({SETTINGS})"
)]
pub struct TooFewThreads {
    wanted: usize,
    started: usize,
    source: io::Error,
}

/// The runtime of a program. tokio panics where it cannot start a thread, so this looks first
/// whether all can be started, for less than a millisecond.
///
/// # Errors
/// If the system allows too few threads, or refuses the runtime.
pub fn runtime() -> Result<Runtime, RuntimeError> {
    check_threads()?;
    Ok(Builder::new_multi_thread().enable_all().build()?)
}

/// Starts and ends as many threads as a daemon starts with.
fn check_threads() -> Result<(), TooFewThreads> {
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let wanted = workers + BLOCKING_THREADS;
    let gate = Mutex::new(());
    thread::scope(|scope| {
        // All threads stay until the last was started.
        let closed = gate.lock();
        let outcome = (0..wanted).try_for_each(|started| {
            let spawned = thread::Builder::new().spawn_scoped(scope, || drop(gate.lock()));
            let failed = |source| TooFewThreads {
                wanted,
                started,
                source,
            };
            spawned.map(drop).map_err(failed)
        });
        drop(closed);
        outcome
    })
}

/// The setting to look at if this is why a process or thread could not be started; else nothing.
pub(crate) fn named(error: &io::Error) -> String {
    if error.kind() != io::ErrorKind::WouldBlock {
        return String::new();
    }
    format!(
        ", since this user or container has as many processes and threads as are allowed ({SETTINGS})"
    )
}

/// How many files may be open; `None` is without bound.
#[must_use]
pub fn open_files() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// Raises the number of files that may be open as far as the system allows: each connection is
/// one, and the usual 1,024 are there for programs that still use `select`. Gives the number; `None`
/// is without bound.
pub fn raise_open_files() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    match setrlimit(Resource::Nofile, wanted) {
        Ok(()) => limit.maximum,
        // What there is must do.
        Err(_) => limit.current,
    }
}

/// Changes a umask that lets everybody write. Apps are unpacked and executed here: whoever can
/// change their files executes code as this user. A umask that lets the group alone write stays.
pub fn tighten_umask() {
    let given = umask(Mode::empty());
    umask(tightened(given));
}

fn tightened(mask: Mode) -> Mode {
    if mask.contains(Mode::WOTH) {
        mask
    } else {
        mask | Mode::WGRP | Mode::WOTH
    }
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn a_daemon_may_start_here() {
        check_threads().unwrap();
    }

    #[test]
    fn a_limit_of_processes_is_named_where_no_process_could_be_started() {
        let full = io::Error::from_raw_os_error(Errno::AGAIN.raw_os_error());
        assert!(named(&full).contains("TasksMax="));
        let missing = io::Error::from_raw_os_error(Errno::NOENT.raw_os_error());
        assert_eq!(named(&missing), "");
    }

    #[test]
    fn only_a_umask_that_lets_everybody_write_is_changed() {
        for (given, expected) in [
            (0o000, 0o022),
            (0o020, 0o022),
            (0o002, 0o002),
            (0o022, 0o022),
            (0o027, 0o027),
            (0o077, 0o077),
        ] {
            let mask = tightened(Mode::from_raw_mode(given));
            assert_eq!(mask.as_raw_mode(), expected, "{given:o}");
        }
    }
}
