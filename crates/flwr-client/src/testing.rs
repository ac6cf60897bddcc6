//! A server's TLS files for tests of channels.

use std::fs;
use std::path::{Path, PathBuf};

use flwr_security::tls::{Identity, ServerFiles, ServerTls};
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use tempfile::TempDir;

/// A directory with a CA and a certificate of a server.
pub(crate) struct Files {
    dir: TempDir,
}

impl Files {
    /// A directory with a good certificate for `localhost`, `127.0.0.1` and `::1`.
    pub(crate) fn new() -> Self {
        let files = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        files.server(|params| {
            let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
            params.subject_alt_names = CertificateParams::new(names).unwrap().subject_alt_names;
        });
        files
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A server of a new CA, whose certificate for `localhost` is changed before the CA signs it.
    pub(crate) fn server(&self, change: impl FnOnce(&mut CertificateParams)) -> ServerTls {
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
        self.load()
    }

    /// The server whose files are in the directory.
    pub(crate) fn load(&self) -> ServerTls {
        let files = ServerFiles {
            ca: self.path("ca.crt"),
            identity: Identity {
                certificate: self.path("server.pem"),
                key: self.path("server.key"),
            },
            clients: None,
            legacy: false,
        };
        ServerTls::load(files).unwrap()
    }

    fn write(&self, name: impl AsRef<Path>, content: &str) {
        fs::write(self.dir.path().join(name), content).unwrap();
    }
}
