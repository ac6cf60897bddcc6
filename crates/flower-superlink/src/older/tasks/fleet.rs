//! Fleet, for SuperNodes of flwr 1.8 to 1.14. Their calls carry no signature of today's kind.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use flwr_core::fab::LOCAL_FAB_ID;
use flwr_core::id::{NodeId, RunId};
use flwr_core::message::Message;
use flwr_core::object::ObjectId;
use flwr_core::run::Run;
use flwr_proto as proto;
use flwr_proto::older::inline::{PingRequest, PingResponse};
use flwr_proto::older::tasks as wire;
use flwr_security::shared_secret::PUBLIC_KEY_HEADER;
use flwr_security::signature;
use http::{HeaderMap, Request, Response};
use tonic::Status;
use tonic::body::Body;
use tonic::metadata::MetadataValue;
use tonic::server::NamedService;
use tower::Service;

use super::admission::{Admission, Newcomer, Signed};
use super::records::Numbering;
use super::serverapp::read;
use super::{layout, task};
use crate::api::{self, RECONNECT, patience, push_response, run_to_completion};
use crate::error::{Error, Result};
use crate::link::state::Parcel;
use crate::link::{Dialect, Link};
use crate::older::message;
use crate::older::unary::{self, Raw, Served};

/// Fleet for all versions: the service behind it serves those that sign.
#[derive(Debug, Clone)]
pub(crate) struct Tasks<S> {
    signed: S,
    fleet: Arc<Fleet>,
}

#[derive(Debug)]
struct Fleet {
    link: Arc<Link>,
    entry: Admission,
}

/// The methods of those versions.
#[derive(Debug, Clone, Copy)]
enum Method {
    CreateNode,
    DeleteNode,
    Ping,
    PullTaskIns,
    PushTaskRes,
    GetRun,
    GetFab,
}

type Answer = std::result::Result<tonic::Response<Raw>, Status>;

/// The fields of the replies in a PushTaskRes until 1.11, and from 1.12 on.
const REPLIES: [u32; 2] = [1, 2];

impl<S> Tasks<S> {
    /// Puts those versions before the service of later ones.
    pub(crate) fn new(signed: S, link: Arc<Link>, entry: Admission) -> Self {
        Self {
            signed,
            fleet: Arc::new(Fleet { link, entry }),
        }
    }
}

impl Method {
    fn of(path: &str) -> Option<Self> {
        match path.strip_prefix("/flwr.proto.Fleet/")? {
            "CreateNode" => Some(Self::CreateNode),
            "DeleteNode" => Some(Self::DeleteNode),
            "Ping" => Some(Self::Ping),
            "PullTaskIns" => Some(Self::PullTaskIns),
            "PushTaskRes" => Some(Self::PushTaskRes),
            "GetRun" => Some(Self::GetRun),
            "GetFab" => Some(Self::GetFab),
            _ => None,
        }
    }
}

/// A request, as it came.
struct Call {
    headers: HeaderMap,
    body: Raw,
    patience: Duration,
}

impl Fleet {
    async fn answer(self: &Arc<Self>, method: Method, request: tonic::Request<Raw>) -> Answer {
        let patience = patience::of(&request);
        let (metadata, _, body) = request.into_parts();
        let call = Call {
            headers: metadata.into_headers(),
            body,
            patience,
        };
        match method {
            Method::CreateNode => self.create(call).await,
            Method::DeleteNode => self.delete(call).await,
            Method::Ping => self.ping(call).await,
            Method::PullTaskIns => self.pull(call).await,
            Method::PushTaskRes => self.push(call).await,
            Method::GetRun => self.run(call).await,
            Method::GetFab => self.fab(call).await,
        }
    }

    /// Makes sure that the caller is the node that it says it is, if it says so.
    async fn admit(&self, call: &Call, claimed: Option<NodeId>) -> std::result::Result<(), Status> {
        let signed = Signed::AsSent(&call.body.0);
        self.entry
            .admit(&self.link, &call.headers, signed, claimed)
            .await
    }

    async fn create(&self, call: Call) -> Answer {
        let Newcomer { key, superlink_key } = self.entry.newcomer(&call.headers)?;
        let interval = call.body.read::<wire::CreateNodeRequest>()?.ping_interval;
        let link = Arc::clone(&self.link);
        let registered = run_to_completion(async move {
            let node = link.register_node(&key, interval, None).await?;
            link.speaks_tasks(node, Dialect::Tasks).await?;
            Ok(node)
        });
        let node = wire::Node {
            node_id: registered.await?.0,
            anonymous: false,
        };
        let mut answer = answered(&wire::CreateNodeResponse { node: Some(node) });
        if let Some(key) = superlink_key
            && let Ok(key) = MetadataValue::try_from(key)
        {
            answer.metadata_mut().insert(PUBLIC_KEY_HEADER, key);
        }
        Ok(answer)
    }

    async fn delete(&self, call: Call) -> Answer {
        let node = named(call.body.clone().read::<wire::DeleteNodeRequest>()?.node)?;
        self.admit(&call, Some(node)).await?;
        let link = Arc::clone(&self.link);
        run_to_completion(async move { link.remove_node(node).await }).await?;
        Ok(answered(&wire::DeleteNodeResponse {}))
    }

    async fn ping(&self, call: Call) -> Answer {
        let request: PingRequest = call.body.clone().read()?;
        let node = NodeId::from(request.node);
        self.admit(&call, Some(node)).await?;
        let success = self.link.node_lives(node, request.ping_interval).await?;
        Ok(answered(&PingResponse { success }))
    }

    async fn pull(&self, call: Call) -> Answer {
        let node = named(call.body.clone().read::<wire::PullTaskInsRequest>()?.node)?;
        self.admit(&call, Some(node)).await?;
        let mut task_ins_list = Vec::new();
        if let Some(parcel) = self.link.claim(node, call.patience).await? {
            task_ins_list.extend(self.handed_out(node, parcel).await?);
        }
        Ok(answered(&wire::PullTaskInsResponse {
            reconnect: Some(RECONNECT),
            task_ins_list,
        }))
    }

    async fn push(self: &Arc<Self>, call: Call) -> Answer {
        let Call { headers, body, .. } = call;
        let bytes = body.0.clone();
        let from_12 = body.has_bytes(REPLIES[1]);
        let (replies, dialect) = if from_12 {
            let request: wire::PushTaskResRequest12 = body.read()?;
            (request.task_res_list, Dialect::TasksFrom12)
        } else {
            let request: wire::PushTaskResRequest11 = body.read()?;
            (request.task_res_list, Dialect::TasksUntil11)
        };
        let reply = replies.into_iter().next().ok_or_else(|| Error::Field {
            field: "task_res_list",
            problem: "is empty: one reply is expected".to_owned(),
        })?;
        let node = named(reply.task.as_ref().and_then(|task| task.producer))?;
        let signed = Signed::PushTaskRes(&bytes, REPLIES[usize::from(from_12)]);
        self.entry
            .admit(&self.link, &headers, signed, Some(node))
            .await?;
        let fleet = Arc::clone(self);
        let taken = run_to_completion(async move { fleet.taken(node, reply, dialect).await });
        Ok(answered(&push_response(taken.await?, &[])))
    }

    async fn run(&self, call: Call) -> Answer {
        let (request, _) = layout::get_run(call.body.clone())?;
        self.admit(&call, request.node.map(|node| NodeId(node.node_id)))
            .await?;
        let run = self.link.require_running(RunId(request.run_id)).await?;
        let run = Some(run_for_node(run));
        Ok(answered(&proto::GetRunResponse { run }))
    }

    async fn fab(&self, call: Call) -> Answer {
        let proto::GetFabRequest { node, hash_str, .. } = layout::get_fab(call.body.clone())?;
        self.admit(&call, node.map(|node| NodeId(node.node_id)))
            .await?;
        let content = self.link.fab(&hash_str).await?;
        let fab = Some(proto::Fab { hash_str, content });
        Ok(answered(&proto::GetFabResponse { fab }))
    }

    /// The message as a task; `None` where it makes none, which its ServerApp is told.
    async fn handed_out(&self, node: NodeId, parcel: Parcel) -> Result<Option<wire::TaskMessage>> {
        let dialect = self.link.tasks_dialect(node).await?;
        let numbering = dialect.map_or(Numbering::Either, Numbering::from);
        let now = self.link.now().as_secs();
        let make = |whole| {
            let task = task::from_message(whole, numbering, str::to_owned, now);
            task.map_err(|unreadable| unreadable.to_string())
        };
        message::handed_out(&self.link, node, parcel, make).await
    }

    async fn taken(
        &self,
        node: NodeId,
        reply: wire::TaskMessage,
        dialect: Dialect,
    ) -> Result<Option<ObjectId>> {
        self.link.speaks_tasks(node, dialect).await?;
        let parts = task::parts(reply);
        let content = parts.recordset.map(|set| read(set, dialect.into()));
        let content = content.transpose()?;
        let now = self.link.now();
        let read = |message| Message::reply(message, now).map_err(Error::Malformed);
        let reply = message::split(Some(parts.metadata), content, parts.error, read).await?;
        message::deliver(&self.link, node, reply).await
    }
}

/// What a node is told of a run. Where each has an app of its own no bundle is named, or those
/// before 1.12 would look for it.
fn run_for_node(run: Run) -> proto::Run {
    let run = api::run_for_node(run);
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
fn named(node: Option<wire::Node>) -> std::result::Result<NodeId, Status> {
    let node = node.map(|node| NodeId(node.node_id));
    node.ok_or_else(|| Status::invalid_argument("`node` is missing"))
}

fn answered(answer: &impl prost::Message) -> tonic::Response<Raw> {
    tonic::Response::new(unary::raw(answer))
}

impl<S> Service<Request<Body>> for Tasks<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Served;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<std::result::Result<(), Infallible>> {
        self.signed.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let is_signed = signature::is_signed(request.headers());
        match Method::of(request.uri().path()) {
            Some(method) if !is_signed && !matches!(self.fleet.entry, Admission::Closed) => {
                let answer = move |fleet: Arc<Fleet>, request| async move {
                    fleet.answer(method, request).await
                };
                unary::serve_with_metadata(Arc::clone(&self.fleet), request, answer)
            }
            _ => Box::pin(self.signed.call(request)),
        }
    }
}

impl<S: NamedService> NamedService for Tasks<S> {
    const NAME: &'static str = S::NAME;
}

#[cfg(test)]
mod tests;
