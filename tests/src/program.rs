//! Where the programs are: ours beside the test binary, Python's in the environments that
//! `cargo xtask test` makes.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A version of Flower from PyPI: 1.`minor`.`patch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release {
    minor: u8,
    patch: u8,
    /// The day of a version that came before its release, for example 20261026. 0 for a release.
    nightly: u32,
}

/// Whose program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    /// Built from this workspace. App processes are those of flwr 1.22.
    Ours,
    /// Built from this workspace, with the app processes of this version.
    OursWith(Release),
    /// From PyPI.
    Pip(Release),
    /// Built from an earlier commit of this workspace, in the folder that `FLOWER_EARLIER` names. App
    /// processes are those of flwr 1.22.
    Earlier,
}

impl Release {
    /// flwr 1.8.0
    pub const V1_8: Self = Self::new(8, 0);
    /// flwr 1.10.0
    pub const V1_10: Self = Self::new(10, 0);
    /// flwr 1.12.0
    pub const V1_12: Self = Self::new(12, 0);
    /// flwr 1.13.1
    pub const V1_13: Self = Self::new(13, 1);
    /// flwr 1.14.0
    pub const V1_14: Self = Self::new(14, 0);
    /// flwr 1.15.2
    pub const V1_15: Self = Self::new(15, 2);
    /// flwr 1.16.0
    pub const V1_16: Self = Self::new(16, 0);
    /// flwr 1.17.0
    pub const V1_17: Self = Self::new(17, 0);
    /// flwr 1.18.0
    pub const V1_18: Self = Self::new(18, 0);
    /// flwr 1.19.0
    pub const V1_19: Self = Self::new(19, 0);
    /// flwr 1.20.0
    pub const V1_20: Self = Self::new(20, 0);
    /// flwr 1.21.0
    pub const V1_21: Self = Self::new(21, 0);
    /// flwr 1.22.0
    pub const V1_22: Self = Self::new(22, 0);
    /// flwr 1.23.0
    pub const V1_23: Self = Self::new(23, 0);
    /// flwr 1.25.0
    pub const V1_25: Self = Self::new(25, 0);
    /// flwr 1.26.1
    pub const V1_26: Self = Self::new(26, 1);
    /// flwr 1.28.0
    pub const V1_28: Self = Self::new(28, 0);
    /// flwr 1.29.0
    pub const V1_29: Self = Self::new(29, 0);
    /// flwr 1.31.0
    pub const V1_31: Self = Self::new(31, 0);
    /// flwr 1.33.0
    pub const V1_33: Self = Self::new(33, 0);
    /// flwr 1.34.0
    pub const V1_34: Self = Self::new(34, 0);
    /// flwr 1.36.0
    pub const V1_36: Self = Self::new(36, 0);
    /// flwr 1.37.0
    pub const V1_37: Self = Self::new(37, 0);
    /// flwr 1.38.0
    pub const V1_38: Self = Self::new(38, 0);
    /// flwr 1.39.0
    pub const V1_39: Self = Self::new(39, 0);
    /// flwr 1.40.0
    pub const V1_40: Self = Self::new(40, 0);
    /// flwr 1.41.0
    pub const V1_41: Self = Self::new(41, 0);
    /// flwr 1.42.0
    pub const V1_42: Self = Self::new(42, 0);
    /// flwr-nightly 1.43.0.dev20261026
    pub const V1_43: Self = Self {
        nightly: 20_261_026,
        ..Self::new(43, 0)
    };

    /// The release that `flwr up` installs for apps.
    pub const INSTALLED: Self = Self::V1_42;

    const fn new(minor: u8, patch: u8) -> Self {
        Self {
            minor,
            patch,
            nightly: 0,
        }
    }

    /// Reads `1.42.0` or `1.43.0.dev20261026`.
    #[must_use]
    pub fn parse(number: &str) -> Option<Self> {
        let mut parts = number.strip_prefix("1.")?.splitn(3, '.');
        let (minor, patch) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let nightly = match parts.next() {
            None => 0,
            Some(day) => day.strip_prefix("dev")?.parse().ok()?,
        };
        Some(Self {
            minor,
            patch,
            nightly,
        })
    }

    /// Whether it is flwr 1.`minor` or later.
    #[must_use]
    pub const fn is_since(self, minor: u8) -> bool {
        self.minor >= minor
    }

    /// As `flwr --version` has it.
    #[must_use]
    pub fn number(self) -> String {
        let Self {
            minor,
            patch,
            nightly,
        } = self;
        match nightly {
            0 => format!("1.{minor}.{patch}"),
            day => format!("1.{minor}.{patch}.dev{day}"),
        }
    }

    /// The variable that names its environment.
    fn variable(self) -> String {
        format!("FLWR_PYTHON_1_{}", self.minor)
    }

    /// The folder with this release's programs.
    ///
    /// # Panics
    /// If there is no such environment.
    #[must_use]
    pub fn bin(self) -> PathBuf {
        let environment = env::var_os(self.variable()).map_or_else(
            || {
                workspace_target()
                    .join("python")
                    .join(format!("flwr-{}", self.number()))
            },
            PathBuf::from,
        );
        let bin = environment.join("bin");
        assert!(
            bin.join("flwr").is_file(),
            "there is no flwr {} in {}: run the tests with `cargo xtask test`, which prepares it",
            self.number(),
            environment.display()
        );
        bin
    }
}

impl Maker {
    /// The release, if the program is pip's and of flwr 1.`minor` or later.
    #[must_use]
    pub fn pips_since(self, minor: u8) -> Option<Release> {
        match self {
            Self::Pip(release) if release.is_since(minor) => Some(release),
            _ => None,
        }
    }

    /// The program's file, by its name.
    ///
    /// # Panics
    /// If it is not there.
    #[must_use]
    pub fn program(self, name: &str) -> PathBuf {
        let path = match self {
            Self::Ours | Self::OursWith(_) => ours().join(name),
            Self::Pip(release) => release.bin().join(name),
            Self::Earlier => earlier().join(name),
        };
        assert!(
            path.is_file(),
            "{} is not there: `cargo xtask test` makes it",
            path.display()
        );
        path
    }

    /// The program, ready to get its arguments. Other programs are looked up as on a user's
    /// machine: ours first, then those of the Python environment.
    #[must_use]
    pub fn command(self, name: &str) -> Command {
        let mut command = Command::new(self.program(name));
        command.env("PATH", self.path());
        command.env("FLWR_TELEMETRY_ENABLED", "0");
        command.env("PYTHONUNBUFFERED", "1");
        // pip's releases of today would ask the internet for updates and for packages.
        command.env("FLWR_DISABLE_UPDATE_CHECK", "1");
        command.env("FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION", "1");
        command
            .env_remove("RUST_LOG")
            .env_remove("FLWR_LOG_LEVEL")
            .env_remove("FLWR_HOME");
        command
    }

    /// The PATH of [`Self::command`], with a folder before it.
    pub(crate) fn path_after(self, first: &Path) -> OsString {
        let path = self.path();
        let folders = std::iter::once(first.to_owned()).chain(env::split_paths(&path));
        env::join_paths(folders).unwrap()
    }

    /// PATH for a program of this maker.
    ///
    /// # Panics
    /// If there is no such environment.
    #[must_use]
    pub fn path(self) -> OsString {
        let mut folders = match self {
            Self::Ours => vec![ours(), Release::V1_22.bin()],
            Self::OursWith(release) => vec![ours(), release.bin()],
            Self::Pip(release) => vec![release.bin()],
            Self::Earlier => vec![earlier(), Release::V1_22.bin()],
        };
        folders.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
        env::join_paths(folders).unwrap()
    }
}

/// The programs of an earlier commit.
fn earlier() -> PathBuf {
    let folder = env::var_os("FLOWER_EARLIER");
    PathBuf::from(folder.expect("FLOWER_EARLIER names a folder with earlier programs"))
}

/// `target/<profile>`: the test binary is in `target/<profile>/deps`.
fn ours() -> PathBuf {
    let test = env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().to_path_buf()
}

/// `target`.
pub(crate) fn workspace_target() -> PathBuf {
    ours().parent().unwrap().to_path_buf()
}
