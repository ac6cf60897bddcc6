//! `flower-server-app`: executes the `flower-superlink` beside it, under the name of this program
//! (the library of this package says what that does).

use std::process::ExitCode;

fn main() -> ExitCode {
    flwr_programs::become_another("flower-server-app", "flower-superlink")
}
