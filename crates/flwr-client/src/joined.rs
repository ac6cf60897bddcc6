//! What a SuperNode keeps of its enrolment, below Flower's home directory. All functions block.
//!
//! ```text
//! supernode/joined/             written whole or not at all (0700)
//!   joined.json                 the SuperLink, the node and the token
//!   key, key.pub                the node's key, in OpenSSH's format (0600)
//!   authorities.pem             whom to trust
//!   client.crt                  the node's certificate, where the SuperLink issues some
//! supernode/joining-<token id>/ the same while the node joins: a second try has the same key
//! supernode/.lock               held by the process that joins or renews the key
//! ```
//! The token itself is not kept: its id tells whether a node has joined with it.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use flwr_core::address::Address;
use flwr_core::id::NodeId;
use flwr_security::joining::JoinTokenId;
use flwr_security::key::PrivateKey;
use flwr_security::private_files;
use flwr_security::tls::to_pem;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::process::geteuid;
use rustls_pki_types::CertificateDer;
use serde::{Deserialize, Serialize};

mod error;
mod lock;

pub use error::MemoryError;
pub use lock::Held;

/// The user id of root.
const ROOT: u32 = 0;
const LOCK: &str = ".lock";
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
    /// Until the enrolment is finished, no other process joins here.
    _held: Held,
}

/// What joining begins with.
#[derive(Debug)]
pub enum Begun {
    /// The SuperLink has to be asked.
    Pending(Pending),
    /// The node has joined with this token already: by another process, or by one that was cut off
    /// before the enrolment had its place.
    Joined(Joined),
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
        let Some(facts) = Facts::read(&path)? else {
            return Ok(None);
        };
        self.require_own(&dir)?;
        let joined = facts.joined(dir);
        joined.map(Some).ok_or(MemoryError::Damaged(path))
    }

    /// Whether the folder with this memory, and what is above and in it, belongs to the user of this
    /// process, or to root, who can read and write everything.
    fn require_own(&self, dir: &Path) -> Result<(), MemoryError> {
        let own = geteuid().as_raw();
        let parts = [FACTS, KEY, AUTHORITIES, CERTIFICATE].map(|name| dir.join(name));
        for path in [self.0.clone(), dir.to_owned()].into_iter().chain(parts) {
            // What is not there belongs to nobody, and what cannot be looked at is told of at its reading.
            let Ok(found) = fs::metadata(&path) else {
                continue;
            };
            let owner = found.uid();
            if owner != own && owner != ROOT {
                return Err(MemoryError::OfAnother { path, owner });
            }
        }
        Ok(())
    }

    /// Begins to join with this token, or begins again: with the same key, since the SuperLink may have
    /// taken it. What another process has finished meanwhile is taken.
    ///
    /// # Errors
    /// If another process joins here, or no key can be made or kept.
    pub fn begin(&self, token: JoinTokenId) -> Result<Begun, MemoryError> {
        let write = |path: &Path, source| MemoryError::Write {
            path: path.to_owned(),
            source,
        };
        private_files::create_dir(&self.0).map_err(|source| write(&self.0, source))?;
        let held = Held::take(&self.0.join(LOCK))?;
        match self.joined() {
            Ok(Some(joined)) if joined.token == token => {
                self.remove_pending();
                return Ok(Begun::Joined(joined));
            }
            Err(error @ MemoryError::OfAnother { .. }) => return Err(error),
            // The caller says whether another enrolment, or a damaged one, is replaced.
            Ok(_) | Err(_) => {}
        }
        let dir = self.0.join(format!("{JOINING}{token}"));
        self.require_own(&dir)?;
        let pending = |key| {
            Begun::Pending(Pending {
                enrolments: self.clone(),
                dir: dir.clone(),
                token,
                key,
                _held: held,
            })
        };
        let key = dir.join(KEY);
        if key.exists() && !dir.join(FACTS).exists() {
            return Ok(pending(PrivateKey::from_file(&key)?));
        }
        if let Ok(Some(facts)) = Facts::read(&dir.join(FACTS))
            && facts.token_id == token.to_string()
            && PrivateKey::from_file(&key).is_ok()
        {
            return self.place(&dir, facts).map(Begun::Joined);
        }
        // A rest of a replaced enrolment has the facts of another token.
        remove(&dir).map_err(|source| write(&dir, source))?;
        private_files::create_dir(&dir).map_err(|source| write(&dir, source))?;
        let made = PrivateKey::generate()?;
        made.write_openssh_pair(&key, true)?;
        Ok(pending(made))
    }

    /// Gives a whole enrolment its place.
    fn place(&self, dir: &Path, facts: Facts) -> Result<Joined, MemoryError> {
        let joined = self.joined_dir();
        let damaged = MemoryError::Damaged(dir.join(FACTS));
        let remembered = facts.joined(joined.clone()).ok_or(damaged)?;
        take_place(dir, &joined).map_err(|source| MemoryError::Write {
            path: joined.clone(),
            source,
        })?;
        self.remove_pending();
        Ok(remembered)
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
    /// What a file says. `None`: there is no file.
    fn read(path: &Path) -> Result<Option<Self>, MemoryError> {
        let path = path.to_owned();
        match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(MemoryError::Read { path, source }),
            Ok(content) => {
                let facts = serde_json::from_slice(&content);
                facts.map(Some).map_err(|_| MemoryError::Damaged(path))
            }
        }
    }

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
        self.enrolments.place(&self.dir, facts)
    }
}

impl Joined {
    /// The directory of the memory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Takes the lock of those that change this enrolment. Does not wait.
    ///
    /// # Errors
    /// If another process joins or renews the key.
    pub fn hold(&self) -> Result<Held, MemoryError> {
        Held::take(&self.dir.with_file_name(LOCK))
    }

    /// Whether this enrolment still has its place: another may have replaced it.
    #[must_use]
    pub fn is_in_place(&self) -> bool {
        let facts = Facts::read(&self.dir.join(FACTS)).ok().flatten();
        facts
            .and_then(|facts| facts.joined(self.dir.clone()))
            .as_ref()
            == Some(self)
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
mod tests;
