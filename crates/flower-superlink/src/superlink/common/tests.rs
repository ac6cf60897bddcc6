use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::sync::Arc;

use clap::Parser;
use flwr_security::pki::{Authority, Pair, Purpose};
use flwr_security::testing::{Files, server_files};
use flwr_security::tls::{Certificate, ClientCa, ServerFiles, ServerTls};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

mod carriers;
mod launchers;

use super::*;
use crate::args::Args;

/// A SuperLink with CAs for the certificates of nodes and of people.
struct Scene {
    tls: ServerTls,
    nodes: Authority,
    people: Authority,
}

impl Scene {
    fn new() -> Self {
        let files = Files::new();
        let [nodes, people] = ["nodes", "people"].map(|name| {
            let Pair { certificate, key } = Authority::make(name, 30, None).unwrap();
            let certificate = files.write(&format!("{name}.crt"), &certificate);
            let key = files.write(&format!("{name}.key"), &key);
            Authority::read(&certificate, &key, || unreachable!()).unwrap()
        });
        let ca = |name| ClientCa {
            ca: files.path(name),
            crl: None,
        };
        let of_server = server_files(
            &files.path("ca.crt"),
            &files.path("server.pem"),
            &files.path("server.key"),
        );
        let tls = ServerTls::load(ServerFiles {
            clients: Some(ca("nodes.crt")),
            people: Some(ca("people.crt")),
            ..of_server
        });
        Self {
            tls: tls.unwrap(),
            nodes,
            people,
        }
    }
}

/// A request from this address, over a connection on which this certificate was shown.
fn request(path: &str, address: impl Into<IpAddr>, shown: Option<&Authority>) -> Request<Body> {
    let mut request = Request::post(path).body(Body::empty()).unwrap();
    let issued = shown.map(|ca| {
        ca.issue(&["alice".to_owned()], 10, Purpose::Client)
            .unwrap()
    });
    let der =
        issued.map(|made| CertificateDer::from_pem_slice(made.certificate.as_bytes()).unwrap());
    let certificate = der.as_ref().map(|der| Certificate::read(der).unwrap());
    let client = (address.into(), 50_000).into();
    request.extensions_mut().insert(Peer {
        tls: true,
        certificate: certificate.map(Arc::new),
        ..Peer::plaintext(client, (Ipv4Addr::LOCALHOST, 8000).into())
    });
    if let Some(der) = der {
        request.extensions_mut().insert(Chain(Arc::new([der])));
    }
    request
}

fn number(fenced: Result<(), Fenced>) -> Option<u16> {
    match fenced {
        Ok(()) => None,
        Err(Fenced::NotHere) => Some(404),
        Err(Fenced::Refused(flwr_core::refusal::Failure::Refused(refusal))) => {
            Some(refusal.code().number())
        }
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn each_service_asks_for_the_certificate_that_its_own_port_asks_for() {
    let scene = Scene::new();
    let (nodes, people) = (Some(&scene.nodes), Some(&scene.people));
    for (tls, shown, refused) in [
        (scene.tls.asking(), nodes, None),
        (scene.tls.asking(), people, Some(50330)),
        (scene.tls.asking(), None, Some(50330)),
        (scene.tls.asking_people(), people, None),
        (scene.tls.asking_people(), nodes, Some(50330)),
        (scene.tls.asking_people(), None, Some(50330)),
    ] {
        let mut request = request("/v1/fleet/get-run", Ipv4Addr::LOCALHOST, shown);
        assert_eq!(number(certified(Some(&tls), &mut request)), refused);
        let peer = request.extensions().get::<Peer>().unwrap();
        assert_eq!(peer.certificate.is_some(), shown.is_some());
    }
}

#[test]
fn a_service_that_asks_for_none_sees_none() {
    let scene = Scene::new();
    for shown in [None, Some(&scene.nodes)] {
        let mut request = request("/v1/control/list-runs", Ipv4Addr::LOCALHOST, shown);
        let open = scene.tls.open();
        assert_eq!(number(certified(Some(&open), &mut request)), None);
        let peer = request.extensions().get::<Peer>().unwrap();
        assert!(peer.certificate.is_none());
    }
}

#[test]
fn apps_come_from_this_machine() {
    for (address, refused) in [
        ("127.0.0.1", None),
        ("::ffff:127.0.0.1", None),
        ("192.0.2.7", Some(404)),
    ] {
        let address: IpAddr = address.parse().unwrap();
        let mut request = request("/v1/runtime/get-nodes", address, None);
        let forwarded = "127.0.0.1".parse().unwrap();
        request.headers_mut().insert("x-forwarded-for", forwarded);
        assert_eq!(number(of_apps(&mut request)), refused, "{address}");
        let peer = request.extensions().get::<Peer>().unwrap();
        assert_eq!(peer.may_be_forwarded, refused.is_none(), "{address}");
    }
}

fn config(flags: &[&str]) -> Config {
    let always = ["flower-superlink", "--insecure", "--isolation", "process"];
    let state = ["--database", ":memory:"];
    let all = always.iter().chain(&state).chain(flags);
    Config::try_from(Args::try_parse_from(all).unwrap()).unwrap()
}

#[tokio::test]
async fn a_taken_port_is_an_error_only_where_it_was_asked_for() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut asked = config(&["--port", &port.to_string()]);
    let told = bind(&asked, &Limits::default()).await.unwrap_err();
    assert!(told.to_string().contains("--port"), "{told}");
    asked.common.is_given = false;
    assert!(bind(&asked, &Limits::default()).await.unwrap().is_none());
    drop(taken);
    let listener = bind(&asked, &Limits::default()).await.unwrap();
    assert_eq!(listener.unwrap().local_addr().port(), port);
}

#[test]
fn the_usual_address_is_upstreams() {
    for (flags, address, is_given) in [
        (&[][..], "127.0.0.1:8000", false),
        (&["--port", "9000"], "127.0.0.1:9000", true),
        (&["--host", "0.0.0.0"], "0.0.0.0:8000", true),
        (&["--host", "::1", "--port", "0"], "[::1]:0", true),
    ] {
        let Config { common, .. } = config(flags);
        assert_eq!(
            (&*common.address.to_string(), common.is_given),
            (address, is_given)
        );
    }
}
