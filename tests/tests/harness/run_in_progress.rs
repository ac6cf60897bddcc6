//! A run in progress, and the checks at its end.

use std::time::{Duration, Instant};

use e2e::{App, Federation, Maker};

use crate::executions::Executions;
use crate::report::{self, Report, Task};

/// How often `flwr ls` is asked: it is a process each time.
const ASK_EVERY: Duration = Duration::from_millis(1_500);
/// How much longer than the ServerApp is waited for a reply: the ServerApp knows better what is missing.
const LONGER: Duration = Duration::from_secs(60);

/// A run in progress.
#[derive(Debug)]
pub(crate) struct RunInProgress {
    pub(crate) id: u64,
    pub(crate) report: Report,
    pub(crate) executions: Executions,
    /// The finished rounds at the last look.
    pub(crate) rounds: usize,
    /// The duration of each round.
    pub(crate) took: Vec<Duration>,
    heard: Instant,
    asked: Instant,
    patience: Duration,
}

/// What a look at a run found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Nothing,
    /// Another round is done.
    Round,
    /// It has ended, well or not.
    End,
}

impl RunInProgress {
    /// Starts a run; its report goes to the file `name`.
    pub(crate) fn start(federation: &Federation, app: &App, task: Task, name: &str) -> Self {
        let path = federation.scratch().path().join(name);
        let executions = path.with_extension("executions");
        let config = task.run_config(&path, &executions);
        Self {
            id: federation.flwr(Maker::Ours).start(app, &config),
            report: Report { path },
            executions: Executions { path: executions },
            rounds: 0,
            took: Vec::new(),
            heard: Instant::now(),
            asked: Instant::now(),
            patience: Duration::from_secs(task.patience) + LONGER,
        }
    }

    /// Looks how far it is.
    pub(crate) fn look(&mut self, federation: &Federation, app: &App) -> Found {
        let rounds = self.report.rounds();
        if rounds > self.rounds {
            self.rounds = rounds;
            self.took.push(self.heard.elapsed());
            self.heard = Instant::now();
            return Found::Round;
        }
        assert!(
            self.heard.elapsed() < self.patience,
            "run {} is stuck",
            self.id
        );
        if self.asked.elapsed() < ASK_EVERY {
            return Found::Nothing;
        }
        self.asked = Instant::now();
        // A SuperLink whose disk is full may be unable to answer: then it is asked again.
        let statuses = federation.flwr(Maker::Ours).try_statuses(app);
        match statuses.unwrap_or_default().get(&self.id) {
            Some(status) if status.starts_with("finished") => Found::End,
            _ => Found::Nothing,
        }
    }

    /// Fails unless the run has completed, and report and log have each expected line once. A run
    /// that `may_fail` may end early, with an error in place of a reply, or with the damaged object in
    /// its details: damage that shows only while a node reads an object fails the run.
    pub(crate) fn check(
        &self,
        federation: &Federation,
        app: &App,
        expected: &[String],
        may_fail: bool,
    ) {
        let flwr = federation.flwr(Maker::Ours);
        let status = flwr.status(app, self.id);
        let report = self.report.lines();
        let rounds = report::rounds_in(&report);
        if may_fail && status == "finished:failed" {
            let details = flwr.details(app, self.id);
            let names_damage = ["is lost", "is damaged"]
                .iter()
                .any(|it| details.contains(it));
            assert!(
                self.report.has_errors() || names_damage,
                "failed without a word of why: {details}"
            );
            let good: Vec<_> = report::good_rounds_in(&report);
            assert_eq!(good, expected[..good.len()], "report");
            return;
        }
        assert_eq!(status, "finished:completed");
        assert_eq!(rounds, expected, "report");
        let text = flwr.log(app, self.id).success().text;
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        assert_eq!(report::rounds_in(&lines), expected, "log");
    }
}
