//! The keys of SuperNodes: elliptic curve keys, in the files of `ssh-keygen` and OpenSSL, and in
//! the form of request headers.
//!
//! A SuperLink checks a signature on most calls, so a public key is parsed once, and aws-lc-rs
//! checks its signatures. Flower signs with SHA-256 on every curve. aws-lc-rs can sign so with
//! P-521, but not with P-384: the crates `p256` and `p384` sign for the other two curves.

use std::fmt;
use std::fs;
use std::hash::{Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::signature::ParsedPublicKey;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest, Sha256};
use thiserror::Error;

mod curve;
mod openssh;
mod p521;
mod private_key;

use curve::Curve;
pub use private_key::PrivateKey;

/// The longest key file: an OpenSSH P-521 key has under 1 KiB.
const MAX_FILE_BYTES: u64 = 64 << 10;

/// The algorithm of elliptic curve keys in DER: id-ecPublicKey (RFC 5480).
const EC_PUBLIC_KEY: &[u8] = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01";

/// The public key of a SuperNode. Cheap to clone.
#[derive(Clone)]
pub struct PublicKey(Arc<Parsed>);

struct Parsed {
    curve: Curve,
    /// The point, uncompressed (SEC 1, 2.3.3).
    point: Vec<u8>,
    verifier: ParsedPublicKey,
}

/// What is wrong with a key.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("{path}: cannot be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("{path}: cannot be written")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file exists, and the caller did not ask to replace it.
    #[error("{0} exists already")]
    Exists(PathBuf),
    /// The file is no such key.
    #[error("{path}: {problem}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with the content.
        problem: KeyProblem,
    },
    /// The text is no such key.
    #[error(transparent)]
    Text(#[from] KeyProblem),
    /// The system has no randomness.
    #[error("the system's random number generator failed")]
    Random,
}

/// Why a text is not a key that a SuperNode can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KeyProblem {
    /// The text is empty.
    #[error("it is empty")]
    Empty,
    /// Neither an OpenSSH public key nor a PEM one.
    #[error(
        "it is not a public key: an OpenSSH line (`ecdsa-sha2-nistp384 ...`) or a PEM `PUBLIC KEY` is expected"
    )]
    NotPublic,
    /// Neither an OpenSSH private key nor a PEM one.
    #[error(
        "it is not a private key: an OpenSSH or PEM private key is expected, as `ssh-keygen -t ecdsa -b 384` or `flwr key new` writes it"
    )]
    NotPrivate,
    /// A private key in the place of a public one.
    #[error("it is a private key, where its public half is expected (the `.pub` file)")]
    PrivateForPublic,
    /// A public key in the place of a private one.
    #[error("it is a public key, where the private key is expected")]
    PublicForPrivate,
    /// The key needs a passphrase.
    #[error(
        "it is encrypted, and a daemon cannot type a passphrase: remove it with `ssh-keygen -p -N \"\" -f FILE`"
    )]
    Encrypted,
    /// Another kind of key: RSA, Ed25519 …
    #[error(
        "it is not an elliptic curve key: make one with `ssh-keygen -t ecdsa -b 384` or `flwr key new`"
    )]
    NotEc,
    /// A curve that is not supported here.
    #[error("its curve is not supported: use P-384, P-256 or P-521")]
    Curve,
    /// The numbers are no point of the curve.
    #[error("it is damaged: it holds no point of its curve")]
    Damaged,
}

/// The signature was not made by this key over this message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the signature does not fit the key and the message")]
pub struct InvalidSignature;

/// Writes a SubjectPublicKeyInfo as PEM, with lines of 64 characters and a last newline.
#[must_use]
pub fn spki_to_pem(der: &[u8]) -> String {
    let mut pem = String::from("-----BEGIN PUBLIC KEY-----\n");
    for line in STANDARD.encode(der).as_bytes().chunks(64) {
        pem.extend(line.iter().map(|byte| char::from(*byte)));
        pem.push('\n');
    }
    pem.push_str("-----END PUBLIC KEY-----\n");
    pem
}

/// The SubjectPublicKeyInfo of a PEM `PUBLIC KEY` of any kind. `None` for another text.
#[must_use]
pub fn spki_from_pem(pem: &[u8]) -> Option<Vec<u8>> {
    let blocks = pem::parse_many(pem).ok()?;
    let block = blocks.iter().find(|block| block.tag() == "PUBLIC KEY")?;
    Some(block.contents().to_vec())
}

impl PublicKey {
    /// Reads a PEM `PUBLIC KEY` (SubjectPublicKeyInfo), the form in request headers.
    ///
    /// # Errors
    /// If the text is no elliptic curve key.
    pub fn from_pem(pem: &[u8]) -> Result<Self, KeyProblem> {
        let blocks = pem::parse_many(pem).map_err(|_| KeyProblem::NotPublic)?;
        match blocks.iter().find(|block| block.tag() == "PUBLIC KEY") {
            Some(block) => Self::from_spki(block.contents()),
            None if blocks
                .iter()
                .any(|block| block.tag().ends_with("PRIVATE KEY")) =>
            {
                Err(KeyProblem::PrivateForPublic)
            }
            None => Err(KeyProblem::NotPublic),
        }
    }

    /// Reads a SubjectPublicKeyInfo in DER.
    ///
    /// # Errors
    /// If the bytes are no elliptic curve key.
    pub fn from_spki(der: &[u8]) -> Result<Self, KeyProblem> {
        let known = Curve::ALL
            .into_iter()
            .find_map(|curve| Some((curve, der.strip_prefix(curve.spki_prefix())?)));
        let (curve, point) = known.ok_or_else(|| other_key(der))?;
        Self::from_point(curve, point)
    }

    /// Reads an OpenSSH line: `ecdsa-sha2-nistp384 AAAA… [comment]`.
    ///
    /// # Errors
    /// If the text is no elliptic curve key.
    pub fn from_openssh(line: &str) -> Result<Self, KeyProblem> {
        openssh::read_public(line)
    }

    fn from_point(curve: Curve, point: &[u8]) -> Result<Self, KeyProblem> {
        // One form only, so that the same key is always equal to itself.
        if point.first() != Some(&4) {
            return Err(KeyProblem::Damaged);
        }
        let verifier = ParsedPublicKey::new(curve.algorithm(), point);
        let verifier = verifier.map_err(|_| KeyProblem::Damaged)?;
        Ok(Self(Arc::new(Parsed {
            curve,
            point: point.to_vec(),
            verifier,
        })))
    }

    /// Reads a file in either form.
    ///
    /// # Errors
    /// If the file cannot be read, or is no such key.
    pub fn from_file(path: &Path) -> Result<Self, KeyError> {
        let text = read(path)?;
        let key = match text.trim() {
            "" => Err(KeyProblem::Empty),
            text if text.starts_with("-----") => Self::from_pem(text.as_bytes()),
            text => Self::from_openssh(text),
        };
        key.map_err(|problem| KeyError::File {
            path: path.to_owned(),
            problem,
        })
    }

    /// PEM with lines of 64 characters and a last newline: byte for byte the form in request
    /// headers (flwr 1.22 wire).
    #[must_use]
    pub fn to_pem(&self) -> String {
        spki_to_pem(&self.to_spki())
    }

    /// The SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn to_spki(&self) -> Vec<u8> {
        [self.0.curve.spki_prefix(), &self.0.point].concat()
    }

    /// An OpenSSH line without a comment.
    #[must_use]
    pub fn to_openssh(&self) -> String {
        format!(
            "{} {}",
            openssh::key_type(self.0.curve),
            STANDARD.encode(self.ssh_blob())
        )
    }

    /// `SHA256:…`, as `ssh-keygen -l` shows it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        format!(
            "SHA256:{}",
            STANDARD_NO_PAD.encode(Sha256::digest(self.ssh_blob()))
        )
    }

    fn ssh_blob(&self) -> Vec<u8> {
        openssh::public_blob(self.0.curve, &self.0.point)
    }

    /// Checks a DER signature over the SHA-256 of a message.
    ///
    /// # Errors
    /// If the signature was made by another key, or over another message.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        self.0
            .verifier
            .verify_sig(message, signature)
            .map_err(|_| InvalidSignature)
    }
}

/// What is wrong with a key in DER that is not supported here.
fn other_key(der: &[u8]) -> KeyProblem {
    let is_ec = der
        .windows(EC_PUBLIC_KEY.len())
        .any(|part| part == EC_PUBLIC_KEY);
    if is_ec {
        KeyProblem::Curve
    } else {
        KeyProblem::NotEc
    }
}

/// The text of a key file.
fn read(path: &Path) -> Result<String, KeyError> {
    let failed = |source| KeyError::Read {
        path: path.to_owned(),
        source,
    };
    let size = fs::metadata(path).map_err(failed)?.len();
    if size > MAX_FILE_BYTES {
        return Err(failed(io::Error::other(format!(
            "{size} bytes are too many for a key"
        ))));
    }
    fs::read_to_string(path).map_err(failed)
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.curve == other.0.curve && self.0.point == other.0.point
    }
}

impl Eq for PublicKey {}

impl Hash for PublicKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.point.hash(state);
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.fingerprint())
    }
}

#[cfg(test)]
mod tests;
