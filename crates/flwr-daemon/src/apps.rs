//! App processes: starts, watches and ends ServerApps and ClientApps.

mod command;
mod descendants;
mod exit;
mod find;
mod forkserver;
mod guard;
mod identity;
mod installed;
pub mod keeper;
mod lasting;
mod leftovers;
mod local;
mod missing;
mod output;
mod process;
mod proxy;
mod release;
mod spool;
mod tail;
mod token;
#[cfg(test)]
mod until;
mod waiting;
mod watchers;

pub use command::{
    AppCommand, app_environment, clientapp_command, serverapp_command, tokenless_serverapp_command,
};
pub(crate) use descendants::descendants;
pub use exit::Exit;
pub use find::find_program;
pub use forkserver::{AppBundle, ForkServer, Forked, Loaded, Place, Template};
pub use guard::{Guard, names_its_python};
pub use identity::Identity;
pub use installed::install;
pub use local::{DirError, fab_of_dir};
pub use missing::MissingModule;
pub use output::last_lines;
pub use process::AppProcess;
pub use release::{Program, Version};
pub use token::{Token, Tokens};
pub use waiting::WaitingApp;
pub use watchers::Watchers;

use std::io;

use flwr_core::flower::RELEASE;

use crate::limits;

/// Why an app process could not be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No directory on PATH holds the program.
    #[error(
        "`{program}` was not found on PATH: activate the environment with the app's packages, or install it with `pip install flwr=={release}`",
        release = RELEASE
    )]
    NotFound {
        /// The program looked for.
        program: String,
    },
    /// Its release speaks a wire that is not served yet.
    #[error(
        "`{program}` is of flwr {version}, whose apps cannot be started yet: ServerApps can be of flwr 1.13 to 1.43 but for 1.19, ClientApps of flwr 1.20 to 1.43; install one of these, for example with `pip install flwr=={release}`",
        release = RELEASE
    )]
    NotServed {
        /// The program's path.
        program: String,
        /// Its release.
        version: String,
    },
    /// Its release cannot install what apps depend on.
    #[error(
        "{flag} needs flwr 1.29 or later, and {program} is installed: leave the flag out and install what the apps need yourself, or upgrade flwr"
    )]
    NoInstaller {
        /// The flag.
        flag: &'static str,
        /// The program with its release.
        program: String,
    },
    /// The system could not start it.
    #[error("could not start `{program}`{}", limits::named(.source))]
    Spawn {
        /// The program's path.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// The bundle of the app is malformed.
    #[error("the app's bundle cannot be installed: {0}")]
    Bundle(String),
    /// The app cannot be installed whole.
    #[error(
        "could not install the app in `{path}`: free space there, or make the directory writable"
    )]
    Install {
        /// The app's directory.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// There can be no file for its output.
    #[error("could not create `{path}` for the app's output")]
    Output {
        /// The file's path.
        path: String,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    /// The system could not start `program`.
    fn of_spawn(program: &std::path::Path, source: io::Error) -> Self {
        let program = program.display().to_string();
        Self::Spawn { program, source }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rustix::io::Errno;

    use super::*;

    #[test]
    fn a_limit_of_processes_is_named() {
        let told = |errno: Errno| Error::of_spawn(Path::new("/bin/app"), errno.into()).to_string();
        let limit = told(Errno::AGAIN);
        assert!(
            limit.starts_with("could not start `/bin/app`, since this user or container"),
            "{limit}"
        );
        assert!(
            limit.contains("--pids-limit") && limit.contains("ulimit -u"),
            "{limit}"
        );
        assert_eq!(told(Errno::NOENT), "could not start `/bin/app`");
    }
}
