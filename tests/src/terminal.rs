//! Commands at a terminal: somebody reads their questions and types answers.

use std::process::Command;

use crate::flwr::Outcome;
use crate::program::Release;

/// Runs a command at a terminal. Types the next answer each time when a question stands there.
/// Python has pseudo-terminals without `unsafe`.
const SCRIPT: &str = "
import os, pty, sys
answers = sys.argv[1].splitlines(keepends=True)
child, terminal = pty.fork()
if child == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
said = b''
while True:
    try:
        part = os.read(terminal, 4096)
    except OSError:
        break
    if not part:
        break
    said += part
    if answers and said.rstrip(b' ').endswith((b':', b'?', b']')):
        os.write(terminal, answers.pop(0).encode())
sys.stdout.buffer.write(said)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
";

/// Runs a command to its end at a terminal. Each question is answered with the next line of
/// `answers`. The outcome has the questions and the echoed answers too.
///
/// # Panics
/// If the command does not start.
#[must_use]
pub fn at_terminal(command: &Command, answers: &str) -> Outcome {
    let mut python = Command::new(Release::V1_22.bin().join("python"));
    python.args(["-c", SCRIPT, answers]);
    python.arg(command.get_program()).args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        python.current_dir(folder);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => python.env(name, value),
            None => python.env_remove(name),
        };
    }
    python.output().unwrap().into()
}
