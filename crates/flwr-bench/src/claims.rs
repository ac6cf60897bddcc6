//! How fast SuperLinks hand out the messages of a broadcast: they lie ready, and all nodes ask at once.

use anyhow::{Context, Result};
use futures::future::try_join_all;
use serde_json::json;
use tokio::time::Instant;

use crate::args::CrowdArgs;
use crate::crowd::WEIGHT;
use crate::node::{VirtualNode, sign_ahead};
use crate::payload::Content;
use crate::server_app::VirtualServerApp;
use crate::target::Target;

pub(crate) async fn run(target: &Target, args: &CrowdArgs) -> Result<()> {
    let nodes = VirtualNode::register_many(target, args.nodes, args.at_once).await?;
    let ids: Vec<_> = nodes.iter().map(VirtualNode::id).collect();
    let app = VirtualServerApp::start(target, &args.fab).await?;
    let model = Content::random(WEIGHT);
    let payloads = app.instructions(&ids, || model.clone());
    let started = Instant::now();
    app.send(payloads).await?;
    let pushed = started.elapsed().as_secs_f64();
    sign_ahead(&nodes, 1).await?;
    crate::tell_moment("begun");
    let started = Instant::now();
    try_join_all(nodes.into_iter().map(|node| tokio::spawn(claim(node))))
        .await?
        .into_iter()
        .collect::<Result<()>>()?;
    let seconds = started.elapsed().as_secs_f64();
    crate::tell_moment("over");
    crate::tell(&json!({
        "event": "claims",
        "nodes": args.nodes,
        "pushed": pushed,
        "per_second": args.nodes as f64 / seconds,
    }));
    app.finish().await
}

async fn claim(node: VirtualNode) -> Result<()> {
    node.pull().await?.context("a node was given no message")?;
    Ok(())
}
