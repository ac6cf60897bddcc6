//! What ClientApps were asked to do: each writes the id of its message to a file before it begins.
//! The ServerApp cannot see that a message was worked on twice, since it gets one reply all the
//! same.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use crate::report::Report;
use crate::totals::Totals;

/// The file that the ClientApps of a run write.
#[derive(Debug)]
pub(crate) struct Executions {
    pub(crate) path: PathBuf,
}

impl Executions {
    /// How often each message was begun.
    fn by_message(&self) -> BTreeMap<String, usize> {
        let text = fs::read_to_string(&self.path).unwrap_or_default();
        let mut counts = BTreeMap::new();
        for id in text.lines() {
            *counts.entry(id.to_owned()).or_default() += 1;
        }
        counts
    }

    /// Adds what was begun to the totals. Where a node was `killed`, so were the ClientApps in its
    /// hands, and their messages are begun again: that is told, and no fault of ours.
    pub(crate) fn add_to(&self, totals: &mut Totals, killed: bool) {
        let counts = self.by_message();
        let further: usize = counts.values().map(|count| count - 1).sum();
        totals.executed += counts.len() + further;
        if killed {
            totals.again += further;
        } else {
            totals.doubled += further;
        }
    }

    /// Fails unless each message of each good round was begun: once, where no node was killed.
    pub(crate) fn check(&self, report: &Report, nodes: usize, killed: bool) {
        let counts = self.by_message();
        let rounds = report.rounds();
        assert!(
            counts.len() >= nodes * rounds,
            "{} messages were begun in {rounds} rounds of {nodes} nodes",
            counts.len()
        );
        let twice: Vec<_> = counts.iter().filter(|(_, count)| **count > 1).collect();
        assert!(
            killed || twice.is_empty(),
            "worked on more than once: {twice:?}"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::panic;

    use super::*;
    use crate::kind::Kind;

    #[test]
    fn work_done_twice_is_seen_and_excused_by_a_kill_only() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let report = Report {
            path: file("report", "round 1: replies 2 digest ab\n"),
        };
        let path = file("executions", "one\ntwo\none\n");
        let executions = Executions { path };
        executions.check(&report, 2, true);
        let seen = panic::catch_unwind(|| executions.check(&report, 2, false));
        assert!(seen.is_err(), "a message was worked on twice");
        let lost = panic::catch_unwind(|| executions.check(&report, 3, true));
        assert!(lost.is_err(), "a message was never begun");
        let mut totals = Totals::new(Kind::Cut);
        executions.add_to(&mut totals, true);
        assert_eq!((totals.again, totals.doubled), (1, 0));
        executions.add_to(&mut totals, false);
        assert_eq!((totals.again, totals.doubled, totals.executed), (1, 1, 6));
    }
}
