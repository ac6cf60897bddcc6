//! What a SuperNode keeps of its enrolment, below Flower's home directory. All functions block.
//!
//! ```text
//! supernode/joined/             written whole or not at all (0700)
//!   joined.json                 the SuperLink, the node and the token
//!   key, key.pub                the node's key, in OpenSSH's format (0600)
//!   authorities.pem             whom to trust
//!   client.crt                  the node's certificate, where the SuperLink issues some
//! supernode/joining-<token id>/ the same while the node joins: a second try has the same key
//! ```
//! The token itself is not kept: its id tells whether a node has joined with it.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use flwr_core::address::Address;
use flwr_core::id::NodeId;
use flwr_security::joining::JoinTokenId;
use flwr_security::key::{KeyError, PrivateKey};
use flwr_security::private_files;
use flwr_security::tls::to_pem;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustls_pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use thiserror::Error;

const JOINED: &str = "joined";
const JOINING: &str = "joining-";
const FACTS: &str = "joined.json";
const KEY: &str = "key";
const PUBLIC_KEY: &str = "key.pub";
const AUTHORITIES: &str = "authorities.pem";
const CERTIFICATE: &str = "client.crt";

/// The directory of a machine's joined node.
#[derive(Debug, Clone)]
pub struct Enrolments(PathBuf);

/// What a node remembers of its enrolment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    dir: PathBuf,
    /// Where the node finds Fleet.
    pub superlink: Address,
    /// The token that the node has joined with.
    pub token: JoinTokenId,
    /// The node's id.
    pub node: NodeId,
    /// What people call the node. Empty: nothing.
    pub name: String,
}

/// An enrolment that is not finished. Its key is on disk before the SuperLink hears of it.
#[derive(Debug)]
pub struct Pending {
    enrolments: Enrolments,
    dir: PathBuf,
    token: JoinTokenId,
    /// The key of the joining node.
    pub key: PrivateKey,
}

/// What the SuperLink gave the node.
#[derive(Debug)]
pub struct Enrolled<'a> {
    /// Where the node finds Fleet.
    pub superlink: &'a Address,
    /// The node's id.
    pub node: NodeId,
    /// What people call the node.
    pub name: &'a str,
    /// Whom to trust.
    pub authorities: &'a [CertificateDer<'a>],
    /// The client certificate and its chain, in PEM. Empty: none.
    pub certificate: &'a [u8],
}

/// Why the memory of an enrolment cannot be used.
#[derive(Debug, Error)]
pub enum MemoryError {
    /// A file cannot be read.
    #[error("{}: cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("{}: cannot be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file has another content than this program writes.
    #[error(
        "{}: it is damaged: `--join TOKEN --rejoin` with a new token replaces it", .0.display()
    )]
    Damaged(PathBuf),
    /// The key cannot be made, read or written.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// The content of `joined.json`.
#[derive(Debug, Serialize, Deserialize)]
struct Facts {
    superlink: String,
    /// Text: some readers of JSON round large numbers.
    node_id: String,
    token_id: String,
    #[serde(default)]
    name: String,
}

impl Enrolments {
    /// Of a node with this Flower home.
    #[must_use]
    pub fn below(home: &Path) -> Self {
        Self(home.join("supernode"))
    }

    /// Where the memory of a joined node is.
    #[must_use]
    pub fn joined_dir(&self) -> PathBuf {
        self.0.join(JOINED)
    }

    /// What is remembered. `None`: no node has joined.
    ///
    /// # Errors
    /// If the memory is there, and cannot be read.
    pub fn joined(&self) -> Result<Option<Joined>, MemoryError> {
        let dir = self.joined_dir();
        let path = dir.join(FACTS);
        let content = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(MemoryError::Read { path, source }),
            Ok(content) => content,
        };
        let facts = serde_json::from_slice::<Facts>(&content).ok();
        let joined = facts.and_then(|facts| facts.joined(dir));
        joined.map(Some).ok_or(MemoryError::Damaged(path))
    }

    /// Begins to join with this token, or begins again: with the same key, since the SuperLink may have
    /// taken it.
    ///
    /// # Errors
    /// If no key can be made or kept.
    pub fn begin(&self, token: JoinTokenId) -> Result<Pending, MemoryError> {
        let dir = self.0.join(format!("{JOINING}{token}"));
        let pending = |key| Pending {
            enrolments: self.clone(),
            dir: dir.clone(),
            token,
            key,
        };
        let failed = |source| MemoryError::Write {
            path: dir.clone(),
            source,
        };
        if dir.join(KEY).exists() && !dir.join(FACTS).exists() {
            return Ok(pending(PrivateKey::from_file(&dir.join(KEY))?));
        }
        // A rest of a replaced enrolment has facts.
        remove(&dir).map_err(failed)?;
        private_files::create_dir(&dir).map_err(failed)?;
        let key = PrivateKey::generate()?;
        key.write_openssh_pair(&dir.join(KEY), true)?;
        Ok(pending(key))
    }

    /// Removes what unfinished enrolments have left.
    fn remove_pending(&self) {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        for entry in entries {
            let name = entry.file_name();
            if name.to_str().is_some_and(|name| name.starts_with(JOINING)) {
                // Best effort: the rest is of no use, and of no harm.
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
}

impl Facts {
    fn joined(self, dir: PathBuf) -> Option<Joined> {
        Some(Joined {
            dir,
            superlink: self.superlink.parse().ok()?,
            token: self.token_id.parse().ok()?,
            node: NodeId(self.node_id.parse().ok()?),
            name: self.name,
        })
    }
}

impl Pending {
    /// Remembers the enrolment, in the place of an earlier one.
    ///
    /// # Errors
    /// If a file cannot be written. An earlier enrolment then stays.
    pub fn finish(self, enrolled: &Enrolled<'_>) -> Result<Joined, MemoryError> {
        let write = |name: &str, content: &[u8]| {
            let path = self.dir.join(name);
            private_files::replace(&path, |file| file.write_all(content))
                .map_err(|source| MemoryError::Write { path, source })
        };
        write(AUTHORITIES, to_pem(enrolled.authorities).as_bytes())?;
        if !enrolled.certificate.is_empty() {
            write(CERTIFICATE, enrolled.certificate)?;
        }
        let facts = Facts {
            superlink: enrolled.superlink.to_string(),
            node_id: enrolled.node.0.to_string(),
            token_id: self.token.to_string(),
            name: enrolled.name.to_owned(),
        };
        let text = serde_json::to_string_pretty(&facts).map_err(|error| MemoryError::Write {
            path: self.dir.join(FACTS),
            source: error.into(),
        })?;
        write(FACTS, format!("{text}\n").as_bytes())?;
        let joined = self.enrolments.joined_dir();
        take_place(&self.dir, &joined).map_err(|source| MemoryError::Write {
            path: joined.clone(),
            source,
        })?;
        self.enrolments.remove_pending();
        let damaged = || MemoryError::Damaged(joined.join(FACTS));
        facts.joined(joined.clone()).ok_or_else(damaged)
    }
}

impl Joined {
    /// The directory of the memory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The file of the private key.
    #[must_use]
    pub fn key_file(&self) -> PathBuf {
        self.dir.join(KEY)
    }

    /// The file of the public key.
    #[must_use]
    pub fn public_key_file(&self) -> PathBuf {
        self.dir.join(PUBLIC_KEY)
    }

    /// The file with the authorities to trust.
    #[must_use]
    pub fn authorities_file(&self) -> PathBuf {
        self.dir.join(AUTHORITIES)
    }

    /// The file of the client certificate. It may not be there.
    #[must_use]
    pub fn certificate_file(&self) -> PathBuf {
        self.dir.join(CERTIFICATE)
    }

    /// Replaces the client certificate (PEM).
    ///
    /// # Errors
    /// If the file cannot be written. The old file then stays.
    pub fn certify(&self, certificate: &[u8]) -> io::Result<()> {
        private_files::replace(&self.certificate_file(), |file| file.write_all(certificate))
    }

    /// Adds a client certificate behind the one that is there, for another key that is not in its place
    /// yet.
    ///
    /// # Errors
    /// If the file cannot be read or written. The old file then stays.
    pub fn add_certificate(&self, certificate: &[u8]) -> io::Result<()> {
        let mut both = fs::read(self.certificate_file())?;
        both.push(b'\n');
        both.extend_from_slice(certificate);
        self.certify(&both)
    }

    /// Replaces the authorities to trust.
    ///
    /// # Errors
    /// If the file cannot be written. The old file then stays.
    pub fn trust(&self, authorities: &[CertificateDer<'_>]) -> io::Result<()> {
        let pem = to_pem(authorities);
        private_files::replace(&self.authorities_file(), |file| {
            file.write_all(pem.as_bytes())
        })
    }
}

/// Gives a directory the name of another, which may be there. At each moment there is one.
fn take_place(dir: &Path, place: &Path) -> io::Result<()> {
    if !fs::exists(place)? {
        fs::rename(dir, place)?;
    } else if renameat_with(CWD, dir, CWD, place, RenameFlags::EXCHANGE).is_err() {
        // Some network file systems cannot exchange names.
        remove(place)?;
        fs::rename(dir, place)?;
    }
    place.parent().map_or(Ok(()), private_files::sync_dir)
}

fn remove(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use flwr_security::testing::Files;
    use flwr_security::tls::certificates_of;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn join(enrolments: &Enrolments, token: JoinTokenId, node: u64) -> Joined {
        let files = Files::new();
        let pending = enrolments.begin(token).unwrap();
        let enrolled = Enrolled {
            superlink: &"superlink.example:9092".parse().unwrap(),
            node: NodeId(node),
            name: "ward 7",
            authorities: &certificates_of(&files.path("ca.crt")).unwrap(),
            certificate: b"",
        };
        pending.finish(&enrolled).unwrap()
    }

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap();
        let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<_> = entries
            .map(|entry| name(entry).into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn an_enrolment_is_remembered_and_only_its_owner_can_read_it() {
        let home = tempfile::tempdir().unwrap();
        let enrolments = Enrolments::below(home.path());
        assert_eq!(enrolments.joined().unwrap(), None);
        let joined = join(&enrolments, JoinTokenId([1; 8]), u64::MAX);
        assert_eq!(enrolments.joined().unwrap(), Some(joined.clone()));
        assert_eq!(joined.node, NodeId(u64::MAX));
        assert_eq!(joined.name, "ward 7");
        assert_eq!(mode(joined.dir()), 0o700);
        assert_eq!(mode(&joined.key_file()), 0o600);
        let files = ["authorities.pem", "joined.json", "key", "key.pub"];
        assert_eq!(names(joined.dir()), files);
        assert_eq!(names(&home.path().join("supernode")), ["joined"]);
    }

    #[test]
    fn a_second_try_with_the_same_token_has_the_same_key_and_another_token_has_another() {
        let home = tempfile::tempdir().unwrap();
        let enrolments = Enrolments::below(home.path());
        let key = |token| {
            let pending = enrolments.begin(JoinTokenId([token; 8])).unwrap();
            pending.key.public_key().fingerprint()
        };
        assert_eq!(key(1), key(1));
        assert_ne!(key(1), key(2));
    }

    #[test]
    fn another_enrolment_takes_the_place_of_the_first_as_a_whole() {
        let home = tempfile::tempdir().unwrap();
        let enrolments = Enrolments::below(home.path());
        let first = join(&enrolments, JoinTokenId([1; 8]), 7);
        let key = fs::read(first.key_file()).unwrap();
        // A second enrolment that is not finished leaves the first alone.
        enrolments.begin(JoinTokenId([2; 8])).unwrap();
        assert_eq!(enrolments.joined().unwrap(), Some(first.clone()));
        assert_eq!(fs::read(first.key_file()).unwrap(), key);
        let second = join(&enrolments, JoinTokenId([2; 8]), 8);
        assert_eq!(enrolments.joined().unwrap(), Some(second.clone()));
        assert_ne!(fs::read(second.key_file()).unwrap(), key);
        assert_eq!(names(&home.path().join("supernode")), ["joined"]);
    }

    #[test]
    fn damage_is_told_and_is_no_enrolment() {
        let home = tempfile::tempdir().unwrap();
        let enrolments = Enrolments::below(home.path());
        let joined = join(&enrolments, JoinTokenId([1; 8]), 7);
        for content in [
            "",
            "{}",
            r#"{"superlink":"a:1","node_id":"x","token_id":"1"}"#,
        ] {
            fs::write(joined.dir().join(FACTS), content).unwrap();
            let told = enrolments.joined().unwrap_err().to_string();
            assert!(
                told.contains("damaged") && told.contains("--rejoin"),
                "{told}"
            );
        }
    }
}
