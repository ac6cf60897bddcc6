//! Processes that outlive what started them: ServerApps whose SuperLink was killed and did not
//! come back.

use std::fs;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

/// Ends the processes whose environment names this folder. Others' are not touched.
pub(crate) fn end(folder: &Path) {
    let name = folder.as_os_str().as_encoded_bytes();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    for process in processes {
        let id = process.file_name().to_str().and_then(|id| id.parse().ok());
        let Some(id) = id.and_then(Pid::from_raw) else {
            continue;
        };
        // Somebody else's environment cannot be read.
        let environment = fs::read(process.path().join("environ")).unwrap_or_default();
        if environment.windows(name.len()).any(|part| part == name) {
            // It may have ended in this moment.
            let _ = kill_process(id, Signal::KILL);
        }
    }
}
