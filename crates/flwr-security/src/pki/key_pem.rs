//! Private keys of CAs and servers in files. Keys under a passphrase have OpenSSL's two forms:
//! PKCS#8 (`BEGIN ENCRYPTED PRIVATE KEY`), and before OpenSSL 3.0 RFC 1421 (`Proc-Type:
//! 4,ENCRYPTED`).

use std::fs;
use std::path::Path;

use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};
use md5::{Digest, Md5};
use pem::Pem;
use pkcs8::pkcs5::pbes2::Parameters;
use pkcs8::{EncryptedPrivateKeyInfoRef, LineEnding, PrivateKeyInfoRef};
use rcgen::{KeyPair, PKCS_ECDSA_P384_SHA384};
use rustls_pki_types::PrivateKeyDer;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::tls::encoding::PemText;

/// A passphrase. Its memory is wiped at the drop.
pub type Passphrase = Zeroizing<String>;

/// Rounds of PBKDF2 with SHA-256 between passphrase and key, as OWASP recommends (2023).
const ROUNDS: u32 = 600_000;
/// The PEM tag of an encrypted PKCS#8 key.
const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";

/// Why a private key cannot be used.
#[derive(Debug, Error)]
pub enum PrivateKeyError {
    /// The file cannot be read.
    #[error("cannot be read")]
    Read(#[source] std::io::Error),
    /// The file has no private key.
    #[error("no private key in it: PEM text with `BEGIN PRIVATE KEY` or alike is expected")]
    None,
    /// Keys of this kind cannot sign here.
    #[error(
        "its private key is damaged, or of a kind that is not supported: RSA, EC P-256, P-384 or P-521, or Ed25519 is expected"
    )]
    Unsupported,
    /// The key is encrypted, and there is no passphrase.
    #[error("its private key is encrypted: {0}")]
    NoPassphrase(String),
    /// The passphrase is wrong.
    #[error("the passphrase does not open its private key")]
    WrongPassphrase,
    /// The encryption is unknown.
    #[error(
        "its private key is encrypted with {0}, which is not supported: convert it with `openssl pkcs8 -topk8 -in FILE -out NEW`"
    )]
    Cipher(String),
    /// The system has no randomness.
    #[error("the system gives no random numbers")]
    Random,
}

/// Makes a new key (EC P-384).
pub(super) fn generate() -> Result<KeyPair, rcgen::Error> {
    KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384)
}

/// Reads a key from a file. `passphrase` is called if the key is encrypted.
pub(super) fn read(
    path: &Path,
    passphrase: impl FnOnce() -> Result<Passphrase, String>,
) -> Result<KeyPair, PrivateKeyError> {
    let content = Zeroizing::new(fs::read(path).map_err(PrivateKeyError::Read)?);
    let text = PemText::new(&content);
    let blocks = pem::parse_many(text.bytes()).map_err(|_| PrivateKeyError::None)?;
    let key = blocks
        .iter()
        .find(|block| block.tag().ends_with("PRIVATE KEY"));
    let der = plain(key.ok_or(PrivateKeyError::None)?, passphrase)?;
    let key = PrivateKeyDer::try_from(&der[..]).map_err(|_| PrivateKeyError::Unsupported)?;
    KeyPair::try_from(&key).map_err(|_| PrivateKeyError::Unsupported)
}

/// Whether the block is an encrypted private key.
#[must_use]
pub(crate) fn is_encrypted(block: &Pem) -> bool {
    let kind = block.headers().get("Proc-Type");
    block.tag() == ENCRYPTED || kind.is_some_and(|kind| kind.contains("ENCRYPTED"))
}

fn plain(
    block: &Pem,
    passphrase: impl FnOnce() -> Result<Passphrase, String>,
) -> Result<Zeroizing<Vec<u8>>, PrivateKeyError> {
    if !is_encrypted(block) {
        return Ok(Zeroizing::new(block.contents().to_vec()));
    }
    let passphrase = passphrase().map_err(PrivateKeyError::NoPassphrase)?;
    if block.tag() == ENCRYPTED {
        from_pkcs8(block.contents(), &passphrase)
    } else {
        from_rfc1421(block, &passphrase)
    }
}

fn from_pkcs8(der: &[u8], passphrase: &str) -> Result<Zeroizing<Vec<u8>>, PrivateKeyError> {
    let cipher = |error: pkcs8::Error| PrivateKeyError::Cipher(error.to_string());
    let encrypted = EncryptedPrivateKeyInfoRef::try_from(der).map_err(cipher)?;
    // What is wrong cannot be told apart: rubbish came out.
    let opened = encrypted.decrypt(passphrase);
    let opened = opened.map_err(|_| PrivateKeyError::WrongPassphrase)?;
    Ok(Zeroizing::new(opened.as_bytes().to_vec()))
}

/// RFC 1421 names cipher and IV in a header. OpenSSL makes the key from the passphrase by rounds
/// of MD5, salted with the first eight bytes of the IV (EVP_BytesToKey).
fn from_rfc1421(block: &Pem, passphrase: &str) -> Result<Zeroizing<Vec<u8>>, PrivateKeyError> {
    let info = block.headers().get("DEK-Info").unwrap_or_default();
    let unknown = || PrivateKeyError::Cipher(info.chars().take(40).collect());
    let (cipher, iv) = info.split_once(',').ok_or_else(unknown)?;
    let iv = hex::decode(iv.trim()).map_err(|_| unknown())?;
    let salt = iv.get(..8).ok_or_else(unknown)?;
    let key = |length| bytes_to_key(passphrase.as_bytes(), salt, length);
    let data = block.contents();
    let opened = match cipher.trim() {
        "DES-EDE3-CBC" => decrypt::<cbc::Decryptor<des::TdesEde3>>(&key(24), &iv, data),
        "AES-128-CBC" => decrypt::<cbc::Decryptor<aes::Aes128>>(&key(16), &iv, data),
        "AES-192-CBC" => decrypt::<cbc::Decryptor<aes::Aes192>>(&key(24), &iv, data),
        "AES-256-CBC" => decrypt::<cbc::Decryptor<aes::Aes256>>(&key(32), &iv, data),
        _ => return Err(unknown()),
    };
    opened.ok_or(PrivateKeyError::WrongPassphrase)
}

fn bytes_to_key(passphrase: &[u8], salt: &[u8], length: usize) -> Zeroizing<Vec<u8>> {
    let mut key = Zeroizing::new(Vec::new());
    let mut last = Vec::new();
    while key.len() < length {
        let digest = Md5::new().chain_update(&last).chain_update(passphrase);
        last = digest.chain_update(salt).finalize().to_vec();
        key.extend_from_slice(&last);
    }
    key.truncate(length);
    key
}

fn decrypt<C: KeyIvInit + BlockModeDecrypt>(
    key: &[u8],
    iv: &[u8],
    data: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let cipher = C::new_from_slices(key, iv).ok()?;
    let opened = cipher.decrypt_padded_vec::<Pkcs7>(data).ok()?;
    Some(Zeroizing::new(opened))
}

/// The PEM text of a key. A passphrase encrypts the key (PBKDF2 with SHA-256, AES-256-CBC).
pub(super) fn to_pem(
    key: &KeyPair,
    passphrase: Option<&Passphrase>,
) -> Result<Zeroizing<String>, PrivateKeyError> {
    let Some(passphrase) = passphrase else {
        return Ok(Zeroizing::new(key.serialize_pem()));
    };
    let (mut salt, mut iv) = ([0; 16], [0; 16]);
    for random in [&mut salt, &mut iv] {
        aws_lc_rs::rand::fill(random).map_err(|_| PrivateKeyError::Random)?;
    }
    let parameters = Parameters::generate_pbkdf2_sha256_aes256cbc(ROUNDS, &salt, iv);
    let der = Zeroizing::new(key.serialize_der());
    let encrypted = PrivateKeyInfoRef::try_from(&der[..])
        .and_then(|key| key.encrypt_with_params(parameters?, passphrase.as_bytes()))
        .and_then(|encrypted| Ok(encrypted.to_pem(ENCRYPTED, LineEnding::LF)?));
    encrypted.map_err(|_| PrivateKeyError::Unsupported)
}
