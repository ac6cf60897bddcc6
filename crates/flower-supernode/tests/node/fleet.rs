//! A SuperLink of the tests' own: what it is told to hand out, it hands out, and what it is given,
//! it keeps.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use flwr_core::fab;
use flwr_core::id::{NodeId, RunId};
use flwr_core::message::{Body, Message, Metadata};
use flwr_core::object::{Kind, Object, ObjectId, ObjectTree};
use flwr_core::time::Timestamp;
use flwr_daemon::clock::{Clock, SystemClock};
use flwr_daemon::listen::{Limits, Listener, Security, Service};
use flwr_daemon::stop::Stopper;
use flwr_proto as proto;
use flwr_proto::fleet_server::FleetServer;
use parking_lot::Mutex;
use tokio::sync::watch;
use tonic::service::Routes;
use tonic::{Code, Response, Status};

use super::waiting::in_time;

mod served;

pub(crate) const RUN: RunId = RunId(7);

/// What the fake SuperLink knows and does.
#[derive(Debug, Default)]
pub(crate) struct World {
    /// The id of the node, while it is known.
    pub(crate) registered: Option<u64>,
    /// The id that the next CreateNode gives.
    pub(crate) next_node: u64,
    pub(crate) created: u32,
    pub(crate) deleted: u32,
    /// The SuperLink is of flwr 1.23 or later.
    pub(crate) is_modern: bool,
    /// The node's key is registered at a SuperLink of flwr 1.23 or later.
    pub(crate) knows_key: bool,
    /// Only people register keys there.
    pub(crate) is_for_people: bool,
    /// The calls by which the node came and went there.
    pub(crate) steps: Vec<&'static str>,
    /// The keys that nodes came with there: PEM text.
    pub(crate) keys: Vec<Bytes>,
    /// The session in which objects are to be pushed, as SuperLinks of flwr 1.33 and later name it.
    pub(crate) upload: &'static str,
    /// The sessions in which objects were pushed.
    pub(crate) uploads: BTreeSet<String>,
    pub(crate) run_is_over: bool,
    /// Runs that are over, beside all others if `run_is_over`.
    pub(crate) over: BTreeSet<u64>,
    /// GetRun of runs that are not [`RUN`] is not answered now.
    pub(crate) holds_get_run: bool,
    /// How many such calls are open, and how many there were at once.
    pub(crate) open_get_run: (u32, u32),
    /// PullObject says this often that an object is not there yet.
    pub(crate) not_yet: u32,
    /// Replies cannot be taken now.
    pub(crate) is_full: bool,
    /// Replies are refused with this code and text.
    pub(crate) refusal: Option<(Code, &'static str)>,
    /// So many objects of replies are not taken, as after a registration.
    pub(crate) forgotten: u32,
    /// How often a reply came while they could not be taken.
    pub(crate) turned_away: u32,
    /// How often a message was asked for.
    pub(crate) pulls: u32,
    waiting: VecDeque<(proto::Message, proto::ObjectTree)>,
    taken: Option<(proto::Message, proto::ObjectTree)>,
    objects: HashMap<String, Bytes>,
    pub(crate) confirmed: Vec<String>,
    pub(crate) replies: Vec<proto::Message>,
    pub(crate) pushed: BTreeMap<String, Bytes>,
}

/// The world, and a signal when it changes.
#[derive(Clone, Debug)]
pub(crate) struct FakeFleet {
    world: Arc<Mutex<World>>,
    changes: watch::Sender<()>,
}

type Answer<T> = Result<Response<T>, Status>;

impl FakeFleet {
    pub(crate) fn new() -> Self {
        let world = World {
            next_node: 100,
            ..World::default()
        };
        Self {
            world: Arc::new(Mutex::new(world)),
            changes: watch::Sender::new(()),
        }
    }

    /// One that serves in plaintext, what stops it, and its address.
    pub(crate) async fn in_plaintext() -> (Self, Stopper, String) {
        let (fleet, superlink) = (Self::new(), Stopper::new());
        let address = fleet.serve(Security::Plaintext, &superlink).await;
        (fleet, superlink, address.to_string())
    }

    /// Serves on a free port until the stopper stops.
    pub(crate) async fn serve(&self, security: Security, stopper: &Stopper) -> SocketAddr {
        let service = Service {
            name: "Fleet",
            flag: "--fleet-api-address",
        };
        let listener = Listener::bind("127.0.0.1:0", security, service, Limits::default())
            .await
            .unwrap();
        let address = listener.local_addr();
        tokio::spawn(listener.serve(Routes::new(FleetServer::new(self.clone())), stopper.clone()));
        address
    }

    /// Hands out again what was taken last.
    pub(crate) fn hand_out_again(&self) {
        self.change(|world| world.waiting.extend(world.taken.clone()));
    }

    /// Changes the world.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        let changed = change(&mut self.world.lock());
        self.changes.send_replace(());
        changed
    }

    /// Waits until the world is as the test wants it, and gives what was looked for. Fails if that
    /// takes too long.
    #[track_caller]
    pub(crate) fn until<T>(&self, wanted: impl Fn(&World) -> Option<T>) -> impl Future<Output = T> {
        in_time(self.when(wanted))
    }

    /// The same without an end, for calls that the SuperLink holds.
    async fn when<T>(&self, wanted: impl Fn(&World) -> Option<T>) -> T {
        let mut changes = self.changes.subscribe();
        loop {
            changes.mark_unchanged();
            if let Some(found) = wanted(&self.world.lock()) {
                return found;
            }
            changes.changed().await.unwrap();
        }
    }

    /// Lays a `train` instruction with an empty RecordDict out for `node`.
    pub(crate) fn hand_out(&self, node: u64, ttl: f64) -> ObjectId {
        self.hand_out_of(RUN, node, ttl)
    }

    /// The same for a message of any run.
    pub(crate) fn hand_out_of(&self, run: RunId, node: u64, ttl: f64) -> ObjectId {
        let content = Object::new(Kind::RecordDict, &[], b"{}");
        let metadata = Metadata {
            run,
            id: content.id,
            src: NodeId::SUPERLINK,
            dst: NodeId(node),
            reply_to: None,
            group: "1".to_owned(),
            ttl,
            message_type: "train".to_owned(),
            created_at: SystemClock.now(),
        };
        let (message, tree, object) = seal(metadata, &content);
        self.change(|world| {
            for object in [&object, &content] {
                world
                    .objects
                    .insert(object.id.to_string(), object.bytes.clone());
            }
            world.waiting.push_back((message, tree));
        });
        object.id
    }

    /// Takes a step of a node's life, which SuperLinks of before flwr 1.23 do not know.
    fn step<T>(
        &self,
        name: &'static str,
        take: impl FnOnce(&mut World) -> Result<T, &'static str>,
    ) -> Answer<T> {
        self.change(|world| {
            if !world.is_modern {
                return Err(Status::unknown("Error in service handler!"));
            }
            world.steps.push(name);
            match take(world) {
                Ok(answer) => Ok(Response::new(answer)),
                Err(text) => Err(Status::failed_precondition(text)),
            }
        })
    }

    fn known<T>(
        &self,
        node: Option<proto::Node>,
        act: impl FnOnce(&mut World) -> Answer<T>,
    ) -> Answer<T> {
        let answer = {
            let mut world = self.world.lock();
            if world.registered != node.map(|node| node.node_id) {
                return Err(Status::unauthenticated("Invalid node ID"));
            }
            act(&mut world)
        };
        self.changes.send_replace(());
        answer
    }

    fn running<T>(
        &self,
        node: Option<proto::Node>,
        act: impl FnOnce(&mut World) -> T,
    ) -> Answer<T> {
        self.known(node, |world| match world.run_is_over {
            true => Err(Status::permission_denied(
                "Run is finished. Stopped by user.",
            )),
            false => Ok(Response::new(act(world))),
        })
    }
}

/// Gives the message its id; the content is its RecordDict.
pub(crate) fn seal(
    metadata: Metadata,
    content: &Object,
) -> (proto::Message, proto::ObjectTree, Object) {
    let message = Message {
        metadata,
        body: Body::Content,
    };
    let (parcel, object) = message.announced(Some(ObjectTree::leaf(content.id)));
    (parcel.message.into(), parcel.tree.into(), object)
}

/// The reply's metadata to an instruction.
pub(crate) fn reply_to(instruction: &proto::Metadata, now: Timestamp) -> Metadata {
    Metadata {
        run: RunId(instruction.run_id),
        id: instruction.message_id.parse().unwrap(),
        src: NodeId(instruction.dst_node_id),
        dst: NodeId(instruction.src_node_id),
        reply_to: instruction.message_id.parse().ok(),
        group: instruction.group_id.clone(),
        ttl: instruction.created_at + instruction.ttl - now.as_secs(),
        message_type: instruction.message_type.clone(),
        created_at: now,
    }
}

fn bundle() -> fab::Fab {
    let project = "[project]\nname = \"mini\"\nversion = \"1.0.0\"\n[tool.flwr.app]\npublisher = \"pub\"\n\
        [tool.flwr.app.components]\nserverapp = \"mini.s:app\"\nclientapp = \"mini.c:app\"\n\
        [tool.flwr.app.config]\nlr = 0.1\n";
    let file = |path: &str| (path.to_owned(), Bytes::from_static(b"app = 1\n"));
    fab::build(project, vec![file("mini/c.py"), file("mini/s.py")]).unwrap()
}
