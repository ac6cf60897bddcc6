//! SuperNodes that are upgraded, one after the other, while rounds go on.

use std::thread;
use std::time::Duration;

use e2e::{App, Federation, Maker, Release};

use crate::kind::Kind;
use crate::report::{self, Task};
use crate::run_in_progress::{Found, RunInProgress};
use crate::scenario;
use crate::state::State;
use crate::totals::Totals;

/// The SuperNodes at the beginning: one of each wire, and ours.
const NODES: [Maker; 6] = [
    Maker::Pip(Release::V1_20),
    Maker::Pip(Release::V1_26),
    Maker::Pip(Release::V1_31),
    Maker::Pip(Release::V1_36),
    Maker::Pip(Release::V1_41),
    Maker::Ours,
];
/// Rounds before the first upgrade, between two, and after the last.
const PAUSE: usize = 2;
/// Seconds that a round may take. The app processes of flwr 1.36 and later take tens of seconds to begin on
/// a busy machine. pip's SuperNodes end them after 30 s, and begin again.
const PATIENCE: u64 = 900;
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What is upgraded to what, under which ServerApp.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Upgrade {
    pub(crate) to: Release,
    pub(crate) serverapp: Release,
}

impl Upgrade {
    /// Plays a run in which each of pip's SuperNodes is replaced by one of the newer release, with the
    /// same key. Each round has an answer of each node, and every digit is as without upgrades: a round
    /// that a node is asked in while it is replaced waits for the node.
    ///
    /// # Panics
    /// If something is not as it should be.
    pub(crate) fn play(self) {
        let task = Task {
            seed: 20,
            rounds: PAUSE * (NODES.len() + 1),
            nodes: NODES.len(),
            heavy_every: report::HEAVY_EVERY,
            noisy: false,
            patience: PATIENCE,
        };
        let state = State::new(false);
        let plan = scenario::plan(task.nodes, state.path(), &[]).supernodes(NODES);
        let plan = plan.superlink(Maker::OursWith(self.serverapp));
        let mut federation = plan.supernode_releases().start();
        let superlink = federation.superlink().id();
        let app = federation.app("steady");
        let expected = task.expected(&app);
        let mut running = RunInProgress::start(&federation, &app, task, "report");
        let mut told = 0;
        let upgraded = (0..NODES.len()).filter(|index| NODES[*index] != Maker::Ours);
        for (done, index) in upgraded.enumerate() {
            while running.rounds < PAUSE * (done + 1) {
                look(&mut running, &federation, &app, &mut told);
            }
            println!("upgrading node {} to {}", index + 1, self.to.number());
            federation.replace_node(index, Maker::Pip(self.to));
        }
        while look(&mut running, &federation, &app, &mut told) != Found::End {}
        running.check(&federation, &app, &expected, false);
        // A SuperNode that is stopped ends the ClientApp in its hands.
        running.executions.check(&running.report, task.nodes, true);
        let last = took_part(&running.report.lines()).pop().unwrap();
        let newer = [self.to.number().as_str()]
            .repeat(NODES.len() - 1)
            .join(", ");
        assert!(last.ends_with(&format!("{newer}, ours")), "{last}");
        assert_eq!(federation.superlink().id(), superlink);
        assert!(
            federation.superlink().ended().is_none(),
            "the SuperLink has ended"
        );

        let mut totals = Totals::new(Kind::Releases);
        totals.rounds_took.extend(&running.took);
        running.report.add_to(&mut totals, task.nodes);
        running.executions.add_to(&mut totals, true);
        println!(
            "{} rounds, {} messages, {} lost, {} doubled, {} executed again; {} SuperNodes upgraded; the \
             slowest round took {:.1} s",
            totals.rounds,
            totals.messages,
            totals.lost,
            totals.doubled,
            totals.again,
            NODES.len() - 1,
            totals.slowest()
        );
        federation.stop();
    }
}

/// Looks at the run, and prints what is new of its rounds.
fn look(
    running: &mut RunInProgress,
    federation: &Federation,
    app: &App,
    told: &mut usize,
) -> Found {
    let found = running.look(federation, app);
    let rounds = took_part(&running.report.lines());
    for line in &rounds[*told..] {
        println!("{line}");
    }
    *told = rounds.len();
    thread::sleep(LOOK_EVERY);
    found
}

/// The lines that say which releases took part in a round.
fn took_part(report: &[String]) -> Vec<String> {
    let tells = |line: &&String| line.starts_with("took part in round ");
    report.iter().filter(tells).cloned().collect()
}
