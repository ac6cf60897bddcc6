//! Private keys on P-521.
//!
//! aws-lc-rs signs P-521 with SHA-256, as Flower does.

use aws_lc_rs::agreement::{self, ECDH_P521, UnparsedPublicKey};
use aws_lc_rs::encoding::{AsBigEndian, EcPrivateKeyBin};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P521_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use zeroize::Zeroizing;

/// A private key, ready for signatures and key agreement.
pub(super) struct SecretKey {
    signing: EcdsaKeyPair,
    agreeing: agreement::PrivateKey,
}

impl SecretKey {
    /// Reads a big-endian number of the curve's full length. `None` for zero and for numbers beyond
    /// the curve's order.
    pub(super) fn from_scalar(scalar: &[u8]) -> Option<Self> {
        let agreeing = agreement::PrivateKey::from_private_key(&ECDH_P521, scalar).ok()?;
        let point = agreeing.compute_public_key().ok()?;
        let signing = EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P521_SHA256_ASN1_SIGNING,
            scalar,
            point.as_ref(),
        );
        Some(Self {
            signing: signing.ok()?,
            agreeing,
        })
    }

    /// Reads PKCS#8 or SEC 1. `None` if the key is of another curve.
    pub(super) fn from_der(der: &[u8]) -> Option<Self> {
        let read = EcdsaKeyPair::from_private_key_der(&ECDSA_P521_SHA256_ASN1_SIGNING, der).ok()?;
        Self::from_scalar(scalar(&read)?.as_ref())
    }

    /// The private number: big endian, of the curve's full length.
    pub(super) fn scalar(&self) -> Option<Vec<u8>> {
        Some(scalar(&self.signing)?.as_ref().to_vec())
    }

    /// The key in PKCS#8.
    pub(super) fn to_pkcs8(&self) -> Option<Zeroizing<Vec<u8>>> {
        let document = self.signing.to_pkcs8v1().ok()?;
        Some(Zeroizing::new(document.as_ref().to_vec()))
    }

    /// The public key: an uncompressed point.
    pub(super) fn point(&self) -> &[u8] {
        self.signing.public_key().as_ref()
    }

    /// Signs the SHA-256 of a message. The signature is DER.
    pub(super) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let signature = self.signing.sign(&SystemRandom::new(), message).ok()?;
        Some(signature.as_ref().to_vec())
    }

    /// The shared secret of this key and a point (ECDH).
    pub(super) fn agree(&self, point: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let theirs = UnparsedPublicKey::new(&ECDH_P521, point);
        let take = |shared: &[u8]| Ok(Zeroizing::new(shared.to_vec()));
        agreement::agree(&self.agreeing, theirs, (), take).ok()
    }
}

fn scalar(key: &EcdsaKeyPair) -> Option<EcPrivateKeyBin<'static>> {
    key.private_key().as_be_bytes().ok()
}
