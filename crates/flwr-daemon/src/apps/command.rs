//! The command lines of app processes: programs, arguments and paths.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::json;

use super::interpreter::Interpreter;
use super::{guard, proxy};

/// What runs `flwr-serverapp`.
const SERVERAPP: &str = concat!(
    include_str!("ahead.py"),
    include_str!("told.py"),
    include_str!("serverapp.py")
);
/// What runs `flwr-clientapp`.
const CLIENTAPP: &str = concat!(
    include_str!("ahead.py"),
    include_str!("told.py"),
    include_str!("clientapp.py")
);

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
    /// Variables added to the daemon's own environment.
    pub env: Vec<(OsString, OsString)>,
    /// The app's name in logs, e.g. `ClientApp`.
    pub name: String,
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

    /// The stdin of a process that starts with this command. It is empty but for the arguments that
    /// the process reads there.
    pub(super) fn stdin(&self) -> io::Result<Stdio> {
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

    /// The added variables as text, for a prepared process: it runs already and gets them in a
    /// message.
    pub(super) fn environment(&self) -> BTreeMap<Cow<'_, str>, Cow<'_, str>> {
        let variables = self.env.iter();
        variables
            .map(|(name, value)| (name.to_string_lossy(), value.to_string_lossy()))
            .collect()
    }
}

/// The command of a ClientApp for one message. `program` is a `flwr-clientapp` of flwr 1.20 to
/// 1.22: these take the same flags. If the program is a Python script, its own Python runs the script
/// and reads the arguments on stdin. Any other program gets them on its command line, as it has no
/// other way.
#[must_use]
pub fn clientapp_command(
    program: &Path,
    clientappio_address: &str,
    token: &str,
    parent_pid: u32,
    flwr_dir: Option<&Path>,
) -> AppCommand {
    let address = ["--clientappio-api-address", clientappio_address];
    let own = token_flags(token, Some(parent_pid));
    let command = app_command("ClientApp", program, address, own, flwr_dir);
    match Interpreter::of(program) {
        Some(interpreter) => interpreted(command, interpreter, [CLIENTAPP.into(), program.into()]),
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

/// The command of a ServerApp for one run. `program` is a `flwr-serverapp` of flwr 1.21 or 1.22. If
/// the program is a Python script, its own Python runs the script through `serverapp.py`, which
/// ends the process when the app ends. Any other program runs unchanged: see
/// [`Guard`](super::Guard). With a `parent_pid`, the process ends itself once the parent is gone.
#[must_use]
pub fn serverapp_command(
    program: &Path,
    serverappio_address: &str,
    token: &str,
    parent_pid: Option<u32>,
    flwr_dir: Option<&Path>,
) -> AppCommand {
    let own = token_flags(token, parent_pid);
    serverapp(program, serverappio_address, own, flwr_dir)
}

/// As [`serverapp_command`], for a `flwr-serverapp` of flwr 1.15 to 1.20. These take no token: the
/// process asks for any run that waits.
#[must_use]
pub fn tokenless_serverapp_command(
    program: &Path,
    serverappio_address: &str,
    flwr_dir: Option<&Path>,
) -> AppCommand {
    serverapp(
        program,
        serverappio_address,
        vec!["--run-once".into()],
        flwr_dir,
    )
}

/// Has a Python script run through `serverapp.py`, by the script's own Python.
fn serverapp(
    program: &Path,
    address: &str,
    own: Vec<OsString>,
    flwr_dir: Option<&Path>,
) -> AppCommand {
    let address = ["--serverappio-api-address", address];
    let mut command = app_command("ServerApp", program, address, own, flwr_dir);
    if let Some(interpreter) = Interpreter::of(program) {
        return interpreted(command, interpreter, waiting(program));
    }
    command.env.extend(guard::variable(flwr_dir));
    command
}

/// The version of flwr that a program belongs to, as (1, 22). `None` if the version is unknown. We
/// read the package that is installed beside the program: starting the program would take seconds.
#[must_use]
pub fn flower_version(program: &Path) -> Option<(u32, u32)> {
    let environment = program.canonicalize().ok()?.parent()?.parent()?.join("lib");
    let pythons = fs::read_dir(environment).ok()?.flatten();
    pythons
        .flat_map(|python| fs::read_dir(python.path().join("site-packages")))
        .flatten()
        .flatten()
        .find_map(|package| version_of(package.file_name().to_str()?))
}

/// The version in a name such as `flwr-1.22.0.dist-info`.
fn version_of(package: &str) -> Option<(u32, u32)> {
    let version = package.strip_prefix("flwr-")?.strip_suffix(".dist-info")?;
    let mut parts = version.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

/// The command of a prepared ServerApp: the process does its imports and then waits for the
/// arguments of [`serverapp_command`]. `None` if the program is no Python script.
pub(super) fn waiting_serverapp_command(program: &Path) -> Option<AppCommand> {
    let command = AppCommand {
        program: program.to_owned(),
        args: Vec::new(),
        told: Vec::new(),
        env: Vec::new(),
        name: "ServerApp".to_owned(),
    };
    Some(interpreted(
        command,
        Interpreter::of(program)?,
        waiting(program),
    ))
}

/// The code and the arguments of a ServerApp that reads its own arguments on stdin.
fn waiting(program: &Path) -> [OsString; 3] {
    [SERVERAPP.into(), "--wait".into(), program.into()]
}

/// Order and names of the flags: section 1.7 of the flwr 1.22 process protocol.
fn app_command(
    name: &str,
    program: &Path,
    address: [&str; 2],
    own: Vec<OsString>,
    flwr_dir: Option<&Path>,
) -> AppCommand {
    let mut args: Vec<OsString> = ["--insecure", address[0], address[1]]
        .map(Into::into)
        .into();
    args.extend(own);
    if let Some(dir) = flwr_dir {
        args.extend(["--flwr-dir".into(), dir.into()]);
    }
    AppCommand {
        program: program.to_owned(),
        args,
        told: Vec::new(),
        env: proxy::exemptions(address[1]),
        name: name.to_owned(),
    }
}

fn token_flags(token: &str, parent_pid: Option<u32>) -> Vec<OsString> {
    let mut flags = vec!["--token".into(), token.into()];
    if let Some(pid) = parent_pid {
        flags.extend(["--parent-pid".into(), pid.to_string().into()]);
    }
    flags
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn the_command_line_is_that_of_flwr_1_22() {
        let command = clientapp_command(
            Path::new("/bin/flwr-clientapp"),
            "127.0.0.1:9094",
            "abc",
            7,
            Some(Path::new("/home")),
        );
        let args: Vec<_> = command
            .args
            .iter()
            .map(|arg| arg.to_str().unwrap())
            .collect();
        let expected = "--insecure --clientappio-api-address 127.0.0.1:9094 --token abc --parent-pid 7 --flwr-dir /home";
        assert_eq!(args.join(" "), expected);
    }

    #[test]
    fn a_server_app_without_a_parent_is_told_of_none() {
        let program = Path::new("/nonexistent/flwr-serverapp");
        let args = |parent| serverapp_command(program, "127.0.0.1:9091", "abc", parent, None).args;
        let without = "--insecure --serverappio-api-address 127.0.0.1:9091 --token abc";
        assert_eq!(args(None).join(OsStr::new(" ")), without);
        let with = format!("{without} --parent-pid 7");
        assert_eq!(args(Some(7)).join(OsStr::new(" ")), *with);
    }

    #[test]
    fn the_version_is_that_of_the_package_beside_the_program() {
        let dir = tempfile::tempdir().unwrap();
        let bin = dir.path().join("bin");
        fs::create_dir(&bin).unwrap();
        let program = bin.join("flwr-serverapp");
        fs::write(&program, "").unwrap();
        assert_eq!(flower_version(&program), None);
        let packages = dir.path().join("lib/python3.11/site-packages");
        fs::create_dir_all(packages.join("flwr_datasets-0.5.0.dist-info")).unwrap();
        fs::create_dir_all(packages.join("flwr-1.20.0.dist-info")).unwrap();
        assert_eq!(flower_version(&program), Some((1, 20)));
    }

    #[test]
    fn a_server_app_that_asks_gets_no_token() {
        let program = Path::new("/nonexistent/flwr-serverapp");
        let command = tokenless_serverapp_command(program, "127.0.0.1:9091", None);
        let expected = "--insecure --serverappio-api-address 127.0.0.1:9091 --run-once";
        assert_eq!(command.args.join(OsStr::new(" ")), expected);
    }

    #[test]
    fn a_server_app_that_leaves_a_thread_behind_ends_all_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("app.py");
        let text = "import sys, threading\nthreading.Thread(target=threading.Event().wait).start()\nprint(sys.argv[1:], __name__)\nsys.exit(7)\n";
        fs::write(&script, text).unwrap();
        let output = std::process::Command::new("python3")
            .args(["-c", SERVERAPP])
            .arg(&script)
            .args(["--token", "x"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(7), "{output:?}");
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(said, "['--token', 'x'] __main__\n");
    }
}
