//! Many nodes that do what idle SuperNodes do: each has a connection, a call that is held until
//! there is a message, and heartbeats. It is told from stdin what happens next.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Result;
use flwr_core::id::NodeId;
use rand::RngExt;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use tokio::time::{Instant, sleep};

use crate::args::CrowdArgs;
use crate::node::{HEARTBEAT, VirtualNode};
use crate::payload::Content;
use crate::server_app::VirtualServerApp;
use crate::target::Target;

/// A node's first pause after a call that failed, and the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Bytes of each message's array, and of each reply's.
pub(crate) const WEIGHT: usize = 1000;
/// How often it is looked whether all are well.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How the nodes are.
#[derive(Default)]
struct Pulse {
    /// Nodes whose last heartbeat failed.
    ill: AtomicUsize,
    /// Calls that failed.
    failures: AtomicUsize,
    /// Calls that were answered.
    calls: AtomicUsize,
    /// Calls for a message among them.
    polls: AtomicUsize,
}

pub(crate) async fn run(target: &Target, args: &CrowdArgs) -> Result<()> {
    let nodes = VirtualNode::register_many(target, args.nodes, args.at_once).await?;
    let ids: Vec<_> = nodes.iter().map(VirtualNode::id).collect();
    let pulse = Arc::new(Pulse::default());
    for node in nodes {
        tokio::spawn(serve(node.clone(), Arc::clone(&pulse)));
        tokio::spawn(live(node, Arc::clone(&pulse)));
    }
    let mut commands = BufReader::new(stdin()).lines();
    while let Some(command) = commands.next_line().await? {
        match command.as_str() {
            "broadcast" => broadcast(target, args, &ids).await?,
            "counts" => {}
            "settle" => settle(&pulse).await,
            "quit" => break,
            other => anyhow::bail!("{other}: broadcast, counts, settle or quit are expected"),
        }
        tell_counts(&pulse);
    }
    Ok(())
}

/// The same model to all, and a reply with another from each.
async fn broadcast(target: &Target, args: &CrowdArgs, ids: &[NodeId]) -> Result<()> {
    let app = VirtualServerApp::start(target, &args.fab).await?;
    let online = app.wait_for_nodes(ids.len()).await?;
    let model = Content::random(WEIGHT);
    let payloads = app.instructions(ids, || model.clone());
    let started = Instant::now();
    let sent = app.send(payloads).await?;
    let pushed = started.elapsed();
    app.receive(sent).await?;
    crate::tell(&json!({
        "event": "broadcast",
        "nodes": ids.len(),
        "online": online.as_secs_f64(),
        "pushed": pushed.as_secs_f64(),
        "seconds": started.elapsed().as_secs_f64(),
    }));
    app.finish().await
}

/// Waits until no node is ill.
async fn settle(pulse: &Pulse) {
    let started = Instant::now();
    while pulse.ill.load(Ordering::Relaxed) > 0 {
        sleep(LOOK_EVERY).await;
    }
    let seconds = started.elapsed().as_secs_f64();
    crate::tell(&json!({"event": "settled", "seconds": seconds}));
}

fn tell_counts(pulse: &Pulse) {
    crate::tell(&json!({
        "event": "counts",
        "calls": pulse.calls.load(Ordering::Relaxed),
        "polls": pulse.polls.load(Ordering::Relaxed),
        "failures": pulse.failures.load(Ordering::Relaxed),
        "ill": pulse.ill.load(Ordering::Relaxed),
    }));
}

/// Takes and answers messages.
async fn serve(node: VirtualNode, pulse: Arc<Pulse>) {
    let mut pause = Pause::default();
    let mut well = true;
    loop {
        // A call that may be held would not show that the SuperLink is back.
        let answered = if well {
            let pulled = node.pull().await;
            pulse
                .polls
                .fetch_add(pulled.is_ok().into(), Ordering::Relaxed);
            match pulled {
                Ok(Some(work)) => node.answer(&work, Content::random(WEIGHT)).await.is_ok(),
                Ok(None) => true,
                Err(_) => false,
            }
        } else {
            node.heartbeat().await.is_ok()
        };
        pulse.note(answered, &mut well);
        pause.after(answered).await;
    }
}

/// Says that the node lives.
async fn live(node: VirtualNode, pulse: Arc<Pulse>) {
    let mut pause = Pause::default();
    let mut well = true;
    sleep(Duration::from_secs_f64(HEARTBEAT).mul_f64(random(0.0, 1.0))).await;
    loop {
        let answered = node.heartbeat().await.is_ok();
        pulse.note(answered, &mut well);
        if answered {
            sleep(Duration::from_secs_f64(HEARTBEAT).mul_f64(random(0.8, 1.0))).await;
        }
        pause.after(answered).await;
    }
}

impl Pulse {
    fn note(&self, answered: bool, well: &mut bool) {
        if answered {
            self.calls.fetch_add(1, Ordering::Relaxed);
        } else {
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
        match (*well, answered) {
            (true, false) => self.ill.fetch_add(1, Ordering::Relaxed),
            (false, true) => self.ill.fetch_sub(1, Ordering::Relaxed),
            _ => 0,
        };
        *well = answered;
    }
}

/// What a node waits after failed calls: longer each time, and no two nodes the same.
struct Pause(Duration);

impl Default for Pause {
    fn default() -> Self {
        Self(FIRST_PAUSE)
    }
}

impl Pause {
    async fn after(&mut self, answered: bool) {
        if answered {
            self.0 = FIRST_PAUSE;
            return;
        }
        sleep(self.0.mul_f64(random(0.5, 1.5))).await;
        self.0 = (self.0 * 2).min(LONGEST_PAUSE);
    }
}

fn random(from: f64, to: f64) -> f64 {
    rand::rng().random_range(from..=to)
}
