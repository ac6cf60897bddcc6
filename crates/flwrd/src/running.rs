//! This project's daemons that run on this machine. A program that is replaced while it runs goes on as
//! the old version: PATH tells nothing of that.

use std::fmt;
use std::fs::{self, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use flwr_core::printable;
use flwr_programs::Maker;
use rustix::process::geteuid;
use serde_json::{Value, json};

/// The names of the daemons.
const DAEMONS: [&str; 2] = ["flower-superlink", "flower-supernode"];
/// The daemon's program has this name where it is the keeper of an app.
const KEEPER: &[u8] = b"flwr-app-keeper";
/// Ends the path of a running program whose file has gone, or was replaced by a rename.
const DELETED: &[u8] = b" (deleted)";

/// A daemon that runs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Running {
    name: &'static str,
    process: u32,
    maker: Maker,
    /// The file of the program. `None`: the file was replaced or removed since the start.
    file: Option<PathBuf>,
}

impl Running {
    /// The daemons among the processes that this user may look at. Starts each program for its version,
    /// but those of other users: a program would have this user's rights then.
    pub(crate) fn all() -> Vec<Self> {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let processes = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let mut all: Vec<_> = processes.filter_map(Self::of).collect();
        all.sort_by_key(|running| (running.name, running.process));
        all
    }

    /// The daemon with this process id, if the process is a daemon.
    fn of(process: u32) -> Option<Self> {
        let folder = Path::new("/proc").join(process.to_string());
        let program = folder.join("exe");
        let (name, file) = named(&fs::read_link(&program).ok()?)?;
        let typed = fs::read(folder.join("cmdline")).ok()?;
        if typed.split(|byte| *byte == 0).next() == Some(KEEPER) {
            return None;
        }
        // The link leads to the program that runs, also where no folder has its file any more.
        if !is_trusted(&fs::metadata(&program).ok()?, geteuid().as_raw()) {
            return None;
        }
        let maker = Maker::of(&program);
        maker.is_ours().then_some(Self {
            name,
            process,
            maker,
            file,
        })
    }

    /// The name of the daemon's program.
    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }

    /// For scripts.
    pub(crate) fn json(&self) -> Value {
        let version = match &self.maker {
            Maker::Ours(version) => Some(version),
            Maker::Pips(_) | Maker::Unknown => None,
        };
        let path = self.file.as_ref().map(|file| file.to_string_lossy());
        json!({
            "name": self.name, "process": self.process, "version": version,
            "path": path, "replaced": self.file.is_none(),
        })
    }
}

impl fmt::Display for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (process, maker) = (self.process, &self.maker);
        match &self.file {
            Some(file) => {
                let file = printable::line(&file.to_string_lossy());
                write!(f, "process {process} runs {maker}: {file}")
            }
            None => write!(
                f,
                "process {process} runs {maker}, whose file was replaced or removed: restart the daemon"
            ),
        }
    }
}

/// Whether the user or root put the file there.
fn is_trusted(file: &Metadata, user: u32) -> bool {
    [0, user].contains(&file.uid())
}

/// The daemon's name, and its file if that is still there, of what `/proc/PID/exe` leads to.
fn named(exe: &Path) -> Option<(&'static str, Option<PathBuf>)> {
    let bytes = exe.as_os_str().as_bytes();
    let (path, is_there) = match bytes.strip_suffix(DELETED) {
        Some(path) => (path, false),
        None => (bytes, true),
    };
    let last = path.rsplit(|byte| *byte == b'/').next()?;
    let name = DAEMONS.into_iter().find(|name| name.as_bytes() == last)?;
    Some((name, is_there.then(|| exe.to_owned())))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::chown;

    use super::*;

    #[test]
    fn a_file_that_was_replaced_is_told_from_one_that_is_there() {
        let of = |exe: &str| named(Path::new(exe));
        let there = Path::new("/usr/bin/flower-superlink");
        let found = of("/usr/bin/flower-superlink");
        assert_eq!(found, Some(("flower-superlink", Some(there.to_owned()))));
        let found = of("/v env/bin/flower-supernode (deleted)");
        assert_eq!(found, Some(("flower-supernode", None)));
        assert_eq!(of("/usr/bin/python3.11"), None);
        assert_eq!(of("/usr/bin/my-flower-superlink"), None);
    }

    #[test]
    fn a_program_that_another_user_has_put_there_is_not_started() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("flower-superlink");
        fs::write(&file, "").unwrap();
        // Only root may give a file away; to others their own file serves as well.
        let _ = chown(&file, Some(4711), None);
        let file = fs::metadata(&file).unwrap();
        assert!(is_trusted(&file, file.uid()));
        assert!(!is_trusted(&file, file.uid() + 1));
        let of_root = fs::metadata("/").unwrap();
        assert!(is_trusted(&of_root, file.uid() + 1));
    }

    #[test]
    fn this_process_is_no_daemon() {
        assert_eq!(Running::of(std::process::id()), None);
    }

    #[test]
    fn the_line_of_a_replaced_program_tells_to_restart_the_daemon() {
        let mut running = Running {
            name: "flower-superlink",
            process: 7,
            maker: Maker::Ours("0.1.0".into()),
            file: None,
        };
        let line =
            "process 7 runs ours, 0.1.0, whose file was replaced or removed: restart the daemon";
        assert_eq!(running.to_string(), line);
        assert_eq!(running.json()["replaced"], true);
        running.file = Some("/b/flower-superlink".into());
        let line = "process 7 runs ours, 0.1.0: /b/flower-superlink";
        assert_eq!(running.to_string(), line);
        assert_eq!(running.json()["replaced"], false);
    }
}
