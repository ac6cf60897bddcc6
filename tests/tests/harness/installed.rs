//! Installations that `cargo xtask swap --by` has made, one for each daemon. A package there is replaced
//! while its daemon runs, and the daemon is started by `flwrd`.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use e2e::launcher::{DAEMON, Launcher};
use e2e::{Maker, PATIENCE};

/// The variable that names the folder.
const FOLDER: &str = "FLOWER_INSTALLED";
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The folder with the installations, and with the script that installs.
#[derive(Debug)]
pub(crate) struct Installed(PathBuf);

impl Installed {
    pub(crate) fn given() -> Option<Self> {
        let folder = env::var_os(FOLDER)?;
        Some(Self(folder.into()))
    }

    /// Starts the installed program of a daemon in place of the one that is given.
    pub(crate) fn launcher(&self) -> Launcher {
        let folder = self.0.display();
        Launcher::shell(&format!(
            "name=$(basename \"$1\")\nshift\nset -- \"{folder}/${DAEMON}/flwrd\" \"${{name#flower-}}\" \"$@\""
        ))
    }

    /// Installs the package of this maker for a daemon, which may run.
    pub(crate) fn install(&self, daemon: &str, maker: Maker) {
        let which = if maker == Maker::Earlier {
            "earlier"
        } else {
            "now"
        };
        let mut install = Command::new(self.0.join("install"));
        let output = install.args([daemon, which]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{install:?}: {said}");
    }

    /// Waits until the process is of the program that is installed for this daemon now.
    pub(crate) fn must_run(&self, daemon: &str, pid: u32) {
        let place = self.0.join(daemon);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let program = fs::read_link(format!("/proc/{pid}/exe")).unwrap();
            // The shell and flwrd come before. A program that was replaced is no file any more.
            let is_daemon = program.file_name().is_some_and(|name| name != "flwrd");
            if program.starts_with(&place) && program.is_file() && is_daemon {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{daemon} runs {}, which is not installed in {}",
                program.display(),
                place.display()
            );
            thread::sleep(LOOK_EVERY);
        }
    }
}
