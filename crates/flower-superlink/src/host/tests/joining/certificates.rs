//! Nodes that join where Fleet asks for client certificates.

use flwr_daemon::listen::IssuedCertificates as _;
use flwr_security::pki::{Authority, NodeAuthority, node_request};
use flwr_security::tls::{Certificate, Issued, ServerFiles, ServerTls};
use flwr_wire::door::JoinDoor;
use rcgen::{CertificateParams, DnType, KeyPair};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::*;

/// A SuperLink whose Fleet takes nodes with a certificate only, with these places to join.
fn mutual(own: Option<u16>) -> (Office, ServerTls) {
    let office = Office::new();
    let ca = Authority::make("Nodes", 60, None).unwrap();
    let certificate = office.files.write("nodes.crt", &ca.certificate);
    let key = office.files.write("nodes.key", &ca.key);
    let tls = ServerTls::load(ServerFiles {
        nodes: Some(certificate.clone()),
        ..flwr_security::testing::server_files(
            &office.files.path("ca.crt"),
            &office.files.path("server.pem"),
            &office.files.path("server.key"),
        )
    });
    let tls = tls.unwrap();
    let joining = JoinPlace {
        tls: Some(tls.clone()),
        fleet: 9092,
        own,
        authority: Some(Arc::new(NodeAuthority::load(&certificate, &key).unwrap())),
    };
    let host = Host::new(Parts {
        joining,
        ..parts(link(MemoryState::default()), Policy::Enrolled, None)
    });
    (Office { host, ..office }, tls)
}

/// What a node sends that asks for a certificate.
fn asking(token: &JoinToken, key: &PrivateKey, request: Vec<u8>) -> JoinAttempt {
    JoinAttempt {
        signing_request: request.into(),
        ..attempt(HERE, token, key)
    }
}

impl Office {
    async fn ask(&self, attempt: JoinAttempt) -> Result<Joined> {
        self.joining(Some(at_home(HERE))).join(attempt).await
    }

    /// A node that has joined, with its certificate.
    async fn certified(&self, key: &PrivateKey) -> Joined {
        let token = self.token().await;
        let attempt = asking(&token, key, node_request(key).unwrap());
        self.ask(attempt).await.unwrap()
    }
}

/// Whom Fleet sees behind a certificate.
fn seen(tls: &ServerTls, pem: &[u8]) -> Option<Issued> {
    tls.asking()
        .issued(&CertificateDer::from_pem_slice(pem).unwrap())
}

fn issued(node: NodeId, key: &PrivateKey) -> Issued {
    let key = key.public_key().clone();
    Issued { node, key }
}

/// A connection that was made with this certificate.
fn showing(tls: &ServerTls, pem: &[u8]) -> Peer {
    let der = CertificateDer::from_pem_slice(pem).unwrap();
    let certificate = Certificate {
        issued: tls.asking().issued(&der),
        ..Certificate::read(&der).unwrap()
    };
    Peer {
        certificate: Some(Arc::new(certificate)),
        ..at_home(HERE)
    }
}

/// The same with a certificate of another CA.
fn of_another_ca(tls: &ServerTls) -> Peer {
    let ca = Authority::make("Other", 60, None).unwrap();
    showing(tls, ca.certificate.as_bytes())
}

#[tokio::test]
async fn a_node_joins_at_a_port_of_its_own_and_gets_a_certificate_for_fleet() {
    let (office, tls) = mutual(Some(9097));
    let (token, key) = (office.token().await, key());
    assert_eq!(token.address.to_string(), "localhost:9097");
    // What the request asks for beside the key is ignored.
    let mut params = CertificateParams::new(vec!["superlink.example".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "1");
    let request = params.serialize_request(&pair(&key)).unwrap();
    let attempt = asking(&token, &key, request.der().to_vec());
    let joined = office.ask(attempt).await.unwrap();
    assert_eq!(joined.superlink, "localhost:9092");
    let shown = seen(&tls, &joined.certificate).unwrap();
    assert_eq!(shown, issued(joined.node, &key));
    assert_eq!(office.host.objection(&shown), None);
    // The answer was lost: the same node gets another certificate.
    let again = asking(&token, &key, node_request(&key).unwrap());
    let again = office.ask(again).await.unwrap();
    assert_eq!(seen(&tls, &again.certificate), Some(shown));
}

/// The same key for rcgen.
fn pair(key: &PrivateKey) -> KeyPair {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    key.write_openssh_pair(&path, false).unwrap();
    let converted = std::process::Command::new("ssh-keygen")
        .args(["-q", "-p", "-N", "", "-m", "PKCS8", "-f"])
        .arg(&path)
        .output();
    assert!(converted.unwrap().status.success());
    KeyPair::from_pem(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[tokio::test]
async fn a_request_that_is_of_no_use_uses_no_token_up() {
    let (office, _) = mutual(Some(9097));
    let (token, key) = (office.token().await, key());
    let other = PrivateKey::generate().unwrap();
    let whole = node_request(&key).unwrap();
    for request in [
        Vec::new(),
        whole[..whole.len() - 1].to_vec(),
        node_request(&other).unwrap(),
    ] {
        let refused = office.ask(asking(&token, &key, request)).await;
        let refused = refusal(refused).to_string();
        assert!(refused.starts_with("`signing_request` is "), "{refused}");
    }
    assert!(office.ask(asking(&token, &key, whole)).await.is_ok());
}

#[tokio::test]
async fn a_node_renews_its_certificate_in_its_session() {
    let (office, tls) = mutual(Some(9097));
    let key = key();
    let joined = office.certified(&key).await;
    let (node, peer) = (joined.node, showing(&tls, &joined.certificate));
    let session = office.session_of(Some(peer), &key).await;
    let request = || Bytes::from(node_request(&key).unwrap());
    let renewed = session.renew_certificate(request()).await.unwrap();
    assert_eq!(seen(&tls, &renewed), Some(issued(node, &key)));
    let other = PrivateKey::generate().unwrap();
    let of_other = node_request(&other).unwrap().into();
    let refused = refusal(session.renew_certificate(of_other).await).to_string();
    assert!(refused.contains("another key"), "{refused}");
    let nobody = office.session(&other).await;
    let of_other = node_request(&other).unwrap().into();
    let refused = nobody.renew_certificate(of_other).await;
    assert_eq!(refusal(refused), Refusal::NotRegistered);
    // Where certificates are not issued, nobody gets one.
    let without = Office::new();
    let token = without.token().await;
    let joined = without.join(&token, &key).await.unwrap();
    assert!(joined.certificate.is_empty());
    let session = without.session(&key).await;
    let refused = session.renew_certificate(request());
    assert_eq!(refusal(refused.await), JoinRefusal::NoCertificates.into());
}

#[tokio::test]
async fn the_certificate_of_a_new_key_takes_the_place_of_the_old_ones() {
    let (office, tls) = mutual(Some(9097));
    let [old, new] = [(); 2].map(|()| key());
    let joined = office.certified(&old).await;
    let node = joined.node;
    let joining = office.joining(Some(showing(&tls, &joined.certificate)));
    let renewed = joining.renew_key(renewal(&old, &new));
    let certificate = renewed.await.unwrap().certificate;
    assert_eq!(seen(&tls, &certificate), Some(issued(node, &new)));
    // Both are good until the new key is first used.
    assert_eq!(office.host.objection(&issued(node, &old)), None);
    assert_eq!(office.host.objection(&issued(node, &new)), None);
    assert_eq!(office.session(&new).await.node(), Some(node));
    assert!(office.host.objection(&issued(node, &old)).is_some());
    assert_eq!(office.host.objection(&issued(node, &new)), None);
}

fn renewal(old: &PrivateKey, new: &PrivateKey) -> KeyRenewal {
    KeyRenewal {
        signing_request: node_request(new).unwrap().into(),
        ..keys::renewal(HERE, old, new)
    }
}

/// Lists and revocations of the other CA would not concern a certificate of the CA for nodes.
#[tokio::test]
async fn a_node_with_a_certificate_of_another_ca_gets_none_of_the_ca_for_nodes() {
    let (office, tls) = mutual(Some(9097));
    let [old, new] = [(); 2].map(|()| key());
    office.certified(&old).await;
    let session = office.session_of(Some(of_another_ca(&tls)), &old).await;
    let refused = session.renew_certificate(node_request(&old).unwrap().into());
    let refused = refusal(refused.await);
    assert_eq!(refused, JoinRefusal::OtherAuthority.into());
    let joining = office.joining(Some(of_another_ca(&tls)));
    let renewed = joining.renew_key(renewal(&old, &new)).await.unwrap();
    assert!(renewed.certificate.is_empty());
}

#[tokio::test]
async fn the_key_of_a_node_is_not_renewed_with_the_certificate_of_another() {
    let (office, tls) = mutual(Some(9097));
    let [one, other, new] = [(); 3].map(|()| key());
    let certificate = office.certified(&one).await.certificate;
    office.certified(&other).await;
    let joining = office.joining(Some(showing(&tls, &certificate)));
    let refused = refusal(joining.renew_key(renewal(&other, &new)).await);
    assert!(
        matches!(refused, Refusal::CertificateWithdrawn(_)),
        "{refused:?}"
    );
}

#[tokio::test]
async fn tokens_need_a_port_where_nodes_join_without_a_certificate() {
    let (office, _) = mutual(None);
    let refused = office.issue(new_token()).await.map(drop);
    let missing = JoinRefusal::NeedsFlags("--join-api-address");
    assert_eq!(refusal(refused), missing.into());
}

#[tokio::test]
async fn the_port_where_nodes_join_serves_nothing_else() {
    let (office, _) = mutual(Some(9097));
    let called = async |method: &str| {
        let mut door = JoinDoor::only_to_join(office.host.clone());
        let request = request(method, HeaderMap::new(), Bytes::new());
        Answered::of(door.call(request).await.unwrap()).await.code
    };
    assert_eq!(
        called("/flower.join.Join/Join").await,
        Code::FailedPrecondition
    );
    for other in ["RenewKey", "RenewCertificate", "GetTrust", "Other"] {
        let method = format!("/flower.join.Join/{other}");
        assert_eq!(called(&method).await, Code::Unimplemented, "{other}");
    }
}
