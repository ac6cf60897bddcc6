//! `flower-client-app`: executes the `flower-supernode` beside it, under the name of this program
//! (`flower_supernode::client_app`).

use std::process::ExitCode;

fn main() -> ExitCode {
    flwr_programs::become_another("flower-client-app", "flower-supernode")
}
