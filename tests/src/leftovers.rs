//! Processes that outlive those who started them.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

use crate::process::is_alive;

/// A process that belongs to a test.
#[derive(Clone, Debug)]
pub struct Leftover {
    /// Its process id.
    pub pid: u32,
    /// Its command line.
    pub command: String,
}

/// The processes whose environment names a test's folder: everything that the test started, and
/// what that started, but nothing of other tests or people.
#[must_use]
pub fn of(folder: &Path) -> Vec<Leftover> {
    let Ok(processes) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    processes
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let environment = fs::read(entry.path().join("environ")).ok()?;
            let command = fs::read(entry.path().join("cmdline")).ok()?;
            let ours = contains(&environment, folder.as_os_str().as_bytes()) && is_alive(pid);
            let command = String::from_utf8_lossy(&command).replace('\0', " ");
            ours.then_some(Leftover { pid, command })
        })
        .collect()
}

/// Kills what is left of a test.
pub(crate) fn end(folder: &Path) {
    for leftover in of(folder) {
        let pid = i32::try_from(leftover.pid).ok().and_then(Pid::from_raw);
        // Fails only if it has ended meanwhile.
        let _ = pid.map(|pid| kill_process(pid, Signal::KILL));
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
