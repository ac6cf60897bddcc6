//! Both halves of Control meet: the port over a line to the door, through HTTP/2 in memory. Each
//! test runs on a session too: a wire changes nothing.

use flwr_client::find;
use flwr_client::line::{GrpcLine, Nobody};
use flwr_core::config::{Scalar, UserConfig};
use flwr_core::id::RunId;
use flwr_core::port::control::{LogReader as _, NewNode, NodeStatus, Nodes, Start};
use flwr_core::port::{Control, Launch as _, SignIn as _};
use flwr_core::refusal::Class;
use flwr_core::run::{Phase, RunStatus};
use flwr_security::key::PrivateKey;
use flwr_wire::door::{self, ControlDoor, LaunchDoor, RuntimeDoor};
use flwr_wire::host::{AccountProof, ControlHost};
use futures::stream;
use hyper_util::rt::TokioIo;
use tokio::io::duplex;
use tonic::service::Routes;
use tonic::transport::{Channel, Endpoint, Server};
use tower::service_fn;
use tower::util::MapRequestLayer;

use super::*;
use crate::link::tests::bundle;

/// Bytes that one side may be ahead of the other.
const AHEAD: usize = 64 * 1024;

/// A channel to services that are at the other end of a connection in memory.
pub(super) async fn channel(services: Routes) -> Channel {
    let (near, far) = duplex(AHEAD);
    let connection = peer((Ipv4Addr::LOCALHOST, 50_000).into());
    let of_connection = MapRequestLayer::new(move |mut request: Request<_>| {
        request.extensions_mut().insert(connection.clone());
        request
    });
    let server = Server::builder().layer(of_connection).add_routes(services);
    let connections = stream::iter([Ok::<_, std::io::Error>(far)]);
    tokio::spawn(server.serve_with_incoming(connections));
    let mut near = Some(near);
    let connector = service_fn(move |_| {
        let near = near.take().map(TokioIo::new);
        async move { near.ok_or_else(|| std::io::Error::other("the connection is used up")) }
    });
    let endpoint = Endpoint::from_static("http://superlink");
    endpoint.connect_with_connector(connector).await.unwrap()
}

fn without_accounts() -> Host {
    host(link(MemoryState::default()), Policy::AnyKey, None)
}

/// The doors for people, as a SuperLink has them.
fn doors(host: &Host) -> Routes {
    Routes::new(ControlDoor::<_, door::Control>::new(host.clone())).add_service(ControlDoor::<
        _,
        door::Upkeep,
    >::new(
        host.clone()
    ))
}

/// What a person does with a run, from its start until nothing is left of it.
async fn lives_through_a_run(control: &impl Control, host: &Host) -> RunId {
    let start = Start {
        fab: bundle(),
        ..Start::default()
    };
    let run = control.start(start).await.unwrap().unwrap();
    for only in [None, Some(run)] {
        let listed = control.runs(only).await.unwrap();
        assert_eq!(listed.now, Some(host.link().now()));
        let [shown] = &listed.runs[..] else {
            panic!("{listed:?}");
        };
        let mut kept = host.link().run(run).await.unwrap().unwrap();
        kept.status.details.clone_from(&shown.status.details);
        assert_eq!(*shown, kept);
        assert_eq!(shown.status.phase, Phase::Pending);
    }
    let mut log = control.log(run, Timestamp::ZERO).await.unwrap();
    let says = async |text: &str| host.link().push_log(run, text.to_owned()).await.unwrap();
    says("one\n").await;
    let first = log.next().await.unwrap().unwrap();
    assert_eq!(first.text, "one\n");
    says("two\n").await;
    assert!(control.stop(run).await.unwrap());
    assert_eq!(log.next().await.unwrap().unwrap().text, "two\n");
    assert_eq!(log.next().await.unwrap(), None);
    let mut rest = control.log(run, first.at).await.unwrap();
    assert_eq!(rest.next().await.unwrap().unwrap().text, "two\n");
    run
}

/// What a person is refused.
async fn is_refused(control: &impl Control, finished: RunId) {
    let again = control.stop(finished).await.unwrap_err();
    assert_eq!(again.class(), Some(Class::Precondition));
    let text = format!("Run ID {finished} is already finished");
    assert_eq!(again.to_string(), text);
    let none = RunId(7);
    for failure in [
        control.stop(none).await.unwrap_err(),
        control.runs(Some(none)).await.unwrap_err(),
        control.log(none, Timestamp::ZERO).await.err().unwrap(),
    ] {
        assert_eq!(failure.class(), Some(Class::NotFound), "{failure:?}");
    }
    let empty = control.start(Start::default()).await.unwrap_err();
    // A command without numbers prints this refusal at another class only.
    let class = empty.class().unwrap();
    assert!(
        [Class::Invalid, Class::Precondition].contains(&class),
        "{class:?}"
    );
}

/// What a person does with a node, beside `other`, which is there.
async fn registers_and_unregisters(control: &impl Control, other: NodeId) {
    let key = PrivateKey::generate().unwrap().public_key().to_spki();
    let new = || NewNode {
        key: key.clone().into(),
        ..NewNode::default()
    };
    let node = control.enroll(new()).await.unwrap().unwrap();
    let twice = control.enroll(new()).await.unwrap_err();
    assert_eq!(twice.class(), Some(Class::Precondition));
    let whole = control.federation("@none/default").await.unwrap();
    let mut nodes: Vec<_> = whole.nodes.iter().map(|node| node.id).collect();
    nodes.sort_unstable();
    let mut both = [node, other];
    both.sort_unstable();
    assert_eq!(nodes, both);
    assert_eq!(whole.members[0].account.name, "none");
    let federations = control.federations().await.unwrap();
    assert_eq!(federations[0].id, whole.federation.id);
    control.dismiss(node).await.unwrap();
    let nodes = control.nodes().await.unwrap().nodes;
    let gone = nodes.iter().find(|shown| shown.id == node).unwrap();
    assert_eq!(gone.status, NodeStatus::Unregistered);
    assert!(gone.unregistered_at.is_some());
    let unknown = control.dismiss(node).await.unwrap_err();
    assert_eq!(unknown.class(), Some(Class::NotFound));
    assert_eq!(
        control.dismiss(NodeId(3)).await.unwrap_err().class(),
        unknown.class()
    );
    let other = control.federation("@none/other").await.unwrap_err();
    assert_eq!(other.class(), Some(Class::Precondition));
}

/// What only SuperLinks of today and ours have.
async fn looks_around_and_tidies_up(control: &impl Control, host: &Host, finished: RunId) {
    let key = PrivateKey::generate().unwrap().public_key().clone();
    let node = host.link().take_in(&key, 30.0, None).await.unwrap();
    let Nodes { nodes, now } = control.nodes().await.unwrap();
    assert_eq!(now, Some(host.link().now()));
    let [shown] = &nodes[..] else {
        panic!("{nodes:?}");
    };
    assert_eq!((shown.id, shown.status), (node, NodeStatus::Online));
    assert_eq!((shown.activated_at, shown.deactivated_at), (now, None));
    assert_eq!(shown.key, key.to_spki());
    registers_and_unregisters(control, node).await;
    let artifacts = control.artifacts(finished).await.unwrap_err();
    assert_eq!(artifacts.class(), Some(Class::NotOffered));
    let usage = control.usage().await.unwrap();
    assert_eq!((usage.runs, usage.finished_runs, usage.nodes), (1, 1, 1));
    assert!(usage.log_bytes > 0, "{usage:?}");
    control.delete(finished).await.unwrap();
    assert_eq!(control.usage().await.unwrap().runs, 0);
    let gone = control.delete(finished).await.unwrap_err();
    assert_eq!(gone.class(), Some(Class::NotFound));
}

#[tokio::test]
async fn a_session_is_control() {
    let host = without_accounts();
    let head = Head {
        patience: Duration::MAX,
        peer: None,
        release: None,
    };
    let admission = ControlHost::admit(&host, AccountProof::default(), &head).await;
    let control = admission.session.unwrap();
    let run = lives_through_a_run(&control, &host).await;
    is_refused(&control, run).await;
    looks_around_and_tidies_up(&control, &host, run).await;
}

#[tokio::test]
async fn control_over_a_wire_is_control() {
    let host = without_accounts();
    let line = GrpcLine::new(channel(doors(&host)).await, Nobody);
    let (control, found) = find::control(line);
    let run = lives_through_a_run(&control, &host).await;
    is_refused(&control, run).await;
    looks_around_and_tidies_up(&control, &host, run).await;
    assert!(!found.is_exec());
    let login = control.login().await.unwrap_err();
    assert_eq!(login.class(), Some(Class::NotOffered));
}

#[tokio::test]
async fn control_is_found_under_its_name_of_flwr_1_20() {
    let host = without_accounts();
    let exec = Routes::new(ControlDoor::<_, door::Exec>::new(host.clone()));
    let line = GrpcLine::new(channel(exec).await, Nobody);
    let (control, found) = find::control(line);
    let run = lives_through_a_run(&control, &host).await;
    assert!(found.is_exec());
    is_refused(&control, run).await;
    let nodes = control.nodes().await.unwrap_err();
    assert_eq!(nodes.class(), Some(Class::NotOffered));
}

#[tokio::test]
async fn a_launched_run_starts_under_its_token_and_ends_as_its_launcher_says() {
    let host = without_accounts();
    let doors = Routes::new(LaunchDoor::new(host.clone()))
        .add_service(RuntimeDoor::<_, door::ServerAppIo>::new(host.clone()));
    let line = GrpcLine::new(channel(doors).await, Nobody);
    let (launch, watch) = find::launch(line);
    let launched = launch.start(bundle(), UserConfig::new()).await.unwrap();
    assert!(!launched.token.is_empty());
    let run = launched.run;
    let status = watch.status(run).await.unwrap().unwrap();
    assert_eq!(status.phase, Phase::Starting);
    let failed = RunStatus::failed("it was killed");
    watch.set_status(run, failed.clone()).await.unwrap();
    assert_eq!(watch.status(run).await.unwrap(), Some(failed));
    assert_eq!(watch.status(RunId(7)).await.unwrap(), None);
    let overrides = UserConfig::from([("lr".to_owned(), Scalar::Float(0.5))]);
    let refused = launch.start(bundle(), overrides).await.unwrap_err();
    assert_eq!(refused.class(), Some(Class::Invalid));
}
