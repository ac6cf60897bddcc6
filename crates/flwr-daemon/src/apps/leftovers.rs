//! Ends the processes that a killed keeper leaves: the app and its descendants. Other processes are
//! their parents by then.
//!
//! A keeper puts its mark into the environment of its app, and processes inherit it. Processes
//! without the mark (`env -i`) are found while a marked process is above them or they are in the
//! keeper's process group, or in a session that one of the found processes leads.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::thread;
use std::time::Duration;

use flwr_core::monotonic;
use rustix::process::{Pid, Signal, kill_process};
use tokio::task::spawn_blocking;
use tracing::warn;

use super::descendants::{Process, processes};
use super::{Identity, keeper};

/// The time limit for ending what a keeper left. A process may hang in the kernel.
const PATIENCE: Duration = Duration::from_secs(10);
/// The interval between two looks meanwhile.
const LOOK: Duration = Duration::from_millis(20);

/// Names a keeper, in the environment of its app.
pub(super) struct Mark(String);

impl Mark {
    pub(super) const VARIABLE: &str = "FLWR_APP_KEEPER";

    /// The mark of this process.
    pub(super) fn own() -> Option<Self> {
        Self::of(&Identity::of(std::process::id())?)
    }

    /// `None` if the system cannot tell a process from a later one with the same id.
    fn of(keeper: &Identity) -> Option<Self> {
        let Identity { pid, started } = keeper;
        (!started.is_empty()).then(|| Self(format!("{pid}:{started}")))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the process began with this mark in its environment. Another user's process has no
    /// readable environment.
    fn is_on(&self, pid: i32) -> bool {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let mut variables = environment.split(|byte| *byte == 0);
        let value = variables.find_map(|variable| {
            let (name, value) = variable.split_at_checked(Self::VARIABLE.len())?;
            (name == Self::VARIABLE.as_bytes()).then_some(value)
        });
        value.and_then(|value| value.strip_prefix(b"=")) == Some(self.0.as_bytes())
    }
}

/// An app under a keeper.
pub(super) struct Kept {
    name: String,
    keeper: Identity,
}

impl Kept {
    pub(super) fn new(name: &str, keeper: &Identity) -> Self {
        Self {
            name: name.to_owned(),
            keeper: keeper.clone(),
        }
    }

    /// Ends what the keeper left, and warns. The keeper has ended with this status; `None` is an
    /// unknown status. A keeper that exits by itself has ended its app before.
    pub(super) async fn end_left(&self, status: Option<ExitStatus>) {
        let may_have_left = status.is_none_or(|status| status.signal().is_some());
        if !keeper::is_offered() || !may_have_left {
            return;
        }
        let keeper = self.keeper.clone();
        let Ok((count, still)) = spawn_blocking(move || end(&keeper)).await else {
            return;
        };
        let (name, pid) = (&self.name, self.keeper.pid);
        if count > 0 {
            warn!(
                "the keeper of the {name} (process {pid}) was killed and left {count} processes, which were killed too"
            );
        }
        if !still.is_empty() {
            warn!("{name}: {}", LeftBehind(still));
        }
    }
}

/// Processes that do not end.
pub(super) struct LeftBehind(pub(super) Vec<Pid>);

impl fmt::Display for LeftBehind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids = self.0.iter().map(|pid| pid.as_raw_nonzero().to_string());
        let ids: Vec<_> = ids.take(20).collect();
        write!(
            f,
            "{} processes of the app could not be ended: end them by hand (`kill -9 {}`)",
            self.0.len(),
            ids.join(" ")
        )
    }
}

/// Kills the processes that a keeper left, until no new one is found. Gives the number of processes
/// found, and those that are still alive. We do not stop them first: a stopped process would stay
/// for ever if the daemon ended meanwhile.
fn end(keeper: &Identity) -> (usize, Vec<Pid>) {
    let deadline = monotonic::now() + PATIENCE;
    let mut found: HashMap<Pid, Identity> = HashMap::new();
    loop {
        let mut fresh = left_by(keeper, &processes());
        fresh.retain(|pid| !found.contains_key(pid));
        // Errors of a signal say that the process has ended, or is another user's.
        for pid in &fresh {
            let _ = kill_process(*pid, Signal::KILL);
            let identity = u32::try_from(pid.as_raw_nonzero().get()).map(Identity::of);
            found.extend(identity.ok().flatten().map(|identity| (*pid, identity)));
        }
        let is_late = monotonic::now() >= deadline;
        if !fresh.is_empty() && !is_late {
            continue;
        }
        // A process without the mark is not found again once its parent has ended.
        let living = found.iter().filter(|(_, identity)| identity.is_alive());
        let left: Vec<Pid> = living.map(|(pid, _)| *pid).collect();
        if left.is_empty() || is_late {
            return (found.len(), left);
        }
        for pid in left {
            let _ = kill_process(pid, Signal::KILL);
        }
        thread::sleep(LOOK);
    }
}

/// The living processes that descend from the keeper's app.
fn left_by(keeper: &Identity, processes: &[Process]) -> Vec<Pid> {
    let mark = Mark::of(keeper);
    // While the group has members, nobody else gets the id.
    let group = keeper.group().filter(|_| !keeper.is_replaced());
    let group = group.map(|group| group.as_raw_nonzero().get());
    let own = i32::try_from(std::process::id()).ok();
    let is_root = |process: &&Process| {
        Some(process.group) == group || mark.as_ref().is_some_and(|mark| mark.is_on(process.pid))
    };
    let mut found: HashSet<i32> = processes.iter().filter(is_root).map(|p| p.pid).collect();
    loop {
        let before = found.len();
        for process in processes {
            if found.contains(&process.parent) || found.contains(&process.session) {
                found.insert(process.pid);
            }
        }
        if found.len() == before {
            break;
        }
    }
    let living = processes
        .iter()
        .filter(|p| p.lives && found.contains(&p.pid));
    living
        .filter(|p| Some(p.pid) != own)
        .filter_map(|p| Pid::from_raw(p.pid))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No process has these ids: they are above the highest that Linux gives.
    const BASE: i32 = 0x0050_0000;

    fn process(pid: i32, parent: i32, group: i32, session: i32) -> Process {
        Process {
            pid: BASE + pid,
            lives: true,
            parent: BASE + parent,
            group: BASE + group,
            session: BASE + session,
        }
    }

    #[test]
    fn the_group_its_descendants_and_their_sessions_are_the_keepers() {
        let keeper = Identity {
            pid: u32::try_from(BASE + 10).unwrap(),
            started: "boot:1".to_owned(),
        };
        let dead = Process {
            lives: false,
            ..process(16, 1, 10, 2)
        };
        let all = [
            process(11, 1, 10, 2),
            process(12, 11, 12, 12),
            process(13, 12, 13, 13),
            process(14, 1, 14, 13),
            process(15, 14, 15, 15),
            dead,
            process(20, 1, 20, 2),
            process(21, 2, 2, 2),
        ];
        let left = left_by(&keeper, &all);
        let ids: Vec<i32> = left
            .iter()
            .map(|p| p.as_raw_nonzero().get() - BASE)
            .collect();
        assert_eq!(ids, [11, 12, 13, 14, 15]);
    }

    #[test]
    fn processes_that_stay_are_named_with_what_ends_them() {
        let left = [7, 8].map(|pid| Pid::from_raw(pid).unwrap());
        assert_eq!(
            LeftBehind(left.to_vec()).to_string(),
            "2 processes of the app could not be ended: end them by hand (`kill -9 7 8`)"
        );
    }
}
