//! A federation, and the two ways to its ports.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use flwr_client::line::{GrpcLine, Nobody};
use flwr_client::signer::Signer;
use flwr_core::config::UserConfig;
use flwr_core::id::{NodeId, RunId};
use flwr_core::message::Metadata;
use flwr_core::object::ObjectId;
use flwr_core::port::{Fleet, Runtime};
use flwr_core::refusal::{Class, Failure};
use flwr_core::run::{Phase, RunStatus};
use flwr_daemon::clock::{Clock, MockClock};
use flwr_security::key::PrivateKey;
use flwr_security::signature;
use flwr_wire::door::{FleetDoor, RuntimeDoor, ServerAppIo};
use flwr_wire::generations::v1_21_runs::call::{ServerAppCaller, serverapp_over};
use flwr_wire::generations::{v1_20_objects, v1_23_nodes};
use flwr_wire::host::{AppProof, FleetHost, Head, NodeProof, RuntimeHost};
use flwr_wire::line::Now;
use time::OffsetDateTime;
use tonic::service::Routes;
use tonic::transport::Channel;

use super::super::loopback::channel;
use crate::auth::Policy;
use crate::host::{FleetSession, Host, RuntimeSession};
use crate::link::Principal;
use crate::link::tests::{Federation, Mail, bundle};

/// A way to the ports of a SuperLink.
pub(super) trait Way: Sized {
    type Fleet: Fleet;
    type Runtime: Runtime;

    async fn to(host: Host, clock: Arc<MockClock>) -> Self;

    /// The session of an active node.
    async fn node(&self, key: &PrivateKey) -> Self::Fleet;

    /// The session of a run's ServerApp.
    async fn serverapp(&self, run: RunId, token: String) -> Self::Runtime;
}

/// Sessions, as the doors open them.
pub(super) struct Sessions(Host);

impl Sessions {
    async fn admit(&self, key: &PrivateKey) -> FleetSession {
        let headers = signature::sign(key, OffsetDateTime::now_utc()).unwrap();
        let proof = NodeProof::Signature(headers);
        FleetHost::admit(&self.0, proof, &head()).await.unwrap()
    }
}

const fn head() -> Head {
    Head {
        patience: Duration::MAX,
        peer: None,
        release: None,
    }
}

impl Way for Sessions {
    type Fleet = FleetSession;
    type Runtime = RuntimeSession;

    async fn to(host: Host, _: Arc<MockClock>) -> Self {
        Self(host)
    }

    async fn node(&self, key: &PrivateKey) -> FleetSession {
        let node = self.admit(key).await.join(30.0).await.unwrap();
        let session = self.admit(key).await;
        assert_eq!(session.node(), Some(node));
        session
    }

    async fn serverapp(&self, _: RunId, token: String) -> RuntimeSession {
        let proof = AppProof::Token(token);
        RuntimeHost::admit(&self.0, proof, &head()).await.unwrap()
    }
}

/// A node's line to the doors.
type NodeLine = GrpcLine<Channel, Signer>;

/// The calling halves of generations, over a connection in memory to the doors.
pub(super) struct Wire<G> {
    channel: Channel,
    clock: Arc<MockClock>,
    generation: PhantomData<fn() -> G>,
}

/// A generation that nodes speak.
pub(super) trait Generation: 'static {
    type Fleet: Fleet;

    fn over(line: NodeLine, now: Now) -> Self::Fleet;
}

/// flwr 1.20 to 1.22.
pub(super) struct Objects;

/// flwr 1.23 to 1.39.
pub(super) struct Nodes;

impl Generation for Objects {
    type Fleet = v1_20_objects::FleetCaller<NodeLine>;

    fn over(line: NodeLine, now: Now) -> Self::Fleet {
        v1_20_objects::fleet_over(line, now)
    }
}

impl Generation for Nodes {
    type Fleet = v1_23_nodes::FleetCaller<NodeLine>;

    fn over(line: NodeLine, now: Now) -> Self::Fleet {
        let key = line.proof().public_key();
        v1_23_nodes::fleet_over(line, now, key, true)
    }
}

impl<G: Generation> Way for Wire<G> {
    type Fleet = G::Fleet;
    type Runtime = ServerAppCaller<GrpcLine<Channel, Nobody>>;

    async fn to(host: Host, clock: Arc<MockClock>) -> Self {
        let doors = Routes::new(FleetDoor::new(host.clone()))
            .add_service(RuntimeDoor::<_, ServerAppIo>::new(host));
        let channel = channel(doors).await;
        Self {
            channel,
            clock,
            generation: PhantomData,
        }
    }

    async fn node(&self, key: &PrivateKey) -> Self::Fleet {
        let signer = Signer::new(key.clone(), OffsetDateTime::now_utc);
        let clock = Arc::clone(&self.clock);
        let now: Now = Arc::new(move || clock.now());
        let fleet = G::over(GrpcLine::new(self.channel.clone(), signer), now);
        assert_eq!(fleet.node(), None);
        let node = fleet.join(30.0).await.unwrap();
        assert_eq!(fleet.node(), Some(node));
        fleet
    }

    async fn serverapp(&self, run: RunId, token: String) -> Self::Runtime {
        serverapp_over(GrpcLine::new(self.channel.clone(), Nobody), run, token)
    }
}

/// A federation with a way to it.
pub(super) struct World<W> {
    pub(super) federation: Federation,
    pub(super) way: W,
}

/// A running run with its ServerApp.
pub(super) struct App<R> {
    pub(super) run: RunId,
    pub(super) runtime: Arc<R>,
}

/// An active node.
pub(super) struct Node<F> {
    pub(super) id: NodeId,
    pub(super) fleet: Arc<F>,
}

impl<W: Way> World<W> {
    pub(super) async fn new() -> Self {
        let federation = Federation::new();
        let host = super::super::host(Arc::clone(&federation.link), Policy::AnyKey, None);
        let way = W::to(host, Arc::clone(&federation.clock)).await;
        Self { federation, way }
    }

    pub(super) async fn node(&self) -> Node<W::Fleet> {
        self.node_of(&PrivateKey::generate().unwrap()).await
    }

    pub(super) async fn node_of(&self, key: &PrivateKey) -> Node<W::Fleet> {
        let fleet = self.way.node(key).await;
        assert!(fleet.heartbeat(30.0).await.unwrap());
        Node {
            id: fleet.node().unwrap(),
            fleet: Arc::new(fleet),
        }
    }

    /// The ServerApp of a run that nobody has begun.
    pub(super) async fn starting(&self) -> App<W::Runtime> {
        let link = &self.federation.link;
        let started = link.start_run(bundle(), UserConfig::new(), &Principal::Anybody);
        let run = started.await.unwrap();
        let token = link.issue_token(run).await.unwrap().unwrap();
        let runtime = self.way.serverapp(run, token.as_str().to_owned()).await;
        App {
            run,
            runtime: Arc::new(runtime),
        }
    }

    /// The ServerApp of a running run.
    pub(super) async fn running(&self) -> App<W::Runtime> {
        let app = self.starting().await;
        app.runtime.inputs().await.unwrap().unwrap();
        let running = RunStatus::plain(Phase::Running);
        app.runtime.status(running).await.unwrap();
        app
    }
}

impl<R: Runtime> App<R> {
    /// Announces a message to a node.
    pub(super) async fn announce(&self, node: NodeId, content: &str) -> (Mail, Vec<ObjectId>) {
        let mail = Mail::new(self.run, content, |metadata| Metadata {
            dst: node,
            ..metadata
        });
        let sent = self.runtime.send(vec![mail.parcel.clone()]).await.unwrap();
        assert_eq!(sent.ids, [Some(mail.id())]);
        (mail, sent.missing)
    }

    /// Sends a message to a node, with its objects.
    pub(super) async fn send(&self, node: NodeId, content: &str) -> Mail {
        let (mail, missing) = self.announce(node, content).await;
        for object in mail.objects_of(&missing) {
            let pushed = self.runtime.push_object(object.id, object.bytes.clone());
            assert!(pushed.await.unwrap());
        }
        mail
    }
}

impl<F: Fleet> Node<F> {
    /// Answers a message, with all objects of the answer.
    pub(super) async fn answer(&self, asked: &Mail, content: &str) -> Mail {
        let run = asked.parcel.message.metadata.run;
        let mail = asked.reply(run, content);
        let missing = self
            .fleet
            .push(mail.parcel.clone(), None)
            .await
            .unwrap()
            .unwrap();
        for object in mail.objects_of(&missing) {
            let (id, bytes) = (object.id, object.bytes.clone());
            assert!(self.fleet.push_object(run, id, bytes).await.unwrap());
        }
        mail
    }
}

/// Whether a call failed since its run is over: over gRPC that is PERMISSION_DENIED, as is each
/// other thing that is forbidden.
pub(super) fn is_over<T>(answer: Result<T, Failure>) -> bool {
    let class = answer.err().and_then(|failure| failure.class());
    matches!(class, Some(Class::RunOver | Class::Forbidden))
}
