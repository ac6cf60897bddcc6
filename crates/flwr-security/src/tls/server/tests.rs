//! The CAs of clients and of people.

use rustls_pki_types::pem::PemObject;

use super::*;
use crate::pki::{Authority, Pair, Purpose};
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
            ..files
        })
        .unwrap()
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
