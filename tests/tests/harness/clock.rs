//! The clock of the SuperLink's machine, which libfaketime sets. The monotonic clock goes on.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

const NAME: &str = "faketime/libfaketimeMT.so.1";

/// The library, if this machine has it.
pub(crate) fn library() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let mut paths = folders.map(|folder| folder.path().join(NAME));
    paths.find(|path| path.is_file())
}

/// A clock that can be set.
#[derive(Debug)]
pub(crate) struct Clock(PathBuf);

impl Clock {
    /// A clock that goes right, whose file is in `folder`.
    pub(crate) fn new(folder: &Path) -> Self {
        let clock = Self(folder.join("clock"));
        clock.set(0);
        clock
    }

    /// What a process needs in its environment to go by this clock.
    pub(crate) fn variables(&self) -> Vec<(String, OsString)> {
        let library = library().expect("libfaketime");
        [
            ("LD_PRELOAD", library.into_os_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.0.clone().into_os_string()),
            ("FAKETIME_CACHE_DURATION", "1".into()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    /// Sets the clock to so many seconds beside the time.
    pub(crate) fn set(&self, seconds: i64) {
        let fresh = self.0.with_extension("new");
        fs::write(&fresh, format!("{seconds:+}\n")).unwrap();
        fs::rename(fresh, &self.0).unwrap();
    }
}
