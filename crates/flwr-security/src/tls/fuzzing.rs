//! For the fuzz targets: the checks of certificates in legacy forms, which stand inside a handshake.

use rustls_pki_types::CertificateDer;

use super::encoding::PemText;
use super::legacy::LegacyRoots;
use super::provider;

/// Whether a client with this root accepts the certificate, but for its name.
#[must_use]
pub fn accepts_legacy(root: &[u8], certificate: &[u8]) -> bool {
    let roots = vec![CertificateDer::from(root.to_vec())];
    let roots = LegacyRoots::new(roots, &provider());
    roots.accepts_server(&certificate.into()).is_ok()
}

/// The DER of the certificates in PEM text.
#[must_use]
pub fn certificates(text: &[u8]) -> Vec<Vec<u8>> {
    let found = PemText::new(text).certificates(None).unwrap_or_default();
    found.iter().map(|der| der.to_vec()).collect()
}
