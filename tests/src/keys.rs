//! Keys of SuperNodes.

use std::fs;
use std::path::{Path, PathBuf};

use aws_lc_rs::signature::{ECDSA_P521_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
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
        Self::keep(PrivateKey::generate().unwrap(), folder, name)
    }

    /// Makes a key on P-521, in files of `folder`.
    ///
    /// # Panics
    /// If that fails.
    #[must_use]
    pub fn make_p521(folder: &Path, name: &str) -> Self {
        let made = EcdsaKeyPair::generate(&ECDSA_P521_SHA256_ASN1_SIGNING).unwrap();
        let der = made.to_pkcs8v1().unwrap();
        let base64 = STANDARD.encode(der.as_ref());
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{base64}\n-----END PRIVATE KEY-----\n");
        Self::keep(PrivateKey::parse(&pem).unwrap(), folder, name)
    }

    fn keep(key: PrivateKey, folder: &Path, name: &str) -> Self {
        fs::create_dir_all(folder).unwrap();
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
pub fn write_list<'a>(path: &Path, keys: impl IntoIterator<Item = &'a NodeKey>) {
    let lines: Vec<String> = keys
        .into_iter()
        .map(|key| key.key.public_key().to_openssh())
        .collect();
    // A SuperLink may read at any moment.
    let fresh = path.with_extension("new");
    fs::write(&fresh, lines.join(",") + "\n").unwrap();
    fs::rename(fresh, path).unwrap();
}
