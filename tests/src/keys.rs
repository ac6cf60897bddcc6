//! Keys of SuperNodes.

use std::fs;
use std::path::{Path, PathBuf};

use flwr_security::key::PrivateKey;

/// A key and its files.
#[derive(Debug)]
pub struct NodeKey {
    /// The key itself, for tests that sign requests of their own.
    pub key: PrivateKey,
    /// The private key's file, as `ssh-keygen` writes it.
    pub private: PathBuf,
    /// The public key's file.
    pub public: PathBuf,
}

impl NodeKey {
    /// Makes a key, in files of `folder`.
    ///
    /// # Panics
    /// If that fails.
    #[must_use]
    pub fn make(folder: &Path, name: &str) -> Self {
        fs::create_dir_all(folder).unwrap();
        let key = PrivateKey::generate().unwrap();
        let private = folder.join(name);
        let public = key.write_openssh_pair(&private, false).unwrap();
        Self {
            key,
            private,
            public,
        }
    }
}

/// Writes the list of keys that a SuperLink lets in.
///
/// # Panics
/// If that fails.
pub fn write_list(path: &Path, keys: &[NodeKey]) {
    let lines: Vec<String> = keys
        .iter()
        .map(|key| key.key.public_key().to_openssh())
        .collect();
    fs::write(path, lines.join(",") + "\n").unwrap();
}
