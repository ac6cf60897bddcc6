//! Installations that `cargo xtask swap --by` has made, one for each daemon. A package there is replaced
//! while its daemon runs, and the daemon is started by `flwrd`.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
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

    /// Whether the daemons run in containers, in which apps would end with them.
    pub(crate) fn has_containers(&self) -> bool {
        self.image("superlink").exists()
    }

    /// The image whose containers the daemon runs in.
    fn image(&self, daemon: &str) -> PathBuf {
        self.0.join(daemon).join("image")
    }

    /// Waits until the process is of the program that is installed for this daemon now.
    pub(crate) fn must_run(&self, daemon: &str, pid: u32) {
        let runs = || match self.has_containers() {
            true => self.contained(daemon, pid),
            false => self.installed(daemon, pid),
        };
        let deadline = Instant::now() + PATIENCE;
        while !runs() {
            let program = fs::read_link(format!("/proc/{pid}/exe")).unwrap();
            assert!(
                Instant::now() < deadline,
                "{daemon} runs {}, which is not what is installed for it",
                program.display()
            );
            thread::sleep(LOOK_EVERY);
        }
    }

    /// The shell and flwrd come before. A program that was replaced is no file any more.
    fn installed(&self, daemon: &str, pid: u32) -> bool {
        let program = fs::read_link(format!("/proc/{pid}/exe")).unwrap();
        let is_daemon = program.file_name().is_some_and(|name| name != "flwrd");
        program.starts_with(self.0.join(daemon)) && program.is_file() && is_daemon
    }

    /// Whether the child of a container's process is of the program in the image.
    fn contained(&self, daemon: &str, pid: u32) -> bool {
        let group = daemon
            .split('-')
            .next()
            .unwrap()
            .replace("node", "supernode");
        let libexec = "bundle/rootfs/usr/local/libexec/flower-daemons";
        let program = self.image(daemon).join(libexec).join(&group);
        let program = identity(&program.join(format!("flower-{group}")));
        assert!(program.is_some(), "the image of {daemon} has no {group}");
        let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        let children = threads.filter_map(|thread| {
            let children = thread.ok()?.path().join("children");
            fs::read_to_string(children).ok()
        });
        children.collect::<Vec<_>>().iter().any(|children| {
            let mut programs = children
                .split_whitespace()
                .map(|child| identity(Path::new(&format!("/proc/{child}/exe"))));
            programs.any(|child| child == program)
        })
    }
}

/// The device and the number of a file.
fn identity(file: &Path) -> Option<(u64, u64)> {
    let metadata = fs::metadata(file).ok()?;
    Some((metadata.dev(), metadata.ino()))
}
