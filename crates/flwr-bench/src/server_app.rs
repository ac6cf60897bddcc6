//! A virtual ServerApp: starts a run, takes it over as `flwr-serverapp` would, and sends messages.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use flwr_client::channel::Channel;
use flwr_client::find;
use flwr_client::line::{GrpcLine, Nobody};
use flwr_client::transfer::{self, Objects};
use flwr_core::id::{NodeId, RunId};
use flwr_core::message::{Body, MessageId, Parcel};
use flwr_core::object::{ObjectId, Pulled};
use flwr_core::port::control::Start;
use flwr_core::port::runtime::Asked;
use flwr_core::port::{Control, Runtime};
use flwr_core::run::{Outcome, Phase, RunStatus};
use flwr_wire::generations::v1_21_runs::call::{ServerAppCaller, claim, serverapp_over};
use futures::{StreamExt, TryStreamExt, stream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval, sleep};

use crate::node::HEARTBEAT;
use crate::payload::{Content, Payload, object_ids, wanted};
use crate::target::Target;

/// The pause after an answer without all replies.
const PAUSE: Duration = Duration::from_millis(20);
/// Replies that are taken at the same time.
const AT_ONCE: usize = 8;
/// Messages in one call, as gRPC messages have an end.
const BATCH: usize = 1000;

type Session = ServerAppCaller<GrpcLine<Channel, Nobody>>;

/// The ServerApp of a running run.
pub(crate) struct VirtualServerApp {
    runtime: Arc<Session>,
    run: RunId,
    heart: JoinHandle<()>,
}

impl Drop for VirtualServerApp {
    fn drop(&mut self) {
        self.heart.abort();
    }
}

impl VirtualServerApp {
    /// Starts a run of this FAB and becomes its ServerApp.
    pub(crate) async fn start(target: &Target, fab: &Path) -> Result<Self> {
        let content = fs::read(fab).with_context(|| format!("cannot read {}", fab.display()))?;
        let (control, _) = find::control(GrpcLine::new(target.control(), Nobody));
        let start = Start {
            fab: content.into(),
            ..Start::default()
        };
        let run = control.start(start).await?;
        let run = run.context("the SuperLink started no run")?;
        let line = GrpcLine::new(target.serverappio(), Nobody);
        let token = claim(&line, run).await?;
        let token =
            token.context("the SuperLink gave no token: does it start ServerApps itself?")?;
        let runtime = Arc::new(serverapp_over(line, run, token));
        let inputs = runtime.inputs().await?;
        inputs.context("the SuperLink has no inputs for the run")?;
        let heart = tokio::spawn(beat(Arc::clone(&runtime)));
        let app = Self {
            runtime,
            run,
            heart,
        };
        let running = RunStatus::plain(Phase::Running);
        app.runtime.status(running).await?;
        Ok(app)
    }

    /// The run is over.
    pub(crate) async fn finish(self) -> Result<()> {
        let completed = RunStatus::plain(Phase::Finished(Outcome::Completed));
        Ok(self.runtime.status(completed).await?)
    }

    /// A message to each of these nodes.
    pub(crate) fn instructions(
        &self,
        nodes: &[NodeId],
        mut content: impl FnMut() -> Content,
    ) -> Vec<Payload> {
        let instruction = |node: &NodeId| Payload::instruction(self.run, *node, content());
        nodes.iter().map(instruction).collect()
    }

    /// Sends the messages with all their objects. Gives their ids.
    pub(crate) async fn send(&self, payloads: Vec<Payload>) -> Result<Vec<MessageId>> {
        let ids: Vec<_> = payloads.iter().map(Payload::id).collect();
        let mut asked = Vec::new();
        for batch in payloads.chunks(BATCH) {
            let parcels = batch.iter().map(|payload| payload.parcel.clone());
            let sent = self.runtime.send(parcels.collect()).await?;
            if sent.ids.contains(&None) {
                bail!("a message was refused");
            }
            asked.extend(sent.missing);
        }
        let mut objects = HashMap::new();
        for payload in payloads {
            objects.extend(payload.objects);
        }
        if !transfer::push(self, wanted(&asked, &objects)?).await? {
            bail!("an object of a message was not taken");
        }
        Ok(ids)
    }

    /// Takes the replies to all of these messages, with their objects. Gives their bytes.
    pub(crate) async fn receive(&self, mut outstanding: Vec<MessageId>) -> Result<usize> {
        let mut bytes = 0;
        while !outstanding.is_empty() {
            let asked: Vec<_> = outstanding.iter().take(BATCH).copied().map(Some).collect();
            let count = asked.len();
            let asked = Asked::Replies(asked);
            let replies = self.runtime.receive(asked, Duration::MAX).await?;
            let came = replies.len();
            let mut answered = HashSet::new();
            for reply in &replies {
                if let Body::Error { reason, .. } = &reply.message.body {
                    bail!("a node answered with an error: {reason}");
                }
                answered.extend(reply.message.metadata.reply_to);
            }
            outstanding.retain(|id| !answered.contains(id));
            let taken: Vec<usize> = stream::iter(replies)
                .map(|reply| self.take(reply))
                .buffer_unordered(AT_ONCE)
                .try_collect()
                .await?;
            bytes += taken.iter().sum::<usize>();
            if came < count {
                sleep(PAUSE).await;
            }
        }
        Ok(bytes)
    }

    /// Pulls all objects of a reply and confirms it.
    async fn take(&self, reply: Parcel) -> Result<usize> {
        let mut bytes = 0;
        // One after the other: replies are taken side by side already.
        for id in object_ids(&reply.tree) {
            if let Pulled::There(content) = self.pull(id).await? {
                bytes += content.len();
            }
        }
        self.runtime.confirm(reply.tree.id).await?;
        Ok(bytes)
    }

    /// Waits until so many nodes are online. Gives the time that it took.
    pub(crate) async fn wait_for_nodes(&self, nodes: usize) -> Result<Duration> {
        let started = Instant::now();
        while self.runtime.nodes().await?.len() < nodes {
            sleep(PAUSE).await;
        }
        Ok(started.elapsed())
    }
}

impl Objects for VirtualServerApp {
    type Error = anyhow::Error;

    async fn pull(&self, id: ObjectId) -> Result<Pulled> {
        let pulled = self.runtime.pull_object(id).await?;
        if !matches!(pulled, Pulled::There(_)) {
            bail!("an object of a reply is not there");
        }
        Ok(pulled)
    }

    async fn push(&self, id: ObjectId, content: Bytes) -> Result<bool> {
        Ok(self.runtime.push_object(id, content).await?)
    }
}

/// Signs of life, to the end of the task.
async fn beat(runtime: Arc<Session>) {
    let mut beats = interval(Duration::from_secs_f64(HEARTBEAT));
    loop {
        beats.tick().await;
        // A missed one is no news: the next comes.
        let _ = runtime.alive(HEARTBEAT).await;
    }
}
