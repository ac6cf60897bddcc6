//! Processes that need not be children of ours.

use std::thread;
use std::time::Instant;

use rustix::process::{Pid, test_kill_process};

use super::LOOK_EVERY;
use crate::PATIENCE;

/// A process that need not be a child of ours, told apart from a later one with its id: a machine
/// that runs many tests gives ids out again within a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its process id.
    pub pid: u32,
    /// Clock ticks from the boot to its start; none if it has ended already.
    started: Option<u64>,
}

impl Seen {
    /// The process that has this id now.
    #[must_use]
    pub fn now(pid: u32) -> Self {
        let started = started(pid);
        Self { pid, started }
    }

    /// Whether it is still there, zombies not counted.
    #[must_use]
    pub fn is_alive(self) -> bool {
        self.started.is_some() && started(self.pid) == self.started && is_alive(self.pid)
    }

    /// Waits until it has ended.
    ///
    /// # Panics
    /// If it does not.
    #[track_caller]
    pub fn wait_for_end(self) {
        let deadline = Instant::now() + PATIENCE;
        while self.is_alive() {
            assert!(Instant::now() < deadline, "{self:?} did not end");
            thread::sleep(LOOK_EVERY);
        }
    }
}

/// Field 22 of `/proc/<pid>/stat` (proc(5)).
fn started(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields = stat.rsplit_once(") ")?.1;
    fields.split_ascii_whitespace().nth(19)?.parse().ok()
}

/// Waits until a process that need not be a child of ours has ended.
///
/// # Panics
/// If it does not.
#[track_caller]
pub fn wait_for_end(pid: u32) {
    let deadline = Instant::now() + PATIENCE;
    while is_alive(pid) {
        assert!(Instant::now() < deadline, "process {pid} did not end");
        thread::sleep(LOOK_EVERY);
    }
}

/// Whether there is such a process, zombies not counted.
#[must_use]
pub fn is_alive(pid: u32) -> bool {
    let Some(id) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
        return false;
    };
    let zombie = std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        stat.rsplit(") ")
            .next()
            .is_some_and(|rest| rest.starts_with('Z'))
    });
    test_kill_process(id).is_ok() && !zombie
}
