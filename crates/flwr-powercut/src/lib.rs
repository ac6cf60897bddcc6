//! For tests: what a disk holds after a power cut.
//!
//! A kill leaves the page cache alone, so no kill shows a missing `fsync`. A test of this crate
//! has two halves. The *child* is a test that works on files in a directory, and calls
//! [`acknowledge`] where its caller would get an answer. The *parent* has [`record`] run the child
//! under `strace`, plays the system calls on a model of a disk ([`Disk`]), and cuts the power at
//! each acknowledgement and after each sync. What was acknowledged must then be on the disk.
//!
//! The model is as strict as POSIX: bytes survive once `fsync` or `fdatasync` of the file has
//! returned, names once `fsync` of the directory has. Bytes and names without a sync may survive
//! too, so each cut is looked at twice ([`Names`]): without them, and with all names.
//!
//! Each sync is delayed by [`SYNC_DELAY`], so that an acknowledgement which does not wait for the
//! sync comes before the end of the sync, on every machine.

#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "only tests call these functions: a failure here fails the test"
)]

mod calls;
mod disk;
mod strace;

use std::env;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

pub use calls::Call;
pub use disk::{Disk, Names};

/// How long each sync of the child takes at least.
pub const SYNC_DELAY: Duration = Duration::from_millis(20);

/// Names the directory of a child. A test that finds the variable is a child.
const VARIABLE: &str = "FLWR_POWERCUT";
const DISK: &str = "disk";
const ACKNOWLEDGED: &str = "acknowledged";
/// The calls that change files, and those that other changes are read from.
const TRACED: &str = "trace=open,openat,creat,close,lseek,write,pwrite64,writev,pwritev,pwritev2,\
    ftruncate,truncate,fallocate,copy_file_range,sendfile,link,linkat,symlink,symlinkat,fsync,\
    fdatasync,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir";

/// The directory in which this process is to work, if it is a child.
#[must_use]
pub fn child() -> Option<PathBuf> {
    Some(Path::new(&env::var_os(VARIABLE)?).join(DISK))
}

/// The child tells that its caller has the answer `what`. One line.
pub fn acknowledge(what: &str) {
    let path = Path::new(&env::var_os(VARIABLE).unwrap()).join(ACKNOWLEDGED);
    let mut file = OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(what.as_bytes()).unwrap();
}

/// What a child did.
#[derive(Debug)]
pub struct Recording {
    folder: TempDir,
    calls: Vec<Call>,
}

/// The power goes.
#[derive(Debug)]
pub struct Cut<'a> {
    /// What was acknowledged before.
    pub acknowledged: &'a [String],
    /// Which of the names without a sync survive.
    pub names: Names,
    /// What the disk holds.
    pub disk: &'a Path,
}

/// Whether this machine lets `strace` trace a program: containers may forbid that. A test that cannot
/// be played is told past the tests' capture of what is printed.
#[must_use]
#[track_caller]
pub fn can_trace() -> bool {
    let tried = Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .output();
    let tried = tried.unwrap_or_else(|error| {
        panic!("strace: {error}: install strace, as `cargo xtask test` does")
    });
    if tried.status.success() {
        return true;
    }
    let why = String::from_utf8_lossy(&tried.stderr).into_owned();
    let told = format!(
        "SKIPPED: no power cut is played, since strace may not trace: {}\n",
        why.trim()
    );
    let _ = std::io::stderr().write_all(told.as_bytes());
    false
}

/// Runs the test `child` of this test program under `strace`, to its end.
#[must_use]
#[track_caller]
pub fn record(child: &str) -> Recording {
    let folder = tempfile::tempdir().unwrap();
    // As the traced process sees the path: without links.
    let root = folder.path().canonicalize().unwrap();
    fs::create_dir(root.join(DISK)).unwrap();
    fs::write(root.join(ACKNOWLEDGED), "").unwrap();
    let trace = root.join("trace");
    let delay = format!(
        "inject=fsync,fdatasync:delay_enter={}",
        SYNC_DELAY.as_micros()
    );
    let mut command = Command::new("strace");
    command
        .args(["--quiet=all", "--follow-forks", "--decode-fds=path"])
        .args(["--strings-in-hex=all", "--string-limit=1000000000"])
        .args(["--signal=none", "-e", TRACED, "-e", &delay, "-o"])
        .arg(&trace)
        .arg(env::current_exe().unwrap())
        .args(["--exact", child, "--nocapture", "--include-ignored"])
        .env(VARIABLE, &root);
    let output = command.output().unwrap_or_else(|error| {
        panic!("strace: {error}: install strace, as `cargo xtask test` does")
    });
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{child}: {said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = fs::read_to_string(&trace).unwrap();
    let calls = strace::read(&text, &root.join(DISK), &root.join(ACKNOWLEDGED));
    Recording { folder, calls }
}

impl Recording {
    /// Cuts the power at each acknowledgement and after each sync, and has each cut checked.
    /// Gives the number of cuts.
    pub fn cut(&self, check: impl FnMut(&Cut<'_>)) -> usize {
        let root = self.folder.path().canonicalize().unwrap().join(DISK);
        cut(&self.calls, &root, check)
    }
}

fn cut(calls: &[Call], root: &Path, mut check: impl FnMut(&Cut<'_>)) -> usize {
    let (mut disk, mut acknowledged, mut cuts) = (Disk::new(root), Vec::new(), 0);
    for call in calls {
        match call {
            Call::Acknowledge(what) => acknowledged.push(what.clone()),
            call => disk.apply(call),
        }
        if !matches!(call, Call::Acknowledge(_) | Call::Synced(_)) {
            continue;
        }
        for names in [Names::Synced, Names::All] {
            let left = tempfile::tempdir().unwrap();
            disk.lay_out(left.path(), names);
            let (acknowledged, disk) = (acknowledged.as_slice(), left.path());
            check(&Cut {
                acknowledged,
                names,
                disk,
            });
            cuts += 1;
        }
    }
    cuts
}

#[cfg(test)]
mod tests;
