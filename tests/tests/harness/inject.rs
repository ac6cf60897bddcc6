//! The faults themselves.

use std::ops::Range;
use std::thread;
use std::time::Duration;

use e2e::{Federation, Maker, keys};
use rustix::process::Signal;

use crate::clock::Clock;
use crate::cluster::Cluster;
use crate::event_log::EventLog;
use crate::installed::Installed;
use crate::kind::Kind;
use crate::line::Cut;
use crate::proxy::{Proxy, Way};
use crate::random::Random;
use crate::state::{Harm, State};
use crate::totals::Totals;

mod several;

/// Longer than the lease of a node, and than that of a ServerApp.
const FREEZE: Duration = Duration::from_secs(70);
/// Seconds by which a clock is set: by NTP, by a person, by a suspended machine.
const STEPS: [i64; 4] = [45, -45, 600, -600];
/// Whose program is replaced, a SuperNode's or the SuperLink's, and whether it becomes ours.
const SWAPS: [(Option<usize>, bool); 7] = [
    (None, true),
    (Some(0), true),
    (None, false),
    (Some(1), true),
    (None, true),
    (Some(2), true),
    (Some(3), true),
];
/// How long one of several SuperLinks stands still, in milliseconds: shorter than the patience of those who
/// wait for it, and longer than it is waited for its death.
const STUTTER: Range<u64> = 500..9_000;
const PAUSE: u64 = 120_000;
/// The list of keys, in the folder of the federation.
const LIST: &str = "keys/list.csv";

/// What faults are made with.
#[derive(Debug)]
pub(crate) struct Hands<'a> {
    pub(crate) federation: &'a mut Federation,
    pub(crate) proxy: Option<&'a Proxy>,
    pub(crate) cluster: Option<&'a mut Cluster>,
    pub(crate) state: &'a State,
    pub(crate) clock: Option<&'a Clock>,
    pub(crate) installed: Option<&'a Installed>,
    pub(crate) random: &'a mut Random,
    pub(crate) event_log: &'a mut EventLog,
    pub(crate) totals: &'a mut Totals,
}

impl Hands<'_> {
    /// Makes one fault, to its end.
    pub(crate) fn make(&mut self, kind: Kind) {
        match kind {
            Kind::Superlink => self.kill_superlink(),
            Kind::Supernode => self.kill_supernode(),
            Kind::Both => self.kill_both(),
            Kind::Cut => self.cut(),
            Kind::Stall => self.stall(),
            Kind::Disk => self.fill(),
            Kind::Restart => self.restart(),
            Kind::Freeze => self.freeze(),
            Kind::Clock => self.set_clock(),
            Kind::List => self.leave_out(),
            Kind::Damage => self.damage(),
            Kind::Print => self.fill(),
            Kind::Releases if self.random.once_in(3) => self.kill_superlink(),
            Kind::Releases => self.kill_supernode(),
            Kind::Upgrade => self.swap(),
            Kind::OneOfThree => self.kill_some_link(),
            Kind::AllInTurn => self.kill_all_links(),
            Kind::Stutter => self.pause_some_link(STUTTER),
            Kind::Pause => self.pause_some_idle_link(PAUSE),
            Kind::Postgres => self.disturb_database(),
            Kind::Failover => self.fail_over(),
            Kind::ListenCut => self.cut_listeners(),
            Kind::S3 => self.disturb_bucket(),
            Kind::Mixed | Kind::MixedOfThree => unreachable!("one of the others was chosen"),
        }
        self.totals.faults += 1;
    }

    fn kill_superlink(&mut self) {
        self.event_log.note("SIGKILL to the SuperLink");
        self.federation.superlink().kill();
        self.federation.restart_superlink();
        self.event_log.note("  it listens again");
        self.totals.kills += 1;
    }

    fn kill_supernode(&mut self) {
        let node = self.some_node();
        self.event_log.note(&format!("SIGKILL to node {node}"));
        self.federation.node(node).kill();
        self.federation.restart_node(node);
        self.totals.kills += 1;
        self.totals.node_kills += 1;
    }

    fn kill_both(&mut self) {
        let node = self.some_node();
        let note = format!("SIGKILL to the SuperLink and to node {node}");
        self.event_log.note(&note);
        self.federation.superlink().kill();
        self.federation.node(node).kill();
        // Either may be back first.
        if self.random.once_in(2) {
            self.federation.restart_node(node);
            self.federation.restart_superlink();
        } else {
            self.federation.restart_superlink();
            self.federation.restart_node(node);
        }
        self.event_log.note("  the SuperLink listens again");
        self.totals.kills += 2;
        self.totals.node_kills += 1;
    }

    fn cut(&mut self) {
        let proxy = self.proxy.expect("a proxy");
        let mut lines = proxy.lines();
        // One connection mostly, sometimes all at once.
        if !self.random.once_in(4) && !lines.is_empty() {
            let count = u64::try_from(lines.len()).unwrap();
            let chosen = usize::try_from(self.random.number(0..count)).unwrap();
            lines = vec![lines.swap_remove(chosen)];
        }
        let reset = self.random.once_in(2);
        // Where a message is carried at all: small ones have some KB, large ones 320.
        let after = match self.random.number(0..4) {
            0 => 0,
            1 => self.random.number(1..400),
            2 => self.random.number(1..8_000),
            _ => self.random.number(1..200_000),
        };
        let cut = Cut {
            reset,
            after: usize::try_from(after).unwrap(),
        };
        let count = lines.len();
        let note = format!("cut of {count} connections, {cut:?}");
        self.event_log.note(&note);
        for line in lines {
            proxy.cut(&line, cut);
        }
        self.totals.cuts += 1;
    }

    fn stall(&mut self) {
        let ways: &[Way] =
            self.random
                .of(&[&[Way::Up] as &[Way], &[Way::Down], &[Way::Up, Way::Down]]);
        // Mostly short, at times longer than most patience on the way.
        let time = match self.random.number(0..4) {
            0 | 1 => self.random.millis(100..1_000),
            2 => self.random.millis(1_000..3_000),
            _ => self.random.millis(3_000..7_000),
        };
        self.event_log
            .note(&format!("stall of {ways:?} for {time:?}"));
        let stall = self.proxy.expect("a proxy").stall(ways);
        thread::sleep(time);
        self.totals.stalls += 1;
        if self.random.once_in(4) {
            self.cut();
        }
        drop(stall);
    }

    fn fill(&mut self) {
        let time = self.random.millis(1_000..3_000);
        self.event_log.note(&format!("no space for {time:?}"));
        let filler = self.state.fill();
        thread::sleep(time);
        drop(filler);
        self.event_log.note("  space again");
        self.totals.fills += 1;
    }

    fn restart(&mut self) {
        let node = self.some_node();
        self.event_log.note(&format!("orderly stop of node {node}"));
        self.federation.node(node).stop();
        self.federation.restart_node(node);
        self.event_log.note("  it is started again");
    }

    /// Replaces the program of one daemon. The SuperLink goes forward, back and forward again, and
    /// between these the SuperNodes go forward one by one. The next turn goes back in the same way.
    fn swap(&mut self) {
        let (turn, step) = (
            self.totals.faults / SWAPS.len(),
            self.totals.faults % SWAPS.len(),
        );
        let (daemon, goes_forward) = SWAPS[step];
        let maker = match goes_forward == (turn % 2 == 0) {
            true => Maker::Ours,
            false => Maker::Earlier,
        };
        let name = daemon.map_or("superlink".to_owned(), |node| format!("node-{node}"));
        if let Some(installed) = self.installed {
            installed.install(&name, maker);
        }
        match daemon {
            None => {
                self.event_log
                    .note(&format!("the SuperLink is {maker:?} from now on"));
                self.federation.superlink().kill();
                self.federation.replace_superlink(maker);
                self.totals.kills += 1;
            }
            Some(node) => {
                self.event_log
                    .note(&format!("node {node} is {maker:?} from now on"));
                self.federation.replace_node(node, maker);
            }
        }
        if let Some(installed) = self.installed {
            let process = match daemon {
                None => self.federation.superlink(),
                Some(node) => self.federation.node(node),
            };
            installed.must_run(&name, process.id());
        }
        self.event_log.note("  it is started");
    }

    fn freeze(&mut self) {
        self.event_log
            .note(&format!("the SuperLink stands still for {FREEZE:?}"));
        self.federation.superlink().signal(Signal::STOP);
        thread::sleep(FREEZE);
        self.federation.superlink().signal(Signal::CONT);
        self.event_log.note("  it goes on");
    }

    fn set_clock(&mut self) {
        let clock = self.clock.expect("a clock");
        let seconds = self.random.of(&STEPS);
        let time = self.random.millis(2_000..5_000);
        let note = format!("the SuperLink's clock is set by {seconds} s for {time:?}");
        self.event_log.note(&note);
        clock.set(seconds);
        thread::sleep(time);
        clock.set(0);
        self.event_log.note("  it goes right again");
    }

    fn leave_out(&mut self) {
        let node = self.some_node();
        let time = self.random.millis(5_000..15_000);
        let note = format!("node {node} is not on the list for {time:?}");
        self.event_log.note(&note);
        let list = self.federation.scratch().path().join(LIST);
        let all = self.federation.keys();
        let others = all.iter().enumerate().filter(|(index, _)| *index != node);
        let others: Vec<_> = others.map(|(_, key)| key).collect();
        keys::write_list(&list, others);
        thread::sleep(time);
        keys::write_list(&list, all);
        self.event_log.note("  it is on the list again");
    }

    fn damage(&mut self) {
        let how = self.random.of(&[Harm::Flip, Harm::Cut, Harm::Loss]);
        match self.state.damage(how, self.random) {
            Some(path) => self
                .event_log
                .note(&format!("{how:?} of {}", path.display())),
            None => self.event_log.note("no object to damage"),
        }
    }

    fn some_node(&mut self) -> usize {
        let count = u64::try_from(self.federation.count()).unwrap();
        usize::try_from(self.random.number(0..count)).unwrap()
    }
}
