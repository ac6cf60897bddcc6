//! One combination, tried.

use std::any::Any;
use std::fmt;
use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::time::Duration;

use e2e::{App, Federation};

use crate::behaviour;
use crate::combination::{Combination, Kind, Protection};
use crate::oldest::{self, Keys};

/// How long a run may take: pip's daemons poll every 3 s, and the imports of later releases take
/// longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
/// The same where nothing is expected of it.
const LITTLE_PATIENCE: Duration = Duration::from_secs(20);
/// Characters of what a program said last.
const EVIDENCE: usize = 200;

/// How much of it is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// What takes seconds.
    Sample,
    /// All, with apps whose imports take a minute.
    Whole,
}

/// What came of it.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    /// All that was asked for happened.
    Works,
    /// It did not, and this was said last.
    Fails(String),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Works => f.write_str("works"),
            Self::Fails(evidence) => write!(f, "fails ({evidence})"),
        }
    }
}

/// Has an app trained by the combination, and its runs listed, logged and stopped where that is in
/// question.
pub(crate) fn run(combination: Combination, protection: Protection, extent: Extent) -> Verdict {
    let attempt = AssertUnwindSafe(|| attempt(combination, protection, extent));
    match panic::catch_unwind(attempt) {
        Ok(Ok(())) => Verdict::Works,
        Ok(Err(said)) => Verdict::Fails(said),
        Err(panic) => Verdict::Fails(said(panic.as_ref())),
    }
}

/// What a panic says, in a line.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    let line = text.and_then(|text| text.lines().next());
    let line = line.unwrap_or("a program did not start");
    line.chars().take(EVIDENCE).collect()
}

fn attempt(combination: Combination, protection: Protection, extent: Extent) -> Result<(), String> {
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
        behaviour::show(&mut federation, extent);
        return Ok(());
    }
    let app = federation.app("average");
    let trained = if combination.kind == Kind::SuperLinkAndOldest {
        oldest::train(&federation, combination.release, protection, &keys)
    } else {
        train(&federation, &app, combination)
    };
    let outcome = match (trained, combination.kind) {
        (Ok(()), Kind::SuperLinkAndCli | Kind::CliAndSuperLink) => {
            runs_are_told(&federation, &app, combination)
        }
        (trained, _) => trained,
    };
    outcome.map_err(|said| {
        let last = last_complaint(federation.scratch().path());
        let text = [said, last].join("; ");
        let text = text.trim_matches([';', ' ']);
        text.chars().take(EVIDENCE).collect()
    })
}

fn train(federation: &Federation, app: &App, combination: Combination) -> Result<(), String> {
    let flwr = federation.flwr(combination.flwr());
    let arguments = ["run", ".", "e2e", "--stream", "--run-config", "nodes=2"];
    let mut run = flwr.spawn(&app.path, &arguments);
    // The nodes add 1 and 2: 1.5 on average, twice.
    let wanted = "round 2: mean 3.000";
    let patience = match combination.known() {
        None => PATIENCE,
        Some(_) => LITTLE_PATIENCE,
    };
    let Some(status) = run.ended_within(patience) else {
        return Err(format!("no end after {} s", patience.as_secs()));
    };
    let lines = run.all_lines();
    if !status.success() || !lines.iter().any(|line| line.contains(wanted)) {
        return Err(lines.last().cloned().unwrap_or_default());
    }
    Ok(())
}

fn runs_are_told(
    federation: &Federation,
    app: &App,
    combination: Combination,
) -> Result<(), String> {
    let flwr = federation.flwr(combination.flwr());
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

/// The last line about something wrong that a daemon or the user's command wrote.
fn last_complaint(folder: &Path) -> String {
    let mut complaint = String::new();
    let logs = fs::read_dir(folder).into_iter().flatten().flatten();
    for log in logs.filter(|log| log.path().extension().is_some_and(|end| end == "log")) {
        let text = fs::read_to_string(log.path()).unwrap_or_default();
        let wrong = |line: &&str| {
            ["rror", "details =", "❌", "WARN "]
                .iter()
                .any(|sign| line.contains(sign))
        };
        if let Some(line) = text.lines().rev().find(wrong) {
            let name = log.file_name();
            complaint = format!("{}: {}", name.to_string_lossy(), line.trim());
        }
    }
    complaint
}
