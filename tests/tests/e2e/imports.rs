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

const OURS: Maker = Maker::Ours;
const PATIENCE: Duration = Duration::from_secs(30);
const ROUNDS: usize = 3;
/// In the node's log, where processes share nothing.
const ANEW: &str = "loads the app anew";

/// What a module does at import, and what it sees of it in each round.
struct Kind {
    name: &'static str,
    code: &'static str,
    /// Whether its processes may share what was loaded.
    shared: bool,
}

const fn shared(name: &'static str, code: &'static str) -> Kind {
    let shared = true;
    Kind { name, code, shared }
}

const fn anew(name: &'static str, code: &'static str) -> Kind {
    let shared = false;
    Kind { name, code, shared }
}

/// Run in one process, one after the other, in both federations.
const KINDS: [Kind; 38] = [
    shared("nothing", "def look(): return 'plain'"),
    shared(
        "a variable before an import",
        "import os; os.environ['KIND_BACKEND'] = 'torch'\nimport backendlib\ndef look(): return backendlib.BACKEND",
    ),
    shared(
        "a variable of gRPC's",
        "import os; os.environ['http_proxy'] = 'http://127.0.0.1:9'\ndef look(): return os.environ['http_proxy']",
    ),
    shared(
        "the order of imports",
        "import backendlib, os; os.environ['KIND_BACKEND'] = 'late'\ndef look(): return backendlib.BACKEND",
    ),
    anew(
        "a thread of a library",
        "import threadlib\ndef look(): return threadlib.ask()",
    ),
    anew(
        "an id of a library",
        "import idlib\ndef look(): return idlib.ID",
    ),
    anew(
        "a uuid",
        "import uuid; ID = uuid.uuid4()\ndef look(): return ID",
    ),
    anew(
        "a temporary directory",
        "import tempfile; DIR = tempfile.mkdtemp()\ndef look(): return DIR",
    ),
    anew(
        "random numbers",
        "import random; N = random.random()\ndef look(): return N",
    ),
    anew(
        "a generator of random numbers",
        "import random; R = random.Random()\ndef look(): return R.random()",
    ),
    anew(
        "random numbers of numpy",
        "import numpy as np; N = np.random.rand()\ndef look(): return N",
    ),
    anew(
        "a generator of numpy",
        "import numpy as np; R = np.random.default_rng()\ndef look(): return R.random()",
    ),
    shared(
        "random numbers later",
        "import random, numpy as np\ndef look(): return random.random(), np.random.rand()",
    ),
    shared(
        "seeds",
        "import random, numpy as np; random.seed(42); np.random.seed(42); N = random.random()\ndef look(): return N, random.random(), np.random.rand()",
    ),
    shared(
        "random numbers of torch later",
        "import torch\ndef look(): return torch.rand()",
    ),
    shared(
        "a seed of torch",
        "import torch; torch.manual_seed(42)\ndef look(): return torch.rand()",
    ),
    anew(
        "random numbers of torch",
        "import torch; N = torch.rand()\ndef look(): return N",
    ),
    shared(
        "a directory of a library that is there",
        "import folderlib\ndef look(): return folderlib.THERE",
    ),
    shared(
        "the lines of a stack",
        "import traceback; traceback.format_stack()\ndef look(): return 'traced'",
    ),
    shared(
        "a socket of a library",
        "import socketlib\ndef look(): return socketlib.HAS_IPV4",
    ),
    anew(
        "a free port",
        "import socket; S = socket.socket(); S.bind(('127.0.0.1', 0)); S.close()\ndef look(): return 'bound'",
    ),
    anew(
        "the time",
        "import datetime; NOW = datetime.datetime.now()\ndef look(): return NOW",
    ),
    anew(
        "a process id",
        "import os; PID = os.getpid()\ndef look(): return PID",
    ),
    anew(
        "random bytes of a library in C",
        "import ssl; S = ssl.RAND_bytes(4).hex()\ndef look(): return S",
    ),
    anew(
        "a process id that C asks for",
        "import functools, os; P = functools.partial(os.getpid)()\ndef look(): return P == os.getpid()",
    ),
    anew(
        "arguments",
        "import sys; A = list(sys.argv)\ndef look(): return A == sys.argv",
    ),
    anew(
        "the id of a thread",
        "import os, threading; T = threading.main_thread().native_id\ndef look(): return T == os.getpid()",
    ),
    anew(
        "what the process has used",
        "import resource; U = resource.getrusage(resource.RUSAGE_SELF)\ndef look(): return U.ru_utime >= 0",
    ),
    shared(
        "a handler of the program's log",
        "import logging; SEEN = []\nclass H(logging.Handler):\n    def emit(self, record): SEEN.append(record)\nlogging.getLogger('flwr').addHandler(H())\ndef look(): return len(SEEN)",
    ),
    shared(
        "a patched class",
        "import logging; COUNT = [0]; handle = logging.Logger.handle\ndef counted(self, record):\n    COUNT[0] += 1\n    return handle(self, record)\nlogging.Logger.handle = counted\ndef look(): return COUNT[0]",
    ),
    anew(
        "a file of its own",
        "import pathlib; FILE = pathlib.Path('STATE'); N = len(FILE.read_text()) if FILE.exists() else 0\ndef look():\n    FILE.write_text('x' * (N + 1))\n    return N",
    ),
    shared(
        "a module of its own making",
        "import sys, types; fake = types.ModuleType('tabnanny'); fake.KIND = 'fake'; sys.modules['tabnanny'] = fake\nimport tabnanny\ndef look(): return tabnanny.KIND",
    ),
    shared(
        "a patched module",
        "import colorsys; colorsys.rgb_to_hsv = lambda *_: 'patched'\ndef look(): return colorsys.rgb_to_hsv(1, 2, 3)",
    ),
    shared(
        "warnings as errors",
        "import warnings; warnings.simplefilter('error')\ndef look(): return [f[0] for f in warnings.filters[:2]]",
    ),
    shared(
        "logging",
        "import logging; logging.basicConfig(level=7); logging.info('logged at import')\ndef look(): return logging.getLogger().level",
    ),
    shared(
        "arguments and modules",
        "import sys; PATH = sys.path[1:]; MAIN = sys.modules['__main__'].__file__\ndef look(): return MAIN, PATH, len(sys.argv), sys.getprofile(), len(sys.meta_path)",
    ),
    anew("a failure", "raise ValueError('not today')"),
    anew("an end", "import os; os._exit(7)"),
];

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
    let app = federation.app("imports");
    fs::write(app.path.join("imports/seen.py"), code).unwrap();
    let outcome = federation.flwr(OURS).run(&app, "rounds=3").success();
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

/// The names of all modules that are there when an app's first line is run.
fn modules_with(maker: Maker) -> BTreeSet<String> {
    let plan = Federation::plan(Security::Insecure).supernodes(vec![maker]);
    let federation = plan.start();
    let code = "import sys; NAMES = sorted(sys.modules)\ndef look(): return ' '.join(NAMES)";
    let seen = seen(&federation, code);
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
    let plan = Federation::plan(Security::Insecure)
        .superlink(maker)
        .nodes(1);
    let federation = plan.superlink_flags(flags).start();
    let app = federation.app("imports");
    let server = app.path.join("imports/server.py");
    let code = fs::read_to_string(&server).unwrap();
    let first = "import sys; print('modules:', *sorted(sys.modules), flush=True)\n";
    fs::write(server, format!("{first}{code}")).unwrap();
    let outcome = federation.flwr(OURS).run(&app, "rounds=1").success();
    federation.stop();
    let found = outcome
        .text
        .lines()
        .find_map(|line| line.split_once("modules: "));
    let (_, names) = found.unwrap_or_else(|| panic!("{}", outcome.text));
    names.split(' ').map(str::to_owned).collect()
}

#[test]
fn a_server_apps_first_line_finds_the_modules_that_it_finds_with_pip_1_22() {
    let pip = server_modules_with(Maker::Pip(Release::V1_22), &[]);
    for start in ["ahead", "fresh"] {
        let ours = server_modules_with(OURS, &["--serverapp-start", start]);
        let differ: Vec<_> = pip.symmetric_difference(&ours).collect();
        assert!(differ.is_empty(), "{start}: {differ:?}");
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
