//! Connections that end because their client is not let in any more.

use flwr_core::id::NodeId;
use flwr_security::key::PublicKey;
use flwr_security::pki::{Authority, NodeAuthority};
use flwr_security::testing;
use flwr_security::tls::{ClientCa, Issued, ServerFiles, ServerTls};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, PublicKeyData,
    RevokedCertParams, SerialNumber,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::service::Routes;

use super::*;
use crate::listen::{Limits, Listener, Service};
use crate::stop::Stopper;

const LONG: Duration = Duration::from_secs(30);

struct Port {
    files: testing::Files,
    ca: CertifiedIssuer<'static, KeyPair>,
    server: ServerTls,
    list: Arc<FromFile<ClientList>>,
    authority: NodeAuthority,
    nodes: Arc<Nodes>,
    address: SocketAddr,
    _stopper: Stopper,
}

/// The nodes that were unregistered.
#[derive(Debug, Default)]
struct Nodes(Mutex<Vec<NodeId>>);

impl IssuedCertificates for Nodes {
    fn objection(&self, issued: &Issued) -> Option<String> {
        let is_gone = self.0.lock().contains(&issued.node);
        is_gone.then(|| "its node was unregistered".to_owned())
    }
}

impl Port {
    async fn open() -> Self {
        let files = testing::Files::new();
        let nodes = Authority::make("Nodes", 60, None).unwrap();
        let node_ca = files.write("nodes.crt", &nodes.certificate);
        let node_key = files.write("nodes.key", &nodes.key);
        let authority = NodeAuthority::load(&node_ca, &node_key).unwrap();
        let nodes = Arc::new(Nodes::default());
        let mut ca = CertificateParams::new(vec![]).unwrap();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
        let list = files.write("clients.txt", "alice\nbob\n");
        let list = Arc::new(FromFile::load(&list).unwrap());
        files.write("clients.crt", &ca.pem());
        files.write("crl.pem", &revoked(&ca, &[]));
        let server = testing::server_files(
            &files.path("ca.crt"),
            &files.path("server.pem"),
            &files.path("server.key"),
        );
        let server = ServerTls::load(ServerFiles {
            clients: Some(ClientCa {
                ca: files.path("clients.crt"),
                crl: Some(files.path("crl.pem")),
            }),
            nodes: Some(node_ca),
            ..server
        });
        let server = server.unwrap();
        let service = Service {
            name: "Fleet",
            flag: "--fleet-api-address",
        };
        let security = Security::Tls(server.asking());
        let listener = Listener::bind("127.0.0.1:0", security, service, Limits::default());
        let listener = listener.await.unwrap().only_for(Some(Arc::clone(&list)));
        let listener = listener.watched_by(Arc::<Nodes>::clone(&nodes));
        let (address, stopper) = (listener.local_addr(), Stopper::new());
        tokio::spawn(listener.serve(Routes::default(), stopper.clone()));
        Self {
            files,
            ca,
            server,
            list,
            authority,
            nodes,
            address,
            _stopper: stopper,
        }
    }

    /// A client in the middle of its talk, with a certificate of this serial number that is good for
    /// so many seconds.
    async fn connect(&self, name: &str, serial: u64, seconds: i64) -> TlsStream<TcpStream> {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.serial_number = Some(SerialNumber::from(serial));
        params.not_after = SystemClock.date_time() + time::Duration::seconds(seconds);
        let key = KeyPair::generate().unwrap();
        let own = params.signed_by(&key, &self.ca).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        self.connect_with(own.der().clone(), key).await
    }

    /// A node that has joined, with the certificate that was issued to it.
    async fn connect_node(&self, node: NodeId) -> TlsStream<TcpStream> {
        let key = KeyPair::generate().unwrap();
        let request = CertificateParams::default().serialize_request(&key);
        let public = PublicKey::from_spki(&key.subject_public_key_info()).unwrap();
        let request = request.unwrap();
        let issued = self
            .authority
            .issue(request.der(), &public, node, SystemClock.date_time());
        let issued = CertificateDer::from_pem_slice(issued.unwrap().as_bytes()).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        self.connect_with(issued, key).await
    }

    async fn connect_with(
        &self,
        own: CertificateDer<'static>,
        key: PrivateKeyDer<'static>,
    ) -> TlsStream<TcpStream> {
        let mut roots = rustls::RootCertStore::empty();
        let root = CertificateDer::from_pem_file(self.files.path("ca.crt")).unwrap();
        roots.add(root).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut client = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(vec![own], key)
            .unwrap();
        client.alpn_protocols = vec![b"h2".to_vec()];
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let connector = TlsConnector::from(Arc::new(client));
        let mut stream = connector.connect(name, stream).await.unwrap();
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        stream.write_all(preface).await.unwrap();
        let mut settings = [0; 9];
        stream.read_exact(&mut settings).await.unwrap();
        stream
    }

    fn revoke(&self, serial: u64) {
        self.files.write("crl.pem", &revoked(&self.ca, &[serial]));
        self.server.reload().unwrap();
    }
}

fn revoked(ca: &CertifiedIssuer<'_, KeyPair>, serials: &[u64]) -> String {
    let now = SystemClock.date_time();
    let revoked = serials.iter().map(|serial| RevokedCertParams {
        serial_number: SerialNumber::from(*serial),
        revocation_time: now,
        reason_code: None,
        invalidity_date: None,
    });
    let list = CertificateRevocationListParams {
        this_update: now,
        next_update: now + time::Duration::days(1),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: revoked.collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    list.signed_by(ca).unwrap().pem().unwrap()
}

/// Whether the server ends the connection.
async fn ends(stream: &mut TlsStream<TcpStream>) {
    let mut rest = Vec::new();
    let ended = timeout(LONG, stream.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "the connection is still open");
}

/// The server answers a ping: the connection is open.
async fn lives(stream: &mut TlsStream<TcpStream>) {
    let ping = b"\0\0\x08\x06\0\0\0\0\0pingpong";
    stream.write_all(ping).await.unwrap();
    let mut seen = Vec::new();
    while !seen.windows(8).any(|bytes| bytes == b"pingpong") {
        let byte = timeout(LONG, stream.read_u8()).await.unwrap();
        seen.push(byte.unwrap());
    }
}

#[tokio::test]
async fn a_revoked_certificate_ends_its_connection_and_no_other() {
    let port = Port::open().await;
    let mut alice = port.connect("alice", 7, 600).await;
    let mut bob = port.connect("bob", 8, 600).await;
    port.revoke(7);
    ends(&mut alice).await;
    lives(&mut bob).await;
}

#[tokio::test]
async fn a_certificate_that_expires_ends_its_connection() {
    let port = Port::open().await;
    let mut bob = port.connect("bob", 8, 600).await;
    let mut alice = port.connect("alice", 7, 3).await;
    ends(&mut alice).await;
    lives(&mut bob).await;
}

#[tokio::test]
async fn a_client_that_is_taken_off_the_list_is_cut_off() {
    let port = Port::open().await;
    let mut alice = port.connect("alice", 7, 600).await;
    let mut bob = port.connect("bob", 8, 600).await;
    port.files.write("clients.txt", "bob\n");
    port.list.reload().unwrap();
    ends(&mut alice).await;
    lives(&mut bob).await;
}

#[tokio::test]
async fn a_node_that_is_unregistered_is_cut_off_and_the_list_does_not_name_nodes() {
    let port = Port::open().await;
    let mut gone = port.connect_node(NodeId(7)).await;
    let mut stays = port.connect_node(NodeId(8)).await;
    port.nodes.0.lock().push(NodeId(7));
    ends(&mut gone).await;
    lives(&mut stays).await;
    // The list is read again, and has no line for the node.
    port.files.write("clients.txt", "bob\n");
    port.list.reload().unwrap();
    let mut alice = port.connect("alice", 7, 600).await;
    ends(&mut alice).await;
    lives(&mut stays).await;
    // A certificate that was withdrawn before passes the handshake, and is cut off too.
    let mut again = port.connect_node(NodeId(7)).await;
    ends(&mut again).await;
}

#[tokio::test]
async fn another_ca_ends_the_connections_of_the_one_before() {
    let port = Port::open().await;
    let mut alice = port.connect("alice", 7, 600).await;
    let others = testing::Files::new();
    let other = std::fs::read_to_string(others.path("ca.crt")).unwrap();
    port.files.write("clients.crt", &other);
    assert!(port.server.reload().is_err(), "the CRL is of the CA before");
    lives(&mut alice).await;
    let mut ca = CertificateParams::new(vec![]).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
    port.files.write("clients.crt", &ca.pem());
    port.files.write("crl.pem", &revoked(&ca, &[]));
    port.server.reload().unwrap();
    ends(&mut alice).await;
}

#[tokio::test]
async fn a_connection_that_closes_is_forgotten() {
    let clients = Arc::new(Clients::new("Fleet", &Security::Plaintext, None, None));
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(vec!["alice".to_owned()]).unwrap();
    let own = own.self_signed(&key).unwrap();
    let shown = clients.read(&[own.der().clone()]).unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], 1));
    let watched = clients.add(shown, address, CancellationToken::new());
    assert_eq!(clients.open.lock().connections.len(), 1);
    drop(watched);
    assert!(clients.open.lock().connections.is_empty());
    let damaged = CertificateDer::from_slice(b"no certificate");
    assert!(clients.read(&[damaged]).is_err());
}
