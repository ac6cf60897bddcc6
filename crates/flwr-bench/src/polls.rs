//! How many calls of nodes a SuperLink answers, when there is nothing for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, bail};
use futures::future::try_join_all;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::args::PollArgs;
use crate::node::VirtualNode;
use crate::target::Target;

/// Signatures of a node, used in turns: pip's SuperNode makes one for each call.
const SIGNATURES: usize = 64;

pub(crate) async fn run(target: &Target, args: &PollArgs) -> Result<()> {
    let mut nodes = Vec::new();
    for key in target.keys(args.nodes)? {
        nodes.push(VirtualNode::register(target, key.clone(), SIGNATURES).await?);
    }
    let over = Arc::new(AtomicBool::new(false));
    let started = Instant::now();
    let polling: Vec<_> = nodes
        .into_iter()
        .map(|node| tokio::spawn(poll(node, Arc::clone(&over))))
        .collect();
    sleep(Duration::from_secs_f64(args.seconds)).await;
    over.store(true, Ordering::Relaxed);
    let seconds = started.elapsed().as_secs_f64();
    let mut took = Vec::new();
    for polled in try_join_all(polling).await? {
        took.extend(polled?);
    }
    took.sort_unstable();
    let Some(last) = took.len().checked_sub(1) else {
        bail!("no call was answered");
    };
    let millis = |share: f64| took[(last as f64 * share) as usize].as_secs_f64() * 1e3;
    crate::tell(&json!({
        "event": "polls",
        "polls": took.len(),
        "per_second": took.len() as f64 / seconds,
        "p50_ms": millis(0.5),
        "p99_ms": millis(0.99),
    }));
    Ok(())
}

async fn poll(node: VirtualNode, over: Arc<AtomicBool>) -> Result<Vec<Duration>> {
    let mut took = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let asked = Instant::now();
        node.pull().await?;
        took.push(asked.elapsed());
    }
    node.leave().await?;
    Ok(took)
}
