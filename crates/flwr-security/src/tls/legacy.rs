//! Legacy certificates: X.509 version 1, or no subjectAltName. `openssl x509 -req` of OpenSSL 3.0
//! and older writes them. Modern TLS stacks refuse them. We accept them only if the operator allows
//! it.
//!
//! webpki verifies first. This verifier sees only certificates that webpki refuses for their form.
//! It requires:
//!
//! - A configured root has signed the certificate directly.
//! - Root and certificate are valid now.
//! - As far as they have extensions, the root may sign, and the certificate may serve.
//! - No unknown extension is critical.
//! - A server's Common Name equals the dialled name letter for letter; there are no wildcards.
//! - The connection is TLS 1.3. One function of rustls then checks the proof of the key, and that
//!   function needs only the key.

use std::sync::Arc;

use pkcs8::der::asn1::{AnyRef, BitStringRef};
use pkcs8::der::{Decode, Reader, SliceReader, Tag, Tagged};
use pkcs8::spki::AlgorithmIdentifierRef;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key,
};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible,
    SignatureScheme,
};
use rustls_pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, ParsedExtension, X509Certificate};

use super::certificate;
use super::chain::{self, Purpose};
use super::proof::proven_by;
use super::revocation::RevocationLists;

/// The roots that may sign such certificates.
pub(super) struct LegacyRoots {
    roots: Vec<CertificateDer<'static>>,
    revoked: RevocationLists,
    algorithms: WebPkiSupportedAlgorithms,
}

/// Checks servers.
pub(super) struct LegacyServerVerifier {
    today: Arc<dyn ServerCertVerifier>,
    roots: LegacyRoots,
}

/// Checks clients.
pub(super) struct LegacyClientVerifier {
    today: Arc<dyn ClientCertVerifier>,
    roots: LegacyRoots,
}

impl LegacyRoots {
    pub(super) fn new(roots: Vec<CertificateDer<'static>>, provider: &CryptoProvider) -> Self {
        Self {
            roots,
            revoked: RevocationLists::none(),
            algorithms: provider.signature_verification_algorithms,
        }
    }

    /// All but what is revoked.
    pub(super) fn without(self, revoked: RevocationLists) -> Self {
        Self { revoked, ..self }
    }

    /// Whether clients with these roots would accept a server's certificate, but for its name.
    pub(super) fn accepts_server(
        &self,
        certificate: &CertificateDer<'_>,
    ) -> Result<(), CertificateError> {
        let now = UnixTime::now();
        self.verify(certificate, Purpose::Server, now).map(drop)
    }

    /// Checks all but the name.
    fn verify<'a>(
        &self,
        der: &'a CertificateDer<'_>,
        purpose: Purpose,
        now: UnixTime,
    ) -> Result<X509Certificate<'a>, CertificateError> {
        let certificate = parse(der)?;
        let issued_by =
            |root: &X509Certificate<'_>| root.subject().as_raw() == certificate.issuer().as_raw();
        let roots = self.roots.iter().filter_map(|root| parse(root).ok());
        let issuers: Vec<_> = roots.filter(issued_by).collect();
        if issuers.is_empty() {
            return Err(CertificateError::UnknownIssuer);
        }
        let root = issuers
            .into_iter()
            .find(|root| chain::has_signed(root, &certificate))
            .ok_or(CertificateError::BadSignature)?;
        require_now(&root, now)?;
        require_now(&certificate, now)?;
        require_may_sign(&root)?;
        require_may_serve(&certificate, purpose)?;
        let (issuer, serial) = (certificate.issuer().as_raw(), certificate.raw_serial());
        match self.revoked.is_revoked(issuer, serial) {
            Some(false) => Ok(certificate),
            Some(true) => Err(CertificateError::Revoked),
            None => Err(CertificateError::UnknownRevocationStatus),
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOfferedOrEnabled.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        der: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let certificate = parse(der)?;
        let key = SubjectPublicKeyInfoDer::from(certificate.public_key().raw);
        verify_tls13_signature_with_raw_key(message, &key, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn parse<'a>(der: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, CertificateError> {
    require_form(der).map_err(|_| CertificateError::BadEncoding)?;
    match X509Certificate::from_der(der) {
        Ok((&[], certificate)) => Ok(certificate),
        _ => Err(CertificateError::BadEncoding),
    }
}

/// Reads what no signature covers: the SEQUENCE around the three parts, and the algorithm.
/// `x509-parser` looks at few of the tags there. Bytes that it overlooks would make many
/// certificates of one.
fn require_form(der: &[u8]) -> pkcs8::der::Result<()> {
    let mut reader = SliceReader::new(der)?;
    reader.sequence(|parts| -> pkcs8::der::Result<()> {
        let content = AnyRef::decode(parts)?;
        content.tag().assert_eq(Tag::Sequence)?;
        AlgorithmIdentifierRef::decode(parts)?;
        let signature = BitStringRef::decode(parts)?;
        let whole = signature.as_bytes().map(drop);
        whole.ok_or_else(|| Tag::BitString.value_error().into())
    })?;
    reader.finish()
}

/// Whether it is a certificate of the kind that this module is for.
fn is_legacy(der: &CertificateDer<'_>) -> bool {
    parse(der).is_ok_and(|certificate| certificate::is_legacy(&certificate))
}

fn require_now(certificate: &X509Certificate<'_>, now: UnixTime) -> Result<(), CertificateError> {
    let moment = |at: OffsetDateTime| {
        let seconds = u64::try_from(at.unix_timestamp()).unwrap_or_default();
        UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds))
    };
    let validity = certificate.validity();
    let not_before = moment(validity.not_before.to_datetime());
    let not_after = moment(validity.not_after.to_datetime());
    if now < not_before {
        Err(CertificateError::NotValidYetContext {
            time: now,
            not_before,
        })
    } else if now > not_after {
        Err(CertificateError::ExpiredContext {
            time: now,
            not_after,
        })
    } else {
        Ok(())
    }
}

/// Roots of version 1 say nothing about it: that they are configured is what says it.
fn require_may_sign(root: &X509Certificate<'_>) -> Result<(), CertificateError> {
    for extension in root.extensions() {
        let refused = match extension.parsed_extension() {
            ParsedExtension::BasicConstraints(constraints) => !constraints.ca,
            ParsedExtension::KeyUsage(usage) => !usage.key_cert_sign(),
            _ if extension.critical => return Err(CertificateError::UnhandledCriticalExtension),
            _ => false,
        };
        if refused {
            return Err(CertificateError::InvalidPurpose);
        }
    }
    Ok(())
}

fn require_may_serve(
    certificate: &X509Certificate<'_>,
    purpose: Purpose,
) -> Result<(), CertificateError> {
    for extension in certificate.extensions() {
        let refused = match extension.parsed_extension() {
            ParsedExtension::BasicConstraints(constraints) => constraints.ca,
            // In TLS 1.3 a key signs, and does nothing else.
            ParsedExtension::KeyUsage(usage) => !usage.digital_signature(),
            ParsedExtension::ExtendedKeyUsage(usage) => match purpose {
                Purpose::Server => !usage.server_auth && !usage.any,
                Purpose::Client => !usage.client_auth && !usage.any,
            },
            _ if extension.critical => return Err(CertificateError::UnhandledCriticalExtension),
            _ => false,
        };
        if refused {
            return Err(CertificateError::InvalidPurpose);
        }
    }
    Ok(())
}

/// The name of a server that has no subjectAltName is its only Common Name.
fn require_name(
    certificate: &X509Certificate<'_>,
    wanted: &ServerName<'_>,
) -> Result<(), CertificateError> {
    let common = certificate::common_name(certificate);
    let fits = common
        .as_deref()
        .and_then(|name| ServerName::try_from(name).ok())
        .is_some_and(|name| name == *wanted);
    if fits {
        return Ok(());
    }
    Err(CertificateError::NotValidForNameContext {
        expected: wanted.to_owned(),
        presented: common.into_iter().collect(),
    })
}

impl LegacyServerVerifier {
    pub(super) const fn new(today: Arc<dyn ServerCertVerifier>, roots: LegacyRoots) -> Self {
        Self { today, roots }
    }
}

impl ServerCertVerifier for LegacyServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if !is_legacy(end_entity) {
            return self.today.verify_server_cert(
                end_entity,
                intermediates,
                server_name,
                ocsp_response,
                now,
            );
        }
        let certificate = self.roots.verify(end_entity, Purpose::Server, now)?;
        require_name(&certificate, server_name)?;
        Ok(ServerCertVerified::assertion())
    }

    proven_by!(roots);
}

impl LegacyClientVerifier {
    pub(super) const fn new(today: Arc<dyn ClientCertVerifier>, roots: LegacyRoots) -> Self {
        Self { today, roots }
    }
}

impl ClientCertVerifier for LegacyClientVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.today.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if !is_legacy(end_entity) {
            return self
                .today
                .verify_client_cert(end_entity, intermediates, now);
        }
        self.roots.verify(end_entity, Purpose::Client, now)?;
        Ok(ClientCertVerified::assertion())
    }

    proven_by!(roots);
}

macro_rules! hide {
    ($($name:ident)*) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )*};
}
hide!(LegacyServerVerifier LegacyClientVerifier);

#[cfg(test)]
mod tests;
