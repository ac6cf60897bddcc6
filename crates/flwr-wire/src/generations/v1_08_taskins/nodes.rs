//! What SuperNodes of flwr 1.8 to 1.14 say.

use bytes::Bytes;
use flwr_core::fab::LOCAL_FAB_ID;
use flwr_core::id::{NodeId, RunId};
use flwr_core::message::{Message, Parcel};
use flwr_core::port::{Fleet, Result};
use flwr_core::refusal::Refusal;
use flwr_core::run::AppRun;
use flwr_proto as proto;
use flwr_proto::shared::{PingRequest, PingResponse};
use flwr_proto::v1_08 as wire;
use http::{HeaderMap, HeaderValue};

use super::admission::{Admission, Newcomer, Shown, Signed, is_welcome, note};
use super::records::{self, Numbering};
use super::secret::PUBLIC_KEY_HEADER;
use super::{ANY, FROM_12, UNTIL_11, layout, task};
use crate::carrier::{Answer, decode};
use crate::generations::WireName;
use crate::host::FleetHost;
use crate::inflate;
use crate::methods::Size;
use crate::methods::fleet::{OpenRules, Unproven};
use crate::objects::{self, RECONNECT};
use crate::raw::has_bytes;

/// The methods of these releases.
#[derive(Debug, Clone, Copy)]
pub(super) enum Method {
    CreateNode,
    DeleteNode,
    Ping,
    PullTaskIns,
    PushTaskRes,
    GetRun,
    GetFab,
}

/// The path of each.
pub(super) const METHODS: [(&str, Method); 7] = [
    ("/flwr.proto.Fleet/CreateNode", Method::CreateNode),
    ("/flwr.proto.Fleet/DeleteNode", Method::DeleteNode),
    ("/flwr.proto.Fleet/Ping", Method::Ping),
    ("/flwr.proto.Fleet/PullTaskIns", Method::PullTaskIns),
    ("/flwr.proto.Fleet/PushTaskRes", Method::PushTaskRes),
    ("/flwr.proto.Fleet/GetRun", Method::GetRun),
    ("/flwr.proto.Fleet/GetFab", Method::GetFab),
];

impl Method {
    /// What holds for the method. The list of keys is asked before a body is read.
    pub(super) const fn rules<H: FleetHost>(self) -> OpenRules<H> {
        OpenRules {
            is_held: matches!(self, Self::PullTaskIns),
            size: match self {
                Self::PushTaskRes => Size::TASKS,
                _ => Size::CALL,
            },
            is_welcome: is_welcome::<H>,
        }
    }
}

/// The fields of the replies in a PushTaskRes until 1.11, and from 1.12 on.
const REPLIES: [u32; 2] = [1, 2];

/// What the generation keeps of nodes between calls.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    admission: Admission,
}

/// A call of this generation, and whom it is for.
struct Call<'a, H> {
    admission: &'a Admission,
    host: &'a H,
    request: Unproven,
}

impl Nodes {
    pub(super) async fn answer<H: FleetHost>(
        &self,
        method: Method,
        host: &H,
        request: Unproven,
    ) -> Result<Answer> {
        let call = Call {
            admission: &self.admission,
            host,
            request,
        };
        match method {
            Method::CreateNode => call.create_node().await,
            Method::DeleteNode => call.delete_node().await,
            Method::Ping => call.ping().await,
            Method::PullTaskIns => call.pull_task_ins().await,
            Method::PushTaskRes => call.push_task_res().await,
            Method::GetRun => call.get_run().await,
            Method::GetFab => call.get_fab().await,
        }
    }
}

impl<H: FleetHost> Call<'_, H> {
    fn body(&self) -> Bytes {
        self.request.body.clone()
    }

    /// The session of the caller, who must be the node that the request names, if it names one.
    async fn session(&self, node: Option<NodeId>) -> Result<H::Fleet> {
        self.session_by(Signed::AsSent(&self.request.body), node)
            .await
    }

    async fn session_by(&self, signed: Signed<'_>, node: Option<NodeId>) -> Result<H::Fleet> {
        let shown = Shown {
            head: &self.request.head,
            headers: &self.request.headers,
            signed,
            node,
        };
        self.admission.node(self.host, shown).await
    }

    async fn create_node(&self) -> Result<Answer> {
        let Unproven { head, headers, .. } = &self.request;
        let interval = decode::<wire::CreateNodeRequest>(self.body())?.ping_interval;
        let newcomer = self
            .admission
            .newcomer(self.host, head, headers, interval)
            .await?;
        let mut headers = HeaderMap::new();
        let node = match newcomer {
            Newcomer::Admitted(fleet) => {
                let node = fleet.join(interval).await?;
                note(self.host, node, ANY).await?;
                node
            }
            Newcomer::Unproven { id, superlink_key } => {
                if let Ok(key) = HeaderValue::from_str(&superlink_key) {
                    headers.insert(PUBLIC_KEY_HEADER, key);
                }
                id
            }
        };
        let node = wire::Node {
            node_id: node.0,
            anonymous: false,
        };
        let answer = wire::CreateNodeResponse { node: Some(node) };
        Ok(Answer::with_headers(answer, headers))
    }

    async fn delete_node(&self) -> Result<Answer> {
        let node = named(decode::<wire::DeleteNodeRequest>(self.body())?.node)?;
        self.session(Some(node)).await?.leave().await?;
        Ok(Answer::new(wire::DeleteNodeResponse {}))
    }

    async fn ping(&self) -> Result<Answer> {
        let request: PingRequest = decode(self.body())?;
        let fleet = self.session(Some(NodeId::from(request.node))).await?;
        let success = fleet.heartbeat(request.ping_interval).await?;
        Ok(Answer::new(PingResponse { success }))
    }

    async fn pull_task_ins(&self) -> Result<Answer> {
        let node = named(decode::<wire::PullTaskInsRequest>(self.body())?.node)?;
        let fleet = self.session(Some(node)).await?;
        let mut task_ins_list = Vec::new();
        if let Some(parcel) = fleet.pull(self.request.head.patience).await? {
            // The instruction may turn out to be one that cannot be given, and is answered then.
            let host = self.host.clone();
            let task = async move { task_for(&host, &fleet, node, parcel).await };
            task_ins_list.extend(self.host.complete(Box::pin(task)).await?);
        }
        Ok(Answer::new(wire::PullTaskInsResponse {
            reconnect: Some(RECONNECT),
            task_ins_list,
        }))
    }

    async fn push_task_res(&self) -> Result<Answer> {
        let from_12 = has_bytes(&self.request.body, REPLIES[1]);
        let (replies, wire) = if from_12 {
            let request: wire::PushTaskResRequest12 = decode(self.body())?;
            (request.task_res_list, FROM_12)
        } else {
            let request: wire::PushTaskResRequest11 = decode(self.body())?;
            (request.task_res_list, UNTIL_11)
        };
        let mut replies = replies.into_iter();
        let reply = replies
            .next()
            .ok_or_else(|| objects::no_reply("task_res_list"))?;
        let node = named(reply.task.as_ref().and_then(|task| task.producer))?;
        let list = REPLIES[usize::from(from_12)];
        let signed = Signed::PushTaskRes(&self.request.body, list);
        let fleet = self.session_by(signed, Some(node)).await?;
        note(self.host, node, wire).await?;
        let reply = deflated(reply, numbering(wire)).await?;
        let taken = inflate::push(&fleet, reply).await?;
        Ok(Answer::new(objects::pushed(taken, &[])))
    }

    async fn get_run(&self) -> Result<Answer> {
        let (request, _) = layout::get_run(self.body())?;
        let node = request.node.map(|node| NodeId(node.node_id));
        let fleet = self.session(node).await?;
        let run = fleet.run(RunId(request.run_id)).await?;
        let run = Some(run_for_node(run));
        Ok(Answer::new(proto::GetRunResponse { run }))
    }

    async fn get_fab(&self) -> Result<Answer> {
        let proto::GetFabRequest { node, hash_str, .. } = layout::get_fab(self.body())?;
        let node = node.map(|node| NodeId(node.node_id));
        let fleet = self.session(node).await?;
        let content = fleet.fab(None, &hash_str).await?;
        let fab = Some(objects::fab(hash_str, content));
        Ok(Answer::new(proto::GetFabResponse { fab }))
    }
}

/// The message as a task. `None`: that cannot be, and the ServerApp got an error reply.
async fn task_for<H: FleetHost>(
    host: &H,
    fleet: &H::Fleet,
    node: NodeId,
    parcel: Parcel,
) -> Result<Option<wire::TaskMessage>> {
    let noted = host.noted(node).await?;
    let numbering = noted.map_or(Numbering::Either, numbering);
    let now = host.now();
    let make = |inflated| {
        let task = task::from_message(inflated, numbering, str::to_owned, now.as_secs());
        task.map_err(|unreadable| unreadable.to_string())
    };
    inflate::instruction(fleet, node, parcel, now, make).await
}

fn numbering(wire: WireName) -> Numbering {
    match wire {
        UNTIL_11 => Numbering::Until11,
        FROM_12 => Numbering::From12,
        _ => Numbering::Either,
    }
}

async fn deflated(reply: wire::TaskMessage, numbering: Numbering) -> Result<inflate::Deflated> {
    let parts = task::parts(reply);
    let content = parts.recordset.map(|set| records::read(set, numbering));
    let content = content.transpose()?;
    let read = |message| Message::reply(message).map_err(Refusal::Malformed);
    inflate::deflate(Some(parts.metadata), content, parts.error, read).await
}

/// A run as nodes get it. Where each node has an app of its own no bundle is named, or those
/// before 1.12 would look for it.
fn run_for_node(run: AppRun) -> proto::Run {
    let run = proto::Run::from(run);
    if run.fab_id != LOCAL_FAB_ID {
        return run;
    }
    proto::Run {
        run_id: run.run_id,
        override_config: run.override_config,
        ..proto::Run::default()
    }
}

/// A request that must name a node.
fn named(node: Option<wire::Node>) -> Result<NodeId> {
    let missing = || Refusal::field("node", "is missing");
    Ok(node.map(|node| NodeId(node.node_id)).ok_or_else(missing)?)
}
