//! One combination, tried.

use std::any::Any;
use std::fmt;
use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::time::Duration;

use e2e::{App, Federation, Flwr};
use serde_json::Value;

use crate::behaviour;
use crate::combination::{Combination, Kind, Protection};
use crate::oldest::{self, Keys};

/// How long a run may take: pip's daemons poll every 3 s, and the imports of later releases take
/// longer, above all where other federations are on the machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(240);
/// The same where nothing is expected of it.
const LITTLE_PATIENCE: Duration = Duration::from_secs(20);
/// pip's daemons of 1.35 and later end an app process that makes no call for 30 s, which its imports may take
/// on a busy machine. What its own daemon says to the process then; ours waits.
const TOO_SLOW: &str = "Runtime task-token authentication failed";
/// How often a pair is tried that failed by this.
const TRIES: u32 = 3;
/// Characters of what a program said last.
const EVIDENCE: usize = 200;

/// What came of it.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    /// All that was asked for happened.
    Works,
    /// Something did not happen.
    Fails {
        /// What was said last.
        said: String,
        /// Whether a program said what `known` wants to be said.
        as_known: bool,
    },
}

/// What is known of something that did not happen.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What was said last, in a line.
    said: String,
    /// All that the programs said.
    all: String,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Works => f.write_str("works"),
            Self::Fails {
                said,
                as_known: false,
            } => write!(f, "fails ({said})"),
            Self::Fails { said, .. } => write!(f, "fails as is known ({said})"),
        }
    }
}

impl Verdict {
    /// What the record says of it: true, or why not.
    pub(crate) fn to_json(&self, combination: Combination) -> Value {
        match (self, combination.known()) {
            (Self::Works, _) => Value::Bool(true),
            (Self::Fails { as_known: true, .. }, Some(known)) => known.why.into(),
            (Self::Fails { said, .. }, _) => said.as_str().into(),
        }
    }

    /// What is not as is known, if anything.
    pub(crate) fn surprise(&self, combination: Combination) -> Option<String> {
        match (self, combination.known()) {
            (Self::Works, None) | (Self::Fails { as_known: true, .. }, Some(_)) => None,
            (Self::Works, Some(known)) => Some(format!("works, though: {}", known.why)),
            (Self::Fails { said, .. }, None) => Some(said.clone()),
            (Self::Fails { said, .. }, Some(known)) => {
                Some(format!("fails, but nobody says {:?}: {said}", known.sign))
            }
        }
    }
}

impl From<String> for Failure {
    fn from(said: String) -> Self {
        Self {
            all: said.clone(),
            said,
        }
    }
}

/// Has an app trained by the combination, and its runs listed, logged and stopped where that is in
/// question.
pub(crate) fn run(combination: Combination, protection: Protection) -> Verdict {
    let sign = combination.known().map(|known| known.sign);
    judged(sign, || attempt(combination, protection))
}

/// What came of an attempt, which may panic. `sign`: what is said where it is known to fail.
pub(crate) fn judged(sign: Option<&str>, attempt: impl Fn() -> Result<(), Failure>) -> Verdict {
    let mut tries = 0;
    loop {
        tries += 1;
        let failure = match panic::catch_unwind(AssertUnwindSafe(&attempt)) {
            Ok(Ok(())) => return Verdict::Works,
            Ok(Err(failure)) => failure,
            Err(panic) => failure_of(panic),
        };
        if tries < TRIES && failure.all.contains(TOO_SLOW) {
            println!("once more: a daemon of pip's ended an app process before its first call");
            continue;
        }
        return Verdict::Fails {
            said: failure.said,
            as_known: sign.is_some_and(|sign| failure.all.contains(sign)),
        };
    }
}

fn failure_of(panic: Box<dyn Any + Send>) -> Failure {
    let panic = match panic.downcast::<Failure>() {
        Ok(failure) => return *failure,
        Err(panic) => panic,
    };
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    let text = text.unwrap_or("a program did not start");
    let line = text.lines().next().unwrap_or_default();
    Failure {
        said: line.chars().take(EVIDENCE).collect(),
        all: text.to_owned(),
    }
}

fn attempt(combination: Combination, protection: Protection) -> Result<(), Failure> {
    // The SuperLink's own key, which nodes before 1.15 need, and the keys of the oldest.
    let keys = Keys::make();
    let mut flags = Vec::new();
    if protection == Protection::TlsAndAuth && combination.is_of_shared_secrets() {
        flags.extend(["--auth-superlink-private-key", keys.superlink()]);
        flags.extend(["--serve-older", "1.8"]);
    }
    if combination.kind == Kind::SuperLinkAndOldest {
        if protection == Protection::TlsAndAuth {
            flags.extend(["--auth-list-public-keys", keys.list()]);
        }
        if protection != Protection::Insecure {
            flags.push("--serverappio-tls");
        }
    }
    let mut federation = combination.plan(protection).superlink_flags(&flags).start();
    if combination.kind == Kind::DaemonsAndApps {
        behaviour::show(&mut federation);
        return Ok(());
    }
    let outcome = match combination.kind {
        Kind::SuperLinkAndOldest => {
            oldest::train(&federation, combination.release, protection, &keys)
        }
        kind => {
            let app = federation.app("average");
            let flwr = federation.flwr(combination.flwr());
            let patience = match combination.known() {
                None => PATIENCE,
                Some(_) => LITTLE_PATIENCE,
            };
            let trained = train(flwr, &app, patience);
            match kind {
                Kind::SuperLinkAndCli | Kind::CliAndSuperLink => {
                    trained.and_then(|()| runs_are_told(flwr, &app))
                }
                _ => trained,
            }
        }
    };
    outcome.map_err(|said| {
        let failure = explained(&said, &federation);
        match combination.known() {
            None => keep(failure),
            Some(_) => failure,
        }
    })
}

/// A failure with what the programs of the federation said.
pub(crate) fn explained(said: &str, federation: &Federation) -> Failure {
    let folder = federation.scratch().path();
    let last = last_complaint(folder);
    let text = [said, &last].join("; ");
    let text = text.trim_matches([';', ' ']);
    let printable = text.chars().filter(|c| !c.is_control());
    Failure {
        said: printable.take(EVIDENCE).collect(),
        all: [text.to_owned(), logs(folder).map(|(_, log)| log).collect()].concat(),
    }
}

/// Fails in a way that keeps what the programs wrote: nobody knows yet why they failed.
pub(crate) fn keep(failure: Failure) -> ! {
    panic::panic_any(failure)
}

/// Two nodes train for two rounds.
pub(crate) fn train(flwr: Flwr<'_>, app: &App, patience: Duration) -> Result<(), String> {
    let arguments = ["run", ".", "e2e", "--stream", "--run-config", "nodes=2"];
    let mut run = flwr.spawn(&app.path, &arguments);
    // The nodes add 1 and 2: 1.5 on average, twice.
    let wanted = "round 2: mean 3.000";
    let Some(status) = run.ended_within(patience) else {
        return Err(format!("no end after {} s", patience.as_secs()));
    };
    let lines = run.all_lines();
    if !status.success() || !lines.iter().any(|line| line.contains(wanted)) {
        return Err(lines.last().cloned().unwrap_or_default());
    }
    Ok(())
}

/// The run is listed and logged, and another one is stopped.
pub(crate) fn runs_are_told(flwr: Flwr<'_>, app: &App) -> Result<(), String> {
    let statuses = flwr
        .try_statuses(app)
        .map_err(|answer| answer.to_string())?;
    let Some((run, status)) = statuses.iter().next() else {
        return Err("no run is listed".to_owned());
    };
    if status != "finished:completed" {
        return Err(format!("the run is listed as {status}"));
    }
    let log = flwr.about(app, "log", *run, &["--show"]);
    if !log.text.contains("round 2: mean 3.000") {
        return Err(format!("the log says {}", log.text));
    }
    let second = flwr.start(app, "nodes=3");
    let stop = flwr.about(app, "stop", second, &[]);
    if stop.code != Some(0) {
        return Err(format!("stop says {}", stop.text));
    }
    match flwr.status(app, second).as_str() {
        "finished:stopped" => Ok(()),
        other => Err(format!("the stopped run is listed as {other}")),
    }
}

/// What each program of the federation said, with the name of its log.
fn logs(folder: &Path) -> impl Iterator<Item = (String, String)> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let files = files.filter(|file| file.path().extension().is_some_and(|end| end == "log"));
    files.map(|file| {
        let name = file.file_name().to_string_lossy().into_owned();
        let text = fs::read(file.path()).unwrap_or_default();
        (name, String::from_utf8_lossy(&text).into_owned())
    })
}

/// The last line about something wrong that a daemon or the user's command wrote.
fn last_complaint(folder: &Path) -> String {
    let mut complaint = String::new();
    for (name, text) in logs(folder) {
        let wrong = |line: &&str| {
            ["rror", "details =", "❌", "WARN "]
                .iter()
                .any(|sign| line.contains(sign))
        };
        if let Some(line) = text.lines().rev().find(wrong) {
            complaint = format!("{name}: {}", line.trim());
        }
    }
    complaint
}
