//! What is counted.

use std::time::{Duration, Instant};

use crate::kind::Kind;

/// The sums of one kind.
#[derive(Debug)]
pub(crate) struct Totals {
    pub(crate) kind: Kind,
    pub(crate) failed: bool,
    pub(crate) kills: usize,
    pub(crate) cuts: usize,
    pub(crate) stalls: usize,
    pub(crate) fills: usize,
    pub(crate) runs: usize,
    pub(crate) rounds: usize,
    pub(crate) messages: usize,
    pub(crate) lost: usize,
    pub(crate) doubled: usize,
    /// Messages that ClientApps began, each time.
    pub(crate) executed: usize,
    /// Messages that were begun again since a kill ended their ClientApp.
    pub(crate) again: usize,
    /// Kills of nodes, with the ClientApps in their hands.
    pub(crate) node_kills: usize,
    /// Faults as they were made: one may kill two daemons, or stall and then cut.
    pub(crate) faults: usize,
    /// What each round took. The slowest tells how long the federation needs after a fault.
    pub(crate) rounds_took: Vec<Duration>,
    started: Instant,
    took: Duration,
}

impl Totals {
    pub(crate) fn new(kind: Kind) -> Self {
        Self {
            kind,
            failed: false,
            kills: 0,
            cuts: 0,
            stalls: 0,
            fills: 0,
            runs: 0,
            rounds: 0,
            messages: 0,
            lost: 0,
            doubled: 0,
            executed: 0,
            again: 0,
            node_kills: 0,
            faults: 0,
            rounds_took: Vec::new(),
            started: Instant::now(),
            took: Duration::ZERO,
        }
    }

    pub(crate) fn stop_clock(&mut self) {
        self.took = self.started.elapsed();
    }

    /// The seconds of the slowest round.
    pub(crate) fn slowest(&self) -> f64 {
        let slowest = self.rounds_took.iter().max();
        slowest.map_or(0.0, Duration::as_secs_f64)
    }

    /// The seconds of the median round: most rounds have no fault.
    fn median(&self) -> f64 {
        let mut took = self.rounds_took.clone();
        took.sort_unstable();
        let middle = took.get(took.len() / 2);
        middle.map_or(0.0, Duration::as_secs_f64)
    }

    /// For those who wait while the others are played.
    pub(crate) fn line(&self) -> String {
        let how = if self.failed { "FAILED" } else { "ok" };
        format!(
            "{}: {how}, {} faults in {} runs, {} messages, {} lost, {} doubled, {} executed again, rounds of \
             {:.1} s (median) and {:.1} s (slowest), {:.0} s",
            self.kind.name(),
            self.faults,
            self.runs,
            self.messages,
            self.lost,
            self.doubled,
            self.again,
            self.median(),
            self.slowest(),
            self.took.as_secs_f64()
        )
    }
}

/// One line for each kind, and their sum.
pub(crate) fn table(all: &[Totals]) -> String {
    let mut text = String::from(
        "kind            faults  kills   cuts stalls  fills   runs rounds messages executed  again   lost doubled slowest seconds\n",
    );
    for totals in all {
        text += &format!(
            "{:<14} {:>7} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6} {:>8} {:>8} {:>6} {:>6} {:>7} {:>7.1} {:>7.0}{}\n",
            totals.kind.name(),
            totals.faults,
            totals.kills,
            totals.cuts,
            totals.stalls,
            totals.fills,
            totals.runs,
            totals.rounds,
            totals.messages,
            totals.executed,
            totals.again,
            totals.lost,
            totals.doubled,
            totals.slowest(),
            totals.took.as_secs_f64(),
            if totals.failed { "  FAILED" } else { "" },
        );
    }
    let sum = |of: fn(&Totals) -> usize| all.iter().map(of).sum::<usize>();
    text + &format!(
        "total: {} faults, {} messages, {} lost, {} doubled, {} executed again",
        sum(|totals| totals.faults),
        sum(|totals| totals.messages),
        sum(|totals| totals.lost),
        sum(|totals| totals.doubled),
        sum(|totals| totals.again),
    )
}
