//! Certificates and keys of the local federation.

use std::fs;
use std::path::{Path, PathBuf};

use flwr_security::key::PrivateKey;
use flwr_security::pki::{Pki, Request};

use super::{Local, private_dir};
use crate::error::{Error, Result};

/// The lifetime of the certificates. Each start makes new ones.
const DAYS: u32 = 365;

/// The certificates and keys of the federation.
pub(super) struct Material {
    pub(super) ca: PathBuf,
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
    /// Public keys of the SuperNodes, for the SuperLink.
    pub(super) list: PathBuf,
    /// Private keys of the SuperNodes, one each.
    pub(super) nodes: Vec<PathBuf>,
}

impl Material {
    /// Makes new certificates, and missing keys. SuperNodes keep their keys, and so their identity.
    pub(super) fn make(local: &Local, supernodes: u32) -> Result<Self> {
        let certificates = local.directory().join("certificates");
        private_dir(&certificates)?;
        let pki = Pki::make(&Request {
            names: Vec::new(),
            days: DAYS,
        });
        pki.and_then(|pki| pki.write(&certificates, true))
            .map_err(|error| Error::Certificates(error.into()))?;
        let keys = local.directory().join("keys");
        private_dir(&keys)?;
        let nodes: Vec<_> = (1..=supernodes)
            .map(|n| keys.join(format!("supernode-{n}")))
            .collect();
        let mut public = Vec::new();
        for path in &nodes {
            public.push(key(path)?.public_key().to_openssh());
        }
        let list = keys.join("supernodes.csv");
        let written = fs::write(&list, public.join(",") + "\n");
        written.map_err(|source| Error::Write {
            path: list.clone(),
            source,
        })?;
        Ok(Self {
            ca: certificates.join("ca.crt"),
            certificate: certificates.join("server.pem"),
            key: certificates.join("server.key"),
            list,
            nodes,
        })
    }
}

fn key(path: &Path) -> Result<PrivateKey> {
    if path.exists() {
        return PrivateKey::from_file(path).map_err(|error| Error::Keys(error.into()));
    }
    let key = PrivateKey::generate().map_err(|error| Error::Keys(error.into()))?;
    key.write_openssh_pair(path, false)
        .map_err(|error| Error::Keys(error.into()))?;
    Ok(key)
}
