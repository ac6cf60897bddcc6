//! Runs a program for its answer, for a limited time.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use flwr_core::monotonic;
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

/// The interval between two looks at the program.
const LOOK: Duration = Duration::from_millis(10);
/// Bytes that are read of an answer.
const MOST: u64 = 64 * 1024;

/// Runs a command to its end, or for this long, and ends its process group. Gives what was written
/// to stdout. Blocks.
///
/// Stdout is a file in memory: a process that the command leaves behind could hold a pipe open.
///
/// # Errors
/// If the command does not start.
pub fn ask(command: &mut Command, patience: Duration) -> io::Result<String> {
    let mut answer = File::from(memfd_create("answer", MemfdFlags::CLOEXEC)?);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::from(answer.try_clone()?))
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()?;
    let start = monotonic::now();
    // The child stays a zombie until its group is killed: nobody else gets the id of the group.
    while !has_ended(&child)? && start.elapsed() < patience {
        sleep(LOOK);
    }
    // An error says that nobody is left in the group.
    let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
    child.wait()?;
    answer.rewind()?;
    let mut text = Vec::new();
    answer.take(MOST).read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Whether the child has ended. It is not reaped.
fn has_ended(child: &Child) -> io::Result<bool> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    Ok(waitid(WaitId::Pid(Pid::from_child(child)), options)?.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_what_the_program_prints() {
        let printed = ask(Command::new("echo").arg("1.22"), Duration::from_secs(30));
        assert_eq!(printed.unwrap(), "1.22\n");
        assert!(ask(&mut Command::new("/nonexistent"), Duration::ZERO).is_err());
    }

    #[test]
    fn a_program_that_does_not_end_is_ended() {
        let mut endless = Command::new("sh");
        endless.args(["-c", "echo begun; sleep 600 & sleep 600"]);
        let printed = ask(&mut endless, Duration::from_secs(1)).unwrap();
        assert!(["begun\n", ""].contains(&printed.as_str()), "{printed}");
    }
}
