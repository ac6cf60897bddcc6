//! What the ServerApp tells of its rounds, and what it should.

use std::fs;
use std::path::{Path, PathBuf};

use e2e::{App, Maker, Release};

use crate::totals::Totals;

/// Each so many rounds a large array travels along, if nothing is said.
pub(crate) const HEAVY_EVERY: usize = 4;

/// What a run is asked to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task {
    pub(crate) seed: u64,
    pub(crate) rounds: usize,
    pub(crate) nodes: usize,
    /// Each so many rounds a large array travels along.
    pub(crate) heavy_every: usize,
    /// Whether the ServerApp prints all the time.
    pub(crate) noisy: bool,
    /// Seconds after which a round gives its missing replies up.
    pub(crate) patience: u64,
}

/// Enough for our own nodes.
pub(crate) const PATIENCE: u64 = 300;

impl Task {
    /// The lines that it must tell, by the app's own arithmetic without any federation.
    pub(crate) fn expected(self, app: &App) -> Vec<String> {
        let mut python = Maker::Pip(Release::V1_22).command("python");
        python.current_dir(&app.path).args(["-m", "steady.model"]);
        // What it compiled is no part of the app.
        python
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .arg(self.seed.to_string());
        python.args([self.rounds, self.nodes, self.heavy_every].map(|number| number.to_string()));
        let output = python.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        assert_eq!(lines.len(), self.rounds + 1, "steady.model said {output:?}");
        lines
    }

    /// The run configuration that makes it so.
    pub(crate) fn run_config(self, report: &Path, executions: &Path) -> String {
        let Self {
            seed,
            rounds,
            nodes,
            heavy_every,
            noisy,
            patience,
        } = self;
        let (report, executions) = (report.display(), executions.display());
        format!(
            "seed={seed} rounds={rounds} nodes={nodes} heavy-every={heavy_every} noisy={noisy} \
             patience={patience}.0 report=\"{report}\" executions=\"{executions}\""
        )
    }
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
        count(&self.lines(), " digest ")
    }

    /// Whether a message was answered with an error.
    pub(crate) fn has_errors(&self) -> bool {
        count(&self.lines(), ", error ") > 0
    }

    /// Adds what it tells to the totals.
    pub(crate) fn add_to(&self, totals: &mut Totals, nodes: usize) {
        let lines = self.lines();
        let (lost, rounds) = (count(&lines, ": lost by "), count(&lines, " digest "));
        totals.lost += lost;
        totals.doubled += count(&lines, ": doubled by ");
        totals.rounds += rounds;
        // A round that lost something was asked of all nodes, too.
        totals.messages += nodes * (rounds + usize::from(lost > 0));
    }
}

/// Those lines of a log or report that tell of rounds.
pub(crate) fn rounds_in(lines: &[String]) -> Vec<String> {
    let tells = |line: &&String| line.starts_with("round ") || line.starts_with("final ");
    lines.iter().filter(tells).cloned().collect()
}

/// Those lines that tell of rounds that went well.
pub(crate) fn good_rounds_in(lines: &[String]) -> Vec<String> {
    let mut rounds = rounds_in(lines);
    rounds.retain(|line| line.contains(" digest ") || line.starts_with("final "));
    rounds
}

fn count(lines: &[String], what: &str) -> usize {
    lines.iter().filter(|line| line.contains(what)).count()
}
