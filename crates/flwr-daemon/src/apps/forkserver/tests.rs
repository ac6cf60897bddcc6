//! Processes that are forked are as those that are started: their own, watched, and ended.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::apps::until::until;
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
        let server = ForkServer::start(&program, &[], &Watchers::new())
            .unwrap()
            .unwrap();
        Self {
            dir,
            program,
            server,
        }
    }

    fn command(&self, argument: &str) -> AppCommand {
        AppCommand {
            program: self.program.clone(),
            args: vec![argument.into()],
            told: Vec::new(),
            token: None,
            env: Vec::new(),
            name: "test app".to_owned(),
            channels: None,
        }
    }

    async fn start(&self, argument: &str, place: Place) -> AppProcess {
        let command = self.command(argument);
        match self.server.run(&command, place).await.unwrap() {
            Forked::Started(app) => app,
            Forked::Refused(reason) => panic!("refused: {reason}"),
        }
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
async fn at_its_end_a_process_does_what_every_process_does() {
    let site = Site::new(
        "import decimal, threading
import atexit, sys, tempfile, time
def say(text): print(text, flush=True)
class Ends:
    def __del__(self): say(f'deleted {decimal.Decimal(1) + 1}')
own = Ends()
module = type(sys)('of_the_app')
module.held = Ends()
sys.modules['of_the_app'] = module
del module
decimal.left_open = open(sys.argv[1], 'w')
decimal.left_open.write('written')
atexit.register(say, 'first registered')
atexit.register(lambda: say(f'modules are there {decimal in sys.modules.values()}'))
threading.Thread(target=lambda: (time.sleep(0.1), say('thread'))).start()
say('end of the program')",
    );
    let file = site.dir.path().join("file");
    let exit = site.run(file.to_str().unwrap(), Place::Fresh).await;
    assert!(exit.is_success(), "{exit}");
    let expected = [
        "end of the program",
        "thread",
        "modules are there True",
        "first registered",
        "deleted 2",
        "deleted 2",
    ];
    assert_eq!(exit.tail, expected);
    assert_eq!(fs::read_to_string(file).unwrap(), "written");
}

#[tokio::test]
async fn what_the_program_imports_first_is_imported_ahead_and_nothing_that_an_app_imports() {
    let site = Site::new(
        "import decimal, sys
# Whoever imported it, before the program's first line or by it, has it; nobody has the others.
ahead = 'decimal' in sys.modules
sys.path.insert(0, sys.argv[1])
print(ahead, 'colorsys' in sys.modules, 'mine' in sys.modules)
import colorsys, mine",
    );
    fs::write(site.dir.path().join("mine.py"), "").unwrap();
    let path = site.dir.path().display().to_string();
    for _ in 0..3 {
        let exit = site.run(&path, Place::Fresh).await;
        assert_eq!(exit.tail, ["True False False"]);
    }
}

#[tokio::test]
async fn a_program_is_run_as_if_it_had_been_started_by_its_name() {
    let lines = "
import __main__, sys
assert __main__.__file__ == sys.argv[0] == __file__, sys.argv
assert sys.path[0] == __file__.rpartition('/')[0], sys.path
assert sys.orig_argv[1:] == [__file__, 'argument'], sys.orig_argv
assert __name__ == '__main__' and vars() is vars(__main__)
print('as if')";
    let site = Site::new(lines);
    for place in [Place::Fresh, Place::Fresh, Place::Server] {
        let exit = site.run("argument", place).await;
        assert_eq!(exit.tail, ["as if"], "{place:?}");
    }
}

#[tokio::test]
async fn a_server_with_another_thread_forks_nothing() {
    let site = Site::new("import threads\nprint('run')");
    fs::write(
        site.dir.path().join("threads.py"),
        "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()",
    )
    .unwrap();
    // The folder of the program is searched for modules; the server has begun without this one.
    let server = ForkServer::start(&site.program, &[], &Watchers::new())
        .unwrap()
        .unwrap();
    for _ in 0..2 {
        let refused = server.run(&site.command(""), Place::Fresh).await.unwrap();
        let Forked::Refused(reason) = refused else {
            panic!("{refused:?}");
        };
        assert!(reason.contains("thread"), "{reason}");
    }
}

#[tokio::test]
async fn a_program_that_is_not_flowers_has_no_template() {
    let site = Site::new("print('run')");
    let app = AppBundle {
        fab_id: "tests/app",
        fab_version: "1.0.0",
        fab_hash: "",
        content: b"",
        flwr_dir: None,
    };
    let loaded = site.server.load(&site.command(""), app).await.unwrap();
    let Loaded::Refused(reason) = loaded else {
        panic!("{loaded:?}");
    };
    assert!(reason.contains("loads apps in another way"), "{reason}");
    assert_eq!(site.run("", Place::Fresh).await.tail, ["run"]);
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
    until("the app has written its file", || file.exists()).await;
    let pid: u32 = fs::read_to_string(&file).unwrap().parse().unwrap();
    let grandchild = Identity::of(pid).unwrap();
    let exit = app.terminate(Duration::from_millis(50)).await;
    assert!(
        exit.to_string().starts_with("was killed by signal 9"),
        "{exit}"
    );
    until("the app of the app ends", || !grandchild.is_alive()).await;
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
    site.server.0.process.kill();
    site.server.0.process.wait().await;
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
    site.server.0.process.kill();
    site.server.0.process.wait().await;
    let error = site
        .server
        .run(&site.command(""), Place::Fresh)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Spawn { .. }), "{error}");
    let none = ForkServer::start(&find_program("sh").unwrap(), &[], &Watchers::new()).unwrap();
    assert!(none.is_none(), "not a Python script");
}
