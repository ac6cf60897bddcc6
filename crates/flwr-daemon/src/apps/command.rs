//! The command lines of app processes: programs, arguments and paths.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use flwr_programs::Interpreter;
use rustix::fs::{MemfdFlags, memfd_create};
use serde_json::{Value, json};
use tracing::warn;

use super::forkserver::send_with;
use super::release::{Home, Program};
use super::{guard, proxy};
use crate::appio::{AppChannels, Opened};

/// What runs `flwr-serverapp`.
const SERVERAPP: &str = concat!(
    include_str!("ahead.py"),
    include_str!("told.py"),
    include_str!("serverapp/begin.py"),
    include_str!("channel/line.py"),
    include_str!("channel/message.py"),
    include_str!("channel/grpc.py"),
    include_str!("channel/http.py"),
    include_str!("channel.py"),
    include_str!("serverapp.py")
);
/// What runs `flwr-clientapp`.
const CLIENTAPP: &str = concat!(
    include_str!("ahead.py"),
    include_str!("told.py"),
    include_str!("clientapp/begin.py"),
    include_str!("channel/line.py"),
    include_str!("channel/message.py"),
    include_str!("channel/grpc.py"),
    include_str!("channel/http.py"),
    include_str!("channel.py"),
    include_str!("clientapp.py")
);

/// Where a program finds its token that reads it from a file: the file is its stdin.
const TOKEN_FILE: &str = "/proc/self/fd/0";

/// The variable by which glibc is tuned, and what has it keep 128 MiB of free blocks of up to 32 MiB, and ask
/// the kernel for huge pages. A round of 100 MB takes a fifth less CPU by the huge pages. Where the kernel must
/// first move others' pages together, the first rounds take as long as without.
const TUNABLES: &str = "GLIBC_TUNABLES";
const KEPT_BLOCKS: &str = "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=33554432:\
                           glibc.malloc.trim_threshold=134217728";

/// Bytes that a pipe takes before somebody reads: 16 pages on Linux, of 4 KiB at least.
const PIPE: usize = 64 * 1024;

/// The command of an app process: a program with its arguments.
#[derive(Clone, Debug)]
pub struct AppCommand {
    /// The program's path, as [`find_program`](super::find_program) gives it.
    pub program: PathBuf,
    /// The arguments, without the program's name.
    pub args: Vec<OsString>,
    /// The arguments that the process reads on its stdin. Other users can read a command line, and
    /// the token is among these arguments.
    pub told: Vec<OsString>,
    /// The token that the process reads in the file that is its stdin.
    pub token: Option<String>,
    /// Variables added to the daemon's own environment.
    pub env: Vec<(OsString, OsString)>,
    /// The app's name in logs, e.g. `ClientApp`.
    pub name: String,
    /// What opens a native channel for the process, if it is to have one. A process that is told
    /// nothing, as it is no Python script, has none.
    pub channels: Option<AppChannels>,
}

/// What a process finds on its stdin, and its native channel, if the end of that is there, too.
pub(super) struct Stdin {
    pub(super) stdio: Stdio,
    pub(super) channel: Option<Opened>,
}

impl AppCommand {
    /// The arguments of Flower's program itself.
    pub(super) fn own_arguments(&self) -> Vec<Cow<'_, str>> {
        let own = if self.told.is_empty() {
            &self.args
        } else {
            &self.told
        };
        own.iter()
            .map(|argument| argument.to_string_lossy())
            .collect()
    }

    /// Adds the token, in a file or not, and the parent, if the process is to end with it.
    fn add_token(&mut self, token: &str, parent_pid: Option<u32>, in_file: bool) {
        if in_file {
            self.args
                .extend(["--token-file", TOKEN_FILE].map(Into::into));
            self.token = Some(token.to_owned());
        } else {
            self.args.extend(["--token", token].map(Into::into));
        }
        if let Some(pid) = parent_pid {
            self.args
                .extend(["--parent-pid".into(), pid.to_string().into()]);
        }
    }

    /// The stdin of a process that starts with this command. It is empty but for the arguments or
    /// the token that the process reads there.
    pub(super) fn stdin(&self) -> io::Result<Stdin> {
        if self.token.is_none() && !self.told.is_empty() && self.channels.is_some() {
            let (ours, theirs) = UnixStream::pair()?;
            // The variables are in the environment already.
            let channel = self.tell(&ours, &BTreeMap::new())?;
            let stdio = OwnedFd::from(theirs).into();
            return Ok(Stdin { stdio, channel });
        }
        let stdio = self.stdin_without_channel()?;
        Ok(Stdin {
            stdio,
            channel: None,
        })
    }

    fn stdin_without_channel(&self) -> io::Result<Stdio> {
        if let Some(token) = &self.token {
            // The program wants a regular file.
            let mut file = File::from(memfd_create("token", MemfdFlags::CLOEXEC)?);
            file.write_all(token.as_bytes())?;
            file.rewind()?;
            return Ok(file.into());
        }
        if self.told.is_empty() {
            return Ok(Stdio::null());
        }
        // The variables are in the environment already.
        let line = json!({"arguments": self.own_arguments(), "environment": {}}).to_string();
        if line.len() >= PIPE {
            return Err(io::ErrorKind::ArgumentListTooLong.into());
        }
        let (reader, mut writer) = io::pipe()?;
        writeln!(writer, "{line}")?;
        Ok(reader.into())
    }

    /// Tells a process its arguments and these variables on this socket, and gives it the end of a
    /// native channel, if it is to have one. Gives the daemon's end.
    pub(super) fn tell(
        &self,
        socket: &UnixStream,
        environment: &BTreeMap<Cow<'_, str>, Cow<'_, str>>,
    ) -> io::Result<Option<Opened>> {
        let mut told = json!({"arguments": self.own_arguments(), "environment": environment});
        let mut files = Vec::new();
        let channel = self.open_channel(&mut told, &mut files);
        let line = format!("{told}\n");
        if line.len() > PIPE {
            return Err(io::ErrorKind::ArgumentListTooLong.into());
        }
        match send_with(socket, &line, &files)? == line.len() {
            true => Ok(channel),
            false => Err(io::Error::other("it does not listen")),
        }
    }

    /// Opens a native channel for a process that is told this, if it is to have one. Its end comes after
    /// the other files.
    pub(super) fn open_channel(
        &self,
        told: &mut Value,
        files: &mut Vec<OwnedFd>,
    ) -> Option<Opened> {
        let channels = self.channels.as_ref()?;
        match channels.open() {
            Ok((channel, theirs)) => {
                told["channel"] = channels.address().into();
                files.push(theirs);
                Some(channel)
            }
            Err(error) => {
                warn!(%error, "an app process gets no native channel, and calls over TCP");
                None
            }
        }
    }

    /// The added variables as text, for a prepared process: it runs already and gets them in a
    /// message.
    pub(super) fn environment(&self) -> BTreeMap<Cow<'_, str>, Cow<'_, str>> {
        let variables = self.env.iter();
        variables
            .map(|(name, value)| (name.to_string_lossy(), value.to_string_lossy()))
            .collect()
    }
}

/// The command of a ClientApp for one message. If the program is a Python script, its own Python runs
/// the script and reads the arguments on stdin. Any other program of flwr 1.31 or later reads its
/// token on stdin. Earlier ones get the token on their command line, as they have no other way.
#[must_use]
pub fn clientapp_command(
    program: &Program,
    clientappio_address: &str,
    token: &str,
    parent_pid: u32,
    flwr_dir: Option<&Path>,
) -> AppCommand {
    let flag = program.address_flag("--clientappio-api-address");
    let address = [flag, clientappio_address];
    let mut command = app_command("ClientApp", program, address, flwr_dir);
    let script = Interpreter::of(program.path());
    let in_file = script.is_none() && program.flags().token_file;
    command.add_token(token, Some(parent_pid), in_file);
    match script {
        Some(script) => interpreted(command, script, [CLIENTAPP.into(), program.path().into()]),
        None => command,
    }
}

/// Has a Python run the code, which runs a program with the arguments of the command. The code reads
/// these on its stdin.
fn interpreted(
    command: AppCommand,
    Interpreter { python, options }: Interpreter,
    code: impl IntoIterator<Item = OsString>,
) -> AppCommand {
    let code = ["-c".into()].into_iter().chain(code);
    AppCommand {
        program: python,
        args: options.into_iter().chain(code).collect(),
        told: command.args,
        ..command
    }
}

/// The command of a ServerApp for one run, whose program takes tokens. If the program is a Python
/// script, its own Python runs the script through `serverapp.py`, which ends the process when the
/// app ends. Any other program runs unchanged: see [`Guard`](super::Guard). The token reaches the
/// program as in [`clientapp_command`]. With a `parent_pid`, the process ends itself once the parent
/// is gone.
#[must_use]
pub fn serverapp_command(
    program: &Program,
    serverappio_address: &str,
    token: &str,
    parent_pid: Option<u32>,
    flwr_dir: Option<&Path>,
) -> AppCommand {
    let flag = program.address_flag("--serverappio-api-address");
    let address = [flag, serverappio_address];
    let mut command = app_command("ServerApp", program, address, flwr_dir);
    let script = Interpreter::of(program.path());
    let in_file = script.is_none() && program.flags().token_file;
    command.add_token(token, parent_pid, in_file);
    guarded(command, program, script, flwr_dir)
}

/// As [`serverapp_command`], for a `flwr-serverapp` of flwr 1.15 to 1.20. These take no token: the
/// process asks for any run that waits.
#[must_use]
pub fn tokenless_serverapp_command(
    program: &Program,
    serverappio_address: &str,
    flwr_dir: Option<&Path>,
) -> AppCommand {
    let address = ["--serverappio-api-address", serverappio_address];
    let mut command = app_command("ServerApp", program, address, flwr_dir);
    command.args.push("--run-once".into());
    guarded(command, program, Interpreter::of(program.path()), flwr_dir)
}

/// Has a Python script run through `serverapp.py`, and any other program find the module that ends
/// its process.
fn guarded(
    mut command: AppCommand,
    program: &Program,
    script: Option<Interpreter>,
    flwr_dir: Option<&Path>,
) -> AppCommand {
    match script {
        Some(script) => interpreted(command, script, waiting(program.path())),
        None => {
            command.env.extend(guard::variable(flwr_dir));
            command
        }
    }
}

/// The command of a prepared ServerApp: the process does its imports and then waits for the
/// arguments of [`serverapp_command`]. `None` if the program is no Python script.
pub(super) fn waiting_serverapp_command(
    program: &Program,
    flwr_dir: Option<&Path>,
) -> Option<AppCommand> {
    let command = AppCommand {
        program: program.path().to_owned(),
        args: Vec::new(),
        told: Vec::new(),
        token: None,
        env: home_variable(program, flwr_dir)
            .into_iter()
            .chain(kept_blocks())
            .collect(),
        name: "ServerApp".to_owned(),
        channels: None,
    };
    Some(interpreted(
        command,
        Interpreter::of(program.path())?,
        waiting(program.path()),
    ))
}

/// The code and the arguments of a ServerApp that reads its own arguments on stdin.
fn waiting(program: &Path) -> [OsString; 3] {
    [SERVERAPP.into(), "--wait".into(), program.into()]
}

/// The variables of an app process beside the daemon's own: those that exempt the daemon's address
/// from a proxy, and the one of Flower's directory if the release has no flag for it.
#[must_use]
pub fn app_environment(
    program: &Program,
    address: &str,
    flwr_dir: Option<&Path>,
) -> Vec<(OsString, OsString)> {
    let exemptions = proxy::exemptions(address).into_iter();
    exemptions
        .chain(home_variable(program, flwr_dir))
        .chain(kept_blocks())
        .collect()
}

/// Has glibc keep blocks of the size of a chunk of a model, unless the operator has tuned that. Else each
/// block of 20 MB is new memory with 5000 page faults, which take five times as long as to write it.
fn kept_blocks() -> Option<(OsString, OsString)> {
    let tuned = env::var(TUNABLES).unwrap_or_default();
    if tuned.contains("glibc.malloc.") {
        return None;
    }
    let all = match tuned.as_str() {
        "" => KEPT_BLOCKS.to_owned(),
        tuned => format!("{tuned}:{KEPT_BLOCKS}"),
    };
    Some((TUNABLES.into(), all.into()))
}

fn home_variable(program: &Program, flwr_dir: Option<&Path>) -> Option<(OsString, OsString)> {
    let dir = flwr_dir.filter(|_| program.flags().home == Home::Variable)?;
    Some(("FLWR_HOME".into(), dir.into()))
}

/// What every app process is told, whatever its release and its run.
fn app_command(
    name: &str,
    program: &Program,
    address: [&str; 2],
    flwr_dir: Option<&Path>,
) -> AppCommand {
    let mut args = program.arguments();
    args.extend(address.map(Into::into));
    if let Some(dir) = flwr_dir.filter(|_| program.flags().home == Home::Flag) {
        args.extend(["--flwr-dir".into(), dir.into()]);
    }
    AppCommand {
        program: program.path().to_owned(),
        args,
        told: Vec::new(),
        token: None,
        env: app_environment(program, address[1], flwr_dir),
        name: name.to_owned(),
        channels: None,
    }
}

#[cfg(test)]
mod tests;
