//! Callers that go away while their call is under way. Each call that changes something happens to
//! its end: its effect is there, and those who wait for the effect are woken.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use flwr_core::id::RunId;
use flwr_core::object::Object;
use flwr_core::port::control::NodeStatus;
use flwr_core::run::{Outcome, Phase};
use flwr_proto as proto;
use flwr_proto::launch::StartRunRequest;
use flwr_proto::upkeep::DeleteRunRequest;
use flwr_security::key::PrivateKey;
use flwr_wire::door::{Control, ControlDoor, LaunchDoor, RuntimeDoor, ServerAppIo, Upkeep};
use futures::FutureExt;
use tempfile::TempDir;
use tokio::task::yield_now;

use super::wires::signed;
use super::*;
use crate::in_time::in_time;
use crate::link::state::LogEntry;
use crate::link::tests::{Mail, bundle};
use crate::link::wake::Topic;
use crate::link::{Principal, token_id};
use crate::store::SqliteState;

const NOON: Timestamp = Timestamp::from_secs(1_758_000_000.0);

/// A SuperLink that writes to a disk, and whose callers all go away.
struct Scene {
    host: Host,
    key: PrivateKey,
    /// The connection of the callers.
    peer: Peer,
    _dir: TempDir,
}

impl Scene {
    fn new(apps: Apps) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let state = SqliteState::open(&dir.path().join("state.db"), NOON).unwrap();
        let link = Link::new(link_parts(Arc::new(state), NOON));
        let host = Host::new(Parts {
            apps,
            ..parts(Arc::new(link), Policy::AnyKey, None)
        });
        let key = PrivateKey::generate().unwrap();
        Self {
            host,
            key,
            peer: peer((Ipv4Addr::LOCALHOST, 50_000).into()),
            _dir: dir,
        }
    }

    fn link(&self) -> &Arc<Link> {
        self.host.link()
    }

    /// Makes a call, and goes away as soon as the call is under way. Those who wait at `topic` are
    /// woken when the call is done.
    async fn abandon<D>(
        &self,
        mut door: D,
        path: &str,
        headers: HeaderMap,
        message: &impl Message,
        topic: Option<Topic>,
    ) where
        D: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    {
        let listener = topic.map(|topic| self.link().wake().listen(topic));
        let woken = listener.as_ref().map(crate::link::wake::Listener::next);
        let mut request = request(path, headers, message.encode_to_vec().into());
        request.extensions_mut().insert(self.peer.clone());
        {
            let mut call = pin!(door.call(request));
            let begins = async {
                loop {
                    let polled = poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx))).await;
                    if !self.host.0.completion.is_idle() {
                        break;
                    }
                    if let Poll::Ready(Ok(response)) = polled {
                        let Answered { code, text, .. } = Answered::of(response).await;
                        panic!("{path} is answered before it is under way: {code:?} {text}");
                    }
                    yield_now().await;
                }
            };
            in_time(path, begins).await;
        }
        self.host.settled().await;
        if let Some(woken) = woken {
            assert!(woken.now_or_never().is_some(), "{path} wakes nobody");
        }
    }

    async fn fleet(&self, method: &str, message: &impl Message, topic: Option<Topic>) {
        let door = FleetDoor::new(self.host.clone());
        let path = format!("/flwr.proto.Fleet/{method}");
        self.abandon(door, &path, signed(&self.key), message, topic)
            .await;
    }

    async fn app(&self, method: &str, message: &impl Message, topic: Option<Topic>) {
        let door = RuntimeDoor::<_, ServerAppIo>::new(self.host.clone());
        let path = format!("/flwr.proto.ServerAppIo/{method}");
        self.abandon(door, &path, HeaderMap::new(), message, topic)
            .await;
    }

    async fn control(&self, method: &str, message: &impl Message, topic: Option<Topic>) {
        let door = ControlDoor::<_, Control>::new(self.host.clone());
        let path = format!("/flwr.proto.Control/{method}");
        self.abandon(door, &path, HeaderMap::new(), message, topic)
            .await;
    }

    async fn only_run(&self) -> RunId {
        let runs = self.link().runs(&Principal::Anybody).await.unwrap();
        let [run] = &runs[..] else {
            panic!("one run: {runs:?}");
        };
        run.id
    }

    async fn phase(&self, run: RunId) -> Phase {
        self.link().known_run(run).await.unwrap().status.phase
    }

    /// A running run of a ServerApp that needs no token, and calls on the scene's connection.
    async fn running(&self) -> RunId {
        let app = ("a/b".to_owned(), "1.0.0".to_owned());
        let run = self
            .link()
            .start_run_of_a_stranger(app, None, Default::default());
        let run = run.await.unwrap();
        let token = self.link().issue_token(run).await.unwrap().unwrap();
        self.peer.proven.add(run, token_id(token.as_str()));
        run
    }

    async fn node(&self) -> NodeId {
        let key = self.key.public_key();
        let node = self.link().take_in(key, 30.0, None).await.unwrap();
        assert!(self.link().node_lives(node, 30.0).await.unwrap());
        node
    }
}

fn fab() -> Option<proto::Fab> {
    Some(proto::Fab {
        content: bundle(),
        ..proto::Fab::default()
    })
}

fn status(phase: &str, end: &str) -> Option<proto::RunStatus> {
    Some(proto::RunStatus {
        status: phase.to_owned(),
        sub_status: end.to_owned(),
        details: String::new(),
    })
}

#[tokio::test]
async fn what_people_do_is_done_to_its_end() {
    let scene = Scene::new(Apps::WithTokens);
    let start = proto::StartRunRequest {
        fab: fab(),
        ..proto::StartRunRequest::default()
    };
    scene
        .control("StartRun", &start, Some(Topic::Pending))
        .await;
    let run = scene.only_run().await;
    assert!(scene.link().space().await.unwrap().fabs > 0);

    let stop = proto::StopRunRequest { run_id: run.0 };
    scene.control("StopRun", &stop, Some(Topic::Run(run))).await;
    assert_eq!(scene.phase(run).await, Phase::Finished(Outcome::Stopped));
    assert_eq!(scene.link().space().await.unwrap().fabs, 0);

    let delete = DeleteRunRequest { run_id: run.0 };
    let door = ControlDoor::<_, Upkeep>::new(scene.host.clone());
    let path = "/flower.upkeep.Upkeep/DeleteRun";
    let headers = HeaderMap::new();
    scene
        .abandon(door, path, headers, &delete, Some(Topic::Log(run)))
        .await;
    let runs = scene.link().runs(&Principal::Anybody).await.unwrap();
    assert_eq!(runs, []);

    let launch = StartRunRequest { fab: bundle() };
    let door = LaunchDoor::new(scene.host.clone());
    let path = "/flower.launch.Launch/StartRun";
    scene
        .abandon(door, path, HeaderMap::new(), &launch, None)
        .await;
    assert_eq!(scene.phase(scene.only_run().await).await, Phase::Starting);
}

#[tokio::test]
async fn what_a_serverapp_does_is_done_to_its_end() {
    let scene = Scene::new(Apps::OfStrangers);
    let started = scene
        .link()
        .start_run(bundle(), Default::default(), &Principal::Anybody);
    let run = started.await.unwrap();
    let request = proto::RequestTokenRequest { run_id: run.0 };
    scene.app("RequestToken", &request, None).await;
    let second = scene.link().issue_token(run).await.unwrap();
    assert!(second.is_none(), "the run has its token");
    scene.link().revoke_token(run).await.unwrap();
    let token = scene.link().issue_token(run).await.unwrap().unwrap();

    let token = token.as_str().to_owned();
    let inputs = proto::PullAppInputsRequest {
        token: token.clone(),
    };
    let moved = Some(Topic::Run(run));
    scene.app("PullAppInputs", &inputs, moved).await;
    assert_eq!(scene.phase(run).await, Phase::Starting);

    let heartbeat = proto::SendAppHeartbeatRequest {
        run_id: run.0,
        heartbeat_interval: 300.0,
    };
    scene.app("SendAppHeartbeat", &heartbeat, None).await;

    let update = |run_status| proto::UpdateRunStatusRequest {
        run_id: run.0,
        run_status,
    };
    let running = update(status("running", ""));
    scene.app("UpdateRunStatus", &running, moved).await;
    assert_eq!(scene.phase(run).await, Phase::Running);

    let logs = proto::PushLogsRequest {
        run_id: run.0,
        logs: vec!["printed\n".to_owned()],
        ..proto::PushLogsRequest::default()
    };
    scene.app("PushLogs", &logs, Some(Topic::Log(run))).await;
    let logged = scene
        .link()
        .next_log(run, Timestamp::ZERO, usize::MAX)
        .await
        .unwrap();
    let LogEntry { text, .. } = logged.unwrap();
    assert_eq!(text, "printed\n");

    let outputs = proto::PushAppOutputsRequest {
        token,
        run_id: run.0,
        context: Some(proto::Context {
            run_id: 42,
            ..proto::Context::default()
        }),
    };
    scene.app("PushAppOutputs", &outputs, None).await;
    let finished = update(status("finished", "completed"));
    scene.app("UpdateRunStatus", &finished, moved).await;
    assert_eq!(scene.phase(run).await, Phase::Finished(Outcome::Completed));
    assert_eq!(scene.link().space().await.unwrap().fabs, 0);
}

#[tokio::test]
async fn messages_travel_there_and_back_though_every_caller_goes_away() {
    let scene = Scene::new(Apps::WithTokens);
    let (node, run) = (scene.node().await, scene.running().await);
    let asked = Mail::new(run, "model", |metadata| flwr_core::message::Metadata {
        dst: node,
        ..metadata
    });
    let (message, tree) = (asked.parcel.message.clone(), asked.parcel.tree.clone());
    let push = proto::PushAppMessagesRequest {
        run_id: run.0,
        messages_list: vec![message.into()],
        message_object_trees: vec![tree.into()],
        ..proto::PushAppMessagesRequest::default()
    };
    scene.app("PushMessages", &push, None).await;
    let object = |object: &Object, node| proto::PushObjectRequest {
        node,
        run_id: run.0,
        object_id: object.id.to_string(),
        object_content: object.bytes.clone(),
        ..proto::PushObjectRequest::default()
    };
    let [first, last] = &asked.objects[..] else {
        panic!("two objects");
    };
    let of_superlink = Some(NodeId::SUPERLINK.into());
    scene
        .app("PushObject", &object(first, of_superlink), None)
        .await;
    let whole = Some(Topic::Node(node));
    scene
        .app("PushObject", &object(last, of_superlink), whole)
        .await;

    let claimed = scene.link().claim(node, Duration::ZERO).await.unwrap();
    assert_eq!(claimed.unwrap(), asked.parcel);
    let confirm = |id: flwr_core::object::ObjectId, node| proto::ConfirmMessageReceivedRequest {
        node,
        run_id: run.0,
        message_object_id: id.to_string(),
    };
    let own = Some(node.into());
    let arrived = confirm(asked.id(), own);
    scene.fleet("ConfirmMessageReceived", &arrived, None).await;
    let again = scene.link().claim(node, Duration::ZERO).await.unwrap();
    assert_eq!(again, None, "the message has arrived");

    let reply = asked.reply(run, "answer");
    let (message, tree) = (reply.parcel.message.clone(), reply.parcel.tree.clone());
    let push = proto::PushMessagesRequest {
        node: own,
        messages_list: vec![message.into()],
        message_object_trees: vec![tree.into()],
        ..proto::PushMessagesRequest::default()
    };
    scene.fleet("PushMessages", &push, None).await;
    scene
        .fleet("PushObject", &object(&reply.objects[0], own), None)
        .await;
    // Whoever listens to the run hears of its replies.
    let whole = Some(Topic::Run(run));
    scene
        .fleet("PushObject", &object(&reply.objects[1], own), whole)
        .await;
    let asks = [Some(asked.id())];
    let replies = scene.link().replies(run, &asks, Duration::ZERO).await;
    assert_eq!(replies.unwrap(), std::slice::from_ref(&reply.parcel));

    let arrived = confirm(reply.id(), of_superlink);
    scene.app("ConfirmMessageReceived", &arrived, None).await;
    assert_eq!(scene.link().space().await.unwrap().objects, 0);
}

#[tokio::test]
async fn a_node_comes_lives_and_goes_though_it_hangs_up_each_time() {
    let scene = Scene::new(Apps::WithTokens);
    let create = proto::CreateNodeRequest {
        heartbeat_interval: 30.0,
    };
    scene.fleet("CreateNode", &create, None).await;
    let nodes = || async { scene.link().known_nodes().await.unwrap() };
    let [(node, _)] = &nodes().await[..] else {
        panic!("one node");
    };
    let heartbeat = proto::SendNodeHeartbeatRequest {
        node: Some(node.id.into()),
        heartbeat_interval: 300.0,
    };
    scene.fleet("SendNodeHeartbeat", &heartbeat, None).await;
    let known = nodes().await;
    assert_eq!(known[0].0.status(NOON + 500.0), NodeStatus::Online);
    let delete = proto::DeleteNodeRequest {
        node: Some(node.id.into()),
    };
    let gone = Some(Topic::Node(node.id));
    scene.fleet("DeleteNode", &delete, gone).await;
    assert!(nodes().await.is_empty());
}
