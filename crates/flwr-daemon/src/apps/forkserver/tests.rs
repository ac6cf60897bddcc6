//! Processes that are forked are as those that are started: their own, watched, and ended.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::apps::{Exit, find_program};

struct Site {
    dir: TempDir,
    program: PathBuf,
    server: ForkServer,
}

impl Site {
    /// A server for a program of these lines of Python.
    fn new(lines: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("program");
        let python = fs::canonicalize(find_program("python3").unwrap()).unwrap();
        fs::write(&program, format!("#!{}\n{lines}\n", python.display())).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let server = ForkServer::start(&program).unwrap().unwrap();
        Self {
            dir,
            program,
            server,
        }
    }

    async fn start(&self, argument: &str, place: Place) -> AppProcess {
        let command = AppCommand {
            program: self.program.clone(),
            args: vec![argument.into()],
            env: Vec::new(),
            name: "test app".to_owned(),
        };
        self.server.run(&command, place).await.unwrap()
    }

    async fn run(&self, argument: &str, place: Place) -> Exit {
        self.start(argument, place).await.wait().await
    }
}

const TALKS: &str = "
import os, sys
print('hello', sys.argv[1], sys.stdin.read() == '')
print('oops', file=sys.stderr)
if sys.argv[1] == 'raise': raise RuntimeError('trouble')
if sys.argv[1] == 'kill': os.kill(os.getpid(), 9)
sys.exit(3 if sys.argv[1] == 'three' else None)";

#[tokio::test]
async fn the_exit_tells_status_and_last_lines() {
    let site = Site::new(TALKS);
    for place in [Place::Fresh, Place::Server] {
        let exit = site.run("three", place).await;
        assert_eq!(exit.to_string(), "exited with status 3", "{place:?}");
        let mut tail = exit.tail.clone();
        tail.sort();
        assert_eq!(tail, ["hello three True", "oops"], "{place:?}");
        assert!(site.run("fine", place).await.is_success());
        let exit = site.run("raise", place).await;
        assert_eq!(exit.to_string(), "exited with status 1");
        assert_eq!(exit.tail.last().unwrap(), "RuntimeError: trouble");
    }
    let exit = site.run("kill", Place::Fresh).await;
    assert!(
        exit.to_string().starts_with("was killed by signal 9"),
        "{exit}"
    );
    assert!(site.server.is_running());
}

#[tokio::test]
async fn what_an_app_changes_is_gone_with_it_unless_it_stays() {
    let site = Site::new(
        "
import os, sys
seen = getattr(sys, 'seen', 0) + 1
sys.seen = seen
print(f'{seen} {os.getpid()}')",
    );
    let mut pids = Vec::new();
    for _ in 0..3 {
        let tail = site.run("", Place::Fresh).await.tail.join("");
        let (seen, pid) = tail.split_once(' ').unwrap();
        assert_eq!(seen, "1");
        pids.push(pid.to_owned());
    }
    pids.dedup();
    assert_eq!(pids.len(), 3);
    for count in ["1 ", "2 "] {
        let exit = site.run("", Place::Server).await;
        assert!(exit.tail[0].starts_with(count), "{:?}", exit.tail);
    }
}

#[tokio::test]
async fn modules_of_the_environment_are_imported_ahead_and_those_of_apps_are_not() {
    let site = Site::new(
        "
import sys
sys.path.insert(0, sys.argv[1])
print('decimal' in sys.modules, 'mine' in sys.modules)
import decimal, mine",
    );
    fs::write(site.dir.path().join("mine.py"), "").unwrap();
    let path = site.dir.path().display().to_string();
    assert_eq!(site.run(&path, Place::Fresh).await.tail, ["False False"]);
    assert_eq!(site.run(&path, Place::Fresh).await.tail, ["True False"]);
}

#[tokio::test]
async fn apps_are_ended_with_all_they_started() {
    let site = Site::new(
        "
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen(['sleep', '600'])
open(sys.argv[1] + '.new', 'w').write(str(child.pid))
import os; os.rename(sys.argv[1] + '.new', sys.argv[1])
time.sleep(600)",
    );
    let file = site.dir.path().join("pid");
    let app = site.start(&file.display().to_string(), Place::Fresh).await;
    while !file.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let pid: u32 = fs::read_to_string(&file).unwrap().parse().unwrap();
    let grandchild = Identity::of(pid).unwrap();
    let exit = app.terminate(Duration::from_millis(50)).await;
    assert!(
        exit.to_string().starts_with("was killed by signal 9"),
        "{exit}"
    );
    while grandchild.is_alive() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(site.server.is_running());
}

#[tokio::test]
async fn an_app_outlives_its_server_and_is_still_watched() {
    let site = Site::new(
        "
import os, sys, time
while not os.path.exists(sys.argv[1]): time.sleep(0.01)
print('done')",
    );
    let file = site.dir.path().join("go");
    let app = site.start(&file.display().to_string(), Place::Fresh).await;
    site.server.process.kill();
    site.server.process.wait().await;
    assert!(app.is_running());
    fs::write(&file, "").unwrap();
    let exit = app.wait().await;
    assert_eq!(
        (exit.status, &exit.tail[..]),
        (None, &["done".to_owned()][..])
    );
}

#[tokio::test]
async fn a_server_that_died_starts_nothing() {
    let site = Site::new("");
    site.server.process.kill();
    site.server.process.wait().await;
    let command = AppCommand {
        program: site.program.clone(),
        args: Vec::new(),
        env: Vec::new(),
        name: "test app".to_owned(),
    };
    let error = site.server.run(&command, Place::Fresh).await.unwrap_err();
    assert!(matches!(error, Error::Spawn { .. }), "{error}");
    let none = ForkServer::start(&find_program("sh").unwrap()).unwrap();
    assert!(none.is_none(), "not a Python script");
}
