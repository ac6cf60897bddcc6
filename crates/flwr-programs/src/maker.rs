//! Whose a program is.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::ask::ask;
use crate::interpreter::Interpreter;
use crate::release::release_of;

/// The time limit for a program's `--version`. A wrapper may load modules first.
const PATIENCE: Duration = Duration::from_secs(5);
/// Stands between version and commit in the `--version` of this project's programs.
const COMMIT: &str = " (commit ";
/// Begins what pip's programs say to `--version`.
const PIPS: &str = "Flower version: ";

/// Who made a program, and its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Maker {
    /// This project.
    Ours(String),
    /// pip's flwr. The release is `None` where the program does not tell its release.
    Pips(Option<String>),
    /// Somebody else, or a wrapper that does not tell what it starts.
    Unknown,
}

impl Maker {
    /// Finds out who made a program. Blocks. A Python script is pip's: its release is that of the
    /// package. Any other program is asked for its version.
    #[must_use]
    pub fn of(program: &Path) -> Self {
        if is_script(program) && Interpreter::of(program).is_some() {
            return Self::Pips(release_of(program));
        }
        match ask(Command::new(program).arg("--version"), PATIENCE) {
            Ok(answer) => Self::said(&answer),
            Err(_) => Self::Unknown,
        }
    }

    /// Reads the answer to `--version`.
    fn said(answer: &str) -> Self {
        let line = answer.lines().next().unwrap_or_default();
        match line.split_once(COMMIT) {
            Some((named, _)) => {
                let version = named.rsplit(' ').next().unwrap_or_default();
                Self::Ours(version.to_owned())
            }
            None => match line.strip_prefix(PIPS) {
                Some(release) => Self::Pips(Some(release.trim().to_owned())),
                None => Self::Unknown,
            },
        }
    }

    /// Whether this project made the program.
    #[must_use]
    pub const fn is_ours(&self) -> bool {
        matches!(self, Self::Ours(_))
    }
}

impl fmt::Display for Maker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ours(version) => write!(f, "ours, {version}"),
            Self::Pips(Some(release)) => write!(f, "pip's, flwr {release}"),
            Self::Pips(None) => f.write_str("pip's"),
            Self::Unknown => f.write_str("of an unknown maker"),
        }
    }
}

fn is_script(program: &Path) -> bool {
    let mut start = [0; 2];
    let read = File::open(program).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start == *b"#!"
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use super::*;

    fn program(folder: &Path, text: &str) -> PathBuf {
        let program = folder.join("flower-superlink");
        fs::write(&program, text).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        program
    }

    #[test]
    fn the_answer_to_version_tells_the_maker() {
        for (answer, maker) in [
            (
                "flower-superlink 0.1.0 (commit 0123456789; speaks flwr 1.8 to 1.42)\n",
                Maker::Ours("0.1.0".into()),
            ),
            (
                "Flower version: 0.2.0 (commit development; speaks flwr 1.15)",
                Maker::Ours("0.2.0".into()),
            ),
            (
                "Flower version: 1.22.0\n",
                Maker::Pips(Some("1.22.0".into())),
            ),
            ("usage: flower-superlink [-h]\n", Maker::Unknown),
            ("", Maker::Unknown),
        ] {
            assert_eq!(Maker::said(answer), maker, "{answer}");
        }
    }

    #[test]
    fn a_wrapper_is_of_the_maker_of_the_program_that_it_starts() {
        let dir = tempfile::tempdir().unwrap();
        let ours = "#!/bin/sh\n# pip's\necho 'flower-superlink 0.1.0 (commit development)'\n";
        let found = Maker::of(&program(dir.path(), ours));
        assert_eq!(found, Maker::Ours("0.1.0".into()));
        let silent = program(dir.path(), "#!/bin/sh\nexit 2\n");
        assert_eq!(Maker::of(&silent), Maker::Unknown);
        assert_eq!(Maker::of(&dir.path().join("gone")), Maker::Unknown);
    }

    #[test]
    fn a_python_script_is_pips_and_is_not_started() {
        let dir = tempfile::tempdir().unwrap();
        let bin = dir.path().join("bin");
        let package = dir
            .path()
            .join("lib/python3.11/site-packages/flwr-1.41.0.dist-info");
        fs::create_dir_all(&package).unwrap();
        fs::create_dir(&bin).unwrap();
        let python = bin.join("python3");
        fs::write(&python, "#!/bin/sh\necho 'x 9 (commit x)'\n").unwrap();
        let script = program(&bin, &format!("#!{}\n", python.display()));
        assert_eq!(Maker::of(&script), Maker::Pips(Some("1.41.0".into())));
    }
}
