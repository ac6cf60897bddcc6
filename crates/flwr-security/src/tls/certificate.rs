//! What a certificate says, for people, and why clients may refuse it.

use std::path::Path;

use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::sync::Arc;
use time::OffsetDateTime;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate, X509Version};

use super::reason::Reason;

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Its subject, as OpenSSL shows it.
    pub subject: String,
    /// Whom it is for: DNS names and IP addresses.
    pub names: Vec<String>,
    /// Whom else it is for: e-mail addresses and URIs, such as SPIFFE ids.
    pub other_names: Vec<String>,
    /// The Common Name of its subject, if it has just one.
    pub common_name: Option<String>,
    /// Whether it is of X.509 version 3; TLS stacks of today take no other.
    pub is_v3: bool,
    /// From when on it is valid.
    pub not_before: OffsetDateTime,
    /// Until when it is valid.
    pub not_after: OffsetDateTime,
}

impl Certificate {
    /// With fewer days left than this a certificate is warned of.
    pub const SOON: i64 = 30;

    /// Reads a certificate in DER.
    ///
    /// # Errors
    /// If it is none.
    pub fn read(der: &[u8]) -> Result<Self, Reason> {
        let (_, certificate) = X509Certificate::from_der(der).map_err(|_| Reason::Malformed)?;
        Ok(Self {
            subject: certificate.subject().to_string(),
            names: names(&certificate, host_name),
            other_names: names(&certificate, other_name),
            common_name: common_name(&certificate),
            is_v3: certificate.version() == X509Version::V3,
            not_before: certificate.validity().not_before.to_datetime(),
            not_after: certificate.validity().not_after.to_datetime(),
        })
    }

    /// Whether only verifiers that allow it accept this certificate: see `legacy`.
    #[must_use]
    pub fn is_legacy(&self) -> bool {
        !self.is_v3 || (self.names.is_empty() && self.other_names.is_empty())
    }

    /// Days until it expires; negative once it has.
    #[must_use]
    pub fn days_left(&self, now: OffsetDateTime) -> i64 {
        (self.not_after - now).whole_days()
    }

    /// Why clients may refuse this server's certificate. `chain` begins with it.
    pub(super) fn warnings(
        &self,
        path: &Path,
        chain: &[CertificateDer<'static>],
        authorities: &[CertificateDer<'static>],
    ) -> Vec<String> {
        let now = OffsetDateTime::now_utc();
        let date = |moment: OffsetDateTime| moment.date();
        let mut warnings = Vec::new();
        if self.not_after < now {
            warnings.push(format!("it expired on {}", date(self.not_after)));
        } else if self.not_before > now {
            warnings.push(format!("it is not valid before {}", date(self.not_before)));
        }
        let Some(name) = self.names.first() else {
            warnings.push("it names no host in its subjectAltName, which clients need".to_owned());
            return told(path, warnings);
        };
        if warnings.is_empty() && !chains(name, chain, authorities) {
            warnings.push("it does not chain to the certificate of --ssl-ca-certfile".to_owned());
        }
        told(path, warnings)
    }
}

fn told(path: &Path, warnings: Vec<String>) -> Vec<String> {
    let told = |problem| {
        format!(
            "{}: {problem}: clients will refuse it; `flwr cert new` makes a good one",
            path.display()
        )
    };
    warnings.into_iter().map(told).collect()
}

/// Whether it is of an old version, or says in its subject only whom it is for.
pub(super) fn is_legacy(certificate: &X509Certificate<'_>) -> bool {
    certificate.version() != X509Version::V3
        || !matches!(certificate.subject_alternative_name(), Ok(Some(_)) | Err(_))
}

/// The subject's only Common Name.
pub(super) fn common_name(certificate: &X509Certificate<'_>) -> Option<String> {
    let mut names = certificate.subject().iter_common_name();
    let name = names.next()?.as_str().ok()?.to_owned();
    names.next().is_none().then_some(name)
}

fn names(
    certificate: &X509Certificate<'_>,
    read: fn(&GeneralName<'_>) -> Option<String>,
) -> Vec<String> {
    let Ok(Some(names)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    names.value.general_names.iter().filter_map(read).collect()
}

fn host_name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => ip_address(bytes),
        _ => None,
    }
}

fn other_name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::RFC822Name(name) | GeneralName::URI(name) => Some((*name).to_owned()),
        _ => None,
    }
}

fn ip_address(bytes: &[u8]) -> Option<String> {
    if let Ok(octets) = <[u8; 4]>::try_from(bytes) {
        return Some(std::net::Ipv4Addr::from(octets).to_string());
    }
    let octets = <[u8; 16]>::try_from(bytes).ok()?;
    Some(std::net::Ipv6Addr::from(octets).to_string())
}

/// Whether a client that trusts `authorities` would accept the chain. `false` too where that
/// cannot be said.
fn chains(
    name: &str,
    chain: &[CertificateDer<'static>],
    authorities: &[CertificateDer<'static>],
) -> bool {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(authorities.iter().cloned());
    // A wildcard stands for names; one of them serves for this.
    let name = ServerName::try_from(name.replace('*', "any"));
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), super::provider()).build();
    let (Ok(name), Ok(verifier), Some((first, others))) = (name, verifier, chain.split_first())
    else {
        return false;
    };
    verifier
        .verify_server_cert(first, others, &name, &[], UnixTime::now())
        .is_ok()
}
