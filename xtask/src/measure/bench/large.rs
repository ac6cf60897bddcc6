//! Rounds of a large model: CPU time and memory of all processes, over each channel of app processes.

use std::fmt;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use super::figures::{Maker, median};
use super::rounds::begin_of_round;
use super::stage::{Stage, SuperLink};
use super::usage;
use crate::support::daemon::Daemon;

/// How long daemons are left alone before a run.
const SETTLE: Duration = Duration::from_secs(3);
/// How long a daemon may take to end.
const STOP_GRACE: Duration = Duration::from_secs(60);
/// How often the processes are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// A first round has imports in it, and does not count.
const ROUNDS: u32 = 3;

/// Whose programs, and by which channel their apps call them.
#[derive(Clone, Copy)]
struct Lane {
    name: &'static str,
    maker: Maker,
    flags: &'static [&'static str],
}

/// pip's and ours, each with the apps of the stage's release.
const fn lanes(peer: Maker) -> [Lane; 3] {
    [
        Lane {
            name: "pip",
            maker: peer,
            flags: &[],
        },
        Lane {
            name: "ours, --app-channel tcp",
            maker: Maker::Ours,
            flags: &["--app-channel", "tcp"],
        },
        Lane {
            name: "ours, --app-channel native",
            maker: Maker::Ours,
            flags: &["--app-channel", "native"],
        },
    ]
}

/// The daemons of a run.
struct Daemons {
    superlink: SuperLink,
    nodes: Vec<Daemon>,
}

/// What the processes of a run have used up to a moment.
#[derive(Clone, Copy, Default)]
struct Used {
    seconds: f64,
    cpu: f64,
}

/// What one run took.
#[derive(Clone, Copy)]
struct Cost {
    cpu: f64,
    wall: f64,
    /// Of a SuperNode and its processes, in MB.
    node: f64,
    /// Of all processes, in MB.
    all: f64,
}

/// Measures rounds of a model of so many MB, and prints medians.
pub(super) fn measure(stage: &Stage, peer: Maker, megabytes: u32, times: usize) -> Result<()> {
    println!("\n2 nodes x {megabytes} MB beside {peer}, {times} times in turns");
    let lanes = lanes(peer);
    let mut costs = lanes.map(|_| Vec::new());
    for time in 0..times {
        let mut turn = [0, 1, 2];
        // Whoever comes later finds warm caches.
        turn.rotate_left(time % lanes.len());
        for at in turn {
            match run(stage, lanes[at], megabytes) {
                Ok(cost) => costs[at].push(cost),
                Err(why) => println!("{}: {why:#}", lanes[at].name),
            }
        }
    }
    let heads = ["CPU of a round", "round", "node, peak", "all, peak"];
    let heads = heads.map(|head| format!("{head:>15}")).concat();
    println!("{:<28}{heads}", "");
    for (lane, costs) in lanes.iter().zip(&costs) {
        println!("{:<28}{}", lane.name, Medians(costs));
    }
    Ok(())
}

/// A line of the table.
struct Medians<'a>(&'a [Cost]);

impl fmt::Display for Medians<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |of: fn(&Cost) -> f64| median(self.0.iter().map(of).collect());
        let (Some(cpu), Some(wall), Some(node), Some(all)) = (
            of(|cost| cost.cpu),
            of(|cost| cost.wall),
            of(|cost| cost.node),
            of(|cost| cost.all),
        ) else {
            return f.write_str("  not measured");
        };
        write!(
            f,
            "{cpu:>13.2} s{wall:>13.2} s{node:>12.0} MB{all:>12.0} MB"
        )
    }
}

fn run(stage: &Stage, lane: Lane, megabytes: u32) -> Result<Cost> {
    let superlink = stage.superlink(lane.maker, lane.flags)?;
    stage.register_keys(lane.maker, &superlink, 2)?;
    let nodes = [1, 2].map(|number| stage.supernode(lane.maker, &superlink, number, lane.flags));
    let nodes = nodes.into_iter().collect::<Result<Vec<_>>>()?;
    let daemons = Daemons { superlink, nodes };
    thread::sleep(SETTLE);
    let cost = daemons.rounds(stage, megabytes)?;
    for node in daemons.nodes {
        node.stop(STOP_GRACE)?;
    }
    daemons.superlink.stop()?;
    Ok(cost)
}

impl Daemons {
    /// Runs the app, and looks at its processes meanwhile.
    fn rounds(&self, stage: &Stage, megabytes: u32) -> Result<Cost> {
        stage.copy_app("large", &self.superlink)?;
        let mut flwr = stage.ours("flwr");
        flwr.args(["run", "large", "--stream", "--run-config"]);
        flwr.arg(format!("rounds={ROUNDS} megabytes={megabytes}"));
        let output = stage.folder().join("large.txt");
        let file = std::fs::File::create(&output)?;
        let mut flwr = flwr.stdout(file).stderr(Stdio::null()).spawn()?;
        let began = Instant::now();
        let (mut node, mut all) = (Peak::default(), Peak::default());
        // At the beginning of each round, and at the end.
        let mut moments: Vec<Used> = Vec::new();
        loop {
            let is_over = flwr.try_wait()?.is_some();
            let text = std::fs::read_to_string(&output).unwrap_or_default();
            let begun = text.lines().filter_map(begin_of_round).collect::<Vec<_>>();
            for seconds in begun.iter().skip(moments.len()) {
                let cpu = self.sum(usage::cpu_seconds_with_children)?;
                let seconds = *seconds;
                moments.push(Used { seconds, cpu });
            }
            if is_over {
                break;
            }
            node.look(usage::proportional_with_children(self.nodes[0].id())?);
            all.look(self.sum(usage::proportional_with_children)?);
            thread::sleep(LOOK_EVERY);
        }
        let text = std::fs::read_to_string(&output)?;
        let took = began.elapsed().as_secs();
        ensure!(
            flwr.wait()?.success(),
            "the run failed after {took} s:\n{text}"
        );
        let [_, second, .., last] = moments[..] else {
            bail!("no rounds were told:\n{text}");
        };
        let rounds = f64::from(ROUNDS - 1);
        Ok(Cost {
            cpu: (last.cpu - second.cpu) / rounds,
            wall: (last.seconds - second.seconds) / rounds,
            node: node.most,
            all: all.most,
        })
    }

    /// What the SuperLink, the SuperNodes and their processes have of something.
    fn sum(&self, of: impl Fn(u32) -> Result<f64>) -> Result<f64> {
        let nodes = self.nodes.iter().map(Daemon::id);
        let all = nodes.chain([self.superlink.daemon.id()]);
        all.map(of).sum()
    }
}

/// The most that two looks in a row saw: a fork between two looks counts twice.
#[derive(Default)]
struct Peak {
    last: f64,
    most: f64,
}

impl Peak {
    fn look(&mut self, now: f64) {
        self.most = self.most.max(now.min(self.last));
        self.last = now;
    }
}
