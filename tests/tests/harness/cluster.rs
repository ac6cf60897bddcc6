//! Several SuperLinks that are one federation: one database, one bucket, and a balancer before their ports.
//! The first is the federation's own SuperLink, the others stand beside it.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use e2e::federation::Beside;
use e2e::{App, Federation, PATIENCE, Process};

use crate::line::Cut;
use crate::proxy::Proxy;

mod ground;

pub(crate) use ground::Ground;

/// How long bytes stay in the bucket that nothing uses any more, and some time to delete them.
const SWEPT: Duration = Duration::from_secs(60 + 60);
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// What the database has of runs, beside their status and log.
const OF_RUNS: [&str; 6] = [
    "instruction",
    "reply",
    "object",
    "awaited",
    "inline",
    "blob",
];

/// The SuperLinks beside the first, and what all of them work with. Fields are dropped in this order.
#[derive(Debug)]
pub(crate) struct Cluster {
    others: Vec<Beside>,
    /// Before the ports for `flwr`.
    control: Proxy,
    pub(crate) ground: Ground,
}

impl Cluster {
    /// Starts so many SuperLinks beside the first, spreads the SuperNodes among all, and has the app reach
    /// any of them.
    pub(crate) fn start(
        ground: Ground,
        others: usize,
        federation: &Federation,
        balancer: &Proxy,
        app: &App,
    ) -> Self {
        let control = Proxy::listen();
        control.forward_to(federation.control());
        app.point_at(federation, control.address());
        let names = (1..=others).map(Self::name);
        let others: Vec<_> = names
            .map(|name| federation.superlink_beside(&name))
            .collect();
        for other in &others {
            balancer.forward_to(other.fleet());
            control.forward_to(other.control());
        }
        for line in balancer.lines() {
            let (reset, after) = (false, 0);
            balancer.cut(&line, Cut { reset, after });
        }
        Self {
            others,
            control,
            ground,
        }
    }

    /// The name of a SuperLink.
    pub(crate) fn name(link: usize) -> String {
        ('a'..).nth(link).map(String::from).unwrap()
    }

    /// How many SuperLinks there are.
    pub(crate) const fn count(&self) -> usize {
        1 + self.others.len()
    }

    /// The process of a SuperLink. The first is the federation's.
    pub(crate) fn process<'a>(
        &'a mut self,
        federation: &'a mut Federation,
        link: usize,
    ) -> &'a mut Process {
        match link.checked_sub(1) {
            None => federation.superlink(),
            Some(other) => &mut self.others[other].process,
        }
    }

    /// Starts a SuperLink again that was killed, as a service manager does.
    pub(crate) fn start_again(&mut self, federation: &mut Federation, link: usize) {
        match link.checked_sub(1) {
            None => federation.restart_superlink(),
            Some(other) => federation.restart_beside(&mut self.others[other]),
        }
    }

    /// Has both balancers send nobody to a SuperLink, until none is left out.
    pub(crate) fn leave_out(&self, federation: &Federation, balancer: &Proxy, link: Option<usize>) {
        let addresses = link.map(|link| match link.checked_sub(1) {
            None => (federation.fleet(), federation.control()),
            Some(other) => (self.others[other].fleet(), self.others[other].control()),
        });
        balancer.leave_out(addresses.map(|(fleet, _)| fleet));
        self.control
            .leave_out(addresses.map(|(_, control)| control));
    }

    /// The names of the others' logs.
    pub(crate) fn logs(&self) -> impl Iterator<Item = String> {
        self.others.iter().map(Beside::log)
    }

    pub(crate) fn all_must_live(&mut self) {
        for other in &mut self.others {
            let ended = other.process.ended();
            let name = other.log();
            assert!(ended.is_none(), "{name} ended by itself: {ended:?}");
        }
    }

    /// Fails if more than one SuperLink has finished the run, or the same one twice. A SuperLink that was
    /// killed may have had no time to say so.
    pub(crate) fn finished_once(&self, federation: &Federation, run: u64) {
        let run = format!("run_id={run} ");
        let names = std::iter::once("superlink".to_owned()).chain(self.logs());
        let logs = names.map(|name| federation.scratch().path().join(format!("{name}.log")));
        let texts = logs.filter_map(|path| fs::read_to_string(path).ok());
        let ends = |text: String| {
            let ends = |line: &&str| line.contains(&run) && line.contains("phase=finished");
            text.lines().filter(ends).count()
        };
        let ends: usize = texts.map(ends).sum();
        assert!(ends <= 1, "{run}was finished {ends} times");
    }

    /// Fails if the database still has something of runs that are over, or if the bucket has bytes that the
    /// database does not know of. Who `waits` sees that the bucket is swept.
    pub(crate) fn nothing_is_left(&self, waits: bool) {
        for table in OF_RUNS {
            let rows = self.ground.ask(&format!("SELECT count(*) FROM {table}"));
            assert_eq!(rows, ["0"], "rows of finished runs in table {table}");
        }
        let patience = if waits { SWEPT } else { PATIENCE };
        let deadline = Instant::now() + patience;
        loop {
            let left = self.ground.left(waits);
            if left.is_empty() {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{} names in the bucket, and nothing uses them: {left:?}",
                left.len()
            );
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Stops all but the first, and compares database and bucket in full.
    pub(crate) fn stop(&mut self, federation: &Federation) {
        for other in &mut self.others {
            other.process.stop();
        }
        let checked = federation.check_state().success();
        checked.must_say(&["everything is there and whole"]);
    }
}
