//! What can fail.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Exit status for wrong usage.
const USAGE: u8 = 2;

/// Why `flwrd` did not do what it was asked.
#[derive(Debug, Error)]
pub(crate) enum Error {
    /// The system does not tell where this program is.
    #[error("the path of flwrd itself cannot be read: is /proc mounted?")]
    Own(#[source] io::Error),
    /// There are no programs around this one.
    #[error(
        "{}: no programs are beside it: install flwrd with its programs, not the file alone",
        .0.display()
    )]
    NoInstallation(PathBuf),
    /// The installation lacks a program.
    #[error("{name} is not in {}, or nobody may execute it: install the programs again", folder.display())]
    NoProgram {
        /// The program.
        name: &'static str,
        /// Where it would be.
        folder: PathBuf,
    },
    /// The programs of a group are not in a folder of their own.
    #[error(
        "--only: {} has all programs, so PATH finds all of them first or none: leave --only out",
        .0.display()
    )]
    Together(PathBuf),
    /// The folder cannot be a part of PATH.
    #[error("{}: PATH cannot name a folder with a colon: move the installation", .0.display())]
    Colon(PathBuf),
    /// The system has no loader for the program.
    #[error(
        "{}: this system lacks the loader that the program names. The program needs glibc 2.17 or later, \
         which systems with musl do not have: use the programs of the tarball there",
        .0.display()
    )]
    NoLoader(PathBuf),
    /// The system did not start a program.
    #[error("{} cannot be started", path.display())]
    Start {
        /// The program.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Nobody reads the answer.
    #[error("the answer cannot be written to stdout")]
    Stdout(#[source] io::Error),
}

impl Error {
    /// The exit status.
    pub(crate) const fn exit_code(&self) -> u8 {
        match self {
            Self::Together(_) => USAGE,
            Self::Own(_)
            | Self::NoInstallation(_)
            | Self::NoProgram { .. }
            | Self::Colon(_)
            | Self::NoLoader(_)
            | Self::Start { .. }
            | Self::Stdout(_) => 1,
        }
    }
}
