//! Clients with a certificate that is not on the list.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};

use flwr_security::tls::Certificate;
use flwr_wire::door::{
    Control, ControlDoor, Driver, Exec, LaunchDoor, RuntimeDoor, ServerAppIo, Upkeep,
};

use super::*;

fn peer(common_name: &str) -> Peer {
    let certificate = Certificate {
        subject: format!("CN = {common_name}"),
        names: Vec::new(),
        other_names: Vec::new(),
        common_name: Some(common_name.to_owned()),
        is_node: false,
        is_v3: true,
        not_before: OffsetDateTime::UNIX_EPOCH,
        not_after: OffsetDateTime::UNIX_EPOCH,
    };
    Peer {
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, 50_000)),
        tls: true,
        certificate: Some(Arc::new(certificate)),
    }
}

/// Calls with this certificate, or none, what no door has. Only a caller that may come in is told so.
async fn called(
    mut door: impl Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    peer: Option<Peer>,
) -> Code {
    let mut request = request("/no.such/Method", HeaderMap::new(), Bytes::new());
    if let Some(peer) = peer {
        request.extensions_mut().insert(peer);
    }
    Answered::of(door.call(request).await.unwrap()).await.code
}

#[tokio::test]
async fn no_door_lets_a_client_in_that_is_not_on_the_list() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("clients");
    fs::write(&list, "CN=alice\n").unwrap();
    let clients = Arc::new(FromFile::load(&list).unwrap());
    let host = Host::new(Parts {
        link: link(MemoryState::default()),
        policy: Policy::AnyKey,
        own_key: None,
        clients: Some(Arc::clone(&clients)),
        accounts: None,
        apps: Apps::WithTokens,
        is_insecure: false,
    });
    let calls = async |peer: Option<Peer>| {
        let (host, peer) = (|| host.clone(), || peer.clone());
        [
            called(FleetDoor::new(host()), peer()).await,
            called(ControlDoor::<_, Control>::new(host()), peer()).await,
            called(ControlDoor::<_, Exec>::new(host()), peer()).await,
            called(ControlDoor::<_, Upkeep>::new(host()), peer()).await,
            called(RuntimeDoor::<_, ServerAppIo>::new(host()), peer()).await,
            called(RuntimeDoor::<_, Driver>::new(host()), peer()).await,
            called(LaunchDoor::new(host()), peer()).await,
        ]
    };
    let (let_in, refused) = ([Code::Unimplemented; 7], [Code::Unauthenticated; 7]);
    assert_eq!(calls(Some(peer("alice"))).await, let_in);
    assert_eq!(calls(Some(peer("bob"))).await, refused);
    assert_eq!(calls(None).await, let_in, "a port that asks for none");
    fs::write(&list, "CN=bob\n").unwrap();
    clients.reload().unwrap();
    assert_eq!(calls(Some(peer("alice"))).await, refused, "at once");
}
