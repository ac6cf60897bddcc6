//! Fleet, for SuperNodes of flwr 1.8 to 1.14. Their calls carry no signature of today's kind.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use flwr_core::fab::LOCAL_FAB_ID;
use flwr_core::id::{NodeId, RunId};
use flwr_core::message::Message;
use flwr_core::object::ObjectId;
use flwr_proto as proto;
use flwr_proto::older::tasks as wire;
use flwr_security::shared_secret::PUBLIC_KEY_HEADER;
use flwr_security::signature;
use futures::future::BoxFuture;
use http::{Request, Response};
use tonic::Status;
use tonic::body::Body;
use tonic::metadata::MetadataValue;
use tonic::server::NamedService;
use tower::Service;

use super::entry::{Entry, Newcomer, Signed};
use super::records::Numbering;
use super::serverapp::read;
use super::task;
use crate::api::{RECONNECT, patience, to_the_end};
use crate::error::{Error, Result};
use crate::link::state::Parcel;
use crate::link::{Dialect, Link};
use crate::older::message;
use crate::older::unary::{self, Raw};

/// Fleet for all versions: the service behind it serves those that sign.
#[derive(Debug, Clone)]
pub(crate) struct Tasks<S> {
    signed: S,
    fleet: Arc<Fleet>,
}

#[derive(Debug)]
struct Fleet {
    link: Arc<Link>,
    entry: Entry,
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
    pub(crate) fn new(signed: S, link: Arc<Link>, entry: Entry) -> Self {
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

impl Fleet {
    async fn answer(self: &Arc<Self>, method: Method, request: tonic::Request<Raw>) -> Answer {
        let patience = patience::of(&request);
        let (metadata, _, body) = request.into_parts();
        let headers = metadata.into_headers();
        let bytes = body.0.clone();
        let caller = async |signed, claimed: Option<proto::Node>| {
            let claimed = claimed.map(|node| NodeId(node.node_id));
            self.entry.node(&self.link, &headers, signed, claimed).await
        };
        match method {
            Method::CreateNode => {
                let newcomer = self.entry.newcomer(&headers)?;
                return self.create(newcomer, body.read()?).await;
            }
            Method::DeleteNode => {
                let request: wire::DeleteNodeRequest = body.read()?;
                let node = named(request.node)?;
                caller(Signed::AsSent(&bytes), Some(node)).await?;
                let (link, node) = (Arc::clone(&self.link), NodeId(node.node_id));
                to_the_end(async move { link.remove_node(node).await }).await?;
                Ok(answered(&wire::DeleteNodeResponse {}))
            }
            Method::Ping => {
                let request: flwr_proto::older::inline::PingRequest = body.read()?;
                let node = request.node.unwrap_or_default();
                caller(Signed::AsSent(&bytes), Some(node)).await?;
                let node = NodeId(node.node_id);
                let success = self.link.node_lives(node, request.ping_interval).await?;
                let answer = flwr_proto::older::inline::PingResponse { success };
                Ok(answered(&answer))
            }
            Method::PullTaskIns => {
                let request: wire::PullTaskInsRequest = body.read()?;
                let node = named(request.node)?;
                caller(Signed::AsSent(&bytes), Some(node)).await?;
                let node = NodeId(node.node_id);
                let claimed = self.link.claim(node, patience).await?;
                let mut task_ins_list = Vec::new();
                if let Some(parcel) = claimed {
                    task_ins_list.extend(self.handed_out(node, parcel).await?);
                }
                Ok(answered(&wire::PullTaskInsResponse {
                    reconnect: Some(RECONNECT),
                    task_ins_list,
                }))
            }
            Method::PushTaskRes => {
                let from_12 = body.has_bytes(REPLIES[1]);
                let list = REPLIES[usize::from(from_12)];
                let replies = if from_12 {
                    body.read::<wire::PushTaskResRequest12>()?.task_res_list
                } else {
                    body.read::<wire::PushTaskResRequest11>()?.task_res_list
                };
                let reply = replies.into_iter().next().ok_or_else(|| Error::Field {
                    field: "task_res_list",
                    problem: "is empty: one reply is expected".to_owned(),
                })?;
                let producer = reply.task.as_ref().and_then(|task| task.producer);
                let node = named(producer)?;
                caller(Signed::PushTaskRes(&bytes, list), Some(node)).await?;
                let dialect = if from_12 {
                    Dialect::TasksFrom12
                } else {
                    Dialect::TasksUntil11
                };
                let fleet = Arc::clone(self);
                let node = NodeId(node.node_id);
                let pushed = to_the_end(async move { fleet.pushed(node, reply, dialect).await });
                let name = pushed.await?;
                let name = name.map_or_else(|| "None".to_owned(), |id| id.to_string());
                Ok(answered(&proto::PushMessagesResponse {
                    reconnect: Some(RECONNECT),
                    results: [(name, 0)].into(),
                    objects_to_push: Vec::new(),
                }))
            }
            Method::GetRun => {
                // Until 1.11 the run is field 1, and a number.
                let (node, run) = if body.has_number(1) {
                    (None, body.read::<wire::GetRunRequest11>()?.run_id)
                } else {
                    let request: proto::GetRunRequest = body.read()?;
                    (request.node, request.run_id)
                };
                caller(Signed::AsSent(&bytes), node).await?;
                let run = self.link.require_running(RunId(run)).await?;
                let run = Some(told(run.into()));
                Ok(answered(&proto::GetRunResponse { run }))
            }
            Method::GetFab => {
                // Until 1.11 the name is field 1, and alone.
                let (node, hash_str) = if body.has_bytes(2) {
                    let request: proto::GetFabRequest = body.read()?;
                    (request.node, request.hash_str)
                } else {
                    (None, body.read::<wire::GetFabRequest11>()?.hash_str)
                };
                caller(Signed::AsSent(&bytes), node).await?;
                let content = self.link.fab(&hash_str).await?;
                let fab = Some(proto::Fab { hash_str, content });
                Ok(answered(&proto::GetFabResponse { fab }))
            }
        }
    }

    async fn create(&self, newcomer: Newcomer, request: wire::CreateNodeRequest) -> Answer {
        let (link, key) = (Arc::clone(&self.link), newcomer.key);
        let registered = to_the_end(async move {
            let node = link
                .register_node(&key, request.ping_interval, None)
                .await?;
            link.speaks_tasks(node, Dialect::Tasks).await?;
            Ok(node)
        });
        let node = wire::Node {
            node_id: registered.await?.0,
            anonymous: false,
        };
        let mut answer = answered(&wire::CreateNodeResponse { node: Some(node) });
        if let Some(key) = newcomer.superlink_key
            && let Ok(key) = MetadataValue::try_from(key)
        {
            answer.metadata_mut().insert(PUBLIC_KEY_HEADER, key);
        }
        Ok(answer)
    }

    /// The message as a task; `None` where it makes none, which its ServerApp is told.
    async fn handed_out(&self, node: NodeId, parcel: Parcel) -> Result<Option<wire::TaskMessage>> {
        let instruction = parcel.message.metadata.clone();
        let dialect = self.link.tasks_dialect(node).await?;
        let numbering = dialect.map_or(Numbering::Either, Numbering::from);
        let now = self.link.now().as_secs();
        let why = match message::whole(&self.link, parcel).await? {
            Ok(whole) => match task::from_message(whole, numbering, str::to_owned, now) {
                Ok(task) => return Ok(Some(task)),
                Err(unreadable) => unreadable.to_string(),
            },
            Err(malformed) => malformed.to_string(),
        };
        message::give_up(&self.link, node, &instruction, &why).await?;
        Ok(None)
    }

    async fn pushed(
        &self,
        node: NodeId,
        reply: wire::TaskMessage,
        dialect: Dialect,
    ) -> Result<Option<ObjectId>> {
        self.link.speaks_tasks(node, dialect).await?;
        let parts = task::parts(reply, str::to_owned);
        let content = parts.recordset.map(|set| read(set, dialect.into()));
        let content = content.transpose()?;
        let now = self.link.now();
        let read = |message| Message::reply(message, now).map_err(Error::Malformed);
        let reply = message::apart(Some(parts.metadata), content, parts.error, read).await?;
        message::deliver(&self.link, node, reply).await
    }
}

/// What a node is told of a run. Where each has an app of its own no bundle is named, or those
/// before 1.12 would look for it.
fn told(run: proto::Run) -> proto::Run {
    let told = proto::Run {
        run_id: run.run_id,
        override_config: run.override_config,
        ..proto::Run::default()
    };
    if run.fab_id == LOCAL_FAB_ID {
        return told;
    }
    proto::Run {
        fab_id: run.fab_id,
        fab_version: run.fab_version,
        fab_hash: run.fab_hash,
        ..told
    }
}

/// A request that must name a node.
fn named<N: Into<NodeName>>(node: Option<N>) -> std::result::Result<proto::Node, Status> {
    let node = node.map(|node| node.into().0);
    node.ok_or_else(|| Status::invalid_argument("`node` is missing"))
}

struct NodeName(proto::Node);

impl From<wire::Node> for NodeName {
    fn from(node: wire::Node) -> Self {
        Self(proto::Node {
            node_id: node.node_id,
        })
    }
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
    type Future = BoxFuture<'static, std::result::Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<std::result::Result<(), Infallible>> {
        self.signed.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let is_signed = signature::is_signed(request.headers());
        match Method::of(request.uri().path()) {
            Some(method) if !is_signed && !matches!(self.fleet.entry, Entry::Closed) => {
                let fleet = Arc::clone(&self.fleet);
                Box::pin(async move {
                    let answer = |request| {
                        let fleet = Arc::clone(&fleet);
                        async move { fleet.answer(method, request).await }
                    };
                    Ok(unary::serve_with_metadata(request, answer).await)
                })
            }
            _ => Box::pin(self.signed.call(request)),
        }
    }
}

impl<S: NamedService> NamedService for Tasks<S> {
    const NAME: &'static str = S::NAME;
}
