//! Calls through the door, as ClientApps frame them.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use bytes::Bytes;
use flwr_core::config::UserConfig;
use flwr_core::context::{Context, State};
use flwr_core::fab;
use flwr_core::id::NodeId;
use flwr_core::message::{Body, Message, Metadata, Parcel};
use flwr_core::object::{Kind, Object, ObjectId, ObjectTree};
use flwr_core::run::AppRun;
use flwr_daemon::clock::MockClock;
use flwr_proto as proto;
use flwr_security::peer::Peer;
use flwr_wire::door::{ClientAppIo, RuntimeDoor};
use tonic::Code;
use tonic::client::Grpc;
use tonic_prost::ProstCodec;

use super::*;
use crate::work::{Inbox, Job, Outbox, RunInputs};

mod proofs;
mod runtimes;
mod work;

const RUN: RunId = RunId(7);
const OTHER_RUN: u64 = 8;
const NODE: NodeId = NodeId(9);
const NOW: Timestamp = Timestamp::from_secs(1_758_000_010.0);

/// What a call gives: its answer, or the code and the text of its refusal.
type Answer<A> = std::result::Result<A, (Code, String)>;

/// A SuperNode whose ClientApps somebody else starts, with one message on the desk.
struct Scene {
    host: Host,
    desk: Arc<Desk>,
    job: Arc<Job>,
    /// The connection of the ClientApp.
    peer: Peer,
}

/// A connection from this address.
fn peer_at(ip: Ipv4Addr) -> Peer {
    Peer::plaintext((ip, 50_000).into(), (ip, 9094).into())
}

impl Scene {
    fn new() -> Self {
        let desk = Arc::new(Desk::new(true));
        let clock = Arc::new(MockClock::new(NOW));
        let host = Host::new(Arc::clone(&desk), Launchers::default(), clock);
        let job = Arc::new(job());
        desk.open(Arc::clone(&job));
        let peer = peer_at(Ipv4Addr::LOCALHOST);
        Self {
            host,
            desk,
            job,
            peer,
        }
    }

    /// The token of the message.
    async fn token(&self) -> String {
        let token = self.desk.claim(RUN).unwrap().unwrap();
        token.as_str().to_owned()
    }

    /// Shows the token on the connection of the ClientApp.
    async fn show(&self, token: &str) {
        let token = token.to_owned();
        let request = proto::PullAppInputsRequest { token };
        let answer: Answer<proto::PullAppInputsResponse> =
            self.call("PullClientAppInputs", request).await;
        answer.unwrap();
    }

    /// The ClientApp calls on another connection from now on.
    fn reconnect(&mut self, ip: Ipv4Addr) {
        self.peer = peer_at(ip);
    }

    fn head(&self) -> Head {
        Head {
            patience: std::time::Duration::ZERO,
            peer: Some(self.peer.clone()),
            release: None,
        }
    }

    /// Calls a method of ClientAppIo.
    async fn call<Q, A>(&self, method: &str, request: Q) -> Answer<A>
    where
        Q: prost::Message + 'static,
        A: prost::Message + Default + 'static,
    {
        let path = format!("/flwr.proto.ClientAppIo/{method}");
        call(&self.host, &self.peer, &path, request).await
    }

    async fn pull_object(&self, run: u64, node: NodeId) -> Answer<bool> {
        let request = proto::PullObjectRequest {
            node: Some(node.into()),
            run_id: run,
            object_id: self.job.inbox.tree.id.to_string(),
        };
        let pulled: Answer<proto::PullObjectResponse> = self.call("PullObject", request).await;
        Ok(pulled?.object_found)
    }

    async fn pull_object_named(&self, id: &str) -> Answer<bool> {
        let request = proto::PullObjectRequest {
            node: Some(NODE.into()),
            run_id: RUN.0,
            object_id: id.to_owned(),
        };
        let pulled: Answer<proto::PullObjectResponse> = self.call("PullObject", request).await;
        Ok(pulled?.object_found)
    }

    async fn push_object(&self, id: ObjectId, bytes: Bytes) -> Answer<bool> {
        let pushed: Answer<proto::PushObjectResponse> =
            self.call("PushObject", push_object(id, bytes)).await;
        Ok(pushed?.stored)
    }

    async fn push_message(&self, token: &str, parcels: Vec<Parcel>) -> Answer<Vec<String>> {
        let request = push_message(token, parcels);
        let pushed: Answer<proto::PushAppMessagesResponse> =
            self.call("PushMessage", request).await;
        Ok(pushed?.objects_to_push)
    }

    async fn push_outputs(&self, token: &str, run_id: u64) -> Answer<()> {
        let request = proto::PushAppOutputsRequest {
            token: token.to_owned(),
            run_id,
            context: Some(context().into()),
        };
        let pushed: Answer<proto::PushAppOutputsResponse> =
            self.call("PushClientAppOutputs", request).await;
        pushed.map(drop)
    }
}

async fn call<Q, A>(host: &Host, peer: &Peer, path: &str, request: Q) -> Answer<A>
where
    Q: prost::Message + 'static,
    A: prost::Message + Default + 'static,
{
    let mut client = Grpc::new(RuntimeDoor::<_, ClientAppIo>::new(host.clone()));
    let codec = ProstCodec::<Q, A>::default();
    let mut request = tonic::Request::new(request);
    request.extensions_mut().insert(peer.clone());
    let answered = client.unary(request, path.parse().unwrap(), codec).await;
    answered
        .map(tonic::Response::into_inner)
        .map_err(|status| (status.code(), status.message().to_owned()))
}

fn push_object(id: ObjectId, object_content: Bytes) -> proto::PushObjectRequest {
    proto::PushObjectRequest {
        node: Some(NODE.into()),
        run_id: RUN.0,
        object_id: id.to_string(),
        object_content,
        ..proto::PushObjectRequest::default()
    }
}

fn push_message(token: &str, parcels: Vec<Parcel>) -> proto::PushAppMessagesRequest {
    let parcels = parcels.into_iter();
    let (messages_list, message_object_trees) = parcels
        .map(|Parcel { message, tree }| (message.into(), tree.into()))
        .unzip();
    proto::PushAppMessagesRequest {
        token: token.to_owned(),
        messages_list,
        run_id: 0,
        message_object_trees,
    }
}

fn invalid_token<T>() -> Answer<T> {
    Err((Code::PermissionDenied, "Invalid token.".to_owned()))
}

fn instruction() -> Metadata {
    Metadata {
        run: RUN,
        id: ObjectId::of(b"not known yet"),
        src: NodeId::SUPERLINK,
        dst: NODE,
        reply_to: None,
        group: "1".to_owned(),
        ttl: 3600.0,
        message_type: "train".to_owned(),
        created_at: Timestamp::from_secs(1_758_000_000.0),
    }
}

/// A message of this content, with its id: its objects, the message first.
fn sealed(metadata: Metadata, content: &Object) -> (Parcel, Object) {
    let message = Message {
        metadata,
        body: Body::Content,
    };
    message.announced(Some(ObjectTree::leaf(content.id)))
}

fn job() -> Job {
    let content = Object::new(Kind::RecordDict, &[], b"{}");
    let (Parcel { message, tree }, object) = sealed(instruction(), &content);
    let objects = HashMap::from([(object.id, object.bytes), (content.id, content.bytes)]);
    let inputs = Arc::new(RunInputs::bound(run(), &bundle()));
    let inbox = Inbox::new(message, tree, inputs, context(), objects);
    Job::new(NODE, inbox, Outbox::default())
}

/// A reply to the message in work, with its two objects.
fn reply(job: &Job, content: &[u8]) -> (Parcel, [Object; 2]) {
    let content = Object::new(Kind::RecordDict, &[], content);
    let metadata = Metadata {
        src: NODE,
        dst: NodeId::SUPERLINK,
        reply_to: Some(job.inbox.metadata().id),
        created_at: NOW,
        ttl: 60.0,
        ..instruction()
    };
    let (parcel, object) = sealed(metadata, &content);
    (parcel, [object, content])
}

fn run() -> AppRun {
    let bundle = bundle();
    AppRun {
        id: RUN,
        fab_id: bundle.fab_id(),
        fab_version: bundle.manifest().version.clone(),
        fab_hash: bundle.hash,
        override_config: UserConfig::new(),
    }
}

fn bundle() -> fab::Fab {
    let project = "[project]\nname = \"mini\"\nversion = \"1.0.0\"\n[tool.flwr.app]\npublisher = \"pub\"\n\
        [tool.flwr.app.components]\nserverapp = \"mini.s:app\"\nclientapp = \"mini.c:app\"\n";
    let file = |path: &str| (path.to_owned(), Bytes::from_static(b"app = 1\n"));
    fab::build(project, vec![file("mini/c.py"), file("mini/s.py")]).unwrap()
}

fn context() -> Context {
    let none = UserConfig::new();
    Context::new((RUN, &none), (NODE, &none), State::default())
}
