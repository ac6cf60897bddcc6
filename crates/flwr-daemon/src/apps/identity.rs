//! The identity of a process: its id and start time. The system reuses ids, and daemons restart.

use std::fs;

use rustix::process::{Pid, Signal, getpgid, kill_process_group};

use super::keeper;

/// A process, distinct from every other process that has or had its id. An identity can be stored:
/// a later daemon finds the process by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The process id.
    pub pid: u32,
    /// The start time: the id of the system's boot, `:`, and clock ticks since then. Empty if the
    /// system does not tell the time. Such a process cannot be found again.
    pub started: String,
}

impl Identity {
    /// The process that has this id now, which may be a zombie. `None` if no process has the id, or
    /// on systems without Linux's `/proc`.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        Some(observe(pid)?.0)
    }

    /// Whether the process has not ended. A zombie has ended.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        observe(self.pid).is_some_and(|(now, state)| now == *self && !matches!(state, 'Z' | 'X'))
    }

    /// A child of this process that is not reaped yet.
    pub(super) fn of_child(pid: u32) -> Self {
        Self::of(pid).unwrap_or(Self {
            pid,
            started: String::new(),
        })
    }

    /// Whether the process leads a process group, as every app does.
    pub(super) fn leads_group(&self) -> bool {
        self.group()
            .is_some_and(|group| getpgid(Some(group)) == Ok(group))
    }

    /// Signals the process and its group. While the group has members, no other process gets the
    /// id. Later another process may have the id; that process gets no signal.
    pub(super) fn signal_group(&self, signal: Signal) {
        if self.is_replaced() {
            return;
        }
        if let Some(group) = self.group() {
            // An error says that nobody is left in the group: what was wanted.
            let _ = kill_process_group(group, signal);
        }
    }

    /// Kills an app and all its descendants by its keeper. Without a keeper, kills the group.
    pub(super) fn end_all(&self) {
        match self.group().filter(|pid| keeper::is_keeper(*pid)) {
            Some(keeper) if !self.is_replaced() => keeper::end_all(keeper),
            _ => self.signal_group(Signal::KILL),
        }
    }

    /// The id for system calls. Never 1: that is no app, and as a group would mean every process.
    pub(super) fn group(&self) -> Option<Pid> {
        let id = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        id.filter(|id| !id.is_init())
    }

    /// Whether another process has the id now.
    pub(super) fn is_replaced(&self) -> bool {
        !self.started.is_empty() && Self::of(self.pid).is_some_and(|now| now != *self)
    }
}

/// The process with this id, and its state as a letter. Async workers may call this: reading
/// `/proc` waits for no disk.
fn observe(pid: u32) -> Option<(Identity, char)> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let (state, ticks) = state_and_start(&String::from_utf8_lossy(&stat))?;
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let started = format!("{}:{ticks}", boot.trim());
    Some((Identity { pid, started }, state))
}

/// Fields 3 and 22 of `/proc/<pid>/stat` (proc(5)). Field 2 is the program's name in parentheses,
/// in which anything may stand.
fn state_and_start(stat: &str) -> Option<(char, u64)> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    // After field 3, fields 4 to 21 are left out.
    let start = fields.nth(18)?.parse().ok()?;
    Some((state, start))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let stat = "7 (a) S (b) R) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20\n";
        assert_eq!(state_and_start(stat), Some(('S', 4711)));
        assert_eq!(state_and_start("7 (a) S 1 2"), None);
        assert_eq!(state_and_start(""), None);
    }

    #[test]
    fn a_process_is_itself_and_nobody_else_with_its_id() {
        let me = Identity::of(std::process::id()).unwrap();
        assert!(me.is_alive() && !me.is_replaced());
        assert_eq!(Identity::of(me.pid), Some(me.clone()));
        let (boot, ticks) = me.started.split_once(':').unwrap();
        assert_eq!(boot.len(), 36, "{boot}");
        for started in [
            format!("{boot}:{ticks}0"),
            format!("another:{ticks}"),
            String::new(),
        ] {
            let other = Identity {
                started,
                ..me.clone()
            };
            assert!(!other.is_alive(), "{other:?}");
        }
    }

    #[test]
    fn a_zombie_has_ended_and_still_has_its_id() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let identity = Identity::of(child.id()).unwrap();
        assert!(identity.is_alive());
        drop(child.stdin.take());
        // It is not waited for: it stays a zombie.
        while identity.is_alive() {
            std::thread::yield_now();
        }
        assert_eq!(Identity::of(identity.pid), Some(identity.clone()));
        child.wait().unwrap();
        assert_eq!(Identity::of(identity.pid), None);
    }

    #[test]
    fn whoever_has_the_id_now_is_not_signalled() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let now = Identity::of(child.id()).unwrap();
        let earlier = Identity {
            pid: now.pid,
            started: "another boot:1".to_owned(),
        };
        earlier.signal_group(Signal::KILL);
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success());
    }

    #[test]
    fn no_identity_stands_for_every_process() {
        for pid in [0, 1, u32::MAX] {
            assert_eq!(Identity::of_child(pid).group(), None);
        }
    }
}
