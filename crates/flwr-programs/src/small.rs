//! Small programs, which are another program under their own name.

use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Executes the program of this name beside the small program `own`, with the arguments that were typed.
/// The program sees the name `own` ([`is_called`]). Returns only to say why there is no program.
#[must_use]
#[expect(clippy::print_stderr, reason = "the last word of a program that ends")]
pub fn become_another(own: &str, program: &str) -> ExitCode {
    let failed = match in_own_folder(program) {
        Ok(program) => {
            let mut command = Command::new(&program);
            command.arg0(own).args(env::args_os().skip(1));
            let error = take_place(&mut command, &program);
            format!("{}: {error}", program.display())
        }
        Err(error) => format!("the folder of this program is not known: {error}"),
    };
    eprintln!(
        "{own}: error: {failed}. {own} needs {program} in its own folder: install both there"
    );
    ExitCode::FAILURE
}

/// Puts a program in the place of this process. Returns only to say why that failed. Systems let a shell
/// read a file that is no program, such as an empty one: that is refused, and so is this program itself.
pub fn take_place(command: &mut Command, program: &Path) -> io::Error {
    let refused = || {
        let mut begins = [0; 4];
        let length = File::open(program)?.read(&mut begins)?;
        if begins != *b"\x7fELF" && !(length >= 2 && begins.starts_with(b"#!")) {
            return Err(io::Error::other(
                "is damaged, and no program: install it again",
            ));
        }
        let itself = env::current_exe().and_then(|own| own.canonicalize());
        if itself.is_ok_and(|own| program.canonicalize().is_ok_and(|program| program == own)) {
            return Err(io::Error::other(
                "is a link to this program: install it again",
            ));
        }
        Ok(())
    };
    refused().err().unwrap_or_else(|| command.exec())
}

/// Whether a program was started under this name, by what was typed.
#[must_use]
pub fn is_called(typed: Option<&OsString>, name: &str) -> bool {
    let called = typed.and_then(|first| Path::new(first).file_name());
    called.is_some_and(|called| called == name)
}

/// The program of this name in the folder of the running program. Links to the running program are followed.
/// Where there is no `/proc`, the running program was started by its path, or it is not found.
fn in_own_folder(program: &str) -> io::Result<PathBuf> {
    let by_path = |error| {
        let typed = env::args_os().next().map(PathBuf::from);
        typed.ok_or(error)?.canonicalize()
    };
    Ok(env::current_exe().or_else(by_path)?.with_file_name(program))
}
