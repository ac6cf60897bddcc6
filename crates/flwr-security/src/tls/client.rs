//! The client's side of TLS: trusted roots, and the client certificate if servers ask for one.

use std::collections::BTreeSet;
use std::env;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::RwLock;
use rustls::ClientConfig;
use rustls::client::danger::ServerCertVerifier;
use rustls_native_certs::load_native_certs;
use rustls_pki_types::{CertificateDer, ServerName};
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::chain::Purpose;
use super::dated::{Dated, Role};
use super::legacy::{LegacyRoots, LegacyServerVerifier};
use super::localhost::{Localhost, LocalhostVerifier};
use super::pinned::PinnedServerVerifier;
use super::roots::Roots;
use super::strict::StrictServerVerifier;
use super::{
    ALPN, Certificate, HTTP_1, Identity, TlsError, advice, certificates, file_roots, provider,
    system_roots, versions,
};
use crate::joining::Pin;

/// The files of a client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientFiles {
    /// The file with trusted root certificates; `None` for those of the system.
    pub roots: Option<PathBuf>,
    /// The key of the only authority to trust, in place of roots. The server shows its certificate.
    pub pin: Option<Pin>,
    /// The client certificate, for servers that ask for one.
    pub identity: Option<Identity>,
    /// The name that the server's certificate must have, in place of the dialled name.
    pub server_name: Option<ServerName<'static>>,
    /// Where a certificate for `localhost` counts beside the address's name. Without effect if
    /// there is a `server_name`.
    pub localhost: Localhost,
    /// Whether certificates are accepted that have no subjectAltName, or are of version 1. They
    /// must be signed by one of `roots` itself.
    pub legacy: bool,
}

/// The client's side of TLS. Clones share the loaded files.
#[derive(Clone)]
pub struct ClientTls(Arc<Inner>);

struct Inner {
    files: ClientFiles,
    roots: String,
    /// Where the system keeps the certificates that it trusts.
    system: Vec<PathBuf>,
    now: RwLock<Loaded>,
}

struct Loaded {
    config: Arc<ClientConfig>,
    root_keys: Option<BTreeSet<String>>,
    certificate: Option<Certificate>,
    dated: Vec<Dated>,
    warnings: Vec<String>,
}

impl ClientTls {
    /// Reads the files.
    ///
    /// # Errors
    /// If there are no trusted roots, or a file is not usable.
    pub fn load(files: ClientFiles) -> Result<Self, TlsError> {
        let roots = match (&files.pin, &files.roots) {
            (Some(_), _) => "the authority that the join token names".to_owned(),
            (None, Some(path)) => path.display().to_string(),
            (None, None) => "the system's certificates".to_owned(),
        };
        let system = match (&files.pin, &files.roots) {
            (None, None) => system_paths(),
            _ => Vec::new(),
        };
        let now = RwLock::new(files.load()?);
        Ok(Self(Arc::new(Inner {
            files,
            roots,
            system,
            now,
        })))
    }

    /// Trusts the certificates in a file, one or many.
    ///
    /// # Errors
    /// If there are none.
    pub fn trusting(roots: impl Into<PathBuf>) -> Result<Self, TlsError> {
        Self::load(ClientFiles {
            roots: Some(roots.into()),
            ..ClientFiles::default()
        })
    }

    /// Trusts the authority with this key. The configuration has TLS 1.3 only.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn pinned(pin: Pin, server_name: Option<ServerName<'static>>) -> Result<Self, TlsError> {
        Self::load(ClientFiles {
            pin: Some(pin),
            server_name,
            ..ClientFiles::default()
        })
    }

    /// The configuration for a new connection that speaks gRPC, from the last loaded files.
    #[must_use]
    pub fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.0.now.read().config)
    }

    /// The configuration for a new connection that speaks HTTP/1.1, from the last loaded files.
    #[must_use]
    pub fn http_config(&self) -> Arc<ClientConfig> {
        let mut config = (*self.config()).clone();
        config.alpn_protocols = vec![HTTP_1.to_vec()];
        Arc::new(config)
    }

    /// Reloads the files. Only new connections use them.
    ///
    /// # Errors
    /// As [`Self::load`]. The old content then stays in use.
    pub fn reload(&self) -> Result<(), TlsError> {
        let loaded = self.0.files.load()?;
        *self.0.now.write() = loaded;
        Ok(())
    }

    /// The source of the trusted certificates, for people.
    #[must_use]
    pub fn roots(&self) -> &str {
        &self.0.roots
    }

    /// The public keys of the trusted certificates: SHA-256 of each SubjectPublicKeyInfo, in hex.
    /// A renewed root with the same key keeps its hash. `None` for the system's roots.
    #[must_use]
    pub fn root_keys(&self) -> Option<BTreeSet<String>> {
        self.0.now.read().root_keys.clone()
    }

    /// The client certificate, if there is one.
    #[must_use]
    pub fn certificate(&self) -> Option<Certificate> {
        self.0.now.read().certificate.clone()
    }

    /// The expiry dates in the files. Those of the system's roots are left out.
    #[must_use]
    pub fn dated(&self) -> Vec<Dated> {
        self.0.now.read().dated.clone()
    }

    /// Reasons for which servers may refuse the client certificate.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        self.0.now.read().warnings.clone()
    }

    /// The required server name, if it is not the dialled name.
    #[must_use]
    pub fn server_name(&self) -> Option<&ServerName<'static>> {
        self.0.files.server_name.as_ref()
    }

    /// The files to watch for changes; without own root certificates, those of the system.
    #[must_use]
    pub fn paths(&self) -> Vec<PathBuf> {
        let identity = self.0.files.identity.iter();
        let own = identity.flat_map(|own| [own.certificate.clone(), own.key.clone()]);
        let roots = match &self.0.files.roots {
            Some(roots) => vec![roots.clone()],
            None => self.0.system.clone(),
        };
        roots.into_iter().chain(own).collect()
    }
}

/// The hash of a certificate's key; of the whole certificate if only webpki can read it.
fn key_hash(certificate: &CertificateDer<'_>) -> String {
    let read = X509Certificate::from_der(certificate);
    let spki = read.map(|(_, read)| read.tbs_certificate.subject_pki.raw);
    hex::encode(Sha256::digest(spki.unwrap_or(certificate)))
}

/// Where rustls-native-certs looks: at OpenSSL's variables first.
fn system_paths() -> Vec<PathBuf> {
    let (file, folders) = (env::var_os("SSL_CERT_FILE"), env::var_os("SSL_CERT_DIR"));
    if file.is_some() || folders.is_some() {
        let folders = folders.iter().flat_map(env::split_paths);
        return file.map(PathBuf::from).into_iter().chain(folders).collect();
    }
    let found = openssl_probe::probe();
    found.cert_file.into_iter().chain(found.cert_dir).collect()
}

impl ClientFiles {
    fn load(&self) -> Result<Loaded, TlsError> {
        let (verifier, mut dated, root_keys): (Arc<dyn ServerCertVerifier>, _, _) =
            match (self.pin, &self.roots) {
                (Some(pin), _) => (Arc::new(PinnedServerVerifier::new(pin)), Vec::new(), None),
                (None, Some(path)) => {
                    let trusted = certificates(path, Some(Purpose::Server))?;
                    let dated = Dated::of_authorities(path, Role::Root, &trusted);
                    let keys = trusted.iter().map(key_hash).collect();
                    let roots = file_roots(path, Purpose::Server)?;
                    (self.verifier(roots)?, dated, Some(keys))
                }
                (None, None) => {
                    let roots = system_roots(load_native_certs())?;
                    (self.verifier(roots)?, Vec::new(), None)
                }
            };
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(versions(self.legacy || self.pin.is_some()))
            .map_err(TlsError::Rustls)?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut loaded = match &self.identity {
            None => Loaded {
                config: Arc::new(builder.with_no_client_auth()),
                root_keys,
                certificate: None,
                dated: Vec::new(),
                warnings: Vec::new(),
            },
            Some(identity) => {
                let own = identity.load(self.legacy)?;
                let path = &identity.certificate;
                Loaded {
                    warnings: advice::for_client(path, &own)
                        .into_iter()
                        .chain(identity.exposed())
                        .collect(),
                    dated: Dated::of_chain(path, &own.chain),
                    config: Arc::new(builder.with_client_cert_resolver(own.key)),
                    root_keys,
                    certificate: Some(own.certificate),
                }
            }
        };
        Arc::make_mut(&mut loaded.config).alpn_protocols = vec![ALPN.to_vec()];
        loaded.dated.append(&mut dated);
        Ok(loaded)
    }

    fn verifier(&self, roots: Roots) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
        // It fails only without roots, of which there are some.
        let strict = StrictServerVerifier::new(roots).map_err(|_| TlsError::NoSystemRoots)?;
        let verifier: Arc<dyn ServerCertVerifier> = match &self.roots {
            Some(roots) if self.legacy => {
                let roots: Vec<CertificateDer<'_>> = certificates(roots, Some(Purpose::Server))?;
                let legacy = LegacyRoots::new(roots, &provider());
                Arc::new(LegacyServerVerifier::new(Arc::new(strict), legacy))
            }
            _ => Arc::new(strict),
        };
        Ok(match (&self.server_name, self.localhost) {
            (Some(_), _) | (None, Localhost::Never) => verifier,
            (None, localhost) => Arc::new(LocalhostVerifier::new(verifier, localhost)),
        })
    }
}

/// The configuration has keys, so it is not printed.
impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientTls({})", self.0.roots)
    }
}
