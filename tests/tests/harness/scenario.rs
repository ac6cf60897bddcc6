//! A federation, the runs in it and the faults that hit them.

use std::ops::Range;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use e2e::{App, Federation, Isolation, PATIENCE, Plan, Security, leftovers};

use crate::clock::Clock;
use crate::cluster::{Cluster, Ground};
use crate::event_log::{self, EventLog};
use crate::inject::Hands;
use crate::installed::Installed;
use crate::kind::Kind;
use crate::proxy::Proxy;
use crate::random::Random;
use crate::report::{self, Task};
use crate::run_in_progress::{Found, RunInProgress};
use crate::settings::Settings;
use crate::state::State;
use crate::totals::Totals;

/// SuperNodes in the federation.
pub(crate) const NODES: usize = 4;
/// How often it is looked how far a run is.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The time from one fault to the next, in milliseconds.
const PAUSE: Range<u64> = 200..1_500;

/// One scenario. Fields are dropped in this order.
#[derive(Debug)]
pub(crate) struct Scenario {
    kind: Kind,
    task: Task,
    random: Random,
    event_log: EventLog,
    app: App,
    expected: Vec<String>,
    is_patient: bool,
    federation: Federation,
    proxy: Option<Proxy>,
    cluster: Option<Cluster>,
    clock: Option<Clock>,
    installed: Option<Installed>,
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

impl Scenario {
    pub(crate) fn start(kind: Kind, settings: &Settings) -> Self {
        let seed = settings.seed;
        let state = State::new(kind.needs_small_disk());
        let proxy = kind.needs_proxy().then(Proxy::listen);
        let ground = kind.is_of_three().then(|| Ground::new(kind));
        let mut plan = match &ground {
            None => plan(NODES, state.path(), &[]),
            Some(ground) => ground.plan(),
        };
        plan = plan
            .supernodes(kind.supernodes())
            .superlink(kind.superlink());
        let clock = (kind == Kind::Clock).then(|| Clock::new(state.path()));
        if let Some(clock) = &clock {
            plan = plan.superlink_variables(clock.variables());
        }
        if let Some(proxy) = &proxy {
            plan = plan.gateway(proxy.address());
        }
        let installed = Installed::given().filter(|_| kind == Kind::Upgrade);
        if let Some(installed) = &installed {
            plan = plan.launcher(installed.launcher());
            if installed.has_containers() {
                plan = plan.isolation(Isolation::Process);
            }
        }
        let federation = plan.start();
        if let Some(proxy) = &proxy {
            proxy.forward_to(federation.fleet());
        }
        let app = federation.app("steady");
        let others = settings.superlinks - 1;
        let cluster = ground
            .zip(proxy.as_ref())
            .map(|(ground, balancer)| Cluster::start(ground, others, &federation, balancer, &app));
        let task = Task {
            seed,
            rounds: kind.rounds(),
            nodes: NODES,
            heavy_every: kind.heavy_every(),
            noisy: kind.is_noisy(),
            patience: report::PATIENCE,
        };
        Self {
            kind,
            task,
            random: Random::new(seed),
            event_log: EventLog::new(),
            expected: task.expected(&app),
            is_patient: settings.is_patient,
            app,
            federation,
            proxy,
            cluster,
            clock,
            installed,
            state,
        }
    }

    /// Plays to the end, or prints what is known and fails.
    pub(crate) fn play(mut self, faults: usize, totals: &mut Totals) {
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
            while totals.faults < faults {
                self.run(faults, totals);
            }
            if let Some(cluster) = &self.cluster {
                cluster.nothing_is_left(self.is_patient);
            }
        }));
        if let Err(cause) = outcome {
            self.tell();
            panic::resume_unwind(cause);
        }
        if self.kind == Kind::Upgrade {
            // Which daemon's upgrade the slow rounds had to wait for.
            self.event_log.print();
        }
        self.stop();
    }

    fn run(&mut self, faults: usize, totals: &mut Totals) {
        totals.runs += 1;
        let kills_before = totals.node_kills;
        let name = format!("report-{}", totals.runs);
        let mut running = RunInProgress::start(&self.federation, &self.app, self.task, &name);
        self.event_log
            .note(&format!("run {} has started", running.id));
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
            self.disturb(&mut running, faults, totals);
            while !self.is_over(&mut running) {
                thread::sleep(LOOK_EVERY);
            }
            self.check(&running, totals.node_kills > kills_before);
        }));
        running.report.add_to(totals, NODES);
        running
            .executions
            .add_to(totals, totals.node_kills > kills_before);
        totals.rounds_took.extend(&running.took);
        if let Err(cause) = outcome {
            println!("--- the report of run {}", running.id);
            println!("{}", running.report.lines().join("\n"));
            panic::resume_unwind(cause);
        }
    }

    /// Makes faults until there are enough, or the run is over. They are spread over its rounds.
    fn disturb(&mut self, running: &mut RunInProgress, wanted: usize, totals: &mut Totals) {
        let before = totals.faults;
        let rate = self.kind.in_a_round(wanted - before, self.kind.rounds());
        while totals.faults < wanted {
            let pause = self.random.millis(PAUSE);
            let rounds = (totals.faults - before) / rate;
            if !self.reaches(running, rounds, pause) {
                return;
            }
            let kind = self.kind.next(&mut self.random);
            self.hands(totals).make(kind);
            self.all_must_live();
        }
    }

    /// Waits for a pause, and until so many rounds are done. False if the run ends before.
    fn reaches(&mut self, running: &mut RunInProgress, rounds: usize, pause: Duration) -> bool {
        let moment = Instant::now() + pause;
        while running.rounds < rounds || Instant::now() < moment {
            if self.is_over(running) {
                return false;
            }
            thread::sleep(LOOK_EVERY);
        }
        true
    }

    fn is_over(&mut self, running: &mut RunInProgress) -> bool {
        let found = running.look(&self.federation, &self.app);
        if found == Found::Round {
            self.event_log
                .note(&format!("  round {} is done", running.rounds));
        }
        found == Found::End
    }

    fn hands<'a>(&'a mut self, totals: &'a mut Totals) -> Hands<'a> {
        Hands {
            federation: &mut self.federation,
            proxy: self.proxy.as_ref(),
            cluster: self.cluster.as_mut(),
            state: &self.state,
            clock: self.clock.as_ref(),
            installed: self.installed.as_ref(),
            random: &mut self.random,
            event_log: &mut self.event_log,
            totals,
        }
    }

    /// `killed`: whether a node was killed, with the ClientApps in its hands.
    fn check(&mut self, running: &RunInProgress, killed: bool) {
        let may_fail = self.kind.may_fail_runs();
        running.check(&self.federation, &self.app, &self.expected, may_fail);
        running.executions.check(&running.report, NODES, killed);
        if let Some(cluster) = &self.cluster {
            cluster.finished_once(&self.federation, running.id);
        }
        let note = format!("run {} is as it should be", running.id);
        self.event_log.note(&note);
    }

    fn all_must_live(&mut self) {
        let ended = self.federation.superlink().ended();
        assert!(ended.is_none(), "the SuperLink ended by itself: {ended:?}");
        if let Some(cluster) = &mut self.cluster {
            cluster.all_must_live();
        }
        for index in 0..NODES {
            let ended = self.federation.node(index).ended();
            assert!(ended.is_none(), "node {index} ended by itself: {ended:?}");
        }
    }

    /// Prints all that may help to understand a failure.
    fn tell(&self) {
        let kind = self.kind.name();
        println!("--- {kind} with seed {} failed", self.task.seed);
        self.event_log.print();
        let scratch = self.federation.scratch();
        for name in self.daemons() {
            event_log::print_end_of(&scratch.path().join(format!("{name}.log")));
        }
        self.state.rescue(&scratch.folder("state"));
    }

    /// Stops everything in order; nothing may be left.
    fn stop(mut self) {
        let scratch = self.federation.scratch().path().to_path_buf();
        for name in self.daemons() {
            event_log::print_errors_in(&name, &scratch.join(format!("{name}.log")));
        }
        self.federation.stop_all();
        if let Some(cluster) = &mut self.cluster {
            cluster.stop(&self.federation);
        }
        let deadline = Instant::now() + PATIENCE;
        while let left @ [_, ..] = leftovers::of(&scratch).as_slice() {
            assert!(Instant::now() < deadline, "still there: {left:?}");
            thread::sleep(LOOK_EVERY);
        }
    }

    /// The daemons by the names of their logs.
    fn daemons(&self) -> Vec<String> {
        let nodes = (0..NODES).map(|index| format!("node-{index}"));
        let others = self.cluster.iter().flat_map(Cluster::logs);
        [String::from("superlink")]
            .into_iter()
            .chain(others)
            .chain(nodes)
            .collect()
    }
}
