//! Clients with a certificate that is not on the list.

use std::fs;
use std::net::Ipv4Addr;

use crate::link::{Label, Principal};
use flwr_core::port::Fleet as _;
use flwr_daemon::listen::IssuedCertificates as _;
use flwr_security::tls::{Certificate, Issued};
use flwr_wire::door::{
    Control, ControlDoor, Driver, Exec, LaunchDoor, RuntimeDoor, ServerAppIo, Upkeep,
};

use super::*;

pub(super) fn peer(common_name: &str) -> Peer {
    let certificate = Certificate {
        subject: format!("CN = {common_name}"),
        names: Vec::new(),
        other_names: Vec::new(),
        common_name: Some(common_name.to_owned()),
        issued: None,
        is_node: false,
        is_v3: true,
        not_before: OffsetDateTime::UNIX_EPOCH,
        not_after: OffsetDateTime::UNIX_EPOCH,
    };
    Peer {
        tls: true,
        certificate: Some(Arc::new(certificate)),
        ..super::peer((Ipv4Addr::LOCALHOST, 50_000).into())
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

/// What all doors say: first that of nodes, then those of people.
async fn all_doors(host: &Host, peer: Option<Peer>) -> [Code; 7] {
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
}

fn host_for(link: Arc<Link>, clients: Option<&str>, people: People) -> Host {
    let clients = clients.map(|lines| Arc::new(list(lines)));
    Host::new(Parts {
        clients,
        people,
        is_insecure: false,
        ..parts(link, Policy::AnyKey, None)
    })
}

fn list(lines: &str) -> FromFile<ClientList> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("clients");
    fs::write(&file, lines).unwrap();
    FromFile::load(&file).unwrap()
}

const IN: Code = Code::Unimplemented;
const NODES_ONLY: [Code; 7] = {
    let mut codes = [Code::PermissionDenied; 7];
    codes[0] = IN;
    codes
};

/// The same with the mark of SuperNodes.
fn marked(common_name: &str) -> Peer {
    let peer = peer(common_name);
    let certificate = peer.certificate.map(|certificate| {
        Arc::new(Certificate {
            is_node: true,
            ..Certificate::clone(&certificate)
        })
    });
    Peer {
        certificate,
        ..peer
    }
}

#[tokio::test]
async fn a_certificate_that_is_marked_as_a_nodes_opens_the_door_of_nodes_only() {
    for people in [
        People::default(),
        People::new(Some(Arc::new(list("CN=node-1\n"))), None),
    ] {
        let host = host_for(link(MemoryState::default()), None, people);
        assert_eq!(all_doors(&host, Some(marked("node-1"))).await, NODES_ONLY);
    }
}

#[tokio::test]
async fn a_certificate_by_which_a_node_was_seen_opens_the_door_of_nodes_only() {
    let host = host_for(link(MemoryState::default()), None, People::default());
    let (node, alice) = (peer("node-1"), peer("alice"));
    // As long as no node has shown it, it may be a person's.
    assert_eq!(all_doors(&host, Some(node.clone())).await, [IN; 7]);
    let key = PrivateKey::generate().unwrap();
    let headers = flwr_security::signature::sign(&key, OffsetDateTime::now_utc()).unwrap();
    let head = Head {
        patience: Duration::ZERO,
        peer: Some(node.clone()),
        release: None,
    };
    let session = host.admit(NodeProof::Signature(headers), &head);
    let session: FleetSession = session.await.unwrap();
    let id = session.join(30.0).await.unwrap();
    assert_eq!(all_doors(&host, Some(node.clone())).await, NODES_ONLY);
    assert_eq!(all_doors(&host, Some(alice)).await, [IN; 7]);
    // Its certificate does not become a person's when the node leaves.
    host.link().remove_node(id).await.unwrap();
    assert_eq!(all_doors(&host, Some(node.clone())).await, NODES_ONLY);
    // A list of people says who is one.
    let people = People::new(Some(Arc::new(list("CN=node-1\n"))), None);
    let listed = host_for(Arc::clone(host.link()), None, people);
    assert_eq!(all_doors(&listed, Some(node)).await, [IN; 7]);
}

#[tokio::test]
async fn people_with_a_list_of_their_own_are_on_no_other() {
    let people = People::new(Some(Arc::new(list("CN=alice\n"))), None);
    let host = host_for(link(MemoryState::default()), Some("CN=node-1\n"), people);
    let mut wanted = [Code::Unauthenticated; 7];
    wanted[0] = IN;
    assert_eq!(all_doors(&host, Some(peer("node-1"))).await, wanted);
    let mut wanted = [IN; 7];
    wanted[0] = Code::Unauthenticated;
    assert_eq!(all_doors(&host, Some(peer("alice"))).await, wanted);
}

#[tokio::test]
async fn no_door_lets_a_client_in_that_is_not_on_the_list() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("clients");
    fs::write(&list, "CN=alice\n").unwrap();
    let clients = Arc::new(FromFile::load(&list).unwrap());
    let host = Host::new(Parts {
        clients: Some(Arc::clone(&clients)),
        is_insecure: false,
        ..parts(link(MemoryState::default()), Policy::AnyKey, None)
    });
    let calls = async |peer: Option<Peer>| all_doors(&host, peer).await;
    let (let_in, refused) = ([Code::Unimplemented; 7], [Code::Unauthenticated; 7]);
    assert_eq!(calls(Some(peer("alice"))).await, let_in);
    assert_eq!(calls(Some(peer("bob"))).await, refused);
    assert_eq!(calls(None).await, let_in, "a port that asks for none");
    fs::write(&list, "CN=bob\n").unwrap();
    clients.reload().unwrap();
    assert_eq!(calls(Some(peer("alice"))).await, refused, "at once");
}

/// The peer with a certificate that the CA for nodes has issued.
fn issued(node: NodeId, key: &PrivateKey) -> Peer {
    let peer = marked(&node.to_string());
    let certificate = peer.certificate.map(|certificate| {
        let key = key.public_key().clone();
        Arc::new(Certificate {
            issued: Some(Issued { node, key }),
            ..Certificate::clone(&certificate)
        })
    });
    Peer {
        certificate,
        ..peer
    }
}

/// What the host says to a node that signs with this key and shows this certificate.
async fn admitted(host: &Host, key: &PrivateKey, peer: Peer) -> Option<Refusal> {
    let headers = flwr_security::signature::sign(key, OffsetDateTime::now_utc()).unwrap();
    let head = Head {
        patience: Duration::ZERO,
        peer: Some(peer),
        release: None,
    };
    let session = host.admit(NodeProof::Signature(headers), &head).await;
    match session {
        Ok(_) => None,
        Err(Failure::Refused(refusal)) => Some(refusal),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_certificate_that_was_issued_to_a_node_is_good_for_the_node_and_its_key_only() {
    let link = link(MemoryState::default());
    let host = Host::new(Parts {
        // The list names people and programs. Nodes that have joined are not on it.
        clients: Some(Arc::new(list("CN=alice\n"))),
        is_insecure: false,
        ..parts(Arc::clone(&link), Policy::Enrolled, None)
    });
    let [key, other_key] = [(); 2].map(|()| PrivateKey::generate().unwrap());
    let admin = Principal::Anybody;
    let enroll = async |key: &PrivateKey| {
        let enrolled = link.enroll(key.public_key(), &admin, Label::default());
        enrolled.await.unwrap()
    };
    let (node, other) = (enroll(&key).await, enroll(&other_key).await);
    let withdrawn = |node: NodeId| Some(Refusal::CertificateWithdrawn(format!("CN = {node}")));
    assert_eq!(admitted(&host, &key, issued(node, &key)).await, None);
    assert_eq!(
        called(FleetDoor::new(host.clone()), Some(issued(node, &key))).await,
        IN
    );
    // The certificate of one node with the signature of another, and one of an earlier key.
    let of_other = issued(other, &other_key);
    assert_eq!(admitted(&host, &key, of_other).await, withdrawn(other));
    let of_old_key = issued(node, &other_key);
    assert_eq!(admitted(&host, &key, of_old_key).await, withdrawn(node));
    let objection = |node: NodeId, key: &PrivateKey| {
        let key = key.public_key().clone();
        host.objection(&Issued { node, key })
    };
    assert_eq!(objection(node, &key), None);
    assert!(objection(node, &other_key).is_some());
    // The node is unregistered: its open connections end, and new ones are of no use.
    link.dismiss(node, &admin).await.unwrap();
    let of_gone = issued(node, &key);
    assert_eq!(admitted(&host, &key, of_gone).await, withdrawn(node));
    assert!(objection(node, &key).is_some_and(|why| why.contains("unregister")));
    // The key gets a new node, and needs a new certificate.
    let again = enroll(&key).await;
    let of_gone = issued(node, &key);
    assert_eq!(admitted(&host, &key, of_gone).await, withdrawn(node));
    assert_eq!(admitted(&host, &key, issued(again, &key)).await, None);
}
