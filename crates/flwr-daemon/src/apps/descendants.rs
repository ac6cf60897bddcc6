//! The processes of the system, and those below a given process.

use std::collections::HashMap;
use std::fs;

use rustix::process::Pid;

/// A process, from `/proc/<pid>/stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: i32,
    pub(super) lives: bool,
    pub(super) parent: i32,
    pub(super) group: i32,
    pub(super) session: i32,
}

/// All processes of the system, zombies included. Empty on systems without Linux's `/proc`.
pub(super) fn processes() -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let read = |entry: fs::DirEntry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read(entry.path().join("stat")).ok()?;
        Process::parse(pid, &String::from_utf8_lossy(&stat))
    };
    entries.filter_map(read).collect()
}

/// The living processes below `root`, parents before their children.
pub(crate) fn descendants(root: Pid) -> Vec<Pid> {
    let mut children: HashMap<i32, Vec<Process>> = HashMap::new();
    for process in processes() {
        children.entry(process.parent).or_default().push(process);
    }
    let mut found = Vec::new();
    let mut parents = vec![root.as_raw_nonzero().get()];
    while let Some(parent) = parents.pop() {
        for child in children.remove(&parent).unwrap_or_default() {
            parents.push(child.pid);
            found.extend(Pid::from_raw(child.pid).filter(|_| child.lives));
        }
    }
    found
}

/// The children of this process, zombies included. The process must have one thread only. We read
/// one file, which is a hundred times faster than [`processes`].
pub(super) fn children() -> Vec<Pid> {
    let own = std::process::id();
    let listed = fs::read_to_string(format!("/proc/self/task/{own}/children")).unwrap_or_default();
    let pids = listed.split_ascii_whitespace();
    pids.filter_map(|pid| Pid::from_raw(pid.parse().ok()?))
        .collect()
}

impl Process {
    /// Fields 3 to 6 of `/proc/<pid>/stat` (proc(5)): the state, and the ids of parent, group and
    /// session. Field 2 is the program's name in parentheses, in which anything may stand.
    fn parse(pid: i32, stat: &str) -> Option<Self> {
        let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
        let lives = !matches!(fields.next()?, "Z" | "X");
        let mut id = || fields.next()?.parse().ok();
        Some(Self {
            pid,
            lives,
            parent: id()?,
            group: id()?,
            session: id()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::process::{Command, Stdio};

    use rustix::process::getpid;

    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let of = |lives| Process {
            pid: 7,
            lives,
            parent: 5,
            group: 6,
            session: 4,
        };
        assert_eq!(
            Process::parse(7, "7 (a) Z (b) R) S 5 6 4 0"),
            Some(of(true))
        );
        assert_eq!(Process::parse(7, "7 (a) Z 5 6 4"), Some(of(false)));
        assert_eq!(Process::parse(7, "7 (a) S 5"), None);
        assert_eq!(Process::parse(7, ""), None);
    }

    #[test]
    fn children_of_children_are_found_after_their_parents_and_zombies_are_not() {
        let script = "sleep 600 & echo $!; exec cat";
        let mut shell = Command::new("sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let pid = |id: u32| Pid::from_raw(i32::try_from(id).unwrap()).unwrap();
        let mut said = [0; 16];
        let read = shell.stdout.as_mut().unwrap().read(&mut said).unwrap();
        let grandchild: i32 = std::str::from_utf8(&said[..read])
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        let (child, grandchild) = (pid(shell.id()), Pid::from_raw(grandchild).unwrap());
        let found = descendants(getpid());
        let place = |pid| found.iter().position(|found| *found == pid);
        assert!(place(child).unwrap() < place(grandchild).unwrap());
        assert_eq!(descendants(child), [grandchild]);
        rustix::process::kill_process(grandchild, rustix::process::Signal::KILL).unwrap();
        drop(shell.stdin.take());
        // It is not waited for: it stays a zombie.
        while descendants(getpid()).contains(&child) {
            std::thread::yield_now();
        }
        shell.wait().unwrap();
    }
}
