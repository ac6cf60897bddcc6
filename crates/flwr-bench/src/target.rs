//! The SuperLink under load, and how it is reached.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};
use flwr_client::channel::{self, Channel, Route, Trust};
use flwr_client::signer::Signer;
use flwr_security::key::PrivateKey;
use flwr_security::tls::ClientTls;
use time::OffsetDateTime;

use crate::args::{Signatures, TargetArgs};

/// The host that certificates of `flwr cert new` are for.
const HOST: &str = "127.0.0.1";

/// Where a SuperLink listens, or several of one federation, and who may speak to it.
pub(crate) struct Target {
    fleets: Vec<u16>,
    /// Connections to a Fleet API so far.
    connections: AtomicUsize,
    control: u16,
    serverappio: u16,
    trust: Trust,
    keys: Vec<PrivateKey>,
    signatures: Signatures,
}

impl TargetArgs {
    /// Reads certificates and keys.
    pub(crate) fn open(&self) -> Result<Target> {
        let tls = ClientTls::trusting(&self.root_certificates)?;
        Ok(Target {
            fleets: self.fleet.clone(),
            connections: AtomicUsize::new(0),
            control: self.control,
            serverappio: self.serverappio,
            trust: Trust::Tls(tls),
            keys: read_keys(&self.keys)?,
            signatures: self.signatures,
        })
    }
}

impl Target {
    /// The ports of the Fleet APIs.
    pub(crate) fn fleets(&self) -> &[u16] {
        &self.fleets
    }

    /// A connection of its own to a Fleet API, the next.
    pub(crate) fn fleet(&self) -> Channel {
        let turn = self.connections.fetch_add(1, Ordering::Relaxed);
        let port = self.fleets[turn % self.fleets.len()];
        channel::channel((HOST, port), &self.trust, &Route::Direct)
    }

    pub(crate) fn control(&self) -> Channel {
        channel::channel((HOST, self.control), &self.trust, &Route::Direct)
    }

    /// Local processes speak plaintext.
    pub(crate) fn serverappio(&self) -> Channel {
        channel::channel((HOST, self.serverappio), &Trust::Plaintext, &Route::Direct)
    }

    /// What signs the requests of the node with this key.
    pub(crate) fn signer(&self, key: &PrivateKey) -> Signer {
        let signer = Signer::new(key.clone(), OffsetDateTime::now_utc);
        match self.signatures {
            Signatures::Single => signer.once_each(),
            Signatures::Reused => signer,
        }
    }

    /// The keys of so many nodes.
    pub(crate) fn keys(&self, nodes: usize) -> Result<&[PrivateKey]> {
        self.keys
            .get(..nodes)
            .with_context(|| format!("{nodes} keys are needed, there are {}", self.keys.len()))
    }
}

fn read_keys(folder: &Path) -> Result<Vec<PrivateKey>> {
    let files =
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut keys = Vec::new();
    for file in files {
        let path = file?.path();
        // Beside them are their public halves and the list of those.
        if path.extension().is_none() {
            keys.push(PrivateKey::from_file(&path)?);
        }
    }
    Ok(keys)
}
