//! The releases of flwr whose app processes we start, and how each is started.
//!
//! A range of releases with the same flags is a row of [`ROWS`]. A new range is one more row.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use flwr_programs::{ask, release_of};

use super::{Error, find_program};

/// A release of flwr by its first two numbers, as (1, 22).
pub type Version = (u32, u32);

/// The time limit for a program's help.
const PATIENCE: Duration = Duration::from_secs(10);

/// How the app processes of a range of releases are started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flags {
    /// Whether a ServerApp is given the token of its run. A ServerApp of an earlier release asks
    /// for any run that waits. ClientApps have had tokens since 1.20, the first that we start.
    serverapp_token: bool,
    /// How the process learns Flower's directory.
    pub(super) home: Home,
    /// Whether `--token-file` is known.
    pub(super) token_file: bool,
    /// Whether the process can speak TLS with the daemon (`--root-certificates`).
    pub(super) tls: bool,
    /// Whether `--allow-runtime-dependency-installation` is known.
    installs: bool,
    /// The flag for the address of the daemon.
    pub(super) address: Address,
}

/// The flag by which a process learns the address of its daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// `--serverappio-api-address` of a ServerApp, `--clientappio-api-address` of a ClientApp.
    ByApp,
    /// `--runtime-api-address` of both.
    Runtime,
}

/// How a process learns Flower's directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Home {
    /// By the flag `--flwr-dir`.
    Flag,
    /// By the variable `FLWR_HOME`.
    Variable,
}

/// The releases from `first` to the next row.
struct Row {
    first: Version,
    flags: Flags,
}

const FIRST: Flags = Flags {
    serverapp_token: false,
    home: Home::Flag,
    token_file: false,
    tls: false,
    installs: false,
    address: Address::ByApp,
};
const WITH_TOKEN: Flags = Flags {
    serverapp_token: true,
    ..FIRST
};
const WITH_HOME: Flags = Flags {
    home: Home::Variable,
    ..WITH_TOKEN
};
const WITH_INSTALLER: Flags = Flags {
    installs: true,
    ..WITH_HOME
};
const WITH_TLS: Flags = Flags {
    tls: true,
    ..WITH_INSTALLER
};
const WITH_TOKEN_FILE: Flags = Flags {
    token_file: true,
    ..WITH_TLS
};
const WITH_RUNTIME: Flags = Flags {
    address: Address::Runtime,
    ..WITH_TOKEN_FILE
};

const fn row(first: Version, flags: Flags) -> Row {
    Row { first, flags }
}

/// All that we start, in the order of the releases.
const ROWS: [Row; 7] = [
    row((1, 13), FIRST),
    row((1, 21), WITH_TOKEN),
    row((1, 27), WITH_HOME),
    row((1, 29), WITH_INSTALLER),
    row((1, 30), WITH_TLS),
    row((1, 31), WITH_TOKEN_FILE),
    row((1, 36), WITH_RUNTIME),
];
/// The release that is assumed where a program does not tell its own.
const USUAL: Version = (1, 22);
/// The first release after the last row.
const END: Version = (1, 44);

/// Has a process install what its app depends on.
pub(super) const INSTALL: &str = "--allow-runtime-dependency-installation";

/// A program that runs apps, the release of flwr that it belongs to, and how its processes are started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    path: PathBuf,
    version: Option<Version>,
    flags: Flags,
    /// The authorities that the processes trust. Without them the processes speak plaintext.
    authorities: Option<PathBuf>,
    /// Whether the processes install what their app depends on.
    installs: bool,
}

impl Program {
    /// Finds a program on `PATH`, and the release that it belongs to. Blocks: the program's Python
    /// is asked if the package is not installed beside the program.
    ///
    /// # Errors
    /// No directory on `PATH` holds the program, or we do not start its release.
    pub fn find(name: &str) -> Result<Self, Error> {
        Self::found(find_program(name)?)
    }

    fn found(path: PathBuf) -> Result<Self, Error> {
        let program = Self::at(path);
        match program.version {
            Some(version) if version >= END => Err(Error::NotServed {
                program: program.path.display().to_string(),
                version: shown(version),
            }),
            _ => Ok(program),
        }
    }

    /// The program of this path. Blocks, as [`Self::find`] does.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        let version = release_of(&path).and_then(|release| version_in(&release));
        let flags = match version {
            Some(version) => Flags::of(version),
            None => Flags::by_help(&path).unwrap_or_else(|| Flags::of(USUAL)),
        };
        Self {
            path,
            version,
            flags,
            authorities: None,
            installs: false,
        }
    }

    /// The program of this path, which is of this release.
    #[must_use]
    pub fn of(path: PathBuf, version: Version) -> Self {
        Self {
            path,
            version: Some(version),
            flags: Flags::of(version),
            authorities: None,
            installs: false,
        }
    }

    /// Has the processes speak TLS with the daemon, whose certificate an authority in this file has
    /// signed. Processes of flwr 1.29 and before speak plaintext all the same.
    #[must_use]
    pub fn trusting(mut self, authorities: PathBuf) -> Self {
        self.authorities = self.flags.tls.then_some(authorities);
        self
    }

    /// Has the processes install what their app depends on, by `uv`.
    ///
    /// # Errors
    /// Processes of flwr 1.28 and before install nothing.
    pub fn installing(mut self) -> Result<Self, Error> {
        if !self.flags.installs {
            return Err(Error::NoInstaller {
                flag: INSTALL,
                program: self.shown(),
            });
        }
        self.installs = true;
        Ok(self)
    }

    /// Whether the processes install what their app depends on.
    #[must_use]
    pub const fn installs(&self) -> bool {
        self.installs
    }

    /// The arguments by which the processes know whether to speak TLS, and whether to install what
    /// their app depends on.
    pub(super) fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = match &self.authorities {
            Some(file) => vec!["--root-certificates".into(), file.into()],
            None => vec!["--insecure".into()],
        };
        arguments.extend(self.installs.then(|| INSTALL.into()));
        arguments
    }

    /// The program's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The release, if it is known.
    #[must_use]
    pub const fn version(&self) -> Option<Version> {
        self.version
    }

    /// Whether a ServerApp of this program is given a token. A ServerApp of flwr 1.13 to 1.20 asks
    /// for any run that waits.
    #[must_use]
    pub const fn gives_token_to_serverapp(&self) -> bool {
        self.flags.serverapp_token
    }

    /// The path and the release, for people.
    #[must_use]
    pub fn shown(&self) -> String {
        let of = self
            .version
            .map(|version| format!(", of flwr {}", shown(version)));
        format!("{}{}", self.path.display(), of.unwrap_or_default())
    }

    /// The flag for the address of the daemon, of a program that has this one of its own or had it.
    pub(super) const fn address_flag(&self, of_app: &'static str) -> &'static str {
        match self.flags.address {
            Address::ByApp => of_app,
            Address::Runtime => "--runtime-api-address",
        }
    }

    pub(super) const fn flags(&self) -> Flags {
        self.flags
    }
}

impl Flags {
    /// The flags of a release. Those before the first row are started as the first row.
    fn of(version: Version) -> Self {
        let row = ROWS.iter().rev().find(|row| row.first <= version);
        row.unwrap_or(&ROWS[0]).flags
    }

    /// The flags that a program names in its help. A program that is no Python script, such as a
    /// shell script that sets variables first, is asked so. `None` if the program names none.
    fn by_help(program: &Path) -> Option<Self> {
        let help = ask(Command::new(program).arg("--help"), PATIENCE).ok()?;
        let has = |flag: &str| {
            help.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
                .any(|word| word == flag)
        };
        let is_of_app = has("--serverappio-api-address") || has("--clientappio-api-address");
        let is_of_runtime = has("--runtime-api-address");
        (is_of_app || is_of_runtime).then(|| Self {
            serverapp_token: has("--token"),
            home: if has("--flwr-dir") {
                Home::Flag
            } else {
                Home::Variable
            },
            token_file: has("--token-file"),
            tls: has("--root-certificates"),
            installs: has(INSTALL),
            address: if is_of_runtime {
                Address::Runtime
            } else {
                Address::ByApp
            },
        })
    }
}

fn shown((major, minor): Version) -> String {
    format!("{major}.{minor}")
}

/// The first two numbers of a version such as `1.43.0.dev20261026`.
fn version_in(version: &str) -> Option<Version> {
    let mut parts = version.trim().split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

#[cfg(test)]
mod tests;
