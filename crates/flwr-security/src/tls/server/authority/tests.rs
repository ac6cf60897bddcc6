//! The authority of a server's certificate: found, shown and named by its pin.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::*;
use crate::testing::{Files, server_files};
use crate::tls::{ClientTls, ServerFiles};

type Ca = CertifiedIssuer<'static, KeyPair>;

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![]).unwrap();
    let names = &mut params.distinguished_name;
    names.push(rcgen::DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

fn root(name: &str) -> Ca {
    CertifiedIssuer::self_signed(params(name), KeyPair::generate().unwrap()).unwrap()
}

/// Server files whose chain and authorities are these certificates.
fn server(issuer: &Ca, between: &[&Ca], authorities: &[&Ca]) -> (Files, ServerFiles) {
    let files = Files::new();
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let own = own.signed_by(&key, issuer).unwrap();
    let all = |cas: &[&Ca]| cas.iter().map(|ca| ca.pem()).collect::<String>();
    let chain = files.write("server.pem", &(own.pem() + &all(between)));
    let key = files.write("server.key", &key.serialize_pem());
    let ca = files.write("ca.crt", &all(authorities));
    let server = server_files(&ca, &chain, &key);
    (files, server)
}

fn pin(ca: &Ca) -> Pin {
    let der = ca.der();
    let (_, read) = X509Certificate::from_der(der).unwrap();
    Pin::of_spki(read.public_key().raw)
}

/// The certificates that the server shows.
fn shown(files: ServerFiles) -> Vec<CertificateDer<'static>> {
    let trusting = ClientTls::trusting(files.ca.clone()).unwrap();
    let server = ServerTls::load(files).unwrap().open().config();
    let name = "localhost".try_into().unwrap();
    let mut client = rustls::ClientConnection::new(trusting.config(), name).unwrap();
    let mut server = rustls::ServerConnection::new(server).unwrap();
    while client.is_handshaking() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut &wire[..]).unwrap();
        server.process_new_packets().unwrap();
        wire.clear();
        server.write_tls(&mut wire).unwrap();
        client.read_tls(&mut &wire[..]).unwrap();
        client.process_new_packets().unwrap();
    }
    let shown = client.peer_certificates().unwrap();
    shown.iter().map(|der| der.clone().into_owned()).collect()
}

#[test]
fn of_several_authorities_the_one_that_signed_is_shown_and_pinned() {
    let (old, new) = (root("old"), root("new"));
    let between =
        CertifiedIssuer::signed_by(params("between"), KeyPair::generate().unwrap(), &new).unwrap();
    let (_dir, files) = server(&between, &[&between], &[&old, &new]);
    let tls = ServerTls::load(files.clone()).unwrap();
    assert_eq!(tls.authority_pin(), Some(pin(&new)));
    let both = [old.der().to_vec(), new.der().to_vec()];
    assert_eq!(tls.authorities(), both);
    assert_eq!(shown(files.clone()).len(), 2, "only where it is asked for");
    let shown = shown(ServerFiles {
        shows_authority: true,
        ..files
    });
    assert_eq!(shown.len(), 3);
    assert_eq!(shown.last(), Some(new.der()));
}

#[test]
fn an_authority_that_the_chain_has_is_not_shown_twice() {
    let ca = root("ca");
    let (_dir, files) = server(&ca, &[&ca], &[&ca]);
    let shown = shown(ServerFiles {
        shows_authority: true,
        ..files
    });
    assert_eq!(shown.len(), 2);
}

#[test]
fn a_chain_that_leads_to_no_authority_has_no_pin() {
    let (ca, other) = (root("ca"), root("other"));
    let (_dir, files) = server(&ca, &[], &[&other]);
    let tls = ServerTls::load(files).unwrap();
    assert_eq!(tls.authority_pin(), None);
}

#[test]
fn a_server_is_for_the_hosts_of_its_certificate() {
    let files = Files::new();
    let tls = files.server(|params| {
        let names = ["*.flower.example", "10.0.0.7"];
        let names = names.map(str::to_owned).to_vec();
        params.subject_alt_names = CertificateParams::new(names).unwrap().subject_alt_names;
    });
    for (host, is_named) in [
        ("link.flower.example", true),
        ("10.0.0.7", true),
        ("flower.example", false),
        ("10.0.0.8", false),
        ("localhost", false),
        ("not a host", false),
        ("", false),
    ] {
        assert_eq!(tls.is_for(host), is_named, "{host}");
    }
}
