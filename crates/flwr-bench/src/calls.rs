//! How long calls take for which the state is written: a small message, again and again, from a ServerApp
//! to a node and back. What happens meanwhile is for others to choose.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use flwr_client::find;
use flwr_client::line::{GrpcLine, Nobody};
use flwr_core::config::Scalar;
use flwr_core::port::Control;
use flwr_core::port::control::Start;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use tokio::sync::mpsc::{self, error::TryRecvError};
use tokio::time::{Instant, sleep};

use crate::args::CallsArgs;
use crate::node::VirtualNode;
use crate::payload::Content;
use crate::server_app::VirtualServerApp;
use crate::target::Target;

/// Bytes of each message's array, and of each reply's.
const WEIGHT: usize = 100;
/// The pause after each message.
const PAUSE: Duration = Duration::from_millis(10);
/// Bytes of the configuration that a run is started with. The SuperLink keeps them three times: as they
/// came, and in the first and the last Context of the ServerApp.
const CONFIGURATION: usize = 1 << 20;
const COPIES: usize = 3;
/// A key of the bundle's own configuration: others are refused.
const KEY: &str = "size";
/// Messages before the first that counts.
const WARM_UP: usize = 20;

/// Sends messages until stdin ends. Each line on stdin has the slowest calls since the line before told.
pub(crate) async fn run(target: &Target, args: &CallsArgs) -> Result<()> {
    fill(target, &args.fab, args.state_mb).await?;
    let keys = target.keys(args.key)?;
    let key = keys.last().context("--key counts from 1")?;
    let node = VirtualNode::register(target, key).await?;
    let app = VirtualServerApp::start(target, &args.fab).await?;
    for _ in 0..WARM_UP {
        exchange(&app, &node).await?;
    }
    crate::tell(&json!({"event": "ready"}));
    let mut lines = BufReader::new(stdin()).lines();
    let (ask, mut asked) = mpsc::channel(1);
    tokio::spawn(async move {
        while matches!(lines.next_line().await, Ok(Some(_))) && ask.send(()).await.is_ok() {}
    });
    let mut took = Vec::new();
    loop {
        match asked.try_recv() {
            Ok(()) => tell(&mut took),
            Err(TryRecvError::Empty) => took.extend(exchange(&app, &node).await?),
            Err(TryRecvError::Disconnected) => break,
        }
        sleep(PAUSE).await;
    }
    app.finish().await?;
    Ok(node.leave().await?)
}

/// Starts runs that nobody takes, until the database has about this size.
async fn fill(target: &Target, fab: &Path, mb: usize) -> Result<()> {
    let fab: Bytes = fs::read(fab)
        .with_context(|| format!("cannot read {}", fab.display()))?
        .into();
    let (control, _) = find::control(GrpcLine::new(target.control(), Nobody));
    let large = Scalar::Bytes(vec![7; CONFIGURATION].into());
    for _ in 0..(mb << 20).div_ceil(COPIES * CONFIGURATION) {
        let start = Start {
            fab: fab.clone(),
            overrides: [(KEY.to_owned(), large.clone())].into(),
            ..Start::default()
        };
        let run = control.start(start).await?;
        run.context("the SuperLink started no run")?;
    }
    Ok(())
}

/// A message and its reply. Gives the time of each step: sent, taken, answered and received.
async fn exchange(app: &VirtualServerApp, node: &VirtualNode) -> Result<[Duration; 4]> {
    let payloads = app.instructions(&[node.id()], || Content::random(WEIGHT));
    let reply = Content::random(WEIGHT);
    let mut began = Instant::now();
    let mut lap = || {
        let took = began.elapsed();
        began = Instant::now();
        took
    };
    let sent = app.send(payloads).await?;
    let pushed = lap();
    let work = node
        .pull()
        .await?
        .context("the node was given no message")?;
    let pulled = lap();
    node.answer(&work, reply).await?;
    let answered = lap();
    app.receive(sent).await?;
    Ok([pushed, pulled, answered, lap()])
}

fn tell(took: &mut Vec<Duration>) {
    took.sort_unstable();
    let millis = |share| crate::millis(took, share);
    crate::tell(&json!({
        "event": "calls",
        "calls": took.len(),
        "p50_ms": millis(0.5),
        "p99_ms": millis(0.99),
        "slowest_ms": millis(1.0),
    }));
    took.clear();
}
