//! What an app sees of its imports: the same, whether its process was forked from one that has
//! loaded the app, or began with nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use e2e::program::Release;
use e2e::scratch::Scratch;
use e2e::{Federation, Maker, Security};

mod kinds;

use kinds::{KINDS, Kind};

const OURS: Maker = Maker::Ours;
const PATIENCE: Duration = Duration::from_secs(30);
const ROUNDS: usize = 3;
/// One of each later family of app processes.
const LATER: [Release; 4] = [
    Release::V1_26,
    Release::V1_29,
    Release::V1_31,
    Release::V1_34,
];
/// In the node's log, where processes share nothing.
const ANEW: &str = "loads the app anew";

/// The global generator of torch, which begins with a random seed that Python does not see.
const TORCH: &str = "\
import random as python, time
from torch import random
made = python.Random(time.perf_counter_ns())
class State:
    def tolist(self): return list(repr(made.getstate()).encode())
class Generator:
    def seed(self): made.seed(time.perf_counter_ns())
default_generator = Generator()
def get_rng_state(): return State()
def manual_seed(seed): made.seed(seed)
def rand(): return made.random()
random.manual_seed = manual_seed
";

/// A Python environment with flwr 1.22 and a few libraries.
fn environment(scratch: &Scratch) -> PathBuf {
    let flower = Release::V1_22.bin();
    let folder = scratch.path().join("environment");
    let python = flower.join("python3");
    let made = Command::new(&python)
        .args(["-m", "venv", "--without-pip"])
        .arg(&folder)
        .status();
    assert!(made.unwrap().success());
    let of = |python: &Path| {
        let code = "import sysconfig; print(sysconfig.get_path('purelib'))";
        let told = Command::new(python).args(["-c", code]).output().unwrap();
        PathBuf::from(String::from_utf8(told.stdout).unwrap().trim())
    };
    let bin = folder.join("bin");
    let packages = of(&bin.join("python3"));
    let library = |name: &str, text: &str| fs::write(packages.join(name), text).unwrap();
    library("flower.pth", &format!("{}\n", of(&python).display()));
    library(
        "backendlib.py",
        "import os\nBACKEND = os.environ.get('KIND_BACKEND', 'default')\n",
    );
    library("idlib.py", "import uuid\nID = uuid.uuid4().hex\n");
    library(
        "threadlib.py",
        "import queue, threading\n\
         ASKED, TOLD = queue.Queue(), queue.Queue()\n\
         def answer():\n    while True: TOLD.put(ASKED.get() * 2)\n\
         threading.Thread(target=answer, daemon=True).start()\n\
         def ask():\n    ASKED.put(21)\n    return TOLD.get(timeout=20)\n",
    );
    library(
        "socketlib.py",
        "import socket\nwith socket.socket() as s: s.bind(('127.0.0.1', 0))\nHAS_IPV4 = True\n",
    );
    library(
        "folderlib.py",
        "import pathlib\npathlib.Path(__file__).parent.mkdir(exist_ok=True)\nTHERE = True\n",
    );
    fs::create_dir(packages.join("torch")).unwrap();
    library("torch/__init__.py", TORCH);
    library("torch/random.py", "def manual_seed(seed): pass\n");
    let script = fs::read_to_string(flower.join("flwr-clientapp")).unwrap();
    let (_, lines) = script.split_once('\n').unwrap();
    let program = bin.join("flwr-clientapp");
    let python = bin.join("python3");
    fs::write(&program, format!("#!{}\n{lines}", python.display())).unwrap();
    fs::set_permissions(
        &program,
        fs::metadata(flower.join("flwr-clientapp"))
            .unwrap()
            .permissions(),
    )
    .unwrap();
    bin
}

fn federation(bin: &Path, flags: &[&str]) -> Federation {
    let plan = Federation::plan(Security::Insecure).nodes(1);
    plan.supernode_flags(flags).supernode_programs(bin).start()
}

/// What a module of this code saw in each round.
fn seen(federation: &Federation, code: &str) -> Vec<String> {
    seen_with(federation, OURS, code)
}

/// The same, with the `flwr` of this maker.
fn seen_with(federation: &Federation, flwr: Maker, code: &str) -> Vec<String> {
    let app = federation.app("imports");
    fs::write(app.path.join("imports/seen.py"), code).unwrap();
    let outcome = federation.flwr(flwr).run(&app, "rounds=3").success();
    outcome.must_say(&["finished"]);
    let told = |line: &str| {
        let place = line.find("seen: ").or_else(|| line.find("an error: "))?;
        Some(line[place..].to_owned())
    };
    let seen: Vec<_> = outcome.text.lines().filter_map(told).collect();
    assert_eq!(seen.len(), ROUNDS, "{}", outcome.text);
    fs::remove_dir_all(&app.path).unwrap();
    seen
}

fn distinct(seen: &[String]) -> usize {
    seen.iter().collect::<BTreeSet<_>>().len()
}

#[test]
fn an_app_sees_in_each_round_what_a_process_of_its_own_would() {
    let scratch = Scratch::new();
    let bin = environment(&scratch);
    let mut ours = federation(&bin, &[]);
    let fresh = federation(&bin, &["--clientapp-start", "fresh"]);
    for Kind { name, code, shared } in KINDS {
        let code = |which| code.replace("STATE", &scratch.path().join(which).display().to_string());
        let expected = seen(&fresh, &code("fresh"));
        let before = told_anew(&mut ours);
        let found = seen(&ours, &code("ours"));
        // What differs from process to process has to differ here as well.
        match distinct(&expected) {
            ROUNDS if !name.contains("file") => {
                assert_eq!(distinct(&found), ROUNDS, "{name}: {found:?}")
            }
            _ => assert_eq!(found, expected, "{name}"),
        }
        let told = told_anew(&mut ours) - before;
        assert_eq!(
            told,
            usize::from(!shared),
            "{name}: told once, and only if so"
        );
    }
    ours.stop();
    fresh.stop();
}

fn told_anew(federation: &mut Federation) -> usize {
    let lines = federation.node(0).lines();
    lines.iter().filter(|line| line.contains(ANEW)).count()
}

#[test]
fn what_is_done_at_import_is_done_in_each_process_as_often_as_without_a_template() {
    let scratch = Scratch::new();
    let bin = environment(&scratch);
    let mut federation = federation(&bin, &[]);
    let ended = scratch.path().join("ended");
    let code = format!(
        "import atexit\nprint('printed at import')\n\
         def end():\n    with open('{}', 'a') as file: file.write('x')\n\
         atexit.register(end)\n\
         def look(): return 'asked'",
        ended.display()
    );
    assert_eq!(distinct(&seen(&federation, &code)), 1);
    let deadline = Instant::now() + PATIENCE;
    while fs::read_to_string(&ended).unwrap_or_default().len() < ROUNDS {
        assert!(Instant::now() < deadline, "not all have ended");
        std::thread::sleep(Duration::from_millis(20));
    }
    let lines = federation.node(0).lines();
    let printed = lines
        .iter()
        .filter(|line| line.contains("printed at import"));
    assert_eq!(printed.count(), ROUNDS, "{lines:?}");
    assert_eq!(told_anew(&mut federation), 0);
    // The template has ended too, and did not do what the app does at its end.
    federation.stop();
    assert_eq!(fs::read_to_string(&ended).unwrap(), "x".repeat(ROUNDS));
}

/// Whose the rest of the federation is: pip's own for its releases after 1.22, so that nothing of
/// ours is between its programs.
fn around(maker: Maker) -> Maker {
    maker.pips_since(23).map_or(OURS, Maker::Pip)
}

/// The names of all modules that are there when an app's first line is run.
fn modules_with(maker: Maker) -> BTreeSet<String> {
    let around = around(maker);
    let plan = Federation::plan(Security::Insecure).superlink(around);
    let mut federation = plan.supernodes(vec![maker]).start();
    let code = "import sys; NAMES = sorted(sys.modules)\ndef look(): return ' '.join(NAMES)";
    let seen = seen_with(&federation, around, code);
    assert_eq!(told_anew(&mut federation), 0, "{maker:?}");
    federation.stop();
    assert_eq!(distinct(&seen), 1, "{maker:?}");
    seen[0].split(' ').map(str::to_owned).collect()
}

#[track_caller]
fn modules_are_those_of_pip(release: Release) {
    let (pip, ours) = (
        modules_with(Maker::Pip(release)),
        modules_with(Maker::OursWith(release)),
    );
    let differ: Vec<_> = pip.symmetric_difference(&ours).collect();
    assert!(differ.is_empty(), "{differ:?}");
}

/// The same for a ServerApp, whose SuperLink is told this.
fn server_modules_with(maker: Maker, flags: &[&str]) -> BTreeSet<String> {
    let around = around(maker);
    let plan = Federation::plan(Security::Insecure)
        .superlink(maker)
        .supernodes([around]);
    let federation = plan.superlink_flags(flags).start();
    let app = federation.app("imports");
    let server = app.path.join("imports/server.py");
    let code = fs::read_to_string(&server).unwrap();
    let first = "import sys; print('modules:', *sorted(sys.modules), flush=True)\n";
    fs::write(server, format!("{first}{code}")).unwrap();
    let outcome = federation.flwr(around).run(&app, "rounds=1").success();
    federation.stop();
    let found = outcome
        .text
        .lines()
        .find_map(|line| line.split_once("modules: "));
    let (_, names) = found.unwrap_or_else(|| panic!("{}", outcome.text));
    names.split(' ').map(str::to_owned).collect()
}

#[track_caller]
fn server_modules_are_those_of_pip(release: Release) {
    let pip = server_modules_with(Maker::Pip(release), &[]);
    for start in ["ahead", "fresh"] {
        let ours = server_modules_with(Maker::OursWith(release), &["--serverapp-start", start]);
        let differ: Vec<_> = pip.symmetric_difference(&ours).collect();
        assert!(differ.is_empty(), "{start}: {differ:?}");
    }
}

#[test]
fn a_server_apps_first_line_finds_the_modules_that_it_finds_with_pip_1_22() {
    server_modules_are_those_of_pip(Release::V1_22);
}

#[test]
#[ignore = "takes minutes: cargo xtask test --long"]
fn a_server_apps_first_line_finds_the_modules_that_it_finds_with_later_releases() {
    for release in LATER {
        server_modules_are_those_of_pip(release);
    }
}

#[test]
#[ignore = "takes minutes: cargo xtask test --long"]
fn an_apps_first_line_finds_the_modules_that_it_finds_with_later_releases() {
    for release in LATER {
        modules_are_those_of_pip(release);
    }
}

#[test]
fn an_apps_first_line_finds_the_modules_that_it_finds_with_pip_1_22() {
    modules_are_those_of_pip(Release::V1_22);
}

#[test]
fn an_apps_first_line_finds_the_modules_that_it_finds_with_pip_1_21() {
    modules_are_those_of_pip(Release::V1_21);
}

#[test]
fn an_apps_first_line_finds_the_modules_that_it_finds_with_pip_1_20() {
    modules_are_those_of_pip(Release::V1_20);
}

/// flwr 1.20 ends a ClientApp whose parent is not the process that it was told of.
#[test]
fn an_app_of_1_20_may_take_its_time() {
    let release = Maker::OursWith(Release::V1_20);
    let plan = Federation::plan(Security::Insecure).supernodes(vec![release]);
    let federation = plan.start();
    let code = "import time\ndef look():\n    time.sleep(1)\n    return 'slow'";
    assert_eq!(seen(&federation, code), ["seen: slow"; ROUNDS]);
    federation.stop();
}
