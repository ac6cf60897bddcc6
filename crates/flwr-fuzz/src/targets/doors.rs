//! Whole calls, as they come through the doors of a SuperLink: the head and the body of every
//! method, of every generation. An input is the path, a line for each header, an empty line, and
//! the message.

use std::cell::RefCell;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use flower_superlink::auth::{People, Policy};
use flower_superlink::host::{Apps, Host, Parts};
use flower_superlink::link::state::LinkState;
use flower_superlink::link::{self, Holds, Link};
use flower_superlink::store::MemoryState;
use flwr_core::context::Context;
use flwr_core::id::{NodeId, RunId, TaskId};
use flwr_core::object::ObjectId;
use flwr_core::run::{Phase, Run, RunStatus};
use flwr_core::time::Timestamp;
use flwr_daemon::appio::Launchers;
use flwr_daemon::clock::MockClock;
use flwr_daemon::objects::Memory;
use flwr_daemon::stop::Stopper;
use flwr_proto as proto;
use flwr_security::allow_list::AllowList;
use flwr_security::from_file::FromFile;
use flwr_security::key::PrivateKey;
use flwr_security::peer::{Peer, Proven, Standing};
use flwr_wire::InFlight;
use flwr_wire::door::{Control, ControlDoor, Driver, FleetDoor, RuntimeDoor, ServerAppIo, Upkeep};
use flwr_wire::generations::WireName;
use flwr_wire::generations::v1_08_taskins::{PUBLIC_KEY_HEADER, TOKEN_HEADER, public_key_text};
use flwr_wire::host::FleetHost;
use http::Request;
use http_body_util::{BodyExt, Full};
use prost::Message;
use tokio::runtime::Runtime;
use tonic::body::Body;
use tower::Service;

pub(super) const NOW: Timestamp = Timestamp::from_secs(1_758_000_000.0);
/// The node of the recorded calls of flwr 1.12.
pub(super) const NODE: u64 = 1_234_567_890_123_456_789;
pub(super) const RUN: u64 = 77;
/// The token of the run's ServerApp.
const TOKEN: &str = "the token of the run";
/// Calls for which a SuperLink lives: what calls leave behind must not grow for ever.
const CALLS: usize = 2000;
/// Streams end with it.
const PATIENCE: Duration = Duration::from_millis(100);

/// A SuperLink with a run and a node, as different policies show it.
struct World {
    runtime: Runtime,
    /// Everybody may register, and ServerApps have no tokens.
    open: Host,
    /// Nodes are on a list and share a secret; ServerApps show tokens.
    listed: Host,
    calls: usize,
}

thread_local! {
    static WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
}

fn key(pem: &str) -> PrivateKey {
    PrivateKey::parse(pem).unwrap()
}

fn node_key() -> PrivateKey {
    key(include_str!(
        "../../../flower-superlink/src/host/testdata/node.pem"
    ))
}

impl World {
    fn new() -> Self {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().build().unwrap();
        let (link, state) = runtime.block_on(link());
        let dir = tempfile::tempdir().unwrap();
        let list = dir.path().join("keys.csv");
        std::fs::write(&list, node_key().public_key().to_openssh()).unwrap();
        let allowed = Arc::new(FromFile::<AllowList>::load(&list).unwrap());
        let own = key(include_str!(
            "../../../flower-superlink/src/host/testdata/superlink.pem"
        ));
        let host = |policy, own_key, apps| {
            Host::new(Parts {
                link: Arc::clone(&link),
                policy,
                own_key,
                clients: None,
                people: People::default(),
                accounts: None,
                apps,
                launchers: Launchers::default(),
                is_insecure: true,
                in_flight: InFlight::default(),
            })
        };
        let open = host(Policy::AnyKey, None, Apps::Tokenless);
        let listed = host(Policy::Listed(allowed), Some(own), Apps::WithTokens);
        let world = Self {
            runtime,
            open,
            listed,
            calls: 0,
        };
        world.runtime.block_on(world.populate(&*state));
        world
    }

    async fn populate(&self, state: &dyn LinkState) {
        let run = Run {
            id: RunId(RUN),
            fab_id: "pub/mini".to_owned(),
            fab_version: "1.0.0".to_owned(),
            fab_hash: ObjectId::of(b"fab").to_string(),
            account: String::new(),
            override_config: Default::default(),
            status: RunStatus::plain(Phase::Running),
            pending_at: NOW,
            starting_at: Some(NOW),
            running_at: Some(NOW),
            finished_at: None,
        };
        let _ = state.create_run(run, Context::default()).await.unwrap();
        let token = ObjectId::of(TOKEN.as_bytes());
        let task = TaskId::of_serverapp(RunId(RUN));
        let _ = state.claim_task(task, token, NOW).await.unwrap();
        let (key, node) = (node_key().public_key().clone(), NodeId(NODE));
        let _ = state.register_node(&key, node, None, NOW).await.unwrap();
        let until = Timestamp::NEVER;
        let _ = state.activate_node(node, until, NOW).await.unwrap();
        let tasks = WireName::find("tasks").unwrap();
        self.open.note(node, tasks).await.unwrap();
    }
}

/// A SuperLink over a state in memory, and the state.
async fn link() -> (Arc<Link>, Arc<dyn LinkState>) {
    let state: Arc<dyn LinkState> = Arc::new(MemoryState::default());
    let link = Link::new(link::Parts {
        state: Arc::clone(&state),
        objects: Arc::new(Memory::new()),
        fabs: Arc::new(Memory::new()),
        clock: Arc::new(MockClock::new(NOW)),
        holds: Holds {
            node: Duration::ZERO,
            app: Duration::ZERO,
            linger: Duration::ZERO,
            short_linger: Duration::ZERO,
        },
        max_storage: Some(1 << 30),
        stopper: Stopper::new(),
    });
    (Arc::new(link), state)
}

/// Has the SuperLink answer, once as each host.
fn with_world(answer: &impl AsyncFn(&World)) {
    WORLD.with_borrow_mut(|kept| {
        let mut world = kept.take().filter(|world| world.calls < CALLS);
        let mut world = world.take().unwrap_or_else(World::new);
        world.calls += 1;
        world.runtime.block_on(async {
            let _ = tokio::time::timeout(PATIENCE, answer(&world)).await;
        });
        *kept = Some(world);
    });
}

/// A connection of this machine, over which the token of the run was shown.
fn peer() -> Peer {
    let proven = Proven::default();
    proven.add(RunId(RUN), ObjectId::of(TOKEN.as_bytes()));
    Peer {
        address: (Ipv4Addr::LOCALHOST, 50_000).into(),
        local: (Ipv4Addr::LOCALHOST, 9091).into(),
        tls: false,
        certificate: None,
        standing: Standing::default(),
        proven: Arc::new(proven),
    }
}

/// The request that an input is.
fn request(data: &[u8], services: &[&str]) -> Option<Request<Body>> {
    let end = data.windows(2).position(|two| two == b"\n\n")?;
    let (head, message) = (&data[..end], &data[end + 2..]);
    let line = head.split(|byte| *byte == b'\n').next()?;
    let path = str::from_utf8(line).ok()?;
    let service = path.split('/').nth(1)?;
    if !services.contains(&service) {
        return None;
    }
    let mut body = BytesMut::new();
    body.put_u8(0);
    body.put_u32(u32::try_from(message.len()).ok()?);
    body.put(message);
    let body = Body::new(Full::new(body.freeze()));
    let mut request = Request::post(path).body(body).ok()?;
    *request.headers_mut() = super::security::headers(&head[line.len()..]);
    request.extensions_mut().insert(peer());
    Some(request)
}

async fn call(
    mut door: impl Service<Request<Body>, Response = http::Response<Body>, Error = Infallible>,
    request: Option<Request<Body>>,
) {
    if let Some(request) = request {
        let Ok(response) = door.call(request).await;
        let _ = response.into_body().collect().await;
    }
}

pub(super) fn fleet(data: &[u8]) {
    with_world(&async |world: &World| {
        for host in [&world.open, &world.listed] {
            let door = FleetDoor::new(host.clone());
            call(door, request(data, &["flwr.proto.Fleet"])).await;
        }
    });
}

pub(super) fn runtime(data: &[u8]) {
    with_world(&async |world: &World| {
        for host in [&world.open, &world.listed] {
            let door = RuntimeDoor::<_, ServerAppIo>::new(host.clone());
            call(door, request(data, &["flwr.proto.ServerAppIo"])).await;
            let door = RuntimeDoor::<_, Driver>::new(host.clone());
            call(door, request(data, &["flwr.proto.Driver"])).await;
        }
    });
}

pub(super) fn control(data: &[u8]) {
    with_world(&async |world: &World| {
        let door = ControlDoor::<_, Control>::new(world.open.clone());
        call(
            door,
            request(data, &["flwr.proto.Control", "flwr.proto.Exec"]),
        )
        .await;
        let door = ControlDoor::<_, Upkeep>::new(world.open.clone());
        call(door, request(data, &["flower.upkeep.Upkeep"])).await;
    });
}

/// An input.
fn seed(path: &str, headers: &[(&str, String)], message: &(impl Message + Sized)) -> Vec<u8> {
    raw(path, headers, message.encode_to_vec())
}

fn raw(path: &str, headers: &[(&str, String)], message: Vec<u8>) -> Vec<u8> {
    let mut head = format!("/flwr.proto.{path}\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\n");
    }
    [head.into_bytes(), b"\n".to_vec(), message].concat()
}

const fn node() -> Option<proto::Node> {
    Some(proto::Node { node_id: NODE })
}

/// A task for the node, or its answer.
fn task(ancestry: &[&str]) -> proto::v1_08::TaskMessage {
    let side = |node_id, anonymous| Some(proto::v1_08::Node { node_id, anonymous });
    let (producer, consumer) = match ancestry {
        [] => (side(0, true), side(NODE, false)),
        _ => (side(NODE, false), side(0, true)),
    };
    proto::v1_08::TaskMessage {
        task_id: String::new(),
        group_id: "1".to_owned(),
        run_id: RUN,
        task: Some(proto::v1_08::Task {
            producer,
            consumer,
            created_at: NOW.as_secs(),
            pushed_at: NOW.as_secs(),
            ttl: 3600.0,
            ancestry: ancestry.iter().map(|id| (*id).to_owned()).collect(),
            task_type: "train".to_owned(),
            recordset: Some(Bytes::new()),
            ..Default::default()
        }),
    }
}

/// The recorded call of a node of flwr 1.12 that asks for a task, with its HMAC.
fn recorded_pull() -> Vec<u8> {
    let shown = public_key_text(node_key().public_key());
    let token = "ekYKvrgzaJI2e7FIWrXjkUpzXJ6AftS6Q86KV8kOoGU=".to_owned();
    let headers = [
        (PUBLIC_KEY_HEADER, shown),
        (TOKEN_HEADER, token),
        ("grpc-timeout", "20S".to_owned()),
    ];
    let message = hex::decode("0a0a089582a6efc79e849111").unwrap();
    raw("Fleet/PullTaskIns", &headers, message)
}

pub(super) fn fleet_seeds() -> Vec<Vec<u8>> {
    use proto::v1_08 as old;
    let (message, tree) = super::core::parcel(Some(ObjectId::of(b"asked")));
    let created = old::CreateNodeRequest {
        ping_interval: 30.0,
    };
    let pushed = old::PushTaskResRequest12 {
        node: Some(old::Node {
            node_id: NODE,
            anonymous: false,
        }),
        task_res_list: vec![task(&["asked"])],
    };
    let inline = proto::v1_15::PushMessagesRequest {
        node: node(),
        messages_list: vec![proto::v1_15::Message {
            metadata: message.metadata.clone(),
            ..Default::default()
        }],
    };
    let objects = proto::PushMessagesRequest {
        node: node(),
        messages_list: vec![message],
        message_object_trees: vec![tree],
    };
    let pull = proto::PullMessagesRequest {
        node: node(),
        ..Default::default()
    };
    let pushed_object = proto::PushObjectRequest {
        node: node(),
        run_id: RUN,
        object_id: ObjectId::of(b"object").to_string(),
        object_content: Bytes::from_static(b"object"),
    };
    let timeout = [("grpc-timeout", "300m".to_owned())];
    vec![
        recorded_pull(),
        seed("Fleet/CreateNode", &[], &created),
        seed("Fleet/PushTaskRes", &[], &pushed),
        seed("Fleet/PushMessages", &[], &inline),
        seed("Fleet/PushMessages", &timeout, &objects),
        seed("Fleet/PullMessages", &timeout, &pull),
        seed("Fleet/PushObject", &[], &pushed_object),
    ]
}

pub(super) fn runtime_seeds() -> Vec<Vec<u8>> {
    use proto::v1_08 as old;
    let (message, tree) = super::core::parcel(None);
    let token = TOKEN.to_owned();
    let tasks = old::PushTaskInsRequest {
        task_ins_list: vec![task(&[])],
    };
    let inline = proto::v1_15::PushInsMessagesRequest {
        messages_list: vec![proto::v1_15::Message {
            metadata: message.metadata.clone(),
            ..Default::default()
        }],
        run_id: RUN,
    };
    let objects = proto::PushAppMessagesRequest {
        token: token.clone(),
        messages_list: vec![message],
        run_id: RUN,
        message_object_trees: vec![tree],
    };
    let outputs = proto::PushAppOutputsRequest {
        token: token.clone(),
        run_id: RUN,
        context: Some(proto::Context::default()),
    };
    let inputs = proto::PullAppInputsRequest { token };
    vec![
        seed("Driver/PushTaskIns", &[], &tasks),
        seed("ServerAppIo/PushMessages", &[], &inline),
        seed("ServerAppIo/PushMessages", &[], &objects),
        seed("ServerAppIo/PullAppInputs", &[], &inputs),
        seed("ServerAppIo/PushAppOutputs", &[], &outputs),
    ]
}

pub(super) fn control_seeds() -> Vec<Vec<u8>> {
    let fab = super::core::bundle();
    let start = proto::StartRunRequest {
        fab: Some(proto::Fab {
            hash_str: fab.hash,
            content: fab.bytes,
        }),
        ..Default::default()
    };
    let stop = proto::StopRunRequest { run_id: RUN };
    let list = proto::ListRunsRequest { run_id: Some(RUN) };
    vec![
        seed("Control/StartRun", &[], &start),
        seed("Exec/StartRun", &[], &start),
        seed("Control/StopRun", &[], &stop),
        seed("Control/ListRuns", &[], &list),
    ]
}
