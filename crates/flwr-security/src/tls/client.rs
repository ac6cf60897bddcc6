//! A client's side of TLS: whom it trusts, and who it is where servers ask for that.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::RwLock;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::{ClientConfig, RootCertStore};
use rustls_native_certs::load_native_certs;
use rustls_pki_types::ServerName;

use super::legacy::{LegacyRoots, LegacyServerVerifier};
use super::localhost::{Localhost, LocalhostVerifier};
use super::strict::StrictServerVerifier;
use super::{
    ALPN, Certificate, Identity, TlsError, certificates, file_roots, provider, system_roots,
    versions,
};

/// Where a client's certificates are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientFiles {
    /// The certificates to trust, one or many in a file; without it, those of the system.
    pub roots: Option<PathBuf>,
    /// What is shown to servers that ask for a certificate.
    pub identity: Option<Identity>,
    /// The name that the server's certificate must be for, in place of the address's.
    pub server_name: Option<ServerName<'static>>,
    /// Where a certificate for `localhost` counts beside the address's name. Without effect if
    /// there is a `server_name`.
    pub localhost: Localhost,
    /// Whether certificates are accepted that have no subjectAltName, or are of version 1. They
    /// must be signed by one of `roots` itself.
    pub legacy: bool,
}

/// A client's side: whom it trusts. Clones share what they have read.
#[derive(Clone)]
pub struct ClientTls(Arc<Inner>);

struct Inner {
    files: ClientFiles,
    roots: String,
    now: RwLock<Loaded>,
}

struct Loaded {
    config: Arc<ClientConfig>,
    certificate: Option<Certificate>,
}

impl ClientTls {
    /// Reads the files.
    ///
    /// # Errors
    /// If there is nobody to trust, or a file is not what it should be.
    pub fn load(files: ClientFiles) -> Result<Self, TlsError> {
        let roots = files.roots.as_ref().map_or_else(
            || "the system's certificates".to_owned(),
            |path| path.display().to_string(),
        );
        let now = RwLock::new(files.load()?);
        Ok(Self(Arc::new(Inner { files, roots, now })))
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

    /// For a connector: the files as they were read last.
    #[must_use]
    pub fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.0.now.read().config)
    }

    /// Reads the files again, for connections that are yet to come.
    ///
    /// # Errors
    /// As [`Self::load`]; what was read before then stays in use.
    pub fn reload(&self) -> Result<(), TlsError> {
        let loaded = self.0.files.load()?;
        *self.0.now.write() = loaded;
        Ok(())
    }

    /// Where the trusted certificates are from, for people.
    #[must_use]
    pub fn roots(&self) -> &str {
        &self.0.roots
    }

    /// What one's own certificate says, if there is one.
    #[must_use]
    pub fn certificate(&self) -> Option<Certificate> {
        self.0.now.read().certificate.clone()
    }

    /// The name that servers must have, if it is not that of their address.
    #[must_use]
    pub fn server_name(&self) -> Option<&ServerName<'static>> {
        self.0.files.server_name.as_ref()
    }

    /// The files, to see when they change.
    #[must_use]
    pub fn paths(&self) -> Vec<PathBuf> {
        let identity = self.0.files.identity.iter();
        let own = identity.flat_map(|own| [own.certificate.clone(), own.key.clone()]);
        self.0.files.roots.iter().cloned().chain(own).collect()
    }
}

impl ClientFiles {
    fn load(&self) -> Result<Loaded, TlsError> {
        let store = match &self.roots {
            Some(path) => file_roots(path)?,
            None => system_roots(load_native_certs())?,
        };
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(versions(self.legacy))
            .map_err(TlsError::Rustls)?
            .dangerous()
            .with_custom_certificate_verifier(self.verifier(store)?);
        let own = self.identity.as_ref().map(|own| own.load(self.legacy));
        let (mut config, certificate) = match own.transpose()? {
            None => (builder.with_no_client_auth(), None),
            Some(own) => (
                builder.with_client_cert_resolver(own.key),
                Some(own.certificate),
            ),
        };
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Loaded {
            config: Arc::new(config),
            certificate,
        })
    }

    fn verifier(&self, store: RootCertStore) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
        let today = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider());
        // It fails only without roots, of which there are some.
        let today = today.build().map_err(|_| TlsError::NoSystemRoots)?;
        let verifier: Arc<dyn ServerCertVerifier> = match &self.roots {
            Some(roots) if self.legacy => {
                let legacy = LegacyRoots::new(certificates(roots)?, &provider());
                Arc::new(LegacyServerVerifier::new(today, legacy))
            }
            _ => Arc::new(StrictServerVerifier(today)),
        };
        Ok(match (&self.server_name, self.localhost) {
            (Some(_), _) | (None, Localhost::Never) => verifier,
            (None, localhost) => Arc::new(LocalhostVerifier::new(verifier, localhost)),
        })
    }
}

/// Keys are in the config: it is not printed.
impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientTls({})", self.0.roots)
    }
}
