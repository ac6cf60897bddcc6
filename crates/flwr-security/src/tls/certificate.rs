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
    /// From when on it is valid.
    pub not_before: OffsetDateTime,
    /// Until when it is valid.
    pub not_after: OffsetDateTime,
}

impl Certificate {
    /// Reads a certificate in DER.
    ///
    /// # Errors
    /// If it is none, or of a version that TLS stacks of today refuse.
    pub fn read(der: &[u8]) -> Result<Self, Reason> {
        let (_, certificate) = X509Certificate::from_der(der).map_err(|_| Reason::Malformed)?;
        if certificate.version() != X509Version::V3 {
            return Err(Reason::Version);
        }
        Ok(Self {
            subject: certificate.subject().to_string(),
            names: names(&certificate),
            not_before: certificate.validity().not_before.to_datetime(),
            not_after: certificate.validity().not_after.to_datetime(),
        })
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

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(names)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let names = names.value.general_names.iter();
    names
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress(bytes) => ip_address(bytes),
            _ => None,
        })
        .collect()
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
