//! A federation, the runs in it and the faults that hit them.

use std::panic::{self, AssertUnwindSafe};
use std::thread;
use std::time::{Duration, Instant};

use e2e::leftovers;
use e2e::{App, Federation, Maker, PATIENCE, Security};

use crate::diary::{self, Diary};
use crate::inject::Hands;
use crate::kind::Kind;
use crate::proxy::Proxy;
use crate::random::Random;
use crate::report::{self, NODES, ROUNDS, Report};
use crate::state::State;
use crate::totals::Totals;

/// How often it is looked how far a run is.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How often `flwr ls` is asked: it is a process each time.
const ASK_EVERY: Duration = Duration::from_millis(1_500);
/// Longer than the ServerApp waits for a reply: it knows better what is missing.
const STUCK: Duration = Duration::from_secs(360);
/// The time from one fault to the next, in milliseconds.
const PAUSE: std::ops::Range<u64> = 200..1_500;

/// What is played in. Fields end in this order.
#[derive(Debug)]
pub(crate) struct Scene {
    kind: Kind,
    seed: u64,
    random: Random,
    diary: Diary,
    app: App,
    expected: Vec<String>,
    federation: Federation,
    proxy: Option<Proxy>,
    state: State,
}

/// A run that is going on.
#[derive(Debug)]
struct Going {
    id: u64,
    report: Report,
    /// Faults that there were before it.
    before: usize,
    /// What it had told when it last told something new, and when that was.
    told: usize,
    heard: Instant,
    asked: Instant,
}

impl Scene {
    pub(crate) fn start(kind: Kind, seed: u64) -> Self {
        let state = State::new(kind.needs_small_disk());
        let proxy = kind.needs_proxy().then(Proxy::listen);
        let database = state.path().join("link.db").display().to_string();
        let flags = ["--database", &database];
        let mut plan = Federation::plan(Security::TlsAndAuth)
            .nodes(NODES)
            .superlink_flags(&flags);
        if let Some(proxy) = &proxy {
            plan = plan.gateway(proxy.address());
        }
        let federation = plan.start();
        if let Some(proxy) = &proxy {
            proxy.forward_to(federation.fleet());
        }
        let app = federation.app("steady");
        Self {
            kind,
            seed,
            random: Random::new(seed),
            diary: Diary::new(),
            expected: report::expected(&app, seed),
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
        let mut going = self.start_run(totals);
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
            self.disturb(&mut going, faults, totals);
            while !self.is_over(&mut going) {
                thread::sleep(LOOK_EVERY);
            }
            self.check(&going);
        }));
        going.report.count(totals);
        if let Err(cause) = outcome {
            println!("--- the report of run {}", going.id);
            println!("{}", going.report.lines().join("\n"));
            panic::resume_unwind(cause);
        }
    }

    fn start_run(&mut self, totals: &mut Totals) -> Going {
        totals.runs += 1;
        let name = format!("report-{}", totals.runs);
        let report = Report {
            path: self.federation.scratch().path().join(name),
        };
        let config = report::run_config(self.seed, &report.path);
        let id = self.federation.flwr(Maker::Ours).start(&self.app, &config);
        self.diary.note(&format!("run {id} has started"));
        Going {
            id,
            report,
            before: totals.faults,
            told: 0,
            heard: Instant::now(),
            asked: Instant::now(),
        }
    }

    /// Makes faults until there are enough, or the run is over.
    fn disturb(&mut self, going: &mut Going, wanted: usize, totals: &mut Totals) {
        let share = (wanted - totals.faults) as f64 / ROUNDS as f64;
        let rate = share.min(self.kind.most_in_a_round());
        while totals.faults < wanted {
            let pause = self.random.millis(PAUSE);
            let now = totals.faults - going.before;
            if !self.reaches_next(going, pause, (now as f64 / rate).floor()) {
                return;
            }
            let kind = self.kind.next(&mut self.random);
            self.hands(totals).make(kind);
            self.all_must_live();
        }
    }

    /// Waits for a pause, and until so many rounds are done. False if the run ends before.
    fn reaches_next(&mut self, going: &mut Going, pause: Duration, rounds: f64) -> bool {
        let moment = Instant::now() + pause;
        loop {
            if self.is_over(going) {
                return false;
            }
            if going.told as f64 >= rounds && Instant::now() >= moment {
                return true;
            }
            thread::sleep(LOOK_EVERY);
        }
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

    /// Whether the run has ended, well or not.
    fn is_over(&mut self, going: &mut Going) -> bool {
        let told = going.report.rounds();
        if told > going.told {
            going.told = told;
            going.heard = Instant::now();
            self.diary.note(&format!("  round {told} is done"));
        }
        assert!(going.heard.elapsed() < STUCK, "run {} is stuck", going.id);
        if going.asked.elapsed() < ASK_EVERY {
            return false;
        }
        going.asked = Instant::now();
        // A SuperLink whose disk is full may be unable to answer.
        let statuses = self.federation.flwr(Maker::Ours).try_statuses(&self.app);
        statuses.is_ok_and(|all| {
            all.get(&going.id)
                .is_some_and(|status| status.starts_with("finished"))
        })
    }

    /// What must be true of a run that is over.
    fn check(&mut self, going: &Going) {
        let flwr = self.federation.flwr(Maker::Ours);
        assert_eq!(flwr.status(&self.app, going.id), "finished:completed");
        assert_eq!(report::told(&going.report.lines()), self.expected, "report");
        let text = flwr.log(&self.app, going.id).success().text;
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let log = report::told(&lines);
        assert_eq!(log, self.expected, "log");
        self.diary
            .note(&format!("run {} is as it should be", going.id));
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
        println!("--- {} with seed {} failed", self.kind.name(), self.seed);
        self.diary.print();
        let scratch = self.federation.scratch().path();
        for name in self.daemons() {
            diary::print_end_of(&scratch.join(format!("{name}.log")));
        }
        self.state
            .rescue(&self.federation.scratch().folder("state"));
    }

    fn daemons(&self) -> Vec<String> {
        let nodes = (0..NODES).map(|index| format!("node-{index}"));
        [String::from("superlink")]
            .into_iter()
            .chain(nodes)
            .collect()
    }

    /// Stops everything in order; nothing may be left.
    fn stop(self) {
        let scratch = self.federation.scratch().path().to_path_buf();
        for name in self.daemons() {
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
