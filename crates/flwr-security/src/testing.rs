//! TLS files of a server, for tests of this crate and of those above it (feature `testing`).

#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "only tests call these functions: a failure here fails the test"
)]

use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use tempfile::TempDir;

use crate::pki::{Pki, Request};
use crate::private_files::replace_with_mode;
use crate::tls::{Identity, ServerFiles, ServerTls, TlsError};

/// A server that asks nobody for a certificate.
#[must_use]
pub fn server_files(ca: &Path, certificate: &Path, key: &Path) -> ServerFiles {
    ServerFiles {
        ca: ca.to_owned(),
        identity: Identity {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
        },
        clients: None,
        people: None,
        nodes: None,
        legacy: false,
        shows_authority: false,
    }
}

/// A directory with `ca.crt`, `server.pem` and `server.key`.
#[derive(Debug)]
pub struct Files {
    dir: TempDir,
}

impl Default for Files {
    fn default() -> Self {
        Self::new()
    }
}

impl Files {
    /// A good certificate for the names of this machine, of a new CA.
    #[must_use]
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let request = Request {
            names: vec![],
            days: 10,
        };
        Pki::make(&request)
            .unwrap()
            .write(dir.path(), false)
            .unwrap();
        Self { dir }
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The path of a file.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file.
    pub fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        let is_key = path.extension().is_some_and(|extension| extension == "key");
        let mode = if is_key { 0o600 } else { 0o644 };
        replace_with_mode(&path, mode, content.as_bytes()).unwrap();
        path
    }

    /// A server of a new CA, whose certificate for `localhost` is changed before the CA signs it.
    pub fn server(&self, change: impl FnOnce(&mut CertificateParams)) -> ServerTls {
        let mut ca = CertificateParams::new(vec![]).unwrap();
        ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        change(&mut params);
        let server = params.signed_by(&key, &ca).unwrap();
        self.write("ca.crt", &ca.pem());
        self.write("server.pem", &server.pem());
        self.write("server.key", &key.serialize_pem());
        self.load().unwrap()
    }

    /// The server whose files are in the directory.
    ///
    /// # Errors
    /// If a file cannot be used.
    pub fn load(&self) -> Result<ServerTls, TlsError> {
        ServerTls::load(server_files(
            &self.path("ca.crt"),
            &self.path("server.pem"),
            &self.path("server.key"),
        ))
    }
}
