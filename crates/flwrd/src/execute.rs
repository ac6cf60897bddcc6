//! Starts this project's programs. The program takes the place of this process: signals, exit status
//! and everything else are the program's own.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use flwr_programs::{Group, Installation, path_variable, take_place};

use crate::error::Error;

/// Replaces this process by the program. Returns only if that fails.
pub(crate) fn execute(
    installation: &Installation,
    name: &'static str,
    arguments: impl IntoIterator<Item = OsString>,
) -> Error {
    let path = match program(installation, name) {
        Ok(path) => path,
        Err(error) => return error,
    };
    let mut command = Command::new(&path);
    command.args(arguments);
    if let Some(path) = with_own_environment(installation, &path_variable()) {
        command.env("PATH", path);
    }
    let source = take_place(&mut command, &path);
    if source.kind() == io::ErrorKind::NotFound && path.is_file() {
        return Error::NoLoader(path);
    }
    Error::Start { path, source }
}

/// The program of this name, which this user may execute.
pub(crate) fn program(installation: &Installation, name: &'static str) -> Result<PathBuf, Error> {
    installation.program(name).ok_or_else(|| {
        let folder = match (Group::of(name), installation) {
            (Some(group), _) => installation.folder(group),
            (None, Installation::Apart(folder) | Installation::Together(folder)) => folder.clone(),
        };
        Error::NoProgram { name, folder }
    })
}

/// PATH with the environment that this program is installed in at the end: daemons find the programs
/// of pip's flwr there that run apps, also where nobody has activated the environment.
fn with_own_environment(installation: &Installation, path: &OsStr) -> Option<OsString> {
    let Installation::Apart(libexec) = installation else {
        return None;
    };
    // The folder is PREFIX/libexec/flower-daemons.
    let bin = libexec.parent().and_then(Path::parent)?.join("bin");
    let mut folders: Vec<_> = env::split_paths(path).collect();
    if folders.contains(&bin) {
        return None;
    }
    folders.push(bin);
    env::join_paths(folders).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_environment_comes_last_on_the_path() {
        let installation = Installation::Apart("/venv/libexec/flower-daemons".into());
        let with = |path| with_own_environment(&installation, OsStr::new(path));
        assert_eq!(with("/usr/bin"), Some("/usr/bin:/venv/bin".into()));
        assert_eq!(with("/venv/bin:/usr/bin"), None);
        let together = Installation::Together("/venv/bin".into());
        assert_eq!(with_own_environment(&together, OsStr::new("/a")), None);
    }

    #[test]
    fn a_program_whose_loader_is_missing_is_told_apart_from_one_that_is_missing() {
        use std::fs;
        use std::os::unix::fs::PermissionsExt;

        let dir = tempfile::tempdir().unwrap();
        let installation = Installation::Together(dir.path().to_owned());
        let error = execute(&installation, "flwr", []);
        assert!(matches!(error, Error::NoProgram { name: "flwr", .. }));
        // The system says the same of a script without its interpreter.
        let program = dir.path().join("flwr");
        fs::write(&program, "#!/nonexistent/ld.so\n").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let error = execute(&installation, "flwr", []);
        assert!(matches!(error, Error::NoLoader(_)), "{error}");
        // A shell would read these as its own commands.
        for content in ["", "exit 0\n"] {
            fs::write(&program, content).unwrap();
            let error = execute(&installation, "flwr", []);
            assert!(
                matches!(&error, Error::Start { source, .. } if source.to_string().contains("damaged")),
                "{error}"
            );
        }
    }
}
