//! What a command answers on stdout.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

/// Prints a line. Somebody who reads no further is no error; a full disk is told on stderr.
#[expect(clippy::print_stderr, reason = "stdout takes nothing more")]
pub fn line(text: impl Display) {
    let printed = writeln!(io::stdout(), "{text}").and_then(|()| io::stdout().flush());
    match printed {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            eprintln!("the answer could not be written to stdout: {error}");
        }
        _ => {}
    }
}
