//! What SuperLinks tell each other to look at again, and how that is written into a NOTIFY.
//!
//! `LINK;n:ID,ID;k:ID;r:ID;l:ID;p;!NUMBER`: who tells, then nodes that have something to take, nodes whose
//! rows changed, runs, logs of runs, that a run waits for its ServerApp, and a sign of life. Numbers have
//! base 36. `n:*` and `k:*` stand for many nodes.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use flwr_core::id::{NodeId, RunId};

use crate::link::wake::Topic;

/// Bytes of a payload at most. PostgreSQL takes less than 8,000.
const LIMIT: usize = 7_900;
/// Nodes that are named at most in each of two lists. Of more, each SuperLink looks for itself.
const NODES: usize = 200;
/// Runs that are named at most in each of two lists.
const RUNS: usize = 75;
/// The longest number has 13 digits; a separator follows.
const LONGEST: usize = 14;

const _: () = assert!(LONGEST * (2 * NODES + 2 * RUNS + 5) <= LIMIT);

/// Topics that are to be told, without repetition.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct News {
    nodes: BTreeSet<NodeId>,
    changed: BTreeSet<NodeId>,
    runs: BTreeSet<RunId>,
    logs: BTreeSet<RunId>,
    is_pending: bool,
    sign: Option<u64>,
}

/// What another SuperLink, or this one, has told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Heard {
    /// Who told.
    pub(super) link: u64,
    pub(super) topics: Vec<Topic>,
    /// Any node may have something to take.
    pub(super) any_node: bool,
    /// Nodes whose rows are others now.
    pub(super) changed: Vec<NodeId>,
    /// The row of any node may be another.
    pub(super) any_changed: bool,
    /// The number of a sign of life.
    pub(super) sign: Option<u64>,
}

impl News {
    /// Takes in what changed.
    pub(super) fn add(&mut self, topics: &[Topic]) {
        for topic in topics {
            match *topic {
                Topic::Node(node) => drop(self.nodes.insert(node)),
                // A name takes too much room: the others look at all replies of the run.
                Topic::Run(run) | Topic::Reply(run, _) => drop(self.runs.insert(run)),
                Topic::Log(run) => drop(self.logs.insert(run)),
                Topic::Pending => self.is_pending = true,
            }
        }
    }

    /// Takes in that the row of a node changed.
    pub(super) fn add_changed(&mut self, node: NodeId) {
        self.changed.insert(node);
    }

    /// Asks for a sign of life.
    pub(super) fn give_sign(&mut self, number: u64) {
        self.sign = Some(number);
    }

    /// Whether there is nothing to tell.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Takes as much out as fits into one NOTIFY.
    pub(super) fn take(&mut self, link: u64) -> String {
        let mut payload = base_36(link);
        for (name, nodes) in [('n', &mut self.nodes), ('k', &mut self.changed)] {
            let nodes = std::mem::take(nodes);
            match nodes.len() {
                0 => {}
                1..=NODES => list(&mut payload, name, nodes.into_iter().map(u64::from)),
                _ => payload.extend([';', name, ':', '*']),
            }
        }
        for (name, runs) in [('r', &mut self.runs), ('l', &mut self.logs)] {
            let later = runs.iter().nth(RUNS).copied();
            let later = later
                .map(|first| runs.split_off(&first))
                .unwrap_or_default();
            let now = std::mem::replace(runs, later);
            list(&mut payload, name, now.into_iter().map(u64::from));
        }
        if std::mem::take(&mut self.is_pending) {
            payload.push_str(";p");
        }
        if let Some(number) = self.sign.take() {
            // Writing to a string does not fail.
            let _ = write!(payload, ";!{}", base_36(number));
        }
        payload
    }
}

impl Heard {
    /// Reads a payload. `None`: it is of no SuperLink.
    pub(super) fn parse(payload: &str) -> Option<Self> {
        let mut parts = payload.split(';');
        let mut heard = Self {
            link: number(parts.next()?)?,
            topics: Vec::new(),
            any_node: false,
            changed: Vec::new(),
            any_changed: false,
            sign: None,
        };
        for part in parts {
            match part.split_once(':') {
                Some(("n", "*")) => heard.any_node = true,
                Some(("n", ids)) => heard.read(ids, |id| Topic::Node(NodeId(id)))?,
                Some(("k", "*")) => heard.any_changed = true,
                Some(("k", ids)) => {
                    for id in ids.split(',') {
                        heard.changed.push(NodeId(number(id)?));
                    }
                }
                Some(("r", ids)) => heard.read(ids, |id| Topic::Run(RunId(id)))?,
                Some(("l", ids)) => heard.read(ids, |id| Topic::Log(RunId(id)))?,
                None if part == "p" => heard.topics.push(Topic::Pending),
                None if part.starts_with('!') => heard.sign = Some(number(&part[1..])?),
                // A newer SuperLink tells more.
                _ => {}
            }
        }
        Some(heard)
    }

    fn read(&mut self, ids: &str, topic: impl Fn(u64) -> Topic) -> Option<()> {
        for id in ids.split(',') {
            self.topics.push(topic(number(id)?));
        }
        Some(())
    }
}

fn list(payload: &mut String, name: char, ids: impl ExactSizeIterator<Item = u64>) {
    for (place, id) in ids.enumerate() {
        match place {
            0 => payload.extend([';', name, ':']),
            _ => payload.push(','),
        }
        payload.push_str(&base_36(id));
    }
}

fn base_36(mut number: u64) -> String {
    let mut digits = Vec::new();
    loop {
        let digit = u32::try_from(number % 36).unwrap_or_default();
        digits.extend(char::from_digit(digit, 36));
        number /= 36;
        if number == 0 {
            return digits.into_iter().rev().collect();
        }
    }
}

fn number(text: &str) -> Option<u64> {
    // A sign is no digit, though Rust reads a plus.
    let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_plain
        .then(|| u64::from_str_radix(text, 36).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use flwr_core::message::MessageId;
    use proptest::prelude::*;

    use super::*;

    fn news(topics: &[Topic]) -> News {
        let mut news = News::default();
        news.add(topics);
        news
    }

    #[test]
    fn news_are_written_in_few_bytes_and_read_again() {
        let mut told = news(&[
            Topic::Node(NodeId(36)),
            Topic::Node(NodeId(u64::MAX)),
            Topic::Node(NodeId(36)),
            Topic::Reply(RunId(7), MessageId::of(b"a")),
            Topic::Run(RunId(7)),
            Topic::Log(RunId(7)),
            Topic::Pending,
        ]);
        told.give_sign(1);
        let payload = told.take(35);
        assert_eq!(payload, "z;n:10,3w5e11264sgsf;r:7;l:7;p;!1");
        assert!(told.is_empty());
        let heard = Heard::parse(&payload).unwrap();
        let topics = [
            Topic::Node(NodeId(36)),
            Topic::Node(NodeId(u64::MAX)),
            Topic::Run(RunId(7)),
            Topic::Log(RunId(7)),
            Topic::Pending,
        ];
        assert_eq!(
            (heard.link, heard.sign, heard.any_node),
            (35, Some(1), false)
        );
        assert_eq!(heard.topics, topics);
    }

    #[test]
    fn many_nodes_are_told_without_names_and_many_runs_later() {
        let largest = |number| u64::MAX - number;
        let nodes = (0..401).map(|number| Topic::Node(NodeId(largest(number))));
        let payload = news(&nodes.collect::<Vec<_>>()).take(1);
        assert_eq!(payload, "1;n:*");
        assert!(Heard::parse(&payload).unwrap().any_node);
        let runs = (0..150).flat_map(|number| {
            let run = RunId(largest(number));
            [
                Topic::Run(run),
                Topic::Log(run),
                Topic::Node(NodeId(largest(number))),
            ]
        });
        let mut all: Vec<_> = runs.collect();
        all.extend((150..200).map(|number| Topic::Node(NodeId(largest(number)))));
        let mut told = news(&all);
        let changed: Vec<_> = (0..200)
            .rev()
            .map(|number| NodeId(largest(number)))
            .collect();
        for node in &changed {
            told.add_changed(*node);
        }
        let mut heard = BTreeSet::new();
        let mut heard_changed = Vec::new();
        let mut payloads = 0;
        while !told.is_empty() {
            let payload = told.take(u64::MAX);
            assert!(payload.len() <= LIMIT, "{}", payload.len());
            let read = Heard::parse(&payload).unwrap();
            heard.extend(read.topics.iter().map(|topic| format!("{topic:?}")));
            heard_changed.extend(read.changed);
            payloads += 1;
        }
        assert_eq!(payloads, 2);
        assert_eq!(heard.len(), all.len());
        assert_eq!(heard_changed, changed);
        told.add_changed(NodeId(0));
        for node in changed {
            told.add_changed(node);
        }
        let payload = told.take(1);
        assert_eq!(payload, "1;k:*");
        assert!(Heard::parse(&payload).unwrap().any_changed);
    }

    #[test]
    fn words_of_others_are_no_news_and_unknown_words_of_a_newer_superlink_are_skipped() {
        for payload in [
            "", ";", "+1;p", "z z", "1;n:", "1;n:1,,2", "1;r:-1", "1;!", "1;!+1",
        ] {
            assert_eq!(Heard::parse(payload), None, "{payload}");
        }
        let heard = Heard::parse("1;x:5;p;y").unwrap();
        assert_eq!(heard.topics, [Topic::Pending]);
    }

    proptest! {
        #[test]
        fn whatever_is_notified_is_read_without_a_panic(payload in "[0-9a-z:;,*!+é-]{0,40}") {
            let _ = Heard::parse(&payload);
        }

        #[test]
        fn each_number_is_read_as_it_was_written(value in any::<u64>()) {
            prop_assert_eq!(number(&base_36(value)), Some(value));
        }
    }
}
