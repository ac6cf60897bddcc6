//! Where the SuperLink keeps its state: a folder, or a small filesystem that can be filled.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use e2e::Scratch;

/// Enough for a run of the app `steady`, and quick to fill.
const SIZE: &str = "size=48m";
const MEGABYTE: usize = 1 << 20;

/// Whether this user may mount.
pub(crate) fn can_mount() -> bool {
    static ANSWER: LazyLock<bool> = LazyLock::new(|| Disk::mount(Scratch::new().path()).is_some());
    *ANSWER
}

/// A folder for state. It ends with this value: everything that uses it must have ended.
#[derive(Debug)]
pub(crate) struct State {
    // Before the folder: what is mounted must be gone when that is removed.
    disk: Option<Disk>,
    folder: Scratch,
}

impl State {
    pub(crate) fn new(small: bool) -> Self {
        let folder = Scratch::new();
        let disk = small.then(|| Disk::mount(folder.path()).expect("cannot mount"));
        Self { disk, folder }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Leaves no byte free, until what this gives is dropped.
    pub(crate) fn fill(&self) -> Filler {
        assert!(self.disk.is_some(), "only a small disk is filled");
        Filler::write(self.path().join("filler"))
    }

    /// Keeps what is in it, when all that was mounted goes.
    pub(crate) fn rescue(&self, to: &Path) {
        for entry in fs::read_dir(self.path()).unwrap().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_file()) {
                let _ = fs::copy(entry.path(), to.join(entry.file_name()));
            }
        }
    }
}

/// A mounted filesystem in memory.
#[derive(Debug)]
struct Disk {
    at: PathBuf,
}

impl Disk {
    fn mount(at: &Path) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", SIZE, "flower-e2e"]);
        let outcome = mount.arg(at).output();
        let at = at.to_path_buf();
        outcome
            .is_ok_and(|output| output.status.success())
            .then_some(Self { at })
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a process that is about to end may still have a file open.
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
    }
}

/// The file that takes all the space.
#[derive(Debug)]
pub(crate) struct Filler {
    path: PathBuf,
}

impl Filler {
    fn write(path: PathBuf) -> Self {
        let mut file = File::create(&path).unwrap();
        let mut size = MEGABYTE;
        let block = vec![0; size];
        while size > 0 {
            if file.write_all(&block[..size]).is_err() {
                size /= 4;
            }
        }
        Self { path }
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

#[test]
fn a_full_disk_takes_nothing_until_it_is_freed() {
    if !can_mount() {
        return;
    }
    let state = State::new(true);
    let file = state.path().join("file");
    let filler = state.fill();
    assert!(fs::write(&file, [1; 8192]).is_err());
    drop(filler);
    fs::write(&file, [1; 8192]).unwrap();
}
