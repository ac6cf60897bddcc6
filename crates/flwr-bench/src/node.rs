//! A virtual SuperNode: a connection, a key, and the calls that a SuperNode makes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use flwr_client::channel::Channel;
use flwr_proto as proto;
use flwr_proto::fleet_client::FleetClient;
use flwr_security::key::PrivateKey;
use flwr_security::signature::{self, SignatureHeaders};
use futures::{StreamExt, TryStreamExt, stream};
use parking_lot::Mutex;
use time::OffsetDateTime;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Status};

use crate::payload::{Content, Payload};
use crate::target::{MESSAGE_BYTES, Target};

/// Seconds between heartbeats, of nodes and of ServerApps (flwr 1.22 wire).
pub(crate) const HEARTBEAT: f64 = 30.0;
/// Objects on their way at the same time (flwr 1.22's bound).
pub(crate) const AT_ONCE: usize = 8;
/// As long as our SuperNode uses a signature.
const SIGNATURE_LIFE: Duration = Duration::from_secs(120);

type Fleet = FleetClient<InterceptedService<Channel, Signer>>;

/// A registered node.
#[derive(Clone)]
pub(crate) struct VirtualNode {
    fleet: Fleet,
    node: proto::Node,
}

/// Puts signatures on requests that were made before: to make one costs more than to check it, and
/// it is the SuperLink that is measured here.
#[derive(Clone)]
struct Signer {
    key: Arc<PrivateKey>,
    made: Arc<Mutex<Signatures>>,
}

struct Signatures {
    at: Instant,
    /// Used in turns. A SuperLink that remembers a caller's last one has to check each, if there
    /// are several.
    ring: VecDeque<SignatureHeaders>,
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
        key: Arc<PrivateKey>,
        signatures: usize,
    ) -> Result<Self> {
        let made = Arc::new(Mutex::new(Signatures::make(&key, signatures)?));
        let signer = Signer { key, made };
        let mut fleet = FleetClient::with_interceptor(target.fleet(), signer)
            .max_decoding_message_size(MESSAGE_BYTES)
            .max_encoding_message_size(MESSAGE_BYTES);
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
        let mut ids = Vec::new();
        collect(&tree, &mut ids);
        stream::iter(ids)
            .map(|id| self.pull_object(run_id, id))
            .buffer_unordered(AT_ONCE)
            .try_collect::<Vec<_>>()
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
        let wanted = fleet.push_messages(request).await?.into_inner();
        stream::iter(reply.wanted(&wanted.objects_to_push)?)
            .map(|(id, content)| self.push_object(run_id, id, content))
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }

    async fn pull_object(&self, run_id: u64, object_id: String) -> Result<usize> {
        let mut fleet = self.fleet.clone();
        let request = proto::PullObjectRequest {
            node: Some(self.node),
            run_id,
            object_id,
        };
        let answer = fleet.pull_object(request).await?.into_inner();
        if !answer.object_available {
            bail!("an object of a message is not there");
        }
        Ok(answer.object_content.len())
    }

    async fn push_object(&self, run_id: u64, object_id: String, content: Bytes) -> Result<()> {
        let mut fleet = self.fleet.clone();
        let request = proto::PushObjectRequest {
            node: Some(self.node),
            run_id,
            object_id,
            object_content: content,
        };
        if !fleet.push_object(request).await?.into_inner().stored {
            bail!("an object of a reply was not taken");
        }
        Ok(())
    }
}

/// All ids of a tree, each once: pullers do not fetch what they have.
pub(crate) fn collect(tree: &proto::ObjectTree, ids: &mut Vec<String>) {
    for child in &tree.children {
        collect(child, ids);
    }
    if !ids.contains(&tree.object_id) {
        ids.push(tree.object_id.clone());
    }
}

impl Signatures {
    fn make(key: &PrivateKey, count: usize) -> Result<Self> {
        let sign = |_| signature::sign(key, OffsetDateTime::now_utc());
        let ring: Result<_, _> = (0..count).map(sign).collect();
        Ok(Self {
            at: Instant::now(),
            ring: ring?,
        })
    }
}

impl Interceptor for Signer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let mut made = self.made.lock();
        if made.at.elapsed() > SIGNATURE_LIFE {
            let again = Signatures::make(&self.key, made.ring.len());
            *made = again.map_err(|error| Status::internal(error.to_string()))?;
        }
        made.ring.rotate_left(1);
        if let Some(signed) = made.ring.front() {
            signed.write(request.metadata_mut().as_mut());
        }
        Ok(request)
    }
}
