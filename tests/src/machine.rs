//! A machine on which a guide is followed to the letter: nobody else has Flower's ports, hosts have
//! the names that the guide gives them, and PATH has what `cargo xtask install` installs.
//!
//! The machine is a network and a mount namespace of Linux, where the system allows them. Elsewhere
//! the guide shares this machine: other tests wait, and hosts have their names only as
//! [`Machine::has_hosts`] tells.

use std::env;
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{MutexGuard, OnceLock, PoisonError};

use crate::flwr::Outcome;
use crate::ports::USUAL;
use crate::process::Process;
use crate::program::{Maker, Release};
use crate::scratch::Scratch;
use crate::terminal::at_terminal;

/// Names that guides give to the host of a SuperLink.
const HOSTS: &str = "127.0.0.1 localhost\n::1 localhost\n127.0.0.1 superlink.example\n";
/// Lives in the namespaces, which live as long as a process is in them.
const HOLD: &str = "ip link set lo up && mount --bind \"$0\" /etc/hosts && echo ready && exec cat";

/// A machine with one user, who has an empty home.
#[derive(Debug)]
pub struct Machine {
    /// The user's files. The home is a folder in it.
    pub scratch: Scratch,
    place: Place,
    /// The release of Flower in the user's environment.
    release: Release,
    /// Whether the user's `flwr` is pip's.
    pips_flwr: bool,
}

/// Where commands are run.
#[derive(Debug)]
enum Place {
    /// In the namespaces of this process.
    Namespaces(Holder),
    /// On this machine, whose usual ports no other test of this process uses meanwhile.
    Here { _ports: MutexGuard<'static, ()> },
}

/// A process that is killed when it is dropped.
#[derive(Debug)]
struct Holder(Child);

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Machine {
    /// A machine on which nothing runs yet, with the release of Flower that `flwr up` installs.
    #[must_use]
    pub fn new() -> Self {
        Self::with(Release::INSTALLED)
    }

    /// A machine on which nothing runs yet, with a release of Flower.
    ///
    /// # Panics
    /// If the programs cannot be installed.
    #[must_use]
    pub fn with(release: Release) -> Self {
        installed();
        let scratch = Scratch::new();
        let hosts = scratch.file("hosts", HOSTS);
        let place = match namespaces(&hosts) {
            Some(holder) => Place::Namespaces(holder),
            None => Place::Here {
                _ports: USUAL.lock().unwrap_or_else(PoisonError::into_inner),
            },
        };
        Self {
            scratch,
            place,
            release,
            pips_flwr: false,
        }
    }

    /// Puts pip's `flwr` on PATH beside our daemons, or ours.
    pub const fn choose_flwr(&mut self, pips: bool) {
        self.pips_flwr = pips;
    }

    /// Whether hosts have the names of guides here.
    #[must_use]
    pub const fn has_hosts(&self) -> bool {
        matches!(self.place, Place::Namespaces(_))
    }

    /// A command line to its end, in a folder. It must succeed; its words.
    ///
    /// # Panics
    /// If it fails.
    #[track_caller]
    pub fn types(&self, folder: &Path, line: &str) -> String {
        let output = self.shell(folder, line).stdin(Stdio::null()).output();
        succeeded(line, output.unwrap().into())
    }

    /// A command line to its end, at a terminal where questions are answered.
    ///
    /// # Panics
    /// If it fails.
    #[track_caller]
    pub fn answers(&self, folder: &Path, line: &str, answers: &str) -> String {
        succeeded(line, at_terminal(&self.shell(folder, line), answers))
    }

    /// A command line that goes on, as in a terminal of its own or after `&`.
    #[must_use]
    pub fn leaves_running(&self, name: &str, folder: &Path, line: &str) -> Process {
        let line = line.trim_end_matches('&').trim_end();
        // The shell gives way to the program, so that signals reach the program.
        let mut command = self.shell(folder, &format!("exec env {line}"));
        Process::start(name, &mut command, self.scratch.path())
    }

    fn shell(&self, folder: &Path, line: &str) -> Command {
        let mut command = match &self.place {
            Place::Here { .. } => Command::new("sh"),
            Place::Namespaces(holder) => {
                let mut command = Command::new("nsenter");
                let target = holder.0.id().to_string();
                command.args(["--target", &target, "--net", "--mount", "sh"]);
                command
            }
        };
        // `nsenter --mount` begins in the root folder.
        command.args(["-c", "cd \"$0\" && eval \"$1\""]);
        command.arg(folder).arg(line).current_dir(folder);
        command.env("PATH", self.path());
        command.env("HOME", self.scratch.folder("home"));
        command.env("FLWR_TELEMETRY_ENABLED", "0");
        command.env("PYTHONUNBUFFERED", "1");
        command.env("FLWR_DISABLE_UPDATE_CHECK", "1");
        command.env("COLUMNS", "200");
        for variable in ["RUST_LOG", "FLWR_LOG_LEVEL", "FLWR_HOME", "XDG_DATA_HOME"] {
            command.env_remove(variable);
        }
        command
    }

    /// Ours first: the Python environment has programs of the same names.
    fn path(&self) -> OsString {
        let ours = match self.pips_flwr {
            true => self.daemons(),
            false => installed().to_owned(),
        };
        let folders = [ours, self.release.bin()];
        let system = env::var_os("PATH").unwrap_or_default();
        let all = folders.into_iter().chain(env::split_paths(&system));
        env::join_paths(all).unwrap()
    }

    /// A folder with our daemons and without our `flwr`.
    fn daemons(&self) -> PathBuf {
        let folder = self.scratch.folder("daemons");
        for name in ["flower-superlink", "flower-supernode"] {
            let link = folder.join(name);
            if !link.exists() {
                symlink(installed().join(name), link).unwrap();
            }
        }
        folder
    }
}

impl Default for Machine {
    fn default() -> Self {
        Self::new()
    }
}

#[track_caller]
fn succeeded(line: &str, outcome: Outcome) -> String {
    assert_eq!(outcome.code, Some(0), "{line}:\n{}", outcome.text);
    outcome.text
}

/// Namespaces with a loopback interface of their own and this file as `/etc/hosts`, if the system
/// allows them.
fn namespaces(hosts: &Path) -> Option<Holder> {
    let child = Command::new("unshare")
        .args(["--net", "--mount", "sh", "-c", HOLD])
        .arg(hosts)
        // `cat` ends with the test, also when the test is killed.
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut holder = Holder(child.ok()?);
    let mut said = String::new();
    let mut out = BufReader::new(holder.0.stdout.take()?);
    out.read_line(&mut said).ok()?;
    (said == "ready\n").then_some(holder)
}

/// What `cargo xtask install` has put into a folder; once for all tests.
fn installed() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let xtask = Maker::Ours.program("xtask");
        let folder = xtask.with_file_name("installed");
        let mut install = Command::new(&xtask);
        install.args(["install", "--debug", "--to"]).arg(&folder);
        let outcome: Outcome = install.output().unwrap().into();
        succeeded("cargo xtask install", outcome);
        folder
    })
}
