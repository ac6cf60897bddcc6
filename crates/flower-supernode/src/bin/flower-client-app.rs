//! `flower-client-app`: executes the `flower-supernode` beside it, under the name of this program
//! (`flower_supernode::client_app`).

use std::env;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

const NAME: &str = "flower-client-app";
const SUPERNODE: &str = "flower-supernode";

#[expect(clippy::print_stderr, reason = "the last word of a program that ends")]
fn main() -> ExitCode {
    let failed = match beside() {
        Ok(supernode) => {
            let arguments = env::args_os().skip(1);
            let error = Command::new(&supernode).arg0(NAME).args(arguments).exec();
            format!("{}: {error}", supernode.display())
        }
        Err(error) => format!("the folder of this program is not known: {error}"),
    };
    eprintln!(
        "{NAME}: error: {failed}. {NAME} needs {SUPERNODE} in its own folder: install both there"
    );
    ExitCode::FAILURE
}

/// The SuperNode's program in the folder of this program. Links to this program are followed. Where there
/// is no `/proc`, the program was started by its path, or it is not found.
fn beside() -> io::Result<PathBuf> {
    let by_path = |error| {
        let typed = env::args_os().next().map(PathBuf::from);
        typed.ok_or(error)?.canonicalize()
    };
    Ok(env::current_exe()
        .or_else(by_path)?
        .with_file_name(SUPERNODE))
}
