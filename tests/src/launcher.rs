//! What starts a daemon in surroundings of its own: a shell that sets a umask, a mount namespace,
//! limits.

use std::ffi::OsString;
use std::process::Command;

use crate::scratch::Scratch;

/// The variable that tells a launcher which daemon of a federation it starts: `superlink`, `node-0`.
pub const DAEMON: &str = "FLOWER_DAEMON";

/// A command line that gets a daemon's command line as its last arguments, and becomes the daemon.
#[derive(Clone, Debug, Default)]
pub struct Launcher(Vec<OsString>);

impl Launcher {
    /// These words.
    #[must_use]
    pub fn new(words: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        Self(words.into_iter().map(Into::into).collect())
    }

    /// A shell that does this and becomes the daemon; `exec "$@"` is added.
    #[must_use]
    pub fn shell(script: &str) -> Self {
        Self::new(["sh", "-c", &format!("set -e\n{script}\nexec \"$@\""), "sh"])
    }

    /// A shell in a mount namespace of its own that does this and becomes the daemon. `FLWR_HOME`
    /// is the daemon's home, a folder in the test's folder. `None` if this machine does not allow
    /// what the shell does.
    #[must_use]
    pub fn with_mounts(script: &str) -> Option<Self> {
        let mut words = vec![OsString::from("unshare"), OsString::from("--mount")];
        words.extend(Self::shell(script).0);
        let launcher = Self(words);
        launcher.works().then_some(launcher)
    }

    /// Whether this machine allows what the launcher does.
    #[must_use]
    pub fn works(&self) -> bool {
        let scratch = Scratch::new();
        let mut nothing = Command::new("true");
        nothing.env("FLWR_HOME", scratch.folder("home"));
        let tried = self.of(&nothing).output();
        tried.is_ok_and(|output| output.status.success())
    }

    /// The command, started by this launcher.
    #[must_use]
    pub fn of(&self, command: &Command) -> Command {
        let mut words = self.0.clone();
        words.push(command.get_program().to_owned());
        words.extend(command.get_args().map(ToOwned::to_owned));
        let mut launched = Command::new(&words[0]);
        launched.args(&words[1..]);
        if let Some(folder) = command.get_current_dir() {
            launched.current_dir(folder);
        }
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => launched.env(name, value),
                None => launched.env_remove(name),
            };
        }
        launched
    }
}
