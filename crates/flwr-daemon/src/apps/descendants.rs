//! Lists the descendants of a process.

use std::collections::HashMap;
use std::fs;

use rustix::process::Pid;

/// The living processes below `root`, parents before their children. Where there is no `/proc` as
/// Linux has it, there are none.
pub(super) fn descendants(root: Pid) -> Vec<Pid> {
    let mut children: HashMap<i32, Vec<(i32, bool)>> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.parse().ok());
        if let Some(pid) = pid
            && let Ok(stat) = fs::read(entry.path().join("stat"))
            && let Some((lives, parent)) = life_and_parent(&String::from_utf8_lossy(&stat))
        {
            children.entry(parent).or_default().push((pid, lives));
        }
    }
    let mut found = Vec::new();
    let mut parents = vec![root.as_raw_nonzero().get()];
    while let Some(parent) = parents.pop() {
        for (child, lives) in children.remove(&parent).unwrap_or_default() {
            parents.push(child);
            found.extend(Pid::from_raw(child).filter(|_| lives));
        }
    }
    found
}

/// Fields 3 and 4 of `/proc/<pid>/stat` (proc(5)): whether the process has not ended, and its
/// parent. Field 2 is the program's name in parentheses, in which anything may stand.
fn life_and_parent(stat: &str) -> Option<(bool, i32)> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let lives = !matches!(fields.next()?, "Z" | "X");
    Some((lives, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::process::{Command, Stdio};

    use rustix::process::getpid;

    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        assert_eq!(life_and_parent("7 (a) Z (b) R) S 5 7"), Some((true, 5)));
        assert_eq!(life_and_parent("7 (a) Z 5 7"), Some((false, 5)));
        assert_eq!(life_and_parent("7 (a) S"), None);
        assert_eq!(life_and_parent(""), None);
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
