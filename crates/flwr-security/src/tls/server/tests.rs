//! The CAs of clients and of people.

use rustls_pki_types::UnixTime;
use rustls_pki_types::pem::PemObject;

use super::*;
use flwr_core::id::NodeId;
use time::OffsetDateTime;

use crate::key::PrivateKey;
use crate::pki::{Authority, NodeAuthority, Pair, Purpose, node_request};
use crate::testing::{Files, server_files};

struct Authorities {
    files: Files,
    nodes: Authority,
    people: Authority,
}

impl Authorities {
    fn new() -> Self {
        let files = Files::new();
        let [nodes, people] = ["nodes", "people"].map(|name| {
            // Of one name: only their keys tell them apart.
            let Pair { certificate, key } = Authority::make("CA", 30, None).unwrap();
            let certificate = files.write(&format!("{name}.crt"), &certificate);
            let key = files.write(&format!("{name}.key"), &key);
            Authority::read(&certificate, &key, || unreachable!()).unwrap()
        });
        Self {
            files,
            nodes,
            people,
        }
    }

    fn server(&self, clients: Option<&str>, people: Option<&str>) -> ServerTls {
        self.load(clients, people, None).unwrap()
    }

    /// A server with the CA for nodes beside the two.
    fn load(
        &self,
        clients: Option<&str>,
        people: Option<&str>,
        nodes: Option<&str>,
    ) -> Result<ServerTls, TlsError> {
        let ca = |name: &str| ClientCa {
            ca: self.files.path(&format!("{name}.crt")),
            crl: None,
        };
        let files = server_files(
            &self.files.path("ca.crt"),
            &self.files.path("server.pem"),
            &self.files.path("server.key"),
        );
        ServerTls::load(ServerFiles {
            clients: clients.map(ca),
            people: people.map(ca),
            nodes: nodes.map(|name| self.files.path(&format!("{name}.crt"))),
            ..files
        })
    }
}

/// Whether the port takes a client's certificate of this CA.
fn takes(port: &PortTls, ca: &Authority, purpose: Purpose) -> bool {
    let made = ca.issue(&["alice".to_owned()], 10, purpose).unwrap();
    let made = CertificateDer::from_pem_slice(made.certificate.as_bytes()).unwrap();
    port.check(&[made], UnixTime::now()).is_ok()
}

#[test]
fn people_may_have_a_ca_of_their_own() {
    let cas = Authorities::new();
    let tls = cas.server(Some("nodes"), Some("people"));
    let (fleet, control) = (tls.asking(), tls.asking_people());
    for purpose in [Purpose::Client, Purpose::Node] {
        assert!(takes(&fleet, &cas.nodes, purpose));
        assert!(!takes(&control, &cas.nodes, purpose));
        assert!(!takes(&fleet, &cas.people, purpose));
        assert!(takes(&control, &cas.people, purpose));
    }
    assert!(tls.asks_clients() && tls.asks_people() && !tls.shares_client_ca());
    assert!(tls.paths().contains(&cas.files.path("people.crt")));
}

#[test]
fn one_ca_for_both_is_known_as_such() {
    let cas = Authorities::new();
    let tls = cas.server(Some("nodes"), None);
    assert!(tls.asks_people() && tls.shares_client_ca());
    assert!(takes(&tls.asking_people(), &cas.nodes, Purpose::Client));
    // The same CA under another name.
    let again = std::fs::read_to_string(cas.files.path("nodes.crt")).unwrap();
    cas.files.write("people.crt", &again);
    assert!(cas.server(Some("nodes"), Some("people")).shares_client_ca());
}

#[test]
fn people_may_be_asked_where_programs_are_not() {
    let cas = Authorities::new();
    let tls = cas.server(None, Some("people"));
    assert!(!tls.asks_clients() && tls.asks_people() && !tls.shares_client_ca());
    assert!(!takes(&tls.asking_people(), &cas.nodes, Purpose::Client));
    assert!(
        takes(&tls.asking(), &cas.nodes, Purpose::Client),
        "nobody is asked"
    );
}

/// The CA for nodes, and a certificate that it has issued to node 7.
fn joined(files: &Files) -> (NodeAuthority, CertificateDer<'static>) {
    let Pair { certificate, key } = Authority::make("CA", 60, None).unwrap();
    let certificate = files.write("joined.crt", &certificate);
    let key = files.write("joined.key", &key);
    let authority = NodeAuthority::load(&certificate, &key).unwrap();
    let issued = issue(&authority, OffsetDateTime::now_utc());
    (authority, issued)
}

fn issue(authority: &NodeAuthority, now: OffsetDateTime) -> CertificateDer<'static> {
    let key = PrivateKey::generate().unwrap();
    let request = node_request(&key).unwrap();
    let issued = authority.issue(&request, key.public_key(), NodeId(7), now);
    CertificateDer::from_pem_slice(issued.unwrap().as_bytes()).unwrap()
}

#[test]
fn certificates_of_joined_nodes_are_good_on_ports_for_programs_only() {
    let cas = Authorities::new();
    let (_, node) = joined(&cas.files);
    for (clients, people) in [(Some("nodes"), Some("people")), (Some("nodes"), None)] {
        let tls = cas.load(clients, people, Some("joined")).unwrap();
        let (fleet, control) = (tls.asking(), tls.asking_people());
        let now = UnixTime::now();
        assert_eq!(fleet.check(std::slice::from_ref(&node), now), Ok(()));
        assert_eq!(fleet.issued(&node).map(|to| to.node), Some(NodeId(7)));
        assert!(control.check(std::slice::from_ref(&node), now).is_err());
        assert_eq!(control.issued(&node), None);
        // The port of all services leaves the decision to each service.
        let common = tls.asking_anybody();
        assert_eq!(common.check(std::slice::from_ref(&node), now), Ok(()));
        assert_eq!(common.issued(&node).map(|to| to.node), Some(NodeId(7)));
        // Other nodes come with certificates of the other CA.
        assert!(takes(&fleet, &cas.nodes, Purpose::Client));
        assert!(!takes(&fleet, &cas.people, Purpose::Client));
        assert!(tls.asks_clients() && tls.has_client_ca());
        assert!(tls.paths().contains(&cas.files.path("joined.crt")));
    }
}

#[test]
fn the_ca_for_nodes_suffices_where_all_nodes_join() {
    let cas = Authorities::new();
    let (_, node) = joined(&cas.files);
    let tls = cas.load(None, None, Some("joined")).unwrap();
    assert!(tls.asks_clients() && !tls.has_client_ca());
    assert!(!tls.asks_people() && !tls.shares_client_ca());
    let fleet = tls.asking();
    assert_eq!(fleet.check(&[node], UnixTime::now()), Ok(()));
    assert!(!takes(&fleet, &cas.nodes, Purpose::Node));
    let is_asked = |port: PortTls| port.config().session_storage.can_cache();
    assert!(!is_asked(fleet) && is_asked(tls.asking_people()));
}

#[test]
fn only_what_the_ca_for_nodes_issued_to_a_node_is_the_nodes() {
    let cas = Authorities::new();
    let (authority, node) = joined(&cas.files);
    let tls = cas.load(Some("nodes"), None, Some("joined")).unwrap();
    let fleet = tls.asking();
    // The name and the mark alone are anybody's who has another CA.
    let [other, other_key] = ["nodes.crt", "nodes.key"].map(|name| cas.files.path(name));
    let other = NodeAuthority::load(&other, &other_key).unwrap();
    let forged = issue(&other, OffsetDateTime::now_utc());
    assert_eq!(fleet.issued(&forged), None);
    let key = cas.files.path("joined.key");
    let ca = Authority::read(&cas.files.path("joined.crt"), &key, || unreachable!()).unwrap();
    let made = ca.issue(&["node-7".to_owned()], 10, Purpose::Node).unwrap();
    let made = CertificateDer::from_pem_slice(made.certificate.as_bytes()).unwrap();
    assert_eq!(fleet.issued(&made), None);
    // A certificate that has expired, and one of a CA that was taken out of the file.
    let long_ago = issue(
        &authority,
        OffsetDateTime::now_utc() - time::Duration::days(40),
    );
    assert!(fleet.check(&[long_ago], UnixTime::now()).is_err());
    let Pair { certificate, .. } = Authority::make("CA", 60, None).unwrap();
    cas.files.write("joined.crt", &certificate);
    tls.reload().unwrap();
    assert_eq!(fleet.issued(&node), None);
    assert!(fleet.check(&[node], UnixTime::now()).is_err());
}

#[test]
fn the_ca_for_nodes_signs_for_nobody_else() {
    let cas = Authorities::new();
    let refused = |clients, people, nodes| {
        let refused = cas.load(clients, people, Some(nodes)).unwrap_err();
        let text = refused.to_string();
        let file = cas.files.path(&format!("{nodes}.crt"));
        assert_eq!(refused.file(), Some(file.as_path()), "{text}");
        assert!(text.contains("`flwr cert ca`"), "{text}");
    };
    refused(Some("nodes"), Some("people"), "nodes");
    refused(Some("nodes"), Some("people"), "people");
    refused(Some("nodes"), None, "nodes");
    refused(None, Some("people"), "people");
    refused(None, None, "ca");
    // A CA below that of people: a chain would lead to it.
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec![]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let pem = std::fs::read_to_string(cas.files.path("people.key")).unwrap();
    let people = rcgen::KeyPair::from_pem(&pem).unwrap();
    let pem = std::fs::read_to_string(cas.files.path("people.crt")).unwrap();
    let people = rcgen::Issuer::from_ca_cert_pem(&pem, people).unwrap();
    let below = params.signed_by(&key, &people).unwrap();
    cas.files.write("below.crt", &below.pem());
    refused(None, Some("people"), "below");
    // One that was good is refused when it is read again.
    let _joined = joined(&cas.files);
    let tls = cas.load(None, Some("people"), Some("joined")).unwrap();
    cas.files.write("joined.crt", &below.pem());
    assert!(tls.reload().is_err());
}

#[test]
fn a_common_port_takes_certificates_of_both_and_each_service_those_of_its_own() {
    let cas = Authorities::new();
    let server = cas.server(Some("nodes"), Some("people"));
    let made = |ca: &Authority| {
        let made = ca
            .issue(&["alice".to_owned()], 10, Purpose::Client)
            .unwrap();
        CertificateDer::from_pem_slice(made.certificate.as_bytes()).unwrap()
    };
    let (of_node, of_person) = (made(&cas.nodes), made(&cas.people));
    let now = UnixTime::now();
    let is_good = |port: &PortTls, shown: Option<&CertificateDer<'static>>| {
        let shown = shown.map(std::slice::from_ref);
        port.require(shown, now).is_ok()
    };
    let common = server.asking_anybody();
    assert!(common.asks());
    let verifier = common.verifier().unwrap();
    assert!(!verifier.client_auth_mandatory());
    assert_eq!(verifier.root_hint_subjects().len(), 2);
    for (port, node, person, nobody) in [
        (&common, true, true, false),
        (&server.asking(), true, false, false),
        (&server.asking_people(), false, true, false),
        (&server.open(), true, true, true),
    ] {
        assert_eq!(is_good(port, Some(&of_node)), node);
        assert_eq!(is_good(port, Some(&of_person)), person);
        assert_eq!(is_good(port, None), nobody);
    }
    assert!(!cas.server(None, None).asking_anybody().asks());
}

#[test]
fn a_common_port_speaks_http1_alone() {
    let cas = Authorities::new();
    for ca in [None, Some("nodes")] {
        let server = cas.server(ca, None);
        let spoken = |port: PortTls| port.config().alpn_protocols.clone();
        assert_eq!(spoken(server.asking_anybody()), [b"http/1.1"]);
        for port in [server.asking(), server.asking_people(), server.open()] {
            assert_eq!(spoken(port), [&b"h2"[..], b"http/1.1"]);
        }
    }
}
