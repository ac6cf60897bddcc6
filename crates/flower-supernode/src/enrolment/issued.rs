//! Client certificates that a SuperLink issues: what is remembered must be of use at the next start.

use flwr_client::joining::JoinError;
use flwr_core::address::Address;
use flwr_security::joining::Pin;
use flwr_security::key::PublicKey;
use flwr_security::tls::{Certificate, pin_of};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// What is said of an answer without such a certificate.
pub(crate) const NOT_ISSUED: &str = "a client certificate that is not one for the node's key";

/// The certificate in an answer: the first of its chain (PEM), which must be for this key. `None`: a node
/// with this file would not start.
pub(crate) fn issued(pem: &[u8], key: &PublicKey) -> Option<Certificate> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let chain = chain.ok()?;
    if pin_of(chain.first()?)? != Pin::of_spki(&key.to_spki()) {
        return None;
    }
    let read: Result<Vec<_>, _> = chain.iter().map(|der| Certificate::read(der)).collect();
    let certificate = read.ok()?.into_iter().next()?;
    certificate.is_v3.then_some(certificate)
}

/// The SuperLink at this address has answered without such a certificate.
pub(super) fn not_issued(address: &Address) -> JoinError {
    JoinError::Answer {
        address: address.clone(),
        what: NOT_ISSUED,
    }
}

#[cfg(test)]
mod tests {
    use flwr_core::id::NodeId;
    use flwr_security::key::PrivateKey;
    use flwr_security::pki::{Authority, NodeAuthority, node_request};
    use flwr_security::testing::Files;
    use time::OffsetDateTime;

    use super::*;

    #[test]
    fn only_a_whole_certificate_for_the_key_is_taken() {
        let files = Files::new();
        let ca = Authority::make("Nodes", 365, None).unwrap();
        let authority = NodeAuthority::load(
            &files.write("nodes.crt", &ca.certificate),
            &files.write("nodes.key", &ca.key),
        );
        let (key, other) = (
            PrivateKey::generate().unwrap(),
            PrivateKey::generate().unwrap(),
        );
        let request = node_request(&key).unwrap();
        let now = OffsetDateTime::now_utc();
        let pem = authority
            .unwrap()
            .issue(&request, key.public_key(), NodeId(7), now)
            .unwrap();
        let found = |pem: &str| issued(pem.as_bytes(), key.public_key());
        assert_eq!(found(&pem).unwrap().subject, "CN=7");
        assert!(issued(pem.as_bytes(), other.public_key()).is_none());
        let damaged = "-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n";
        for text in [
            "",
            "no certificate",
            &ca.certificate,
            damaged,
            &format!("{}{pem}", ca.certificate),
            &format!("{pem}{damaged}"),
        ] {
            assert!(found(text).is_none(), "{text}");
        }
    }
}
