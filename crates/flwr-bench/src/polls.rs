//! How many calls of nodes a SuperLink answers, when there is nothing for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, bail};
use futures::future::try_join_all;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::args::PollArgs;
use crate::node::{VirtualNode, sign_ahead};
use crate::target::Target;

/// Signatures that are made ahead for all nodes together. Where they are used up sooner than the time
/// is over, the measuring ends.
const SIGNATURES: usize = 60_000;
/// Calls that open connections and fill caches, and do not count, of each node.
const WARM_UP: usize = 50;

/// How often it is looked whether the measuring is over.
const LOOK_EVERY: Duration = Duration::from_millis(5);

pub(crate) async fn run(target: &Target, args: &PollArgs) -> Result<()> {
    let mut nodes = Vec::new();
    for key in target.keys(args.nodes)? {
        nodes.push(VirtualNode::register(target, key).await?);
    }
    try_join_all(nodes.iter().map(warm_up)).await?;
    sign_ahead(&nodes, SIGNATURES / args.nodes).await?;
    // On a busy machine that takes longer than a node counts as online.
    try_join_all(nodes.iter().map(VirtualNode::heartbeat)).await?;
    let over = Arc::new(AtomicBool::new(false));
    crate::tell_moment("begun");
    let started = Instant::now();
    let polling: Vec<_> = nodes
        .into_iter()
        .map(|node| tokio::spawn(poll(node, Arc::clone(&over))))
        .collect();
    let end = started + Duration::from_secs_f64(args.seconds);
    while Instant::now() < end && !over.load(Ordering::Relaxed) {
        sleep(LOOK_EVERY).await;
    }
    over.store(true, Ordering::Relaxed);
    let seconds = started.elapsed().as_secs_f64();
    crate::tell_moment("over");
    let mut took = Vec::new();
    for polled in try_join_all(polling).await? {
        took.extend(polled?);
    }
    took.sort_unstable();
    if took.is_empty() {
        bail!("no call was answered");
    }
    crate::tell(&json!({
        "event": "polls",
        "polls": took.len(),
        "per_second": took.len() as f64 / seconds,
        "p50_ms": crate::millis(&took, 0.5),
        "p99_ms": crate::millis(&took, 0.99),
    }));
    Ok(())
}

async fn warm_up(node: &VirtualNode) -> Result<()> {
    for _ in 0..WARM_UP {
        node.pull().await?;
    }
    Ok(())
}

async fn poll(node: VirtualNode, over: Arc<AtomicBool>) -> Result<Vec<Duration>> {
    let mut took = Vec::new();
    let has_prepared = node.signer().prepared() > 0;
    while !over.load(Ordering::Relaxed) {
        let asked = Instant::now();
        node.pull().await?;
        took.push(asked.elapsed());
        if has_prepared && node.signer().prepared() == 0 {
            over.store(true, Ordering::Relaxed);
        }
    }
    node.leave().await?;
    Ok(took)
}
