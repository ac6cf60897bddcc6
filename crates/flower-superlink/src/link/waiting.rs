//! ServerApps that seem to wait for nodes: they ask which nodes are online again and again, send
//! no message and ask for no reply. How many nodes an app wants, only the app knows.

use std::collections::HashMap;
use std::fmt;

use flwr_core::id::RunId;
use flwr_core::time::Timestamp;
use parking_lot::Mutex;
use tracing::error;

use super::Link;
use super::state::own_line;

/// Seconds after which an app is said to wait. Apps of Flower look for nodes every 1 to 3 s.
const PATIENCE: f64 = 60.0;
/// Seconds after which an app that does not ask any more does something else.
const QUIET: f64 = 30.0;
/// Seconds between two lines in the log of a run.
const REPEAT: f64 = 600.0;

/// The ServerApps that ask for nodes.
#[derive(Debug, Default)]
pub(super) struct Waiting(Mutex<HashMap<RunId, Asks>>);

/// How a ServerApp has asked for nodes.
#[derive(Debug, Clone, Copy)]
struct Asks {
    /// Since it last sent a message or asked for a reply; `None`: not since then.
    first: Option<Timestamp>,
    last: Timestamp,
    online: usize,
    /// When the log of the run was last written to, and the number of nodes that still stands there.
    told: Option<(Timestamp, Option<usize>)>,
}

/// What a run waits for, as far as a SuperLink can know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waits {
    /// The nodes that are online.
    pub online: usize,
}

impl fmt::Display for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "waits for nodes: {} online", self.online)
    }
}

impl Asks {
    fn waits(&self, now: Timestamp) -> Option<Waits> {
        let online = self.online;
        let waits = self.last.since(self.first?) >= PATIENCE && now.since(self.last) < QUIET;
        waits.then_some(Waits { online })
    }

    /// Whether the log of the run is to say it (again).
    fn is_news(&self, now: Timestamp) -> bool {
        self.told
            .is_none_or(|(at, online)| online != Some(self.online) && now.since(at) >= REPEAT)
    }
}

impl Waiting {
    /// The ServerApp asks for nodes, and is told how many are online.
    pub(super) fn asked(&self, run: RunId, online: usize, now: Timestamp) {
        let mut runs = self.0.lock();
        let asks = runs.entry(run).or_insert(Asks {
            first: None,
            last: now,
            online,
            told: None,
        });
        if asks.first.is_none() || now.since(asks.last) >= QUIET {
            asks.first = Some(now);
        }
        (asks.last, asks.online) = (now, online);
    }

    /// The ServerApp sends a message or asks for a reply: it does not wait for nodes.
    pub(super) fn goes_on(&self, run: RunId) {
        if let Some(asks) = self.0.lock().get_mut(&run) {
            asks.first = None;
            asks.told = asks.told.map(|(at, _)| (at, None));
        }
    }

    /// The run is over.
    pub(super) fn forget(&self, run: RunId) {
        self.0.lock().remove(&run);
    }

    fn waits(&self, run: RunId, now: Timestamp) -> Option<Waits> {
        self.0.lock().get(&run)?.waits(now)
    }

    /// The runs whose log is to say that they wait; it counts as said.
    fn news(&self, now: Timestamp) -> Vec<(RunId, Waits)> {
        let mut news = Vec::new();
        let mut runs = self.0.lock();
        // Also an app that asked while its run ended.
        runs.retain(|_, asks| now.since(asks.last) < REPEAT);
        for (run, asks) in runs.iter_mut() {
            if let Some(waits) = asks.waits(now).filter(|_| asks.is_news(now)) {
                asks.told = Some((now, Some(waits.online)));
                news.push((*run, waits));
            }
        }
        news
    }
}

impl Link {
    /// What the run seems to wait for.
    #[must_use]
    pub fn waits(&self, run: RunId) -> Option<Waits> {
        self.waiting.waits(run, self.now())
    }

    /// Says in the logs of the runs that wait for nodes that they do.
    pub(super) async fn tell_waiting(&self) {
        for (run, Waits { online }) in self.waiting.news(self.now()) {
            let nodes = match online {
                0 => "no SuperNode is".to_owned(),
                1 => "1 SuperNode is".to_owned(),
                more => format!("{more} SuperNodes are"),
            };
            let line = format!(
                "The ServerApp has asked for nodes for {PATIENCE} s and sent no message: \
                 {nodes} online. If the app needs more, it waits until they are there \
                 (`flwr supernode list` shows them)."
            );
            if let Err(error) = self.push_log(run, own_line(line)).await {
                let error = &error as &dyn std::error::Error;
                error!(run_id = %run, error, "the log of a run that waits for nodes was not written");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: RunId = RunId(7);

    fn at(seconds: f64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    /// Asks every 3 s, as Flower's client manager does.
    fn ask(waiting: &Waiting, seconds: std::ops::Range<u32>, online: usize) {
        for second in seconds.step_by(3) {
            waiting.asked(RUN, online, at(second.into()));
        }
    }

    #[test]
    fn an_app_that_only_asks_for_nodes_waits_after_a_minute() {
        let waiting = Waiting::default();
        ask(&waiting, 0..58, 1);
        assert_eq!(waiting.waits(RUN, at(58.0)), None);
        ask(&waiting, 60..64, 1);
        assert_eq!(waiting.waits(RUN, at(64.0)), Some(Waits { online: 1 }));
        // It has stopped to ask.
        assert_eq!(waiting.waits(RUN, at(94.0)), None);
        // It begins again, and is given another minute.
        ask(&waiting, 100..110, 1);
        assert_eq!(waiting.waits(RUN, at(110.0)), None);
        ask(&waiting, 110..170, 1);
        assert_eq!(waiting.waits(RUN, at(170.0)), Some(Waits { online: 1 }));
        waiting.goes_on(RUN);
        assert_eq!(waiting.waits(RUN, at(170.0)), None);
        ask(&waiting, 170..220, 1);
        assert_eq!(waiting.waits(RUN, at(220.0)), None);
    }

    #[test]
    fn the_log_says_it_once_and_again_when_the_number_has_changed() {
        let waiting = Waiting::default();
        ask(&waiting, 0..70, 1);
        assert_eq!(waiting.news(at(70.0)), [(RUN, Waits { online: 1 })]);
        assert_eq!(waiting.news(at(71.0)), []);
        ask(&waiting, 70..100, 2);
        assert_eq!(waiting.news(at(100.0)), [], "not that often");
        ask(&waiting, 100..700, 2);
        assert_eq!(waiting.news(at(700.0)), [(RUN, Waits { online: 2 })]);
        ask(&waiting, 700..2000, 2);
        assert_eq!(waiting.news(at(2000.0)), [], "nothing has changed");
        // It went on, and waits again: not sooner than ten minutes after the last line.
        waiting.goes_on(RUN);
        ask(&waiting, 2000..2100, 2);
        assert_eq!(waiting.news(at(2100.0)), [(RUN, Waits { online: 2 })]);
        waiting.goes_on(RUN);
        ask(&waiting, 2100..2200, 2);
        assert_eq!(waiting.news(at(2200.0)), [], "not that often");
        // Nobody asks any more, and nothing is kept.
        assert_eq!(waiting.news(at(3000.0)), []);
        assert!(waiting.0.lock().is_empty());
    }
}
