//! What an app's imports cost in a run: the first message, the later ones, CPU time and memory of
//! the SuperNode and its processes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::Extent;
use super::figures::{Maker, median};
use super::stage::Stage;
use super::usage;
use crate::support::python;

/// Of each run.
const MESSAGES: usize = 5;
/// How long daemons are left alone before a run.
const SETTLE: Duration = Duration::from_secs(3);
/// How long a SuperNode may take to end.
const STOP_GRACE: Duration = Duration::from_secs(30);
/// How often memory is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The stand-in for a large library: as many modules, MB of memory and rounds of a loop (2 s of a
/// core of 2024) as PyTorch has, about.
const LARGE: (usize, usize, usize) = (600, 250, 30_000_000);
/// The programs that pip's daemons and ours start.
const PROGRAMS: [&str; 2] = ["flwr-clientapp", "flower-superexec"];

/// An app, by what it imports.
struct Weight {
    name: &'static str,
    code: &'static str,
}

const WEIGHTS: [Weight; 3] = [
    Weight {
        name: "NumPy",
        code: "import numpy",
    },
    Weight {
        name: "scikit-learn",
        code: "import sklearn.linear_model, sklearn.datasets, sklearn.metrics",
    },
    Weight {
        name: "a library as large as PyTorch",
        code: "import large",
    },
];

/// What one run took.
struct Cost {
    first: f64,
    later: f64,
    cpu: f64,
    memory: f64,
}

/// Measures pip's SuperNode and ours in turns, and tells the medians.
pub(super) fn measure(stage: &Stage, environment: &Path, extent: Extent) -> Result<Value> {
    let programs = with_a_large_library(environment, stage.folder())?;
    let heads = ["first message", "later ones", "CPU of the run", "memory"];
    println!(
        "\n{:<32} {:<8} {}",
        "an app with",
        "",
        heads.map(|head| format!("{head:>15}")).join("")
    );
    let mut figures = Vec::new();
    for weight in &WEIGHTS {
        let mut costs = [Vec::new(), Vec::new()];
        for repetition in 0..extent.repetitions {
            let mut turn = [0, 1];
            // Whoever is second finds warm caches.
            turn.rotate_left(repetition % 2);
            for at in turn {
                let cost = run(stage, [Maker::Pip, Maker::Ours][at], &programs, weight)?;
                costs[at].push(cost);
            }
        }
        for (maker, costs) in ["pip 1.22", "ours"].into_iter().zip(&costs) {
            let middle =
                |of: fn(&Cost) -> f64| median(costs.iter().map(of).collect()).unwrap_or(f64::NAN);
            let [first, later] = [middle(|cost| cost.first), middle(|cost| cost.later)];
            let [cpu, memory] = [middle(|cost| cost.cpu), middle(|cost| cost.memory)];
            println!(
                "{:<32} {maker:<8} {first:>13.2} s {later:>12.2} s {cpu:>12.2} s {memory:>11.0} MB",
                weight.name
            );
            figures.push(json!({"app": weight.name, "maker": maker, "first": first, "later": later, "cpu": cpu, "memory": memory}));
        }
    }
    Ok(figures.into())
}

fn run(stage: &Stage, maker: Maker, programs: &Path, weight: &Weight) -> Result<Cost> {
    let superlink = stage.superlink::<&str>(maker, &[])?;
    let node = stage.supernode_with(maker, &superlink, programs)?;
    thread::sleep(SETTLE);
    let app = stage.copy_app("imports", &superlink)?;
    let code = format!("{}\n\n\ndef look():\n    return 'imported'\n", weight.code);
    fs::write(app.join("imports/seen.py"), code)?;
    let before = usage::cpu_seconds_with_children(node.id())?;
    let mut flwr = stage.ours("flwr");
    flwr.args(["run", "imports", "--stream"]);
    flwr.args(["--run-config", &format!("rounds={MESSAGES}")]);
    let mut flwr = flwr.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let (mut memory, mut last): (f64, f64) = (0.0, 0.0);
    while flwr.try_wait()?.is_none() {
        // What processes share is counted twice if one is forked between two looks: what counts is
        // what two in a row see.
        let now = usage::proportional_with_children(node.id())?;
        memory = memory.max(now.min(last));
        last = now;
        thread::sleep(LOOK_EVERY);
    }
    let cpu = usage::cpu_seconds_with_children(node.id())? - before;
    let output = flwr.wait_with_output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let took: Vec<f64> = text.lines().filter_map(seconds).collect();
    ensure!(
        text.matches("seen: imported").count() == MESSAGES,
        "not all messages went well:\n{text}"
    );
    let [first, later @ ..] = &took[..] else {
        bail!("no time was told:\n{text}");
    };
    let later = median(later.to_vec()).context("there was one message only")?;
    node.stop(STOP_GRACE)?;
    superlink.stop()?;
    Ok(Cost {
        first: *first,
        later,
        cpu,
        memory,
    })
}

/// Reads `took: 0.25`.
fn seconds(line: &str) -> Option<f64> {
    line.split_once("took: ")?.1.trim().parse().ok()
}

/// An environment over the other one, with a large library of no use. Gives its programs' folder.
fn with_a_large_library(environment: &Path, folder: &Path) -> Result<PathBuf> {
    let (upper, python) = (
        folder.join("environment"),
        python::bin(environment).join("python3"),
    );
    let made = Command::new(&python)
        .args(["-m", "venv", "--without-pip"])
        .arg(&upper)
        .status()?;
    ensure!(
        made.success(),
        "{} cannot make an environment",
        python.display()
    );
    let bin = upper.join("bin");
    let packages = packages(&bin.join("python3"))?;
    fs::write(packages.join("flower.pth"), packages_line(&python)?)?;
    let (modules, megabytes, rounds) = LARGE;
    let large = packages.join("large");
    fs::create_dir(&large)?;
    let imports: String = (0..modules)
        .map(|number| format!("from large import part{number}\n"))
        .collect();
    let work = format!(
        "MEMORY = bytearray({megabytes} << 20)\nMEMORY[::4096] = b'1' * len(MEMORY[::4096])\nfor _ in range({rounds}):\n    pass\n"
    );
    fs::write(large.join("__init__.py"), imports + &work)?;
    let part: String = (0..40)
        .map(|number| {
            format!("class C{number}:\n    def f(self, x):\n        return x + {number}\n")
        })
        .collect();
    for number in 0..modules {
        fs::write(large.join(format!("part{number}.py")), &part)?;
    }
    for name in PROGRAMS {
        let script = fs::read_to_string(python::bin(environment).join(name))?;
        let (_, lines) = script.split_once('\n').context("a program of one line")?;
        let program = bin.join(name);
        fs::write(
            &program,
            format!("#!{}\n{lines}", bin.join("python3").display()),
        )?;
        fs::set_permissions(
            &program,
            fs::metadata(python::bin(environment).join(name))?.permissions(),
        )?;
    }
    Ok(bin)
}

fn packages(python: &Path) -> Result<PathBuf> {
    Ok(PathBuf::from(packages_line(python)?.trim()))
}

fn packages_line(python: &Path) -> Result<String> {
    let code = "import sysconfig; print(sysconfig.get_path('purelib'))";
    let told = Command::new(python).args(["-c", code]).output()?;
    String::from_utf8(told.stdout).context("a path that is no text")
}
