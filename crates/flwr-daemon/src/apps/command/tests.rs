//! The command lines of each range of releases.

use std::ffi::OsStr;
use std::fs;

use tempfile::TempDir;

use super::*;

/// A program of this release that is no Python script.
fn program(version: &str) -> (TempDir, Program) {
    let dir = tempfile::tempdir().unwrap();
    let packages = dir.path().join("lib/python3.11/site-packages");
    fs::create_dir_all(packages.join(format!("flwr-{version}.dist-info"))).unwrap();
    fs::create_dir(dir.path().join("bin")).unwrap();
    let path = dir.path().join("bin/flwr-app");
    fs::write(&path, "").unwrap();
    (dir, Program::at(path))
}

fn words(command: &AppCommand) -> String {
    let words = command.args.join(OsStr::new(" "));
    words.into_string().unwrap()
}

fn home(command: &AppCommand) -> Option<&OsStr> {
    let mut variables = command.env.iter();
    variables.find_map(|(name, value)| (name == "FLWR_HOME").then_some(value.as_os_str()))
}

const IN_ARGUMENTS: &str = "--token abc";
const IN_FILE: &str = "--token-file /proc/self/fd/0";

#[test]
fn the_command_line_is_that_of_the_release() {
    for (version, dir, token) in [
        ("1.20.0", Some(" --flwr-dir /home"), IN_ARGUMENTS),
        ("1.22.0", Some(" --flwr-dir /home"), IN_ARGUMENTS),
        ("1.26.1", Some(" --flwr-dir /home"), IN_ARGUMENTS),
        ("1.27.0", None, IN_ARGUMENTS),
        ("1.30.0", None, IN_ARGUMENTS),
        ("1.31.0", None, IN_FILE),
        ("1.35.0", None, IN_FILE),
        ("1.36.0", None, IN_FILE),
        ("1.42.0", None, IN_FILE),
    ] {
        let (_dir, program) = program(version);
        let flwr_dir = Some(Path::new("/home"));
        let command = clientapp_command(&program, "127.0.0.1:9094", "abc", 7, flwr_dir);
        let flag = dir.unwrap_or_default();
        let is_of_runtime = program.version() >= Some((1, 36));
        let of = |app: &str| if is_of_runtime { "runtime" } else { app }.to_owned();
        let expected = format!(
            "--insecure --{}-api-address 127.0.0.1:9094{flag} {token} --parent-pid 7",
            of("clientappio")
        );
        assert_eq!(words(&command), expected, "{version}");
        let variable = dir.is_none().then_some(OsStr::new("/home"));
        assert_eq!(home(&command), variable, "{version}");

        let command = serverapp_command(&program, "127.0.0.1:9091", "abc", None, flwr_dir);
        let expected = format!(
            "--insecure --{}-api-address 127.0.0.1:9091{flag} {token}",
            of("serverappio")
        );
        assert_eq!(words(&command), expected, "{version}");
        assert_eq!(home(&command), variable, "{version}");
        let command = serverapp_command(&program, "127.0.0.1:9091", "abc", Some(7), flwr_dir);
        assert_eq!(
            words(&command),
            format!("{expected} --parent-pid 7"),
            "{version}"
        );
    }
}

#[test]
fn a_process_speaks_tls_and_installs_what_its_release_can() {
    for (version, installs, tls) in [
        ("1.28.0", false, false),
        ("1.29.0", true, false),
        ("1.30.0", true, true),
        ("1.42.0", true, true),
    ] {
        let (_dir, program) = program(version);
        let trusting = program.clone().trusting("/ca.crt".into());
        let command = clientapp_command(&trusting, "a:1", "abc", 7, None);
        let is_told = words(&command).starts_with("--root-certificates /ca.crt --");
        assert_eq!(is_told, tls, "{version}");
        match program.installing() {
            Ok(program) => {
                let command = serverapp_command(&program, "a:1", "abc", None, None);
                let expected = "--insecure --allow-runtime-dependency-installation --";
                assert!(
                    words(&command).starts_with(expected) && installs,
                    "{version}"
                );
            }
            Err(error) => {
                assert!(
                    error.to_string().contains("flwr 1.28") && !installs,
                    "{error}"
                );
            }
        }
    }
}

#[test]
fn without_a_directory_none_is_told() {
    for version in ["1.22.0", "1.27.0"] {
        let (_dir, program) = program(version);
        let command = serverapp_command(&program, "127.0.0.1:9091", "abc", None, None);
        let expected = "--insecure --serverappio-api-address 127.0.0.1:9091 --token abc";
        assert_eq!(words(&command), expected);
        assert_eq!(home(&command), None);
    }
}

/// flwr looks whether the path is that of a regular file.
#[test]
fn a_token_in_a_file_is_read_from_stdin() {
    let (_dir, program) = program("1.31.0");
    let command = clientapp_command(&program, "127.0.0.1:9094", "abc", 7, None);
    let read = "import os, pathlib; f = '/proc/self/fd/0'; print(os.path.isfile(f), pathlib.Path(f).read_text())";
    let output = std::process::Command::new("python3")
        .args(["-c", read])
        .stdin(command.stdin().unwrap().stdio)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "True abc\n");
}

#[test]
fn a_server_app_that_asks_gets_no_token() {
    let (_dir, program) = program("1.20.0");
    let command = tokenless_serverapp_command(&program, "127.0.0.1:9091", None);
    let expected = "--insecure --serverappio-api-address 127.0.0.1:9091 --run-once";
    assert_eq!(words(&command), expected);
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
