//! Small programs, which are another program under their own name.

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Executes the program of this name beside the small program `own`, with the arguments that were typed.
/// The program sees the name `own` ([`is_called`]). Returns only to say why there is no program.
#[must_use]
#[expect(clippy::print_stderr, reason = "the last word of a program that ends")]
pub fn become_another(own: &str, program: &str) -> ExitCode {
    let failed = match beside(program) {
        Ok(program) => {
            let arguments = env::args_os().skip(1);
            let error = Command::new(&program).arg0(own).args(arguments).exec();
            format!("{}: {error}", program.display())
        }
        Err(error) => format!("the folder of this program is not known: {error}"),
    };
    eprintln!(
        "{own}: error: {failed}. {own} needs {program} in its own folder: install both there"
    );
    ExitCode::FAILURE
}

/// Whether a program was started under this name, by what was typed.
#[must_use]
pub fn is_called(typed: Option<&OsString>, name: &str) -> bool {
    let called = typed.and_then(|first| Path::new(first).file_name());
    called.is_some_and(|called| called == name)
}

/// The program of this name in the folder of the running program. Links to the running program are followed.
/// Where there is no `/proc`, the running program was started by its path, or it is not found.
fn beside(program: &str) -> io::Result<PathBuf> {
    let by_path = |error| {
        let typed = env::args_os().next().map(PathBuf::from);
        typed.ok_or(error)?.canonicalize()
    };
    Ok(env::current_exe().or_else(by_path)?.with_file_name(program))
}
