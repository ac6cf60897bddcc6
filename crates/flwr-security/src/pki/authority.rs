//! A CA: makes a new CA, reads one from files, and signs certificates.

use std::fs;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, CertifiedIssuer, DnType,
    DnValue, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData,
    SanType, SubjectPublicKeyInfo,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use time::OffsetDateTime;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::key_pem::{self, Passphrase};
use super::{PkiError, alt_name, params};
use crate::tls::NODE_USE;
use crate::tls::encoding::PemText;

/// A CA with its private key.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// PEM text.
    certificate: String,
    /// When its certificate expires.
    until: OffsetDateTime,
}

/// A certificate and its private key, as PEM text.
pub struct Pair {
    /// The certificate, or the request for a certificate.
    pub certificate: String,
    /// The key.
    pub key: zeroize::Zeroizing<String>,
}

/// The use of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A server shows the certificate.
    Server,
    /// A client shows the certificate.
    Client,
    /// A SuperNode shows the certificate. Ports for people refuse it.
    Node,
    /// Both.
    Both,
}

/// A certificate that a CA has made for a request.
#[derive(Debug)]
pub struct Signed {
    /// PEM text.
    pub certificate: String,
    /// The subject's Common Name.
    pub common_name: Option<String>,
    /// The names in the certificate.
    pub names: Vec<String>,
}

impl Authority {
    /// Makes a CA, and writes `ca.crt` and `ca.key`. A passphrase encrypts the key.
    ///
    /// # Errors
    /// If the CA cannot be made.
    pub fn make(name: &str, days: u32, passphrase: Option<&Passphrase>) -> Result<Pair, PkiError> {
        let mut params = params(name, days);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = key_pem::generate()?;
        let pem = key_pem::to_pem(&key, passphrase).map_err(PkiError::NewKey)?;
        let issuer = CertifiedIssuer::self_signed(params, key)?;
        Ok(Pair {
            certificate: issuer.pem(),
            key: pem,
        })
    }

    /// Reads a CA. `passphrase` is called if the key is encrypted. If the file has several certificates,
    /// the key's certificate is the CA.
    ///
    /// # Errors
    /// If a file has another content, or the key belongs to another certificate.
    pub fn read(
        certificate: &Path,
        key: &Path,
        passphrase: impl FnOnce() -> Result<Passphrase, String>,
    ) -> Result<Self, PkiError> {
        let text = read(certificate)?;
        let none = || PkiError::NoCertificate(certificate.to_owned());
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
        let found = found.ok().filter(|found| !found.is_empty());
        let found = found.ok_or_else(none)?;
        let pair = key_pem::read(key, passphrase).map_err(|source| PkiError::PrivateKey {
            path: key.to_owned(),
            source,
        })?;
        let own = pair.subject_public_key_info();
        for der in &found {
            let (_, parsed) = X509Certificate::from_der(der).map_err(|_| none())?;
            if parsed.public_key().raw != own {
                continue;
            }
            let constraints = parsed.basic_constraints();
            if constraints.is_ok_and(|found| found.is_some_and(|c| !c.value.ca)) {
                return Err(PkiError::NoCa(certificate.to_owned()));
            }
            return Ok(Self {
                until: parsed.validity().not_after.to_datetime(),
                issuer: Issuer::from_ca_cert_der(der, pair)?,
                certificate: text,
            });
        }
        Err(PkiError::NoPair {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
        })
    }

    /// A CA from a new certificate and key.
    pub(super) fn parse(pair: &Pair) -> Result<Self, PkiError> {
        let key = KeyPair::from_pem(&pair.key)?;
        let der = CertificateDer::from_pem_slice(pair.certificate.as_bytes())
            .map_err(|_| rcgen::Error::CouldNotParseCertificate)?;
        let (_, parsed) =
            X509Certificate::from_der(&der).map_err(|_| rcgen::Error::CouldNotParseCertificate)?;
        Ok(Self {
            until: parsed.validity().not_after.to_datetime(),
            issuer: Issuer::from_ca_cert_der(&der, key)?,
            certificate: pair.certificate.clone(),
        })
    }

    /// The CA's certificate, as PEM text.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// When the CA's certificate expires.
    pub(super) const fn until(&self) -> OffsetDateTime {
        self.until
    }

    /// Signs a certificate for a key, as PEM text.
    pub(super) fn certify(
        &self,
        params: &CertificateParams,
        key: &SubjectPublicKeyInfo,
    ) -> Result<String, rcgen::Error> {
        Ok(params.signed_by(key, &self.issuer)?.pem())
    }

    /// Makes a key and a certificate for these names. The first name is the Common Name.
    ///
    /// # Errors
    /// If a name is no host name or IP address.
    pub fn issue(&self, names: &[String], days: u32, purpose: Purpose) -> Result<Pair, PkiError> {
        let mut params = params(names.first().map_or("", String::as_str), days);
        params.subject_alt_names = alt_names(names)?;
        purpose.allow(&mut params);
        let key = key_pem::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Pair {
            certificate,
            key: key_pem::to_pem(&key, None).map_err(PkiError::NewKey)?,
        })
    }

    /// Signs a request. The certificate is for `names`. Without names it is for those in the
    /// request's subjectAltName, and without these for the request's Common Name.
    ///
    /// # Errors
    /// If the file has no request that is signed with its own key, or a name is no host name or IP
    /// address.
    pub fn sign(
        &self,
        request: &Path,
        names: &[String],
        days: u32,
        purpose: Purpose,
    ) -> Result<Signed, PkiError> {
        let refused = |problem: &str| PkiError::Request {
            path: request.to_owned(),
            problem: problem.to_owned(),
        };
        let text = read(request)?;
        let block = pem::parse(&text)
            .ok()
            .filter(|block| block.tag().ends_with("CERTIFICATE REQUEST"))
            .ok_or_else(|| refused("no PEM text with `BEGIN CERTIFICATE REQUEST`"))?;
        let asked = CertificateSigningRequestParams::from_der(&block.contents().into())
            .map_err(|error| refused(&error.to_string()))?
            .params;
        // What rcgen makes of a key depends on how the request was signed; here the key decides.
        let key = X509CertificationRequest::from_der(block.contents())
            .map_err(|_| refused("damaged"))
            .map(|(_, parsed)| parsed.certification_request_info.subject_pki.raw)?;
        let key = SubjectPublicKeyInfo::from_der(key)
            .map_err(|_| refused("its key is of a kind that is not supported"))?;
        let common_name = asked
            .distinguished_name
            .get(&DnType::CommonName)
            .and_then(text_of);
        let mut params = params("", days);
        params.distinguished_name = asked.distinguished_name;
        params.subject_alt_names = if !names.is_empty() {
            alt_names(names)?
        } else if !asked.subject_alt_names.is_empty() {
            asked.subject_alt_names
        } else {
            let name = common_name.clone().ok_or_else(|| {
                refused("it has neither a subjectAltName nor a Common Name: give --name")
            })?;
            vec![alt_name(&name).map_err(|_| {
                refused(&format!(
                    "its Common Name {name:?} is no host name or IP address: give --name"
                ))
            })?]
        };
        purpose.allow(&mut params);
        Ok(Signed {
            names: params.subject_alt_names.iter().map(shown).collect(),
            certificate: params.signed_by(&key, &self.issuer)?.pem(),
            common_name,
        })
    }
}

/// Makes a key, and a request that a CA can sign.
///
/// # Errors
/// If a name is no host name or IP address.
pub fn request(names: &[String]) -> Result<Pair, PkiError> {
    let mut params = params(names.first().map_or("", String::as_str), 1);
    params.subject_alt_names = alt_names(names)?;
    let key = key_pem::generate()?;
    Ok(Pair {
        certificate: params.serialize_request(&key)?.pem()?,
        key: key_pem::to_pem(&key, None).map_err(PkiError::NewKey)?,
    })
}

impl Purpose {
    pub(super) fn allow(self, params: &mut CertificateParams) {
        use ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = match self {
            Self::Server => vec![ServerAuth],
            Self::Client => vec![ClientAuth],
            Self::Node => vec![
                ClientAuth,
                ExtendedKeyUsagePurpose::Other(NODE_USE.to_vec()),
            ],
            Self::Both => vec![ServerAuth, ClientAuth],
        };
        params.use_authority_key_identifier_extension = true;
    }
}

fn alt_names(names: &[String]) -> Result<Vec<SanType>, PkiError> {
    names.iter().map(|name| alt_name(name)).collect()
}

fn text_of(value: &DnValue) -> Option<String> {
    match value {
        DnValue::Utf8String(text) => Some(text.clone()),
        DnValue::PrintableString(text) => Some(text.as_str().to_owned()),
        DnValue::Ia5String(text) => Some(text.as_str().to_owned()),
        _ => None,
    }
}

fn shown(name: &SanType) -> String {
    match name {
        SanType::DnsName(name) | SanType::Rfc822Name(name) | SanType::URI(name) => {
            name.as_str().to_owned()
        }
        SanType::IpAddress(address) => address.to_string(),
        other => format!("{other:?}"),
    }
}

fn read(path: &Path) -> Result<String, PkiError> {
    let content = fs::read(path).map_err(|source| PkiError::Read {
        path: path.to_owned(),
        source,
    })?;
    Ok(String::from_utf8_lossy(PemText::new(&content).bytes()).into_owned())
}

/// Never shows the keys.
impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authority(…)")
    }
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pair(…)")
    }
}
