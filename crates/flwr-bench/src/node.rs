//! A virtual SuperNode: a connection, a key, and the calls that a SuperNode makes.

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use flwr_client::fleet::{Fleet, fleet};
use flwr_client::signer::Signer;
use flwr_client::transfer::{self, Check, Objects, Pulled};
use flwr_core::object::ObjectId;
use flwr_proto as proto;
use flwr_security::key::PrivateKey;
use futures::TryStreamExt;
use time::OffsetDateTime;
use tonic::Status;

use crate::payload::{Content, Payload, object_ids, wanted};
use crate::target::Target;

/// Seconds between heartbeats, of nodes and of ServerApps (flwr 1.22 wire).
pub(crate) const HEARTBEAT: f64 = 30.0;
/// A registered node.
#[derive(Clone)]
pub(crate) struct VirtualNode {
    fleet: Fleet,
    node: proto::Node,
}

/// What a node was given to do.
pub(crate) struct Work {
    message: proto::Message,
    tree: proto::ObjectTree,
}

impl VirtualNode {
    /// Connects and registers, with so many signatures.
    pub(crate) async fn register(
        target: &Target,
        key: PrivateKey,
        signatures: usize,
    ) -> Result<Self> {
        let signer = Signer::new(key, OffsetDateTime::now_utc).in_turns(signatures);
        let mut fleet = fleet(target.fleet(), signer);
        let request = proto::CreateNodeRequest {
            heartbeat_interval: HEARTBEAT,
        };
        let node = fleet.create_node(request).await?.into_inner().node;
        let node = node.context("the SuperLink gave no node id")?;
        let mut registered = Self { fleet, node };
        // The registration counts for one interval only.
        registered.heartbeat().await?;
        Ok(registered)
    }

    pub(crate) const fn id(&self) -> u64 {
        self.node.node_id
    }

    pub(crate) async fn heartbeat(&mut self) -> Result<(), Status> {
        let request = proto::SendNodeHeartbeatRequest {
            node: Some(self.node),
            heartbeat_interval: HEARTBEAT,
        };
        let answer = self.fleet.send_node_heartbeat(request).await?.into_inner();
        if answer.success {
            return Ok(());
        }
        Err(Status::not_found("the SuperLink does not know this node"))
    }

    /// Gives its id back, so that its key can be used again.
    pub(crate) async fn leave(mut self) -> Result<(), Status> {
        let request = proto::DeleteNodeRequest {
            node: Some(self.node),
        };
        self.fleet.delete_node(request).await.map(drop)
    }

    /// Asks for a message.
    pub(crate) async fn pull(&mut self) -> Result<Option<Work>, Status> {
        let request = proto::PullMessagesRequest {
            node: Some(self.node),
            message_ids: Vec::new(),
        };
        let answer = self.fleet.pull_messages(request).await?.into_inner();
        let messages = answer.messages_list.into_iter();
        let mut work = messages
            .zip(answer.message_object_trees)
            .map(|(message, tree)| Work { message, tree });
        Ok(work.next())
    }

    /// Takes a message's objects, says so, and sends a reply.
    pub(crate) async fn answer(&self, work: Work, content: Content) -> Result<()> {
        let Work { message, tree } = work;
        let instruction = message.metadata.context("a message without metadata")?;
        let run_id = instruction.run_id;
        let objects = RunObjects { node: self, run_id };
        transfer::pull(&objects, object_ids(tree)?, Check::Skip)
            .try_for_each(async |_| Ok(()))
            .await?;
        let mut fleet = self.fleet.clone();
        let request = proto::ConfirmMessageReceivedRequest {
            node: Some(self.node),
            run_id,
            message_object_id: instruction.message_id.clone(),
        };
        fleet.confirm_message_received(request).await?;
        let reply = Payload::reply(&instruction, content)?;
        let request = proto::PushMessagesRequest {
            node: Some(self.node),
            messages_list: vec![reply.message.clone()],
            message_object_trees: vec![reply.tree.clone()],
        };
        let answer = fleet.push_messages(request).await?.into_inner();
        let wanted = wanted(&answer.objects_to_push, &reply.into_objects())?;
        transfer::push(&objects, wanted).await
    }
}

/// The objects of a run, as a node pulls and pushes them.
struct RunObjects<'a> {
    node: &'a VirtualNode,
    run_id: u64,
}

impl Objects for RunObjects<'_> {
    type Error = anyhow::Error;

    async fn pull(&self, id: ObjectId) -> Result<Pulled> {
        let mut fleet = self.node.fleet.clone();
        let request = proto::PullObjectRequest {
            node: Some(self.node.node),
            run_id: self.run_id,
            object_id: id.to_string(),
        };
        let pulled = fleet.pull_object(request).await?.into_inner().into();
        if !matches!(pulled, Pulled::Content(_)) {
            bail!("an object of a message is not there");
        }
        Ok(pulled)
    }

    async fn push(&self, id: ObjectId, content: Bytes) -> Result<()> {
        let mut fleet = self.node.fleet.clone();
        let request = proto::PushObjectRequest {
            node: Some(self.node.node),
            run_id: self.run_id,
            object_id: id.to_string(),
            object_content: content,
        };
        if !fleet.push_object(request).await?.into_inner().stored {
            bail!("an object of a reply was not taken");
        }
        Ok(())
    }
}
