//! By which calls a connection ceases to be that of a stranger.

use std::net::Ipv4Addr;

use flwr_proto as proto;
use flwr_proto::v1_08;
use flwr_security::key::PrivateKey;
use flwr_wire::door::{Control, ControlDoor, RuntimeDoor, ServerAppIo};

use super::taskins;
use super::wires::{Node, signed};
use super::*;

/// Whether a connection is admitted after this call.
async fn admits(
    mut door: impl Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    path: &str,
    headers: HeaderMap,
    message: &impl Message,
) -> bool {
    let standing = Standing::default();
    let mut request = request(path, headers, message.encode_to_vec().into());
    request.extensions_mut().insert(Peer {
        standing: standing.clone(),
        ..peer((Ipv4Addr::LOCALHOST, 50_000).into())
    });
    Answered::of(door.call(request).await.unwrap()).await;
    standing.is_admitted()
}

#[tokio::test]
async fn a_node_is_admitted_by_its_registration_and_by_its_signature() {
    let node = Node::new().await;
    let fleet = || FleetDoor::new(node.host.clone());
    let stranger = PrivateKey::generate().unwrap();
    let heartbeat = proto::SendNodeHeartbeatRequest::default();
    let path = "/flwr.proto.Fleet/SendNodeHeartbeat";
    assert!(!admits(fleet(), path, signed(&stranger), &heartbeat).await);
    assert!(!admits(fleet(), path, HeaderMap::new(), &heartbeat).await);
    // The call itself is refused, since it names no node.
    assert!(admits(fleet(), path, signed(&node.key), &heartbeat).await);
    let path = "/flwr.proto.Fleet/CreateNode";
    let wrong = proto::CreateNodeRequest::default();
    assert!(!admits(fleet(), path, signed(&stranger), &wrong).await);
    let create = proto::CreateNodeRequest {
        heartbeat_interval: 30.0,
    };
    assert!(admits(fleet(), path, signed(&stranger), &create).await);
}

#[tokio::test]
async fn a_node_of_an_older_release_is_admitted_with_its_call() {
    let open = host(link(MemoryState::default()), Policy::AnyKey, None);
    let (listed, _dir) = taskins::host().await;
    let create = v1_08::CreateNodeRequest {
        ping_interval: 30.0,
    };
    for (host, expected) in [(open, true), (listed, false)] {
        let door = FleetDoor::new(host);
        let path = "/flwr.proto.Fleet/CreateNode";
        assert_eq!(
            admits(door, path, HeaderMap::new(), &create).await,
            expected
        );
    }
}

#[tokio::test]
async fn an_app_is_admitted_by_its_token_and_everybody_on_an_open_control() {
    let host = host(link(MemoryState::default()), Policy::AnyKey, None);
    let inputs = proto::PullAppInputsRequest {
        token: "nobody has this".to_owned(),
    };
    let door = RuntimeDoor::<_, ServerAppIo>::new(host.clone());
    let path = "/flwr.proto.ServerAppIo/PullAppInputs";
    assert!(!admits(door, path, HeaderMap::new(), &inputs).await);
    let door = ControlDoor::<_, Control>::new(host);
    let path = "/flwr.proto.Control/ListRuns";
    let list = proto::ListRunsRequest::default();
    assert!(admits(door, path, HeaderMap::new(), &list).await);
}
