//! `flower-supernode key renew`: another key for the same node.
//!
//! The new key is on disk, beside the old one, before the SuperLink hears of it. A renewal that was cut
//! off goes on with the same new key. The old key counts until the new one is first used.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use flwr_client::channel::Trust;
use flwr_client::joining::{self, JoinError};
use flwr_core::id::NodeId;
use flwr_security::key::PrivateKey;
use flwr_security::private_files;

use super::Error;
use crate::args::Args;
use crate::config::{self, Way};

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

/// Gives the node of these flags another key.
///
/// # Errors
/// If the SuperLink does not take the new key, or a file cannot be written.
pub async fn renew_key(args: &Args, way: Way) -> Result<KeyRenewal, Error> {
    let Trust::Tls(tls) = &way.trust else {
        return Err(Error::RenewWithoutTls);
    };
    let path = way.key.path.clone().ok_or(Error::NothingToRenew)?;
    let files = Files::beside(&path);
    let (old, new) = (&way.key.private, files.prepare()?);
    let keys = (old, &new);
    let asked = joining::renew_key(&way.superlink, tls, &way.route, keys, Vec::new());
    let renewed = match asked.await {
        Ok(renewed) => renewed,
        Err(error) => return Err(files.failed(error, &new)),
    };
    keep_store(args, &way, &new);
    let public = args.auth_supernode_public_key.as_deref();
    let public = public.map_or_else(|| with(&path, ".pub"), Path::to_owned);
    files.take_place(&path, &public)?;
    if let Some(remembered) = &way.remembered
        && remembered.key
        && !renewed.certificate.is_empty()
    {
        let certificate = remembered.joined.certificate_file();
        let written = private_files::replace(&certificate, |file| {
            io::Write::write_all(file, &renewed.certificate)
        });
        written.map_err(|source| Error::Write {
            path: certificate,
            source,
        })?;
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
            return Ok(PrivateKey::from_file(&self.private).map_err(memory)?);
        }
        let new = PrivateKey::generate().map_err(memory)?;
        new.write_openssh_pair(&self.private, true)
            .map_err(memory)?;
        Ok(new)
    }

    /// What a failed renewal leaves behind.
    fn failed(self, error: JoinError, new: &PrivateKey) -> Error {
        let line = new.public_key().to_openssh();
        match error {
            error if error.is_passing() => Error::RenewalUnknown {
                new: self.private,
                source: error,
            },
            // The text has the line for the list, which is that of the new key.
            JoinError::Refused { ref refused, .. } if refused.text.contains(&line) => {
                Error::Listed {
                    new: self.private,
                    path: self.old,
                    source: error,
                }
            }
            error => {
                // Best effort: the next renewal would go on with them.
                let _ = fs::remove_file(&self.private);
                let _ = fs::remove_file(&self.public);
                Error::NotRenewed(error)
            }
        }
    }

    /// Gives the new key the names of the old one, the private half first: it says what the public half
    /// is.
    fn take_place(&self, private: &Path, public: &Path) -> Result<(), Error> {
        for (from, to) in [(&self.private, private), (&self.public, public)] {
            let moved = fs::rename(from, to).and_then(|()| {
                let dir = to.parent().filter(|dir| !dir.as_os_str().is_empty());
                private_files::sync_dir(dir.unwrap_or(Path::new(".")))
            });
            moved.map_err(|source| Error::Write {
                path: to.to_owned(),
                source,
            })?;
        }
        Ok(())
    }
}

/// Has the new key find what the node keeps under the old one: finished replies, Contexts. Without it
/// the node works on these messages again.
fn keep_store(args: &Args, way: &Way, new: &PrivateKey) {
    let Some(old) = config::store(&way.key, args.flwr_dir.clone()) else {
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
