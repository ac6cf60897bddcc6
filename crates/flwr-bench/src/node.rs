//! A virtual SuperNode: a connection, a key, and the calls that a SuperNode makes.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use flwr_client::find::{self, Joining, NodeLine};
use flwr_client::fleet::NodeSession;
use flwr_client::signer::Signer;
use flwr_client::transfer::{self, Check, Objects};
use flwr_core::id::{NodeId, RunId};
use flwr_core::message::Parcel;
use flwr_core::object::{ObjectId, Pulled};
use flwr_core::port::{self, Fleet};
use flwr_security::key::PrivateKey;
use futures::future::try_join_all;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::json;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use crate::payload::{Content, Payload, object_ids, wanted};
use crate::target::Target;

/// Seconds between heartbeats, of nodes and of ServerApps (flwr 1.22 wire).
pub(crate) const HEARTBEAT: f64 = 30.0;

/// A registered node.
#[derive(Clone)]
pub(crate) struct VirtualNode {
    fleet: Arc<NodeSession<NodeLine>>,
    signer: Signer,
    id: NodeId,
}

impl VirtualNode {
    /// Connects and registers.
    pub(crate) async fn register(target: &Target, key: &PrivateKey) -> Result<Self> {
        let signer = target.signer(key);
        let line = NodeLine::new(target.fleet(), signer.clone());
        let joining = Joining {
            interval: HEARTBEAT,
            is_passing: true,
        };
        let (fleet, id) = find::joined(line, joining).await?;
        let registered = Self {
            fleet: Arc::new(fleet),
            signer,
            id,
        };
        // The registration counts for one interval only.
        registered.heartbeat().await?;
        Ok(registered)
    }

    /// Registers many nodes, with some registrations under way at the same time, and tells how long that
    /// took.
    pub(crate) async fn register_many(
        target: &Target,
        nodes: usize,
        at_once: usize,
    ) -> Result<Vec<Self>> {
        let started = Instant::now();
        let registered: Vec<_> = stream::iter(target.keys(nodes)?)
            .map(|key| Self::register(target, key))
            .buffer_unordered(at_once)
            .try_collect()
            .await?;
        let seconds = started.elapsed().as_secs_f64();
        crate::tell(&json!({"event": "registered", "nodes": nodes, "seconds": seconds}));
        Ok(registered)
    }

    pub(crate) const fn id(&self) -> NodeId {
        self.id
    }

    pub(crate) const fn signer(&self) -> &Signer {
        &self.signer
    }

    pub(crate) async fn heartbeat(&self) -> Result<()> {
        if self.fleet.heartbeat(HEARTBEAT).await? {
            return Ok(());
        }
        bail!("the SuperLink does not know this node")
    }

    /// Gives its id back, so that its key can be used again.
    pub(crate) async fn leave(self) -> port::Result<()> {
        self.fleet.leave().await
    }

    /// Asks for a message.
    pub(crate) async fn pull(&self) -> port::Result<Option<Parcel>> {
        self.fleet.pull(Duration::MAX).await
    }

    /// Takes a message's objects, says so, and sends a reply.
    pub(crate) async fn answer(&self, instruction: &Parcel, content: Content) -> Result<()> {
        let metadata = &instruction.message.metadata;
        let objects = RunObjects {
            fleet: &*self.fleet,
            run: metadata.run,
        };
        transfer::pull(&objects, object_ids(&instruction.tree), Check::Skip)
            .try_for_each(async |_| Ok(()))
            .await?;
        self.fleet.confirm(metadata.run, metadata.id).await?;
        let reply = Payload::reply(metadata, content);
        let missing = self.fleet.push(reply.parcel, None).await?;
        let missing = missing.context("a reply was not taken")?;
        if !transfer::push(&objects, wanted(&missing, &reply.objects)?).await? {
            bail!("an object of a reply was not taken");
        }
        Ok(())
    }
}

/// Makes signatures for so many calls of each node, before the time counts: a node signs while
/// others compute, and here all share the machine with the SuperLink.
pub(crate) async fn sign_ahead(nodes: &[VirtualNode], calls: usize) -> Result<()> {
    let sign = |node: &VirtualNode| {
        let signer = node.signer().clone();
        spawn_blocking(move || signer.prepare(calls))
    };
    for signed in try_join_all(nodes.iter().map(sign)).await? {
        signed?;
    }
    Ok(())
}

/// The objects of a run, as a node pulls and pushes them.
struct RunObjects<'a, F> {
    fleet: &'a F,
    run: RunId,
}

impl<F: Fleet> Objects for RunObjects<'_, F> {
    type Error = anyhow::Error;

    async fn pull(&self, id: ObjectId) -> Result<Pulled> {
        let pulled = self.fleet.pull_object(self.run, id).await?;
        if !matches!(pulled, Pulled::There(_)) {
            bail!("an object of a message is not there");
        }
        Ok(pulled)
    }

    async fn push(&self, id: ObjectId, content: Bytes) -> Result<bool> {
        Ok(self.fleet.push_object(self.run, id, content).await?)
    }
}
