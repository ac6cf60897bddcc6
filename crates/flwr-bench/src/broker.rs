//! What a SuperLink adds to a round: a message with a model for each node, and replies with others.
//! Each side asks when there is something to get, so that no time is spent on waiting for a poll.

use anyhow::{Context, Result, bail};
use futures::future::try_join_all;
use serde_json::json;
use tokio::time::Instant;

use crate::args::BrokerArgs;
use crate::node::{VirtualNode, sign_ahead};
use crate::payload::Content;
use crate::server_app::VirtualServerApp;
use crate::target::Target;

/// More calls than a node makes in a round: a few for its message and its reply, and one for each
/// object of them (chunks of an array are objects of at most 20 MiB).
const CALLS: usize = 32;

pub(crate) async fn run(target: &Target, args: &BrokerArgs) -> Result<()> {
    let mut nodes = Vec::new();
    for key in target.keys(args.nodes)? {
        nodes.push(VirtualNode::register(target, key).await?);
    }
    let ids: Vec<_> = nodes.iter().map(VirtualNode::id).collect();
    let app = VirtualServerApp::start(target, &args.fab).await?;
    // The first round opens connections and files, and does not count.
    for round in 0..=args.rounds {
        // Rounds on a busy machine may take longer than a node counts as online.
        try_join_all(nodes.iter().map(VirtualNode::heartbeat)).await?;
        sign_ahead(&nodes, CALLS).await?;
        let payloads = app.instructions(&ids, || Content::random(args.bytes));
        let replies: Vec<_> = ids.iter().map(|_| Content::random(args.bytes)).collect();
        let started = Instant::now();
        let sent = app.send(payloads).await?;
        let pushed = started.elapsed();
        let work = nodes.iter().zip(replies);
        let work = work.map(|(node, reply)| take_one(node.clone(), reply));
        try_join_all(work.map(tokio::spawn))
            .await?
            .into_iter()
            .collect::<Result<()>>()?;
        let answered = started.elapsed();
        let received = app.receive(sent).await?;
        let took = started.elapsed();
        if received < args.bytes * args.nodes {
            bail!("{received} bytes came back");
        }
        if round == 0 {
            continue;
        }
        crate::tell(&json!({
            "event": "round",
            "seconds": took.as_secs_f64(),
            "pushed": pushed.as_secs_f64(),
            "answered": answered.as_secs_f64(),
        }));
    }
    app.finish().await?;
    for node in nodes {
        node.heartbeat().await?;
        node.leave().await?;
    }
    Ok(())
}

async fn take_one(node: VirtualNode, reply: Content) -> Result<()> {
    let work = node.pull().await?.context("a node was given no message")?;
    node.answer(&work, reply).await
}
