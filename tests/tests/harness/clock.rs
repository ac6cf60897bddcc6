//! The clock of the SuperLink's machine, which libfaketime sets. The monotonic clock goes on.

use std::env;
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use e2e::{Maker, Release};

const NAME: &str = "faketime/libfaketimeMT.so.1";

/// The library, if this machine has it.
pub(crate) fn library() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let mut paths = folders.map(|folder| folder.path().join(NAME));
    paths.find(|path| path.is_file())
}

/// A ServerApp goes by the true clock: with libfaketime, `time.sleep` of Python fails where the
/// monotonic clock goes on.
const SERVERAPP: &str = "#!/bin/sh\nunset LD_PRELOAD\nexec REAL \"$@\"\n";

/// A clock that can be set.
#[derive(Debug)]
pub(crate) struct Clock(PathBuf);

impl Clock {
    /// A clock that goes right, whose file is in `folder`.
    pub(crate) fn new(folder: &Path) -> Self {
        let clock = Self(folder.join("clock"));
        clock.set(0);
        let real = Release::V1_22.bin().join("flwr-serverapp");
        let script = SERVERAPP.replace("REAL", &real.display().to_string());
        let wrapper = clock.programs().join("flwr-serverapp");
        fs::create_dir(clock.programs()).unwrap();
        fs::write(&wrapper, script).unwrap();
        fs::set_permissions(&wrapper, Permissions::from_mode(0o755)).unwrap();
        clock
    }

    /// Where programs are looked for first.
    fn programs(&self) -> PathBuf {
        self.0.with_extension("programs")
    }

    /// What a process needs in its environment to go by this clock.
    pub(crate) fn variables(&self) -> Vec<(String, OsString)> {
        let library = library().expect("libfaketime");
        let path = Maker::Ours.path();
        let folders = std::iter::once(self.programs()).chain(env::split_paths(&path));
        [
            ("PATH", env::join_paths(folders).unwrap()),
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
