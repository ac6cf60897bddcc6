//! Where the programs are: ours beside the test binary, Python's in the environments that
//! `cargo xtask test` makes.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

/// A version of Flower from PyPI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// flwr 1.20.0
    V1_20,
    /// flwr 1.21.0
    V1_21,
    /// flwr 1.22.0
    V1_22,
}

/// Whose program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    /// Built from this workspace. App processes are those of flwr 1.22.
    Ours,
    /// From PyPI.
    Pip(Release),
}

impl Release {
    /// As `flwr --version` has it.
    #[must_use]
    pub const fn number(self) -> &'static str {
        match self {
            Self::V1_20 => "1.20.0",
            Self::V1_21 => "1.21.0",
            Self::V1_22 => "1.22.0",
        }
    }

    const fn variable(self) -> &'static str {
        match self {
            Self::V1_20 => "FLWR_PYTHON_1_20",
            Self::V1_21 => "FLWR_PYTHON_1_21",
            Self::V1_22 => "FLWR_PYTHON_1_22",
        }
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
    /// The program's file, by its name.
    ///
    /// # Panics
    /// If it is not there.
    #[must_use]
    pub fn program(self, name: &str) -> PathBuf {
        let path = match self {
            Self::Ours => ours().join(name),
            Self::Pip(release) => release.bin().join(name),
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
        command
            .env_remove("RUST_LOG")
            .env_remove("FLWR_LOG_LEVEL")
            .env_remove("FLWR_HOME");
        command
    }

    fn path(self) -> OsString {
        let mut folders = match self {
            Self::Ours => vec![ours(), Release::V1_22.bin()],
            Self::Pip(release) => vec![release.bin()],
        };
        folders.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
        env::join_paths(folders).unwrap()
    }
}

/// `target/<profile>`: the test binary is in `target/<profile>/deps`.
fn ours() -> PathBuf {
    let test = env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().to_path_buf()
}

fn workspace_target() -> PathBuf {
    ours().parent().unwrap().to_path_buf()
}
