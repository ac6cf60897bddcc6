//! What the ServerApp tells of its rounds, and what it should.

use std::fs;
use std::path::{Path, PathBuf};

use e2e::{App, Maker, Release};

use crate::totals::Totals;

/// Rounds in a run.
pub(crate) const ROUNDS: usize = 20;
/// SuperNodes in the federation.
pub(crate) const NODES: usize = 4;
const HEAVY_EVERY: usize = 4;

/// The lines that a run with this seed tells, by the app's own arithmetic without any federation.
pub(crate) fn expected(app: &App, seed: u64) -> Vec<String> {
    let mut python = Maker::Pip(Release::V1_22).command("python");
    python.current_dir(&app.path).args(["-m", "steady.model"]);
    python.arg(seed.to_string());
    python.args([ROUNDS, NODES, HEAVY_EVERY].map(|number| number.to_string()));
    let output = python.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), ROUNDS + 1, "steady.model printed {text}");
    lines
}

/// The run configuration that makes it so.
pub(crate) fn run_config(seed: u64, report: &Path) -> String {
    let report = report.display();
    format!(
        "seed={seed} rounds={ROUNDS} nodes={NODES} heavy-every={HEAVY_EVERY} report=\"{report}\""
    )
}

/// The file that the ServerApp writes: it is complete whatever becomes of logs on their way.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) path: PathBuf,
}

impl Report {
    /// All its lines so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.path).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// How many rounds went well so far.
    pub(crate) fn rounds(&self) -> usize {
        let well = |line: &String| line.contains(" digest ");
        self.lines().iter().filter(|line| well(line)).count()
    }

    /// Adds what it tells to the totals.
    pub(crate) fn count(&self, totals: &mut Totals) {
        let lines = self.lines();
        let count = |what: &str| lines.iter().filter(|line| line.contains(what)).count();
        let (lost, rounds) = (count(": lost by "), count(" digest "));
        totals.lost += lost;
        totals.doubled += count(": doubled by ");
        totals.rounds += rounds;
        // A round that lost something was asked of all nodes, too.
        totals.messages += NODES * (rounds + usize::from(lost > 0));
    }
}

/// Those lines of a log or report that tell of rounds.
pub(crate) fn told(lines: &[String]) -> Vec<String> {
    let tells = |line: &&String| line.starts_with("round ") || line.starts_with("final ");
    lines.iter().filter(tells).cloned().collect()
}
