//! How long a node that waits at one SuperLink waits for a message that was stored at another.

use std::time::Duration;

use anyhow::Result;
use flwr_core::message::Parcel;
use rand::RngExt;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::args::WakeArgs;
use crate::node::VirtualNode;
use crate::payload::Content;
use crate::server_app::VirtualServerApp;
use crate::target::Target;

/// Bytes of each message's array, and of each reply's.
const WEIGHT: usize = 100;
/// A node's call has come in, and is held.
const HELD: Duration = Duration::from_millis(20);
/// Messages before the first that counts.
const WARM_UP: usize = 10;

pub(crate) async fn run(target: &Target, args: &WakeArgs) -> Result<()> {
    let key = target.keys(1)?;
    let node = VirtualNode::register(target, &key[0]).await?;
    let app = VirtualServerApp::start(target, &args.fab).await?;
    let mut took = Vec::new();
    for number in 0..WARM_UP + args.messages {
        // A pause may be longer than a node counts as online.
        node.heartbeat().await?;
        let waiting = tokio::spawn(wait(node.clone()));
        let pause = rand::rng().random_range(0.0..=args.pause);
        sleep(HELD + Duration::from_secs_f64(pause)).await;
        let payloads = app.instructions(&[node.id()], || Content::random(WEIGHT));
        app.send(payloads).await?;
        let stored = Instant::now();
        let (at, work) = waiting.await??;
        if number >= WARM_UP {
            // The node may have the message before the SuperLink that stored it has answered.
            took.push(at.saturating_duration_since(stored));
        }
        node.answer(&work, Content::random(WEIGHT)).await?;
    }
    took.sort_unstable();
    crate::tell(&json!({
        "event": "wakes",
        "messages": took.len(),
        "p50_ms": crate::millis(&took, 0.5),
        "p99_ms": crate::millis(&took, 0.99),
        "slowest_ms": crate::millis(&took, 1.0),
    }));
    app.finish().await?;
    Ok(node.leave().await?)
}

/// The next message, and when the node had it.
async fn wait(node: VirtualNode) -> Result<(Instant, Parcel)> {
    loop {
        if let Some(work) = node.pull().await? {
            return Ok((Instant::now(), work));
        }
    }
}
