//! Verifies the signature of an X.509 structure by a key. webpki does not read certificates of
//! version 1, nor separate revocation lists.

use rustls_pki_types::SubjectPublicKeyInfoDer;
use webpki::RawPublicKeyEntity;
use x509_parser::asn1_rs::{Any, ToDer};
use x509_parser::x509::AlgorithmIdentifier;

use super::provider;

/// Whether `signature` is one over `content`, by this algorithm, of the key with this
/// SubjectPublicKeyInfo. `false` too for algorithms that TLS does not take (SHA-1, small keys).
pub(crate) fn is_signed(
    content: &[u8],
    algorithm: &AlgorithmIdentifier<'_>,
    signature: &[u8],
    spki: &[u8],
) -> bool {
    let Some(wanted) = encoded(algorithm) else {
        return false;
    };
    let spki = SubjectPublicKeyInfoDer::from(spki);
    let Ok(key) = RawPublicKeyEntity::try_from(&spki) else {
        return false;
    };
    // One signature algorithm goes with several kinds of keys: the key decides.
    let algorithms = provider().signature_verification_algorithms.all;
    algorithms
        .iter()
        .filter(|known| known.signature_alg_id().as_ref() == wanted)
        .any(|known| key.verify_signature(*known, content, signature).is_ok())
}

/// The name of a signature algorithm that can be forged, if it is one: MD5 and SHA-1.
pub(crate) fn weakness(algorithm: &AlgorithmIdentifier<'_>) -> Option<&'static str> {
    match algorithm.algorithm.to_id_string().as_str() {
        "1.2.840.113549.1.1.4" => Some("MD5"),
        "1.2.840.113549.1.1.5" | "1.2.840.10045.4.1" | "1.2.840.10040.4.3" => Some("SHA-1"),
        _ => None,
    }
}

/// What is inside the algorithm's SEQUENCE, as rustls-pki-types has it.
fn encoded(algorithm: &AlgorithmIdentifier<'_>) -> Option<Vec<u8>> {
    let mut der = algorithm.algorithm.to_der_vec().ok()?;
    if let Some(parameters) = &algorithm.parameters {
        der.extend(Any::to_der_vec(parameters).ok()?);
    }
    Some(der)
}
