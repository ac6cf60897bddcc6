//! Where the SuperLink keeps its state: a folder, or a small filesystem that can be filled.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use e2e::Scratch;

use crate::random::Random;

/// Enough for a run of the app `steady`, and quick to fill.
const SIZE: &str = "size=48m";
/// The objects of a SuperLink whose database is `link.db`.
const OBJECTS: &str = "link.db.storage/objects";
/// How long it is looked for an object: there are some in each round.
const OBJECT_SOON: Duration = Duration::from_secs(5);
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

    /// Damages a stored object, and gives its file. `None`: there was none for a while.
    pub(crate) fn damage(&self, how: Harm, random: &mut Random) -> Option<PathBuf> {
        let deadline = Instant::now() + OBJECT_SOON;
        while Instant::now() < deadline {
            let objects = self.objects();
            if let Some(last) = objects.len().checked_sub(1) {
                let place = random.number(0..u64::try_from(last + 1).unwrap());
                let path = &objects[usize::try_from(place).unwrap()];
                // It may be gone meanwhile.
                if how.hit(path).is_ok() {
                    return Some(path.clone());
                }
            }
            thread::sleep(Duration::from_millis(5));
        }
        None
    }

    /// The files of all stored objects.
    fn objects(&self) -> Vec<PathBuf> {
        let folders = fs::read_dir(self.path().join(OBJECTS));
        let folders = folders.into_iter().flatten().flatten();
        let inside = folders.flat_map(|folder| fs::read_dir(folder.path()).into_iter().flatten());
        let paths = inside.flatten().map(|file| file.path());
        let mut paths: Vec<_> = paths.filter(|path| path.extension().is_none()).collect();
        paths.sort();
        paths
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

/// What happens to a file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Harm {
    /// A bit in its middle flips.
    Flip,
    /// It is cut to its half.
    Cut,
    /// It is gone.
    Loss,
}

impl Harm {
    fn hit(self, path: &Path) -> io::Result<()> {
        let middle = fs::metadata(path)?.len() / 2;
        let file = || File::options().read(true).write(true).open(path);
        match self {
            Self::Flip => {
                let (file, mut byte) = (file()?, [0]);
                file.read_exact_at(&mut byte, middle)?;
                file.write_all_at(&[byte[0] ^ 1], middle)
            }
            Self::Cut => file()?.set_len(middle),
            Self::Loss => fs::remove_file(path),
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

#[test]
fn damage_changes_one_object() {
    let state = State::new(false);
    let folder = state.path().join(OBJECTS).join("ab");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("abcd");
    let mut random = Random::new(7);
    for (how, expected) in [
        (Harm::Flip, Some("1224")),
        (Harm::Cut, Some("12")),
        (Harm::Loss, None),
    ] {
        fs::write(&path, "1234").unwrap();
        let hit = state.damage(how, &mut random);
        assert_eq!(hit.as_ref(), Some(&path));
        assert_eq!(fs::read_to_string(&path).ok().as_deref(), expected);
    }
}
