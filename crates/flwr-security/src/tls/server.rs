//! The server's side of TLS: its certificate, and the client certificates that it asks for.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::RwLock;
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::SingleCertAndKey;
use rustls::{ServerConfig, SupportedProtocolVersion};
use rustls_pki_types::CertificateDer;

use super::chain::Purpose;
use super::dated::{Dated, Role};
use super::identity;
use super::legacy::LegacyRoots;
use super::strict::StrictServerVerifier;
use super::{
    ALPN, Certificate, HTTP_1, Identity, Reason, TlsError, advice, certificates, file_roots,
    provider, versions,
};

mod authority;
mod client_ca;
mod either;
mod nodes;
mod port;

use authority::Origin;
use either::Either;
use nodes::{NodeCa, NodeVerifier};

/// What is spoken on the port of one service (ALPN). A client that offers HTTP/1.1 alone is answered in
/// words on all such ports: an alert of TLS would look like a fault of the certificate.
const BOTH: [&[u8]; 2] = [ALPN, HTTP_1];

/// The files of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFiles {
    /// The CA that signed the server's certificate.
    pub ca: PathBuf,
    /// The server's certificate and its key.
    pub identity: Identity,
    /// The CA for client certificates; `None` admits all clients.
    pub clients: Option<ClientCa>,
    /// The CA for the certificates of people, on the ports for people. `None`: they show
    /// certificates of the other CA, if there is one.
    pub people: Option<ClientCa>,
    /// The certificate of the CA for nodes, which issues certificates to nodes that join. The ports for
    /// programs take them, beside those of the CA for client certificates.
    pub nodes: Option<PathBuf>,
    /// Whether certificates are accepted that have no subjectAltName, or are of version 1.
    pub legacy: bool,
    /// Whether the server shows the authority of its certificate at the end of the chain. A client that
    /// knows the authority by its hash alone then gets it.
    pub shows_authority: bool,
}

/// The CA for client certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCa {
    /// The CAs that sign certificates of clients, one or many in a file.
    pub ca: PathBuf,
    /// The list of revoked client certificates.
    pub crl: Option<PathBuf>,
}

/// The server's side of TLS. Clones share the loaded files.
#[derive(Clone)]
pub struct ServerTls {
    files: Arc<ServerFiles>,
    now: Arc<RwLock<Loaded>>,
}

/// The TLS configuration of one port. Each new connection uses the last loaded files.
#[derive(Clone)]
pub struct PortTls(Source);

#[derive(Clone)]
enum Source {
    Fixed(Arc<ServerConfig>),
    Shared { tls: ServerTls, asks: Asks },
}

/// Which client certificates a port asks for.
#[derive(Clone, Copy)]
enum Asks {
    /// Those of programs, if the files have a CA for them.
    Clients,
    /// Those of people, if the files have a CA for them.
    People,
    /// None.
    Nobody,
    /// Those of programs and of people. A client may show none.
    Anybody,
}

/// The configuration of a kind of port.
#[derive(Clone)]
struct Port {
    config: Arc<ServerConfig>,
    /// Checks the certificates of clients. `None`: nobody is asked.
    verifier: Option<Arc<dyn ClientCertVerifier>>,
}

struct Loaded {
    clients: Port,
    people: Port,
    open: Port,
    nodes: Option<NodeCa>,
    common: Port,
    /// A CA signs for both programs and people.
    shares_ca: bool,
    certificate: Certificate,
    origin: Origin,
    dated: Vec<Dated>,
    warnings: Vec<String>,
}

impl ServerTls {
    /// Reads the files of a server. Its certificate comes first in its file, the others of its
    /// chain follow.
    ///
    /// # Errors
    /// If a file is not usable, or the key does not belong to the certificate.
    pub fn load(files: ServerFiles) -> Result<Self, TlsError> {
        let now = Arc::new(RwLock::new(files.load()?));
        let files = Arc::new(files);
        Ok(Self { files, now })
    }

    /// Reloads the files. Only new connections use them.
    ///
    /// # Errors
    /// As [`Self::load`]. The old content then stays in use.
    pub fn reload(&self) -> Result<(), TlsError> {
        let loaded = self.files.load()?;
        *self.now.write() = loaded;
        Ok(())
    }

    /// For a port that asks its clients for certificates if there is a CA for them.
    #[must_use]
    pub fn asking(&self) -> PortTls {
        self.port(Asks::Clients)
    }

    /// For a port that asks people for certificates if there is a CA for them.
    #[must_use]
    pub fn asking_people(&self) -> PortTls {
        self.port(Asks::People)
    }

    /// For a port that asks no client for a certificate.
    #[must_use]
    pub fn open(&self) -> PortTls {
        self.port(Asks::Nobody)
    }

    /// For a port of several services, which speaks HTTP/1.1: a client may show a certificate that the
    /// port of one of them takes, or none. Each service checks with [`PortTls::require`] what it needs.
    #[must_use]
    pub fn asking_anybody(&self) -> PortTls {
        self.port(Asks::Anybody)
    }

    fn port(&self, asks: Asks) -> PortTls {
        PortTls(Source::Shared {
            tls: self.clone(),
            asks,
        })
    }

    /// Whether clients are asked for certificates.
    #[must_use]
    pub fn asks_clients(&self) -> bool {
        self.files.clients.is_some() || self.files.nodes.is_some()
    }

    /// Whether people are asked for certificates, on the ports for them.
    #[must_use]
    pub fn asks_people(&self) -> bool {
        self.files.clients.is_some() || self.files.people.is_some()
    }

    /// Whether a certificate that one port for programs takes may be good on a port for people too.
    #[must_use]
    pub fn shares_client_ca(&self) -> bool {
        self.now.read().shares_ca
    }

    /// The server certificate.
    #[must_use]
    pub fn certificate(&self) -> Certificate {
        self.now.read().certificate.clone()
    }

    /// Reasons for which clients may refuse the certificate, and other advice for the operator.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        self.now.read().warnings.clone()
    }

    /// The expiry dates in the files.
    #[must_use]
    pub fn dated(&self) -> Vec<Dated> {
        self.now.read().dated.clone()
    }

    /// The files to watch for changes.
    #[must_use]
    pub fn paths(&self) -> Vec<PathBuf> {
        let ServerFiles {
            ca,
            identity,
            clients,
            people,
            nodes,
            ..
        } = &*self.files;
        let mut paths = vec![
            ca.clone(),
            identity.certificate.clone(),
            identity.key.clone(),
        ];
        for clients in clients.iter().chain(people) {
            paths.push(clients.ca.clone());
            paths.extend(clients.crl.clone());
        }
        paths.extend(nodes.clone());
        paths
    }
}

impl Loaded {
    const fn port(&self, asks: Asks) -> &Port {
        match asks {
            Asks::Clients => &self.clients,
            Asks::People => &self.people,
            Asks::Nobody => &self.open,
            Asks::Anybody => &self.common,
        }
    }
}

impl ServerFiles {
    fn load(&self) -> Result<Loaded, TlsError> {
        let authorities = certificates(&self.ca, Some(Purpose::Server))?;
        let mut own = self.identity.load(self.legacy)?;
        let mut warnings = self.warnings(&own, &authorities)?;
        warnings.extend(self.identity.exposed());
        let mut dated = Dated::of_chain(&self.identity.certificate, &own.chain);
        dated.extend(Dated::of_authorities(&self.ca, Role::Root, &authorities));
        let origin = Origin::new(&own.chain, authorities);
        if let (true, Some(authority)) = (self.shows_authority, origin.authority()) {
            own.end_with(authority);
        }
        let open = Port {
            config: config(&own, None, rustls::DEFAULT_VERSIONS, &BOTH)?,
            verifier: None,
        };
        let port_of = |verifier: Arc<dyn ClientCertVerifier>, spoken: &[&[u8]]| {
            let asks = Some(Arc::clone(&verifier));
            let config = config(&own, asks, versions(self.legacy), spoken)?;
            let verifier = Some(verifier);
            Ok::<_, TlsError>(Port { config, verifier })
        };
        let port = |verifier| port_of(verifier, &BOTH);
        let mut asking = |ca: &ClientCa| {
            let lists = ca.revoked()?;
            dated.extend(ca.dated(&lists)?);
            port(ca.verifier(lists, self.legacy)?)
        };
        let clients = self.clients.as_ref().map(&mut asking).transpose()?;
        let people = self.people.as_ref().map(&mut asking).transpose()?;
        let clients = clients.unwrap_or_else(|| open.clone());
        let people = people.unwrap_or_else(|| clients.clone());
        let (nodes, clients) = match &self.nodes {
            None => (None, clients),
            Some(path) => {
                let nodes = self.node_ca(path)?;
                dated.extend(nodes.dated(path));
                let verifier = NodeVerifier::new(nodes.clone(), clients.verifier);
                (Some(nodes), port(Arc::new(verifier))?)
            }
        };
        let verifiers = [&clients, &people].map(|port| port.verifier.clone());
        let common = match Either::of(verifiers.into_iter().flatten().collect()) {
            None => Port {
                config: config(&own, None, rustls::DEFAULT_VERSIONS, &[HTTP_1])?,
                verifier: None,
            },
            Some(either) => port_of(Arc::new(either), &[HTTP_1])?,
        };
        Ok(Loaded {
            nodes,
            shares_ca: self.shares_ca()?,
            clients,
            people,
            open,
            common,
            certificate: own.certificate,
            origin,
            dated,
            warnings,
        })
    }

    /// Whether a CA signs for both programs and people.
    fn shares_ca(&self) -> Result<bool, TlsError> {
        let (Some(clients), Some(people)) = (&self.clients, &self.people) else {
            return Ok(self.clients.is_some());
        };
        let of_people = people.authorities()?;
        let of_clients = clients.authorities()?;
        Ok(of_clients.iter().any(|ca| of_people.contains(ca)))
    }

    fn warnings(
        &self,
        own: &identity::Loaded,
        authorities: &[CertificateDer<'static>],
    ) -> Result<Vec<String>, TlsError> {
        let path = &self.identity.certificate;
        if !(self.legacy && own.certificate.is_legacy()) {
            let roots = file_roots(&self.ca, Purpose::Server)?;
            // It fails only without roots, and the file has one at least.
            let clients = StrictServerVerifier::new(roots)
                .map_err(|_| TlsError::NoCertificate(self.ca.clone()))?;
            return Ok(advice::for_server(path, own, &clients));
        }
        let path = path.display();
        let mut warnings = vec![format!(
            "{path}: it has no subjectAltName: only clients that allow legacy certificates will accept it"
        )];
        let roots = LegacyRoots::new(authorities.to_vec(), &provider());
        if let Err(refusal) = roots.accepts_server(&own.chain[0]) {
            warnings.push(format!("{path}: {}", Reason::from(&refusal)));
        }
        Ok(warnings)
    }
}

fn config(
    own: &identity::Loaded,
    clients: Option<Arc<dyn ClientCertVerifier>>,
    versions: &[&'static SupportedProtocolVersion],
    spoken: &[&[u8]],
) -> Result<Arc<ServerConfig>, TlsError> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .map_err(TlsError::Rustls)?;
    let asks = clients.is_some();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(verifier) => builder.with_client_cert_verifier(verifier),
    };
    let mut config = builder.with_cert_resolver(Arc::<SingleCertAndKey>::clone(&own.key));
    config.alpn_protocols = spoken.iter().map(|name| name.to_vec()).collect();
    if asks {
        // A resumed session shows no certificate: nobody would see that it has expired since.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(Arc::new(config))
}

/// The configuration has keys, so it is not printed.
impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerTls({})", self.now.read().certificate.subject)
    }
}

#[cfg(test)]
mod tests;
