//! The encoding of certificates, keys and lists in files. We read PEM text in all the shapes that
//! editors, copies and `openssl` produce. For other encodings the error names the encoding, and the
//! command that converts the file.

use std::path::Path;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use x509_parser::asn1_rs::{Any, Class, Oid};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::{CertificateRevocationList, FromDer, X509Certificate};
use zeroize::Zeroizing;

use super::chain::Purpose;

/// What OpenSSL calls a certificate with trust settings behind it.
const TRUSTED: &[u8] = b"-----BEGIN TRUSTED CERTIFICATE-----";
/// Labels of certificates, and the label of today.
const CERTIFICATE_LABELS: [(&str, &str); 4] = [
    ("-----BEGIN TRUSTED CERTIFICATE-----", BEGIN_CERTIFICATE),
    ("-----END TRUSTED CERTIFICATE-----", END_CERTIFICATE),
    ("-----BEGIN X509 CERTIFICATE-----", BEGIN_CERTIFICATE),
    ("-----END X509 CERTIFICATE-----", END_CERTIFICATE),
];
const BEGIN_CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";
const END_CERTIFICATE: &str = "-----END CERTIFICATE-----";

/// What a file should hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Certificates.
    Certificate,
    /// A private key.
    Key,
    /// Lists of revoked certificates.
    Crl,
    /// Any of these, or a certificate request.
    Any,
}

impl Wanted {
    /// It, in words.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Certificate => "a certificate",
            Self::Key => "a private key",
            Self::Crl => "a list of revoked certificates",
            Self::Any => "certificates, requests, lists or keys",
        }
    }
}

/// Why certificates cannot be taken from PEM text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// The text is damaged.
    Damaged,
    /// The trust settings of a `TRUSTED CERTIFICATE` exclude the use.
    Distrusted,
}

/// PEM text as its standard (RFC 7468) has it: UTF-8 without a byte order mark, each line without
/// blanks around it.
pub(crate) struct PemText {
    text: Zeroizing<Vec<u8>>,
    /// For each certificate: whether trust settings stand behind it.
    with_settings: Vec<bool>,
}

impl PemText {
    pub(crate) fn new(content: &[u8]) -> Self {
        let content = decoded(content);
        let mut text = Zeroizing::new(Vec::with_capacity(content.len()));
        let mut with_settings = Vec::new();
        // Old Macs end lines with a carriage return alone.
        let end = if content.contains(&b'\n') {
            b'\n'
        } else {
            b'\r'
        };
        for line in content.split(|byte| *byte == end) {
            let line = line.trim_ascii();
            let is_trusted = line == TRUSTED;
            let line = CERTIFICATE_LABELS
                .iter()
                .find(|(label, _)| label.as_bytes() == line)
                .map_or(line, |(_, today)| today.as_bytes());
            if line == BEGIN_CERTIFICATE.as_bytes() {
                with_settings.push(is_trusted);
            }
            text.extend_from_slice(line);
            text.push(b'\n');
        }
        Self {
            text,
            with_settings,
        }
    }

    /// The text.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.text
    }

    /// The certificates that may be used for `purpose`.
    pub(super) fn certificates(
        &self,
        purpose: Option<Purpose>,
    ) -> Result<Vec<CertificateDer<'static>>, Unreadable> {
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.text).collect();
        let found = found.map_err(|_| Unreadable::Damaged)?;
        let mut settings = self.with_settings.iter();
        let mut certificates = Vec::with_capacity(found.len());
        for certificate in found {
            if settings.next() == Some(&true) {
                certificates.push(trusted(&certificate, purpose)?);
            } else {
                certificates.push(certificate);
            }
        }
        Ok(certificates)
    }
}

/// Editors of Windows write a byte order mark, PowerShell's `>` UTF-16.
fn decoded(content: &[u8]) -> Zeroizing<Vec<u8>> {
    let utf16 = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
        let text = char::decode_utf16(units).map(|read| read.unwrap_or('\u{fffd}'));
        Zeroizing::new(text.collect::<String>().into_bytes())
    };
    match content {
        [0xef, 0xbb, 0xbf, text @ ..] => Zeroizing::new(text.to_vec()),
        [0xff, 0xfe, text @ ..] => utf16(text, u16::from_le_bytes),
        [0xfe, 0xff, text @ ..] => utf16(text, u16::from_be_bytes),
        text => Zeroizing::new(text.to_vec()),
    }
}

/// A certificate without what stands behind it.
pub(crate) fn without_settings(der: &[u8]) -> Option<&[u8]> {
    let (settings, _) = Any::from_der(der).ok()?;
    der.get(..der.len() - settings.len())
}

/// Takes the trust settings off a `TRUSTED CERTIFICATE`. The settings are kept to: whoever wrote
/// them said what the certificate may not be trusted for.
fn trusted(der: &[u8], purpose: Option<Purpose>) -> Result<CertificateDer<'static>, Unreadable> {
    let certificate = without_settings(der).ok_or(Unreadable::Damaged)?;
    let settings = &der[certificate.len()..];
    if let Some(purpose) = purpose
        && !settings.is_empty()
        && !settings_allow(settings, purpose)?
    {
        return Err(Unreadable::Distrusted);
    }
    Ok(CertificateDer::from(certificate.to_vec()))
}

/// `CertAux ::= SEQUENCE { trust SEQUENCE OF OID OPTIONAL, reject [0] SEQUENCE OF OID OPTIONAL, … }`
fn settings_allow(settings: &[u8], purpose: Purpose) -> Result<bool, Unreadable> {
    const SEQUENCE: u32 = 16;
    const REJECT: u32 = 0;
    let damaged = |_| Unreadable::Damaged;
    let (_, settings) = Any::from_der(settings).map_err(damaged)?;
    let mut rest = settings.data;
    let mut allowed = true;
    while !rest.is_empty() {
        let (after, part) = Any::from_der(rest).map_err(damaged)?;
        rest = after;
        match (part.header.class(), part.header.tag().0) {
            (Class::Universal, SEQUENCE) => allowed &= names_use(part.data, purpose)?,
            (Class::ContextSpecific, REJECT) => allowed &= !names_use(part.data, purpose)?,
            _ => {}
        }
    }
    Ok(allowed)
}

fn names_use(mut uses: &[u8], purpose: Purpose) -> Result<bool, Unreadable> {
    const ANY: &str = "2.5.29.37.0";
    let mut named = false;
    while !uses.is_empty() {
        let (rest, usage) = Oid::from_der(uses).map_err(|_| Unreadable::Damaged)?;
        uses = rest;
        let usage = usage.to_id_string();
        named |= usage == ANY || usage == purpose.oid();
    }
    Ok(named)
}

/// What a file holds instead of the PEM text that is wanted, and what to do; for files of which
/// that can be told.
pub(crate) fn found_instead(
    content: &[u8],
    path: &Path,
    wanted: Wanted,
) -> Option<(&'static str, String)> {
    let file = path.display();
    let text = PemText::new(content);
    let text = String::from_utf8_lossy(text.bytes());
    let has = |label: &str| text.contains(&format!("-----BEGIN {label}-----"));
    let convert = |line: String| format!("convert it: `{line}`");
    if has("PKCS7") || has("CMS") || has("PKCS #7 SIGNED DATA") {
        let line = format!("openssl pkcs7 -in {file} -print_certs -out {file}.pem");
        return Some(("PKCS#7", convert(line)));
    }
    if wanted == Wanted::Key && has("OPENSSH PRIVATE KEY") {
        let line = format!("ssh-keygen -p -m PEM -f {file}");
        return Some(("a private key of OpenSSH", convert(line)));
    }
    if let Some(other) = other_pem(&has, wanted) {
        return Some(other);
    }
    // JKS begins with a magic number, and no openssl reads it.
    if content.starts_with(&[0xfe, 0xed, 0xfe, 0xed]) {
        let line = format!(
            "keytool -importkeystore -srckeystore {file} -destkeystore {file}.p12 -deststoretype PKCS12"
        );
        return Some(("a Java keystore", convert(line)));
    }
    let (found, line) = binary(content, wanted)?;
    Some((found, convert(line.replace("FILE", &file.to_string()))))
}

/// PEM text of another thing.
fn other_pem(has: &dyn Fn(&str) -> bool, wanted: Wanted) -> Option<(&'static str, String)> {
    let swapped = "give the file that holds what is wanted: are two flags swapped?".to_owned();
    let key = ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"];
    match wanted {
        Wanted::Any => None,
        Wanted::Certificate if has("CERTIFICATE REQUEST") || has("NEW CERTIFICATE REQUEST") => {
            let way = "have a CA sign it, such as `flwr cert sign`";
            Some(("a certificate request, which no CA has signed", way.into()))
        }
        Wanted::Certificate | Wanted::Crl
            if key.into_iter().any(has) || has("ENCRYPTED PRIVATE KEY") =>
        {
            Some(("a private key", swapped))
        }
        Wanted::Certificate if has("X509 CRL") => Some(("a list of revoked certificates", swapped)),
        Wanted::Key if has("PUBLIC KEY") => Some((
            "a public key",
            "give the private key that it belongs to".to_owned(),
        )),
        Wanted::Key | Wanted::Crl if has("CERTIFICATE") => Some(("a certificate", swapped)),
        _ => None,
    }
}

/// What binary content is, and the command that makes PEM text of `FILE`.
fn binary(content: &[u8], wanted: Wanted) -> Option<(&'static str, String)> {
    /// `signedData`, which is how certificates are kept in PKCS#7.
    const SIGNED_DATA: &str = "1.2.840.113549.1.7.2";
    let (_, outer) = Any::from_der(content).ok()?;
    let first = Any::from_der(outer.data).ok().map(|(_, first)| first);
    let oid = Oid::from_der(outer.data).ok();
    let line = |line: &str| line.to_owned();
    if oid.is_some_and(|(_, oid)| oid.to_id_string() == SIGNED_DATA) {
        let make = "openssl pkcs7 -inform DER -in FILE -print_certs -out FILE.pem";
        return Some(("PKCS#7 (binary)", line(make)));
    }
    if X509Certificate::from_der(content).is_ok() {
        let make = "openssl x509 -inform DER -in FILE -out FILE.pem";
        return Some(("a certificate in DER", line(make)));
    }
    if CertificateRevocationList::from_der(content).is_ok() {
        let make = "openssl crl -inform DER -in FILE -out FILE.pem";
        return Some(("a list of revoked certificates in DER", line(make)));
    }
    if X509CertificationRequest::from_der(content).is_ok() {
        let make = "openssl req -inform DER -in FILE -out FILE.pem";
        return Some(("a certificate request in DER", line(make)));
    }
    // PFX ::= SEQUENCE { version INTEGER (3), … }
    if first.is_some_and(|first| first.header.tag().0 == 2 && first.data == [3]) {
        let make = match wanted {
            Wanted::Key => "openssl pkcs12 -in FILE -nocerts -nodes -out FILE.pem",
            Wanted::Certificate | Wanted::Crl => "openssl pkcs12 -in FILE -nokeys -out FILE.pem",
            Wanted::Any => "openssl pkcs12 -in FILE -nodes -out FILE.pem",
        };
        return Some(("PKCS#12", line(make)));
    }
    let key = PrivateKeyDer::try_from(content).is_ok()
        || pkcs8::EncryptedPrivateKeyInfoRef::try_from(content).is_ok();
    let make = "openssl pkey -inform DER -in FILE -out FILE.pem";
    key.then(|| ("a private key in DER", line(make)))
}

/// The lists of revoked certificates in PEM text.
pub(super) fn revocation_lists(
    text: &PemText,
) -> Result<Vec<CertificateRevocationListDer<'static>>, Unreadable> {
    CertificateRevocationListDer::pem_slice_iter(text.bytes())
        .collect::<Result<_, _>>()
        .map_err(|_| Unreadable::Damaged)
}

/// The private keys in PEM text that are not encrypted.
pub(super) fn private_keys(text: &PemText) -> Result<Vec<PrivateKeyDer<'static>>, Unreadable> {
    PrivateKeyDer::pem_slice_iter(text.bytes())
        .collect::<Result<_, _>>()
        .map_err(|_| Unreadable::Damaged)
}

#[cfg(test)]
mod tests;
