//! A federation, the runs in it and the faults that hit them.

use std::ops::Range;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use e2e::{App, Federation, PATIENCE, Plan, Security, leftovers};

use crate::diary::{self, Diary};
use crate::going::{Found, Going};
use crate::inject::Hands;
use crate::kind::Kind;
use crate::proxy::Proxy;
use crate::random::Random;
use crate::report::Task;
use crate::state::State;
use crate::totals::Totals;

/// SuperNodes in the federation, and rounds in a run.
const NODES: usize = 4;
const ROUNDS: usize = 20;
/// How often it is looked how far a run is.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The time from one fault to the next, in milliseconds.
const PAUSE: Range<u64> = 200..1_500;

/// What is played in. Fields end in this order.
#[derive(Debug)]
pub(crate) struct Scene {
    kind: Kind,
    task: Task,
    random: Random,
    diary: Diary,
    app: App,
    expected: Vec<String>,
    federation: Federation,
    proxy: Option<Proxy>,
    state: State,
}

/// A federation with TLS and authentication whose SuperLink keeps what it has in `state`.
pub(crate) fn plan(nodes: usize, state: &Path, further: &[&str]) -> Plan {
    let database = state.join("link.db").display().to_string();
    let keeping = ["--database", &database];
    Federation::plan(Security::TlsAndAuth)
        .nodes(nodes)
        .superlink_flags(&[&keeping, further].concat())
}

impl Scene {
    pub(crate) fn start(kind: Kind, seed: u64) -> Self {
        let state = State::new(kind.needs_small_disk());
        let proxy = kind.needs_proxy().then(Proxy::listen);
        let mut plan = plan(NODES, state.path(), &[]);
        if let Some(proxy) = &proxy {
            plan = plan.gateway(proxy.address());
        }
        let federation = plan.start();
        if let Some(proxy) = &proxy {
            proxy.forward_to(federation.fleet());
        }
        let app = federation.app("steady");
        let task = Task {
            seed,
            rounds: ROUNDS,
            nodes: NODES,
        };
        Self {
            kind,
            task,
            random: Random::new(seed),
            diary: Diary::new(),
            expected: task.expected(&app),
            app,
            federation,
            proxy,
            state,
        }
    }

    /// Plays to the end, or prints what is known and fails.
    pub(crate) fn play(mut self, faults: usize, totals: &mut Totals) {
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
            while totals.faults < faults {
                self.run(faults, totals);
            }
        }));
        if let Err(cause) = outcome {
            self.tell();
            panic::resume_unwind(cause);
        }
        self.stop();
    }

    fn run(&mut self, faults: usize, totals: &mut Totals) {
        totals.runs += 1;
        let name = format!("report-{}", totals.runs);
        let mut going = Going::start(&self.federation, &self.app, self.task, &name);
        self.diary.note(&format!("run {} has started", going.id));
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
            self.disturb(&mut going, faults, totals);
            while !self.is_over(&mut going) {
                thread::sleep(LOOK_EVERY);
            }
            self.check(&going);
        }));
        going.report.add_to(totals, NODES);
        totals.slowest = totals.slowest.max(going.slowest);
        if let Err(cause) = outcome {
            println!("--- the report of run {}", going.id);
            println!("{}", going.report.lines().join("\n"));
            panic::resume_unwind(cause);
        }
    }

    /// Makes faults until there are enough, or the run is over. They are spread over its rounds.
    fn disturb(&mut self, going: &mut Going, wanted: usize, totals: &mut Totals) {
        let before = totals.faults;
        let rate = self.kind.in_a_round(wanted - before, ROUNDS);
        while totals.faults < wanted {
            let pause = self.random.millis(PAUSE);
            let rounds = (totals.faults - before) / rate;
            if !self.reaches(going, rounds, pause) {
                return;
            }
            let kind = self.kind.next(&mut self.random);
            self.hands(totals).make(kind);
            self.all_must_live();
        }
    }

    /// Waits for a pause, and until so many rounds are done. False if the run ends before.
    fn reaches(&mut self, going: &mut Going, rounds: usize, pause: Duration) -> bool {
        let moment = Instant::now() + pause;
        while going.rounds < rounds || Instant::now() < moment {
            if self.is_over(going) {
                return false;
            }
            thread::sleep(LOOK_EVERY);
        }
        true
    }

    fn is_over(&mut self, going: &mut Going) -> bool {
        let found = going.look(&self.federation, &self.app);
        if found == Found::Round {
            self.diary
                .note(&format!("  round {} is done", going.rounds));
        }
        found == Found::End
    }

    fn hands<'a>(&'a mut self, totals: &'a mut Totals) -> Hands<'a> {
        Hands {
            federation: &mut self.federation,
            proxy: self.proxy.as_ref(),
            state: &self.state,
            random: &mut self.random,
            diary: &mut self.diary,
            totals,
        }
    }

    fn check(&mut self, going: &Going) {
        going.check(&self.federation, &self.app, &self.expected);
        let note = format!("run {} is as it should be", going.id);
        self.diary.note(&note);
    }

    fn all_must_live(&mut self) {
        let ended = self.federation.superlink().ended();
        assert!(ended.is_none(), "the SuperLink ended by itself: {ended:?}");
        for index in 0..NODES {
            let ended = self.federation.node(index).ended();
            assert!(ended.is_none(), "node {index} ended by itself: {ended:?}");
        }
    }

    /// Prints all that may help to understand a failure.
    fn tell(&self) {
        let kind = self.kind.name();
        println!("--- {kind} with seed {} failed", self.task.seed);
        self.diary.print();
        let scratch = self.federation.scratch();
        for name in daemons() {
            diary::print_end_of(&scratch.path().join(format!("{name}.log")));
        }
        self.state.rescue(&scratch.folder("state"));
    }

    /// Stops everything in order; nothing may be left.
    fn stop(self) {
        let scratch = self.federation.scratch().path().to_path_buf();
        for name in daemons() {
            diary::print_errors_in(&name, &scratch.join(format!("{name}.log")));
        }
        self.federation.stop();
        let deadline = Instant::now() + PATIENCE;
        while let left @ [_, ..] = leftovers::of(&scratch).as_slice() {
            assert!(Instant::now() < deadline, "still there: {left:?}");
            thread::sleep(LOOK_EVERY);
        }
    }
}

/// The daemons by the names of their logs.
fn daemons() -> Vec<String> {
    let nodes = (0..NODES).map(|index| format!("node-{index}"));
    [String::from("superlink")]
        .into_iter()
        .chain(nodes)
        .collect()
}
