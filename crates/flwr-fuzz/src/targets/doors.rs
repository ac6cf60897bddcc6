//! Whole calls, as they come through the doors of a SuperLink: the head and the body of every
//! method, of every generation. An input is the path, a line for each header, an empty line, and
//! the message.

use std::cell::RefCell;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use flower_superlink::auth::{People, Policy};
use flower_superlink::host::{Apps, Host, JoinPlace, Parts};
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
use flwr_security::allow_list::AllowList;
use flwr_security::from_file::FromFile;
use flwr_security::key::PrivateKey;
use flwr_security::peer::{Binding, Peer, Proven};
use flwr_wire::InFlight;
use flwr_wire::door::{
    Control, ControlDoor, Driver, FleetDoor, JoinDoor, JoinTokens, Runtime, RuntimeDoor,
    ServerAppIo, Upkeep,
};
use flwr_wire::generations::WireName;
use flwr_wire::host::FleetHost;
use http::Request;
use http_body_util::{BodyExt, Full};
use tokio::runtime;
use tonic::body::Body;
use tower::Service;

mod seeds;

pub(super) use seeds::{control_seeds, fleet_seeds, runtime_seeds};

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
    runtime: runtime::Runtime,
    /// Everybody may register, and ServerApps have no tokens.
    open: Host,
    /// Nodes are on a list and share a secret; ServerApps show tokens.
    listed: Host,
    /// People register nodes, and nodes join by tokens.
    enrolled: Host,
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
        let mut builder = runtime::Builder::new_current_thread();
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
                joining: JoinPlace::default(),
                accounts: None,
                apps,
                launchers: Launchers::default(),
                is_insecure: true,
                in_flight: InFlight::default(),
            })
        };
        let open = host(Policy::AnyKey, None, Apps::Tokenless);
        let listed = host(Policy::Listed(allowed), Some(own), Apps::WithTokens);
        let enrolled = host(Policy::Enrolled, None, Apps::WithTokens);
        let world = Self {
            runtime,
            open,
            listed,
            enrolled,
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
        let _ = state
            .create_run(run, Context::default(), None)
            .await
            .unwrap();
        let token = ObjectId::of(TOKEN.as_bytes());
        let task = TaskId::of_serverapp(RunId(RUN));
        let _ = state.claim_task(task, token, NOW).await.unwrap();
        let (key, node) = (node_key().public_key().clone(), NodeId(NODE));
        let _ = state.register_node(&key, node, NOW).await.unwrap();
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
    let address = (Ipv4Addr::LOCALHOST, 50_000).into();
    Peer {
        binding: Some(Binding([7; 32])),
        proven: Arc::new(proven),
        ..Peer::plaintext(address, (Ipv4Addr::LOCALHOST, 9091).into())
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
        let mut joining = request(data, &["flower.join.Join"]);
        if let Some(joining) = &mut joining {
            // Wrong tries are limited for each address.
            let address = Ipv4Addr::from_bits(u32::try_from(world.calls).unwrap_or(0));
            joining.extensions_mut().insert(Peer {
                address: (address, 50_000).into(),
                ..peer()
            });
        }
        call(JoinDoor::new(world.enrolled.clone()), joining).await;
    });
}

pub(super) fn runtime(data: &[u8]) {
    with_world(&async |world: &World| {
        for host in [&world.open, &world.listed] {
            let door = RuntimeDoor::<_, ServerAppIo>::new(host.clone());
            call(door, request(data, &["flwr.proto.ServerAppIo"])).await;
            let door = RuntimeDoor::<_, Runtime>::for_serverapps(host.clone());
            call(door, request(data, &["flwr.proto.Runtime"])).await;
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
        for host in [&world.open, &world.enrolled] {
            let door = ControlDoor::<_, JoinTokens>::new(host.clone());
            call(door, request(data, &["flower.join.JoinTokens"])).await;
        }
    });
}
