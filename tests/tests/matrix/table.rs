//! The table, as docs/interop.md has it.

use std::fmt::Write as _;

use crate::combination::{Combination, Protection};
use crate::trial::Verdict;

/// What came of all trials.
#[derive(Debug, Default)]
pub(crate) struct Table(Vec<Line>);

#[derive(Debug)]
struct Line {
    combination: Combination,
    verdicts: Vec<(Protection, Verdict)>,
}

impl Table {
    pub(crate) fn add(
        &mut self,
        combination: Combination,
        protection: Protection,
        verdict: Verdict,
    ) {
        match self
            .0
            .last_mut()
            .filter(|line| line.combination == combination)
        {
            Some(line) => line.verdicts.push((protection, verdict)),
            None => self.0.push(Line {
                combination,
                verdicts: vec![(protection, verdict)],
            }),
        }
    }

    /// The trials that did not end as is known.
    pub(crate) fn unexpected(&self) -> Vec<String> {
        let of = |line: &Line| {
            let unexpected = line.verdicts.iter().filter(|(_, verdict)| {
                matches!(verdict, Verdict::Works) == line.combination.known().is_some()
            });
            unexpected
                .map(|(protection, verdict)| {
                    format!(
                        "{}, {}: {verdict}",
                        line.combination.title(),
                        protection.title()
                    )
                })
                .collect::<Vec<_>>()
        };
        self.0.iter().flat_map(of).collect()
    }

    pub(crate) fn to_markdown(&self) -> String {
        let mut text = String::from(
            "# What works with what\n\n\
             Made by `cargo xtask interop`, which runs each pair: one program is ours, the other \
             pip's, and an app trains for two rounds on two nodes. `flwr` of both sides also lists, \
             logs and stops runs. Our earlier programs are those of before flwr 1.23 was served \
             (commit 04d1496a88; `--earlier DIR` names the folder that they are in). App \
             processes speak plaintext on their machine, with a token. Our daemons with both app \
             processes of a release: runs that complete, that raise, whose processes are killed, \
             that are stopped, two at once, and an app whose imports take a minute.\n\n\
             Two commands read another layout than they get, from pip's SuperLinks of later \
             releases as from ours (checked with 1.31.0): `flwr supernode list` of 1.23, and \
             `flwr federation list --federation` of 1.26.\n\n\
             | pair | insecure | TLS | TLS + authentication | token | why not |\n\
             | --- | --- | --- | --- | --- | --- |\n",
        );
        for line in &self.0 {
            let _ = writeln!(text, "{}", line.to_markdown());
        }
        text
    }

    /// An earlier table with the lines of this one in it. Those that it did not have come last.
    pub(crate) fn renew(&self, earlier: &str) -> String {
        let is_of = |line: &str, mine: &Line| {
            line.starts_with(&format!("| {} |", mine.combination.title()))
        };
        let renewed = |line: &str| {
            let mine = self.0.iter().find(|mine| is_of(line, mine));
            mine.map_or_else(|| line.to_owned(), Line::to_markdown)
        };
        let is_new = |mine: &&Line| !earlier.lines().any(|line| is_of(line, mine));
        let new = self.0.iter().filter(is_new).map(Line::to_markdown);
        let lines = earlier.lines().map(renewed).chain(new);
        lines.map(|line| line + "\n").collect()
    }
}

impl Line {
    fn to_markdown(&self) -> String {
        let cell = |wanted: Protection| {
            let found = self.verdicts.iter().find(|(had, _)| *had == wanted);
            match found {
                None => "",
                Some((_, Verdict::Works)) => "works",
                Some((_, Verdict::Fails(_))) => "no",
            }
        };
        format!(
            "| {} | {} | {} | {} | {} | {} |",
            self.combination.title(),
            cell(Protection::Insecure),
            cell(Protection::Tls),
            cell(Protection::TlsAndAuth),
            cell(Protection::Token),
            self.why()
        )
    }

    fn why(&self) -> String {
        let evidence = self.verdicts.iter().find_map(|(_, verdict)| match verdict {
            Verdict::Works => None,
            Verdict::Fails(evidence) => Some(evidence.clone()),
        });
        match (evidence, self.combination.known()) {
            (None, _) => String::new(),
            (Some(_), Some(why)) => why.to_owned(),
            (Some(evidence), None) => evidence.replace('|', "/"),
        }
    }
}
