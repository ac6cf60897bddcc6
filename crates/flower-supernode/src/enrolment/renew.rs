//! `flower-supernode key renew`: another key for the same node.
//!
//! The new key is on disk, beside the old one, before the SuperLink hears of it. A renewal that was cut
//! off goes on with the same new key. The old key counts until the new one is first used.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use flwr_client::channel::Trust;
use flwr_client::joined::Held;
use flwr_client::joining::{self, JoinError};
use flwr_core::id::NodeId;
use flwr_core::refusal::Code;
use flwr_security::key::{PrivateKey, PublicKey};
use flwr_security::pki::node_request;
use flwr_security::private_files;

use super::Error;
use super::issued::{issued, not_issued};
use crate::args::Args;
use crate::config::{self, Remembered, Way};

/// A key that was renewed.
#[derive(Debug)]
pub struct KeyRenewal {
    /// The node.
    pub node: NodeId,
    /// The fingerprint of the new key.
    pub fingerprint: String,
    /// Its file.
    pub path: PathBuf,
}

/// Takes the lock of those that renew this node's key. What `way` has read may be old by then: the
/// caller reads the way again.
///
/// # Errors
/// If another process renews the key, or joins.
pub fn hold_key(way: &Way) -> Result<Held, Error> {
    let path = way.key.path.as_ref().ok_or(Error::NothingToRenew)?;
    // Flags may name the file of the enrolment, and links the same file twice.
    let place = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let key = place(path);
    match &way.remembered {
        Some(known) if place(&known.joined.key_file()) == key => Ok(known.joined.hold()?),
        _ => Ok(Held::take(&with(&key, ".lock"))?),
    }
}

/// Gives the node of these flags another key. The caller holds the key, by [`hold_key`].
///
/// # Errors
/// If the SuperLink does not take the new key, or a file cannot be written.
pub async fn renew_key(args: &Args, way: Way, _held: &Held) -> Result<KeyRenewal, Error> {
    let Trust::Tls(tls) = &way.trust else {
        return Err(Error::RenewWithoutTls);
    };
    let path = way.key.path.clone().ok_or(Error::NothingToRenew)?;
    let files = Files::beside(&path);
    let public = args.auth_supernode_public_key.as_deref();
    let public = public.map_or_else(|| with(&path, ".pub"), Path::to_owned);
    if is_cut_off(&path, &way.key.private) {
        rename(&files.public, &public)?;
    }
    let (old, new) = (&way.key.private, files.prepare()?);
    let keys = (old, &new);
    let certified = way.remembered.as_ref().filter(|known| known.certificate);
    let request = match certified {
        Some(_) => node_request(&new).map_err(Error::SigningRequest)?,
        None => Vec::new(),
    };
    let asked = joining::renew_key(&way.superlink, tls, &way.route, keys, request);
    let renewed = match asked.await {
        Ok(renewed) => renewed,
        Err(error) => return Err(files.failed(error)),
    };
    let certified = certified.filter(|_| !renewed.certificate.is_empty());
    if certified.is_some() && issued(&renewed.certificate, new.public_key()).is_none() {
        return Err(files.failed(not_issued(&way.superlink)));
    }
    keep_store(args, &way, &new);
    let written = |certificate: &Path| {
        let path = certificate.to_owned();
        move |source| Error::Write { path, source }
    };
    if let Some(Remembered { joined, .. }) = certified {
        // Until the key is in its place both certificates are there: the key's is taken.
        let added = joined.add_certificate(&renewed.certificate);
        added.map_err(written(&joined.certificate_file()))?;
    }
    files.take_place(&path, &public)?;
    if let Some(Remembered { joined, .. }) = certified {
        let replaced = joined.certify(&renewed.certificate);
        replaced.map_err(written(&joined.certificate_file()))?;
    }
    Ok(KeyRenewal {
        node: renewed.node,
        fingerprint: new.public_key().fingerprint(),
        path,
    })
}

/// The files of the new key, beside the old one.
struct Files {
    private: PathBuf,
    public: PathBuf,
    old: PathBuf,
}

impl Files {
    fn beside(path: &Path) -> Self {
        let private = with(path, ".new");
        Self {
            public: with(&private, ".pub"),
            private,
            old: path.to_owned(),
        }
    }

    /// The new key: of a renewal that was cut off, or made now.
    fn prepare(&self) -> Result<PrivateKey, Error> {
        let memory = flwr_client::joined::MemoryError::Key;
        if self.private.exists() {
            let new = PrivateKey::from_file(&self.private);
            return new.map_err(Error::NewKey);
        }
        let new = PrivateKey::generate().map_err(memory)?;
        new.write_openssh_pair(&self.private, true)
            .map_err(memory)?;
        Ok(new)
    }

    /// What a failed renewal leaves behind.
    fn failed(self, error: JoinError) -> Error {
        match error {
            // An answer that cannot be used comes from a SuperLink that may have taken the key.
            error if error.is_passing() || matches!(error, JoinError::Answer { .. }) => {
                Error::RenewalUnknown {
                    new: self.private,
                    source: error.into(),
                }
            }
            // The text has the line for the list, which is that of the new key.
            JoinError::Refused { ref refused, .. } if refused.code == Some(Code::KeyIsListed) => {
                Error::Listed {
                    new: self.private,
                    path: self.old,
                    source: error.into(),
                }
            }
            error => {
                // Best effort: the next renewal would go on with them.
                let _ = fs::remove_file(&self.private);
                let _ = fs::remove_file(&self.public);
                Error::NotRenewed(error.into())
            }
        }
    }

    /// Gives the new key the names of the old one, the private half first: it says what the public half
    /// is.
    fn take_place(&self, private: &Path, public: &Path) -> Result<(), Error> {
        rename(&self.private, private)?;
        rename(&self.public, public)
    }
}

/// Whether a renewal was cut off when the new private key had the name of the old one, and its public half
/// had not. The node starts with such a key all the same.
pub(crate) fn is_cut_off(path: &Path, key: &PrivateKey) -> bool {
    let files = Files::beside(path);
    let public = PublicKey::from_file(&files.public);
    !files.private.exists() && public.is_ok_and(|public| public == *key.public_key())
}

fn rename(from: &Path, to: &Path) -> Result<(), Error> {
    let moved = fs::rename(from, to);
    let moved = moved.and_then(|()| private_files::sync_dir(private_files::dir_of(to)));
    moved.map_err(|source| Error::Write {
        path: to.to_owned(),
        source,
    })
}

/// Has the new key find what the node keeps under the old one: finished replies, Contexts. Without it
/// the node works on these messages again.
fn keep_store(args: &Args, way: &Way, new: &PrivateKey) {
    let Some(old) = config::store(&way.key, args) else {
        return;
    };
    let linked = || {
        private_files::create_dir(&old)?;
        // One link leads to the directory, however often the key was renewed.
        let target = fs::canonicalize(&old)?;
        let target = target.file_name().unwrap_or_default();
        let link = old.with_file_name(config::store_name(new.public_key()));
        match symlink(target, link) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        }
    };
    if let Err(error) = linked() {
        tracing::warn!(
            "finished replies and Contexts are kept in {}, and cannot be found by the new key: {error}",
            old.display()
        );
    }
}

/// A path with something behind its name.
fn with(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

#[cfg(test)]
mod tests;
