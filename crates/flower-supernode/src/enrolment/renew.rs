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
use flwr_security::key::PrivateKey;
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
        Err(error) => return Err(files.failed(error, &new)),
    };
    let certified = certified.filter(|_| !renewed.certificate.is_empty());
    if certified.is_some() && issued(&renewed.certificate, new.public_key()).is_none() {
        return Err(files.failed(not_issued(&way.superlink), &new));
    }
    keep_store(args, &way, &new);
    let public = args.auth_supernode_public_key.as_deref();
    let public = public.map_or_else(|| with(&path, ".pub"), Path::to_owned);
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
            // An answer that cannot be used comes from a SuperLink that may have taken the key.
            error if error.is_passing() || matches!(error, JoinError::Answer { .. }) => {
                Error::RenewalUnknown {
                    new: self.private,
                    source: error.into(),
                }
            }
            // The text has the line for the list, which is that of the new key.
            JoinError::Refused { ref refused, .. } if refused.text.contains(&line) => {
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use clap::Parser;
    use flwr_core::address::Address;
    use flwr_core::refusal::{Class, Refused, Silence, Unanswered};
    use flwr_security::testing::Files as TlsFiles;

    use super::super::Enrolment;
    use super::*;

    struct Node {
        dir: tempfile::TempDir,
        key: PrivateKey,
        certificates: TlsFiles,
    }

    impl Node {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let key = PrivateKey::generate().unwrap();
            key.write_openssh_pair(&dir.path().join("key"), false)
                .unwrap();
            Self {
                dir,
                key,
                certificates: TlsFiles::new(),
            }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.dir.path().join(name)
        }

        fn files(&self) -> Files {
            Files::beside(&self.path("key"))
        }

        fn args(&self) -> Args {
            let text = |name: &str| self.path(name).display().to_string();
            Args::parse_from([
                "flower-supernode",
                "--flwr-dir",
                &text(""),
                "--root-certificates",
                &self.certificates.path("ca.crt").display().to_string(),
                "--auth-supernode-private-key",
                &text("key"),
                "--auth-supernode-public-key",
                &text("key.pub"),
            ])
        }
    }

    #[test]
    fn one_process_at_a_time_renews_a_key_by_whatever_name() {
        let node = Node::new();
        let way = |args: &Args| Way::of(args, &Enrolment::None).unwrap();
        let held = hold_key(&way(&node.args())).unwrap();
        symlink(node.path("key"), node.path("link")).unwrap();
        let mut linked = node.args();
        linked.auth_supernode_private_key = Some(node.path("link"));
        for args in [node.args(), linked] {
            let told = hold_key(&way(&args)).unwrap_err().to_string();
            let dir = fs::canonicalize(node.path("")).unwrap();
            assert_eq!(
                told,
                format!(
                    "another `flower-supernode` is joining or renewing its key in {}: wait for it",
                    dir.display()
                )
            );
        }
        drop(held);
        drop(hold_key(&way(&node.args())).unwrap());
    }

    fn refused(text: &str) -> JoinError {
        JoinError::Refused {
            address: "superlink.example:9092".parse().unwrap(),
            refused: Refused::read(Class::Precondition, text),
        }
    }

    #[test]
    fn the_new_key_is_kept_until_its_fate_is_known() {
        let node = Node::new();
        let new = node.files().prepare().unwrap();
        let file = node.path("key.new");
        let mode = fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);

        // No answer: the next renewal has the same key.
        let address: Address = "superlink.example:9092".parse().unwrap();
        let unanswered = JoinError::Unanswered {
            address: address.clone(),
            failure: Unanswered::new(Silence::Late, "late").into(),
        };
        let error = node.files().failed(unanswered, &new);
        assert!(matches!(error, Error::RenewalUnknown { .. }), "{error}");
        let again = node.files().prepare().unwrap();
        assert_eq!(again.public_key(), new.public_key());

        let error = node.files().failed(not_issued(&address), &new);
        assert!(matches!(error, Error::RenewalUnknown { .. }), "{error}");
        assert!(file.exists());

        // A list decides: the person needs the key.
        let line = format!("replace its line by `{}`", new.public_key().to_openssh());
        let error = node.files().failed(refused(&line), &new);
        assert!(matches!(error, Error::Listed { .. }), "{error}");
        assert!(file.exists());

        // The SuperLink does not want it: another renewal has another key.
        let error = node.files().failed(refused("no such node"), &new);
        assert!(matches!(error, Error::NotRenewed(_)), "{error}");
        assert!(!file.exists());
        let other = node.files().prepare().unwrap();
        assert_ne!(other.public_key(), new.public_key());
    }

    #[test]
    fn what_is_kept_under_the_first_key_is_found_by_each_later_one() {
        let node = Node::new();
        let store = |args: &Args| config::store_of(args).unwrap().unwrap();
        let first = store(&node.args());
        for _ in 0..2 {
            let args = node.args();
            let way = Way::of(&args, &Enrolment::None).unwrap();
            let files = node.files();
            let new = files.prepare().unwrap();
            keep_store(&args, &way, &new);
            files
                .take_place(&node.path("key"), &node.path("key.pub"))
                .unwrap();
        }
        fs::write(first.join("kept"), "reply").unwrap();
        let last = store(&node.args());
        assert_ne!(last, first);
        assert_ne!(
            PrivateKey::from_file(&node.path("key"))
                .unwrap()
                .public_key(),
            node.key.public_key()
        );
        assert_eq!(fs::read_to_string(last.join("kept")).unwrap(), "reply");
        assert!(
            fs::read_link(&last)
                .unwrap()
                .ends_with(first.file_name().unwrap())
        );
    }
}
