//! `flwr up`, `flwr new`, `flwr run`, `flwr down`: from nothing to a run on a secure federation of
//! this machine, as somebody new does it; and what is left when something is killed on the way.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use e2e::leftovers::{self, Leftover};
use e2e::ports::USUAL;
use e2e::{Maker, Outcome, PATIENCE, Process, Scratch, at_terminal, tools};
use flwr_core::flower::RELEASE;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

mod offer;

/// Somebody with an empty home.
pub(crate) struct User {
    pub(crate) scratch: Scratch,
    _ports: MutexGuard<'static, ()>,
}

impl User {
    pub(crate) fn new() -> Self {
        let ports = USUAL.lock().unwrap_or_else(PoisonError::into_inner);
        Self {
            scratch: Scratch::new(),
            _ports: ports,
        }
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.scratch.path().join("home")
    }

    pub(crate) fn command(&self, folder: &Path, line: &str) -> Command {
        let mut words = line.split(' ');
        let mut command = Maker::Ours.command(words.next().unwrap());
        command
            .args(words)
            .current_dir(folder)
            .env("FLWR_HOME", self.home());
        command
    }

    /// A command to its end, in the user's folder.
    pub(crate) fn types(&self, line: &str) -> Outcome {
        self.types_in(self.scratch.path(), line)
    }

    pub(crate) fn types_in(&self, folder: &Path, line: &str) -> Outcome {
        self.command(folder, line).output().unwrap().into()
    }

    /// A command that must succeed; its words.
    #[track_caller]
    pub(crate) fn does(&self, folder: &Path, line: &str) -> String {
        let outcome = self.types_in(folder, line);
        assert_eq!(outcome.code, Some(0), "{line}: {}", outcome.text);
        outcome.text
    }

    /// The JSON on stdout of a command.
    #[track_caller]
    pub(crate) fn asks(&self, folder: &Path, line: &str) -> Value {
        let output = self.command(folder, line).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    /// What runs of the federation.
    fn processes(&self, word: &str) -> Vec<Leftover> {
        let mut all = leftovers::of(self.scratch.path());
        all.retain(|process| process.command.contains(word));
        all
    }

    /// Waits until none of the federation's processes is there any more.
    #[track_caller]
    fn sees_all_end(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = self.processes("");
            if left.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "{left:?}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn supernodes_online(&self) -> Value {
        let status = self.asks(self.scratch.path(), "flwr status --format json");
        status["supernodes-online"].clone()
    }
}

fn kill(process: &Leftover) {
    let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw);
    kill_process(pid.unwrap(), Signal::KILL).unwrap();
}

#[test]
fn a_new_user_gets_from_nothing_to_a_finished_run() {
    let user = User::new();
    let here = user.scratch.path();
    let told = user.does(here, "flwr up --detach");
    assert!(told.contains("The local federation is up"), "{told}");
    assert!(
        told.contains("2 SuperNodes, TLS and SuperNode authentication"),
        "{told}"
    );
    let status = user.asks(here, "flwr status --format json");
    assert_eq!(status["status"], "up", "{status}");
    assert_eq!(status["supernodes-online"], 2, "{status}");
    assert!(
        status["space"]["database-bytes"].as_u64().unwrap() > 0,
        "{status}"
    );

    user.does(here, "flwr new my-app --framework numpy");
    let app = here.join("my-app");
    let told = user.does(&app, "flwr run . --stream");
    assert!(told.contains("Round 3: accuracy"), "{told}");
    assert!(!told.contains('\u{1b}'), "colours, and no terminal: {told}");
    for framework in ["minimal", "sklearn"] {
        user.does(
            here,
            &format!("flwr new {framework}-app --framework {framework}"),
        );
        user.does(&here.join(format!("{framework}-app")), "flwr run --wait");
    }

    // Also from a folder without an app, and whether or not the federation is named.
    let runs = user.asks(here, "flwr ls --format json");
    assert_eq!(runs["runs"].as_array().unwrap().len(), 3, "{runs}");
    let named = user.asks(&app, "flwr list . local --format json");
    for run in named["runs"].as_array().unwrap() {
        assert_eq!(run["status"], "finished:completed", "{named}");
    }
    let run = &runs["runs"][0]["run-id"];
    let tail = user.does(here, &format!("flwr log {run} --show --tail 2"));
    assert!(
        tail.contains("Round 3: accuracy") && !tail.contains("ROUND"),
        "{tail}"
    );

    let told = user.does(here, "flwr doctor");
    assert!(
        told.contains("✓ permission      runs may be listed: 3"),
        "{told}"
    );
    assert!(!told.contains('✗'), "{told}");
    let again = user.does(here, "flwr up --detach");
    assert!(again.contains("was up already"), "{again}");
    let other = user.types("flwr up --detach --supernodes 3");
    assert_eq!(other.code, Some(1), "{}", other.text);

    user.does(here, "flwr down");
    user.sees_all_end();
    let refused = user.types_in(&app, "flwr run .");
    assert_eq!(refused.code, Some(2), "{}", refused.text);
    assert!(
        refused
            .text
            .contains("hint: start a local federation, `flwr up --detach`"),
        "{}",
        refused.text
    );
    assert_eq!(user.types("flwr status").code, Some(1));
    user.does(here, "flwr down");

    // What ran stays listed, unless it is taken away.
    user.does(here, "flwr up --detach --supernodes 1");
    let runs = user.asks(here, "flwr ls --format json");
    assert_eq!(runs["runs"].as_array().unwrap().len(), 3, "{runs}");
    user.does(here, "flwr down --clean");
    user.does(here, "flwr up --detach --supernodes 1");
    let runs = user.asks(here, "flwr ls --format json");
    assert_eq!(runs["runs"].as_array().unwrap().len(), 0, "{runs}");
    let listed = user.does(here, "flwr ls");
    assert!(listed.contains("hint: there are no runs"), "{listed}");
    let federations = user.types("flwr ls . labb");
    assert!(
        federations.text.contains("were found:\n\nlocal\n"),
        "{}",
        federations.text
    );
    user.does(here, "flwr down");
    user.sees_all_end();
}

#[test]
fn what_is_killed_comes_back_and_ctrl_c_ends_all() {
    let user = User::new();
    let mut up = Process::start(
        "up",
        &mut user.command(user.scratch.path(), "flwr up"),
        user.scratch.path(),
    );
    up.line("The local federation is up");
    for daemon in ["flower-superlink", "flower-supernode"] {
        kill(&user.processes(daemon)[0]);
        up.line_where("that it is started again", |line| {
            line.starts_with(&daemon["flower-".len()..]) && line.contains("starting it again")
        });
    }
    let deadline = Instant::now() + PATIENCE;
    while user.supernodes_online() != 2 {
        assert!(Instant::now() < deadline, "{}", up.last_words());
        thread::sleep(Duration::from_millis(100));
    }
    up.signal(Signal::INT);
    assert_eq!(up.wait().code(), Some(0), "{}", up.last_words());
    assert!(up.has_said("SuperLink terminated gracefully"));
    user.sees_all_end();
}

#[test]
fn a_federation_whose_tender_is_killed_ends_by_itself() {
    let user = User::new();
    user.does(user.scratch.path(), "flwr up --detach");
    kill(&user.processes("flwr up")[0]);
    user.sees_all_end();
    assert_eq!(user.types("flwr status").code, Some(1));
    user.does(user.scratch.path(), "flwr up --detach");
    user.does(user.scratch.path(), "flwr down");
    user.sees_all_end();
}

#[test]
fn ports_that_are_taken_are_replaced_and_told() {
    let user = User::new();
    // If somebody else has it, it is taken as well.
    let taken = TcpListener::bind("127.0.0.1:9093");
    let told = user.does(user.scratch.path(), "flwr up --detach --supernodes 1");
    let status = user.asks(user.scratch.path(), "flwr status --format json");
    assert_ne!(status["address"], "127.0.0.1:9093", "{told}");
    let log = fs::read_to_string(user.home().join("local/federation.log")).unwrap();
    assert!(log.contains("Port 9093 is taken: Control is on "), "{log}");
    user.does(user.scratch.path(), "flwr down");
    drop(taken);
}

#[test]
fn a_supernode_tells_before_it_starts_whether_it_would_work() {
    let user = User::new();
    let here = user.scratch.path();
    user.does(here, "flwr up --detach --supernodes 1");
    let status = user.asks(here, "flwr status --format json");
    let fleet = status["fleet-address"].as_str().unwrap();
    let local = user.home().join("local");
    let line = format!(
        "flower-supernode --check --superlink {fleet} --root-certificates {}/certificates/ca.crt",
        local.display()
    );
    let key = local.join("keys/supernode-1");
    let keys = format!(
        " --auth-supernode-private-key {0} --auth-supernode-public-key {0}.pub",
        key.display()
    );
    let told = user.does(here, &format!("{line}{keys}"));
    assert!(
        told.contains("✓ authentication  the SuperLink takes this node's key"),
        "{told}"
    );
    // Nobody was registered, and nobody unregistered.
    assert_eq!(user.supernodes_online(), 1);

    let stranger = user.types(&line);
    assert_eq!(stranger.code, Some(1), "{}", stranger.text);
    assert!(
        stranger.text.contains("✗ authentication"),
        "{}",
        stranger.text
    );
    assert!(
        stranger.text.contains("--auth-list-public-keys"),
        "{}",
        stranger.text
    );
    let json = user.asks(here, &format!("{line} --log-format json"));
    assert_eq!(json["success"], false, "{json}");
    user.does(here, "flwr down");
    let gone = user.types(&line);
    assert!(gone.text.contains("✗ tcp"), "{}", gone.text);
    assert!(gone.text.contains("- authentication"), "{}", gone.text);
}

#[test]
fn who_sits_at_a_terminal_is_asked_for_name_and_framework() {
    let scratch = Scratch::new();
    let at_terminal = |typed: &str, variables: &[(&str, &str)]| {
        let mut command = Command::new(Maker::Ours.program("flwr"));
        command
            .arg("new")
            .current_dir(scratch.path())
            .env("FLWR_HOME", scratch.path())
            .env("USER", "alice")
            .env_remove("NO_COLOR")
            .envs(variables.iter().copied());
        let outcome = at_terminal(&command, typed);
        (outcome.code, outcome.text)
    };
    let (code, said) = at_terminal("my-app\ntensors\nNUMPY\n", &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("`tensors` is none of NumPy, sklearn, PyTorch, minimal"),
        "{said}"
    );
    assert!(said.contains("\u{1b}[32m🎊"), "{said}");
    let pyproject = scratch.path().join("my-app/pyproject.toml");
    let text = fs::read_to_string(pyproject).unwrap();
    assert!(text.contains("publisher = \"alice\""), "{text}");
    let (code, said) = at_terminal("other\nminimal\n", &[("NO_COLOR", "1")]);
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains('\u{1b}'), "{said}");
    let (code, said) = at_terminal("my-app\n", &[]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("my-app exists already"), "{said}");
}

/// A Python that makes environments, but cannot install anything.
const OFFLINE_PYTHON: &str = "#!/bin/sh
if [ \"$1\" = -c ]; then echo 3 12; exit; fi
if [ \"$2\" = venv ]; then mkdir -p \"$3/bin\" && cp \"$0\" \"$3/bin/python\"; exit; fi
echo 'Looking in indexes'
echo \"ERROR: No matching distribution found for $5\" >&2
echo 'bye'
exit 1
";

#[test]
fn an_installation_that_fails_is_told_with_its_error_and_the_way_out() {
    let user = User::new();
    let here = user.scratch.path();
    let python = user.scratch.folder("bin").join("python3");
    fs::write(&python, OFFLINE_PYTHON).unwrap();
    fs::set_permissions(&python, Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/bin:/usr/bin", here.join("bin").display());
    // Waits until no process that another test forks has the script open.
    tools::run(here, &format!("{} -m venv warm", python.display()));
    let up = user
        .command(here, "flwr up --detach")
        .env("PATH", path)
        .output();
    let outcome = Outcome::from(up.unwrap());
    assert_eq!(outcome.code, Some(1), "{}", outcome.text);
    let package = format!("flwr=={RELEASE}");
    outcome.must_say(&[
        &format!("installing {package}"),
        &format!("could not be made: ERROR: No matching distribution found for {package};"),
        "local/python.log has the rest",
        "hint: check the network and what pip uses of it",
    ]);
    assert_eq!(user.types("flwr status").code, Some(1));
}
