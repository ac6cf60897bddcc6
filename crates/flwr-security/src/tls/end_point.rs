//! Channel binding: ties a login behind TLS to the certificate that the server has shown
//! (`tls-server-end-point`, RFC 5929).

use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256, Sha384, Sha512};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::signature_algorithm::RsaSsaPssParams;
use x509_parser::x509::AlgorithmIdentifier;

/// The hash functions of certificates' signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

/// The hash of a server's certificate by the hash function of its signature. `None`: the signature
/// has no such function (Ed25519), and RFC 5929 defines no binding.
#[must_use]
pub fn server_end_point(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let (_, read) = X509Certificate::from_der(certificate).ok()?;
    Some(match hash_of(&read.signature_algorithm)? {
        Hash::Sha256 => Sha256::digest(certificate).to_vec(),
        Hash::Sha384 => Sha384::digest(certificate).to_vec(),
        Hash::Sha512 => Sha512::digest(certificate).to_vec(),
    })
}

/// RSASSA-PSS, whose parameters name the hash function.
const PSS: &str = "1.2.840.113549.1.1.10";

fn hash_of(signature: &AlgorithmIdentifier<'_>) -> Option<Hash> {
    let named = match signature.algorithm.to_id_string().as_str() {
        PSS => {
            let parameters = RsaSsaPssParams::try_from(signature.parameters()?).ok()?;
            parameters.hash_algorithm_oid().to_id_string()
        }
        other => other.to_owned(),
    };
    match named.as_str() {
        // MD5 and SHA-1, in whose place SHA-256 stands, ...
        "1.2.840.113549.1.1.4" | "1.2.840.113549.1.1.5" | "1.2.840.10045.4.1" | "1.3.14.3.2.26"
        // ... and SHA-256 itself: with RSA, with ECDSA, and as a parameter of RSA-PSS.
        | "1.2.840.113549.1.1.11" | "1.2.840.10045.4.3.2" | "2.16.840.1.101.3.4.2.1" => {
            Some(Hash::Sha256)
        }
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" | "2.16.840.1.101.3.4.2.2" => {
            Some(Hash::Sha384)
        }
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" | "2.16.840.1.101.3.4.2.3" => {
            Some(Hash::Sha512)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{
        CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519,
        SignatureAlgorithm,
    };

    use super::*;

    fn certificate(algorithm: &'static SignatureAlgorithm) -> CertificateDer<'static> {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.self_signed(&key).unwrap().der().clone()
    }

    #[test]
    fn a_certificate_is_hashed_as_it_was_signed() {
        let signed = certificate(&PKCS_ECDSA_P256_SHA256);
        let hash = Some(Sha256::digest(&signed).to_vec());
        assert_eq!(server_end_point(&signed), hash);
        let signed = certificate(&PKCS_ECDSA_P384_SHA384);
        let hash = Some(Sha384::digest(&signed).to_vec());
        assert_eq!(server_end_point(&signed), hash);
        assert_eq!(server_end_point(&certificate(&PKCS_ED25519)), None);
        assert_eq!(server_end_point(&CertificateDer::from(vec![0x30, 0])), None);
    }

    #[test]
    fn the_parameters_of_rsa_pss_name_the_hash() {
        // AlgorithmIdentifier of RSASSA-PSS with SHA-512; and without parameters that name a hash,
        // which stands for SHA-1.
        let named = "304106092a864886f70d01010a3034a00f300d06096086480165030402030500a11c301a06092a\
                     864886f70d010108300d06096086480165030402030500a203020140";
        let unnamed = "300d06092a864886f70d01010a3000";
        for (algorithm, hash) in [(named, Hash::Sha512), (unnamed, Hash::Sha256)] {
            let der = hex::decode(algorithm.replace(' ', "")).unwrap();
            let (_, read) = AlgorithmIdentifier::from_der(&der).unwrap();
            assert_eq!(hash_of(&read), Some(hash));
        }
    }
}
