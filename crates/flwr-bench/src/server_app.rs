//! A virtual ServerApp: starts a run, takes it over as `flwr-serverapp` would, and sends messages.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use flwr_client::channel::Channel;
use flwr_client::transfer::{self, Objects};
use flwr_core::id::{NodeId, RunId};
use flwr_core::message::MessageId;
use flwr_core::object::{ObjectId, Pulled};
use flwr_proto as proto;
use flwr_proto::MAX_MESSAGE_BYTES;
use flwr_proto::control_client::ControlClient;
use flwr_proto::server_app_io_client::ServerAppIoClient;
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
/// The node that a ServerApp speaks as.
const SUPERLINK: proto::Node = proto::Node {
    node_id: NodeId::SUPERLINK.0,
};
/// Messages in one call, as gRPC messages have an end.
const BATCH: usize = 1000;

/// The ServerApp of a running run.
pub(crate) struct VirtualServerApp {
    io: ServerAppIoClient<Channel>,
    run: u64,
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
        let fab = proto::Fab {
            hash_str: ObjectId::of(&content).to_string(),
            content: content.into(),
        };
        let mut control = ControlClient::new(target.control());
        let request = proto::StartRunRequest {
            fab: Some(fab),
            override_config: Default::default(),
            federation_options: Some(proto::ConfigRecord::default()),
        };
        let run = control.start_run(request).await?.into_inner().run_id;
        let run = run.context("the SuperLink started no run")?;
        let mut io = ServerAppIoClient::new(target.serverappio())
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        let request = proto::RequestTokenRequest { run_id: run };
        let token = io.request_token(request).await?.into_inner().token;
        io.pull_app_inputs(proto::PullAppInputsRequest { token })
            .await?;
        let heart = tokio::spawn(beat(io.clone(), run));
        let mut app = Self { io, run, heart };
        app.tell_status("running", "").await?;
        Ok(app)
    }

    /// Says how the run is.
    async fn tell_status(&mut self, status: &str, sub_status: &str) -> Result<()> {
        let status = proto::RunStatus {
            status: status.to_owned(),
            sub_status: sub_status.to_owned(),
            details: String::new(),
        };
        let request = proto::UpdateRunStatusRequest {
            run_id: self.run,
            run_status: Some(status),
        };
        self.io.update_run_status(request).await?;
        Ok(())
    }

    /// The run is over.
    pub(crate) async fn finish(mut self) -> Result<()> {
        self.tell_status("finished", "completed").await
    }

    /// A message to each of these nodes.
    pub(crate) fn instructions(
        &self,
        nodes: &[NodeId],
        mut content: impl FnMut() -> Content,
    ) -> Vec<Payload> {
        let instruction = |node: &NodeId| Payload::instruction(RunId(self.run), *node, content());
        nodes.iter().map(instruction).collect()
    }

    /// Sends the messages with all their objects. Gives their ids.
    pub(crate) async fn send(&self, payloads: Vec<Payload>) -> Result<Vec<MessageId>> {
        let ids: Vec<_> = payloads.iter().map(Payload::id).collect();
        let mut io = self.io.clone();
        let mut asked = Vec::new();
        for batch in payloads.chunks(BATCH) {
            let request = proto::PushAppMessagesRequest {
                token: String::new(),
                messages_list: batch
                    .iter()
                    .map(|payload| payload.parcel.message.clone().into())
                    .collect(),
                run_id: self.run,
                message_object_trees: batch
                    .iter()
                    .map(|payload| payload.parcel.tree.clone().into())
                    .collect(),
            };
            let answer = io.push_messages(request).await?.into_inner();
            if answer.message_ids.iter().any(String::is_empty) {
                bail!("a message was refused");
            }
            for id in answer.objects_to_push {
                asked.push(id.parse()?);
            }
        }
        let mut objects = HashMap::new();
        for payload in payloads {
            objects.extend(payload.objects);
        }
        transfer::push(self, wanted(&asked, &objects)?).await?;
        Ok(ids)
    }

    /// Takes the replies to all of these messages, with their objects. Gives their bytes.
    pub(crate) async fn receive(&self, mut outstanding: Vec<MessageId>) -> Result<usize> {
        let mut io = self.io.clone();
        let mut bytes = 0;
        while !outstanding.is_empty() {
            let asked: Vec<_> = outstanding.iter().take(BATCH).collect();
            let request = proto::PullAppMessagesRequest {
                token: String::new(),
                message_ids: asked.iter().map(ToString::to_string).collect(),
                run_id: self.run,
            };
            let asked = asked.len();
            let answer = io.pull_messages(request).await?.into_inner();
            let came = answer.messages_list.len();
            for message in &answer.messages_list {
                let metadata = message.metadata.as_ref().context("no metadata")?;
                if let Some(error) = &message.error {
                    bail!("a node answered with an error: {}", error.reason);
                }
                let answered = metadata.reply_to_message_id.parse()?;
                outstanding.retain(|id| *id != answered);
            }
            let taken: Vec<usize> = stream::iter(answer.message_object_trees)
                .map(|tree| self.take(tree))
                .buffer_unordered(AT_ONCE)
                .try_collect()
                .await?;
            bytes += taken.iter().sum::<usize>();
            if came < asked {
                sleep(PAUSE).await;
            }
        }
        Ok(bytes)
    }

    /// Pulls all objects of a reply and confirms it.
    async fn take(&self, tree: proto::ObjectTree) -> Result<usize> {
        let message_object_id = tree.object_id.clone();
        let mut bytes = 0;
        // One after the other: replies are taken side by side already.
        for id in object_ids(&tree.try_into()?) {
            if let Pulled::There(content) = self.pull(id).await? {
                bytes += content.len();
            }
        }
        let request = proto::ConfirmMessageReceivedRequest {
            node: Some(SUPERLINK),
            run_id: self.run,
            message_object_id,
        };
        let mut io = self.io.clone();
        io.confirm_message_received(request).await?;
        Ok(bytes)
    }

    /// Waits until so many nodes are online. Gives the time that it took.
    pub(crate) async fn wait_for_nodes(&self, nodes: usize) -> Result<Duration> {
        let started = Instant::now();
        let mut io = self.io.clone();
        loop {
            let request = proto::GetNodesRequest { run_id: self.run };
            let online = io.get_nodes(request).await?.into_inner().nodes.len();
            if online >= nodes {
                return Ok(started.elapsed());
            }
            sleep(PAUSE).await;
        }
    }
}

impl Objects for VirtualServerApp {
    type Error = anyhow::Error;

    async fn pull(&self, id: ObjectId) -> Result<Pulled> {
        let request = proto::PullObjectRequest {
            node: Some(SUPERLINK),
            run_id: self.run,
            object_id: id.to_string(),
        };
        let mut io = self.io.clone();
        let pulled = io.pull_object(request).await?.into_inner();
        if !pulled.object_available {
            bail!("an object of a reply is not there");
        }
        Ok(Pulled::There(pulled.object_content))
    }

    async fn push(&self, id: ObjectId, content: Bytes) -> Result<()> {
        let request = proto::PushObjectRequest {
            node: Some(SUPERLINK),
            run_id: self.run,
            object_id: id.to_string(),
            object_content: content,
        };
        let mut io = self.io.clone();
        if !io.push_object(request).await?.into_inner().stored {
            bail!("an object of a message was not taken");
        }
        Ok(())
    }
}

/// Signs of life, to the end of the task.
async fn beat(mut io: ServerAppIoClient<Channel>, run: u64) {
    let mut beats = interval(Duration::from_secs_f64(HEARTBEAT));
    loop {
        beats.tick().await;
        let request = proto::SendAppHeartbeatRequest {
            run_id: run,
            heartbeat_interval: HEARTBEAT,
        };
        // A missed one is no news: the next comes.
        let _ = io.send_app_heartbeat(request).await;
    }
}
