//! Private keys of SuperNodes: reads, generates and writes keys, and signs with them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::openssh::{self, Pair};
use super::{Curve, KeyError, KeyProblem, Parsed, PublicKey, other_key, p521, read};

/// The private key of a SuperNode, with its public key. The secret is never shown.
#[derive(Clone)]
pub struct PrivateKey {
    secret: Arc<Secret>,
    public: PublicKey,
}

enum Secret {
    P256(p256::SecretKey),
    P384(p384::SecretKey),
    P521(p521::SecretKey),
}

impl PrivateKey {
    /// Makes a new key on P-384, Flower's default.
    ///
    /// # Errors
    /// If the system has no randomness.
    pub fn generate() -> Result<Self, KeyError> {
        loop {
            let mut scalar = [0; 48];
            aws_lc_rs::rand::fill(&mut scalar).map_err(|_| KeyError::Random)?;
            // A number beyond the curve's order (one in 2^190) is thrown away.
            if let Ok(secret) = p384::SecretKey::from_slice(&scalar) {
                return Ok(Self::new(Secret::P384(secret))?);
            }
        }
    }

    /// Reads a file: OpenSSH's own format, or PEM (`PRIVATE KEY`, `EC PRIVATE KEY`).
    ///
    /// # Errors
    /// If the file cannot be read, or its content is encrypted or no such key.
    pub fn from_file(path: &Path) -> Result<Self, KeyError> {
        Self::parse(&read(path)?).map_err(|problem| KeyError::File {
            path: path.to_owned(),
            problem,
        })
    }

    /// Reads the text of such a file.
    ///
    /// # Errors
    /// If the key is encrypted, or the text is no such key.
    pub fn parse(text: &str) -> Result<Self, KeyProblem> {
        let text = text.trim();
        if text.is_empty() {
            return Err(KeyProblem::Empty);
        }
        if text.starts_with("ecdsa-") || text.starts_with("ssh-") {
            return Err(KeyProblem::PublicForPrivate);
        }
        if openssh::is_private(text) {
            return Self::from_openssh(text);
        }
        // OpenSSL writes the curve's parameters before a SEC 1 key.
        let blocks = pem::parse_many(text).map_err(|_| KeyProblem::NotPrivate)?;
        let block = blocks.iter().find(|block| block.tag() != "EC PARAMETERS");
        let block = block.ok_or(KeyProblem::NotPrivate)?;
        let encrypted = block
            .headers()
            .get("Proc-Type")
            .is_some_and(|kind| kind.contains("ENC"));
        match block.tag() {
            "ENCRYPTED PRIVATE KEY" => Err(KeyProblem::Encrypted),
            "EC PRIVATE KEY" if encrypted => Err(KeyProblem::Encrypted),
            "PRIVATE KEY" => Self::from_pkcs8(block.contents()),
            "EC PRIVATE KEY" => Self::from_sec1(block.contents()),
            "RSA PRIVATE KEY" | "DSA PRIVATE KEY" => Err(KeyProblem::NotEc),
            "PUBLIC KEY" => Err(KeyProblem::PublicForPrivate),
            _ => Err(KeyProblem::NotPrivate),
        }
    }

    fn from_openssh(text: &str) -> Result<Self, KeyProblem> {
        let Pair {
            curve,
            point,
            scalar,
        } = openssh::read_private(text)?;
        let key = Self::new(match curve {
            Curve::P256 => Secret::P256(p256::SecretKey::from_slice(&scalar).map_err(damaged)?),
            Curve::P384 => Secret::P384(p384::SecretKey::from_slice(&scalar).map_err(damaged)?),
            Curve::P521 => {
                Secret::P521(p521::SecretKey::from_scalar(&scalar).ok_or(KeyProblem::Damaged)?)
            }
        })?;
        // The file tells the public half too: if they disagree, one of them is damaged.
        if key.public.0.point != point {
            return Err(KeyProblem::Damaged);
        }
        Ok(key)
    }

    fn from_pkcs8(der: &[u8]) -> Result<Self, KeyProblem> {
        if let Ok(secret) = p384::SecretKey::from_pkcs8_der(der) {
            return Self::new(Secret::P384(secret));
        }
        if let Some(secret) = p521::SecretKey::from_der(der) {
            return Self::new(Secret::P521(secret));
        }
        let secret = p256::SecretKey::from_pkcs8_der(der).map_err(|_| other_key(der))?;
        Self::new(Secret::P256(secret))
    }

    fn from_sec1(der: &[u8]) -> Result<Self, KeyProblem> {
        if let Ok(secret) = p384::SecretKey::from_sec1_der(der) {
            return Self::new(Secret::P384(secret));
        }
        if let Some(secret) = p521::SecretKey::from_der(der) {
            return Self::new(Secret::P521(secret));
        }
        let secret = p256::SecretKey::from_sec1_der(der).map_err(|_| KeyProblem::Curve)?;
        Self::new(Secret::P256(secret))
    }

    fn new(secret: Secret) -> Result<Self, KeyProblem> {
        let public = match &secret {
            Secret::P256(key) => {
                PublicKey::from_point(Curve::P256, &key.public_key().to_sec1_bytes())
            }
            Secret::P384(key) => {
                PublicKey::from_point(Curve::P384, &key.public_key().to_sec1_bytes())
            }
            Secret::P521(key) => PublicKey::from_point(Curve::P521, key.point()),
        }?;
        Ok(Self {
            secret: Arc::new(secret),
            public,
        })
    }

    /// The public key.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// The shared secret of this key and a public key (ECDH): the x coordinate of a point. `None`
    /// if the public key is of another curve.
    #[must_use]
    pub fn agree(&self, other: &PublicKey) -> Option<Zeroizing<Vec<u8>>> {
        let Parsed { curve, point, .. } = &*other.0;
        let shared = match (&*self.secret, curve) {
            (Secret::P256(own), Curve::P256) => {
                let other = p256::PublicKey::from_sec1_bytes(point).ok()?;
                let shared = p256::ecdh::diffie_hellman(own.to_nonzero_scalar(), other.as_affine());
                shared.raw_secret_bytes().to_vec()
            }
            (Secret::P384(own), Curve::P384) => {
                let other = p384::PublicKey::from_sec1_bytes(point).ok()?;
                let shared = p384::ecdh::diffie_hellman(own.to_nonzero_scalar(), other.as_affine());
                shared.raw_secret_bytes().to_vec()
            }
            (Secret::P521(own), Curve::P521) => return own.agree(point),
            _ => return None,
        };
        Some(Zeroizing::new(shared))
    }

    /// Signs the SHA-256 of a message (flwr 1.22 wire, on every curve). The signature is DER.
    ///
    /// # Errors
    /// If the arithmetic fails. It fails for no key that was read or made here.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let hash = Sha256::digest(message);
        let signed = match &*self.secret {
            Secret::P256(key) => sign_p256(key, &hash),
            Secret::P384(key) => sign_p384(key, &hash),
            Secret::P521(key) => key.sign(message),
        };
        signed.ok_or(KeyError::Random)
    }

    /// Writes the private key to `path` (0600, OpenSSH's format) and the public key to `path.pub`.
    /// `force` allows to overwrite files.
    ///
    /// # Errors
    /// If a file exists without `force`, or cannot be written.
    pub fn write_openssh_pair(&self, path: &Path, force: bool) -> Result<PathBuf, KeyError> {
        let mut public = path.as_os_str().to_owned();
        public.push(".pub");
        let public = PathBuf::from(public);
        if let Some(exists) = [path, &public]
            .into_iter()
            .find(|file| !force && file.exists())
        {
            return Err(KeyError::Exists(exists.to_owned()));
        }
        write(path, 0o600, self.to_openssh()?.as_bytes())?;
        write(
            &public,
            0o644,
            format!("{}\n", self.public.to_openssh()).as_bytes(),
        )?;
        Ok(public)
    }

    /// The private key in PKCS#8, the form in which TLS and certificates take keys. `None` if the
    /// arithmetic fails.
    pub(crate) fn to_pkcs8(&self) -> Option<Zeroizing<Vec<u8>>> {
        let document = match &*self.secret {
            Secret::P256(key) => key.to_pkcs8_der().ok()?,
            Secret::P384(key) => key.to_pkcs8_der().ok()?,
            Secret::P521(key) => return key.to_pkcs8(),
        };
        Some(document.to_bytes())
    }

    /// The text of the private key in OpenSSH's format.
    fn to_openssh(&self) -> Result<String, KeyError> {
        let scalar = match &*self.secret {
            Secret::P256(key) => key.to_bytes().to_vec(),
            Secret::P384(key) => key.to_bytes().to_vec(),
            Secret::P521(key) => key.scalar().ok_or(KeyError::Random)?,
        };
        let mut check = [0; 4];
        aws_lc_rs::rand::fill(&mut check).map_err(|_| KeyError::Random)?;
        let Parsed { curve, point, .. } = &*self.public.0;
        let pair = Pair {
            curve: *curve,
            point: point.clone(),
            scalar,
        };
        Ok(openssh::write_private(&pair, u32::from_be_bytes(check)))
    }
}

/// Only zero and numbers beyond the curve's order are no keys.
fn damaged(_: p256::elliptic_curve::Error) -> KeyProblem {
    KeyProblem::Damaged
}

fn sign_p256(key: &p256::SecretKey, hash: &[u8]) -> Option<Vec<u8>> {
    let signature: p256::ecdsa::Signature =
        p256::ecdsa::SigningKey::from(key).sign_prehash(hash).ok()?;
    Some(signature.to_der().as_bytes().to_vec())
}

fn sign_p384(key: &p384::SecretKey, hash: &[u8]) -> Option<Vec<u8>> {
    let signature: p384::ecdsa::Signature =
        p384::ecdsa::SigningKey::from(key).sign_prehash(hash).ok()?;
    Some(signature.to_der().as_bytes().to_vec())
}

fn write(path: &Path, mode: u32, content: &[u8]) -> Result<(), KeyError> {
    crate::private_files::replace_with_mode(path, mode, content).map_err(|source| KeyError::Write {
        path: path.to_owned(),
        source,
    })
}

/// Never shows the secret.
impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey(of {:?})", self.public)
    }
}
