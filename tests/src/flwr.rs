//! The `flwr` command as a test types it.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::PATIENCE;
use crate::app::App;
use crate::process::Process;
use crate::program::Maker;
use crate::scratch::Scratch;
use crate::terminal::at_terminal;

/// Each call writes a log of its own.
static CALLS: AtomicUsize = AtomicUsize::new(0);

/// Runs `flwr` commands.
#[derive(Clone, Copy, Debug)]
pub struct Flwr<'a> {
    maker: Maker,
    scratch: &'a Scratch,
}

/// How a command ended.
#[derive(Debug)]
pub struct Outcome {
    /// Its exit status; None if a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to stdout and stderr.
    pub text: String,
}

impl From<Output> for Outcome {
    /// stdout first, then stderr.
    fn from(output: Output) -> Self {
        let said = [output.stdout, output.stderr].concat();
        Self {
            code: output.status.code(),
            text: String::from_utf8_lossy(&said).into_owned(),
        }
    }
}

impl<'a> Flwr<'a> {
    /// A `flwr` that writes to `scratch`.
    #[must_use]
    pub const fn new(maker: Maker, scratch: &'a Scratch) -> Self {
        Self { maker, scratch }
    }

    /// Writes the connection `e2e` where pip's `flwr` of 1.26 and later looks for it.
    ///
    /// # Panics
    /// If that fails.
    pub(crate) fn connect(self, control: SocketAddr, ca: Option<&Path>) {
        let trust = match ca {
            None => "insecure = true".to_owned(),
            Some(ca) => format!("root-certificates = \"{}\"", ca.display()),
        };
        let text = format!(
            "[superlink]\ndefault = \"e2e\"\n\n[superlink.e2e]\naddress = \"{control}\"\n{trust}\n"
        );
        let home = self.scratch.folder("home-flwr");
        fs::write(home.join("config.toml"), text).unwrap();
    }

    /// The arguments by which a command other than `run` names the federation.
    #[must_use]
    pub fn place(self) -> &'static [&'static str] {
        match self.maker.pips_since(26) {
            Some(_) => &["e2e"],
            None => &[".", "e2e"],
        }
    }

    /// `flwr <command>` about a run.
    #[track_caller]
    pub fn about(self, app: &App, command: &str, run: u64, more: &[&str]) -> Outcome {
        let run = run.to_string();
        let words = [&[command, &run][..], self.place(), more].concat();
        self.call(&app.path, &words)
    }

    /// `flwr <arguments>`, in the app's folder, to its end.
    ///
    /// # Panics
    /// If it does not end.
    #[track_caller]
    pub fn call(self, folder: &Path, arguments: &[&str]) -> Outcome {
        let mut process = self.spawn(folder, arguments);
        let code = process.wait_within(2 * PATIENCE).code();
        Outcome {
            code,
            text: process.all_lines().join("\n"),
        }
    }

    /// `flwr <arguments>` at a terminal, where the questions get these answers, one a line.
    #[must_use]
    pub fn at_terminal(self, folder: &Path, arguments: &[&str], answers: &str) -> Outcome {
        at_terminal(self.command(folder).args(arguments), answers)
    }

    /// `flwr <arguments>`, running beside the test.
    #[must_use]
    pub fn spawn(self, folder: &Path, arguments: &[&str]) -> Process {
        let name = format!("flwr-{}", CALLS.fetch_add(1, Ordering::Relaxed));
        Process::start(
            &name,
            self.command(folder).args(arguments),
            self.scratch.path(),
        )
    }

    /// `flwr run . e2e --stream`: the log of a run, to its end.
    #[track_caller]
    pub fn run(self, app: &App, run_config: &str) -> Outcome {
        self.call(
            &app.path,
            &["run", ".", "e2e", "--stream", "--run-config", run_config],
        )
    }

    /// Starts a run and gives its id.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    #[track_caller]
    pub fn start(self, app: &App, run_config: &str) -> u64 {
        let answer = self.json(
            app,
            &[
                "run",
                ".",
                "e2e",
                "--run-config",
                run_config,
                "--format",
                "json",
            ],
        );
        answer["run-id"]
            .as_u64()
            .or_else(|| answer["run-id"].as_str()?.parse().ok())
            .unwrap_or_else(|| panic!("no run: {answer}"))
    }

    /// The status of each run, as `flwr ls` tells it.
    ///
    /// # Panics
    /// If it does not.
    #[must_use]
    #[track_caller]
    pub fn statuses(self, app: &App) -> BTreeMap<u64, String> {
        self.try_statuses(app)
            .unwrap_or_else(|answer| panic!("no runs: {answer}"))
    }

    /// The status of each run, or what `flwr ls` said instead: it may meet a SuperLink in trouble.
    ///
    /// # Errors
    /// If the answer is not a list of runs.
    ///
    /// # Panics
    /// If `flwr` does not start, or prints no JSON.
    #[track_caller]
    pub fn try_statuses(self, app: &App) -> Result<BTreeMap<u64, String>, Value> {
        self.texts(app, "status")
    }

    /// The details of a run's status.
    ///
    /// # Panics
    /// If there is no such run.
    #[must_use]
    #[track_caller]
    pub fn details(self, app: &App, run: u64) -> String {
        let all = self.texts(app, "status-details");
        let mut all = all.unwrap_or_else(|answer| panic!("no runs: {answer}"));
        all.remove(&run)
            .unwrap_or_else(|| panic!("run {run} is not in {all:?}"))
    }

    /// A text of each run, by its key in the list of runs. Else the answer that is no list.
    #[track_caller]
    fn texts(self, app: &App, key: &str) -> Result<BTreeMap<u64, String>, Value> {
        let words = [&["ls"][..], self.place(), &["--format", "json"]].concat();
        let answer = self.json(app, &words);
        let Some(runs) = answer["runs"].as_array() else {
            return Err(answer);
        };
        let of = |run: &Value| (id_of(run), run[key].as_str().unwrap_or_default().to_owned());
        Ok(runs.iter().map(of).collect())
    }

    /// The status of one run.
    ///
    /// # Panics
    /// If there is no such run.
    #[must_use]
    #[track_caller]
    pub fn status(self, app: &App, run: u64) -> String {
        let statuses = self.statuses(app);
        statuses
            .get(&run)
            .unwrap_or_else(|| panic!("run {run} is not in {statuses:?}"))
            .clone()
    }

    /// Waits until a run has this status.
    ///
    /// # Panics
    /// If it gets none or another final one.
    #[track_caller]
    pub fn wait_for_status(self, app: &App, run: u64, wanted: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let status = self.status(app, run);
            if status == wanted {
                return;
            }
            assert!(
                !status.starts_with("finished"),
                "run {run} is {status}, not {wanted}"
            );
            assert!(
                Instant::now() < deadline,
                "run {run} is still {status}, not {wanted}"
            );
            thread::sleep(Duration::from_millis(200));
        }
    }

    /// The log of a run, to its end.
    #[track_caller]
    pub fn log(self, app: &App, run: u64) -> Outcome {
        self.about(app, "log", run, &["--stream"])
    }

    /// The JSON that a command prints to stdout.
    #[track_caller]
    fn json(self, app: &App, arguments: &[&str]) -> Value {
        let output = self.command(&app.path).args(arguments).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        serde_json::from_str(&text).unwrap_or_else(|error| {
            let stderr = String::from_utf8_lossy(&output.stderr);
            panic!("flwr {arguments:?} printed no JSON ({error}): {text}{stderr}")
        })
    }

    fn command(self, folder: &Path) -> Command {
        if self.maker.pips_since(26).is_some() {
            App::forget_federations(folder);
        }
        let mut command = self.maker.command("flwr");
        command
            .current_dir(folder)
            .env("FLWR_HOME", self.scratch.folder("home-flwr"));
        command.env("COLUMNS", "200");
        command
    }
}

/// pip's `flwr ls` writes ids as text, `flwr run` as a number.
fn id_of(run: &Value) -> u64 {
    let id = &run["run-id"];
    id.as_u64()
        .or_else(|| id.as_str()?.parse().ok())
        .unwrap_or_else(|| panic!("no id: {run}"))
}

impl Outcome {
    /// This, if the command succeeded.
    ///
    /// # Panics
    /// If it did not.
    #[must_use]
    #[track_caller]
    pub fn success(self) -> Self {
        assert_eq!(self.code, Some(0), "flwr failed:\n{}", self.text);
        self
    }

    /// This, if the command failed with this exit status.
    ///
    /// # Panics
    /// If it did not.
    #[must_use]
    #[track_caller]
    pub fn failure(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "flwr said:\n{}", self.text);
        self
    }

    /// Whether all of these are in its output; says which is not.
    ///
    /// # Panics
    /// If one is not.
    #[track_caller]
    pub fn must_say(&self, texts: &[&str]) {
        for text in texts {
            assert!(
                self.text.contains(text),
                "{text:?} is not in:\n{}",
                self.text
            );
        }
    }
}
