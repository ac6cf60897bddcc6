//! Describes the content of a PEM file in words, with the problems to expect.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use pem::Pem;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::{
    CertificateRevocationList, FromDer, ParsedExtension, X509Certificate, X509Version,
};
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;
use zeroize::Zeroizing;

use super::PkiError;
use super::key_pem::is_encrypted;
use crate::tls::encoding::{PemText, Wanted, found_instead, without_settings};
use crate::tls::{Certificate, rare_key, small_rsa, weakness};

/// The description of an item in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The kind of item.
    pub kind: &'static str,
    /// The facts, each with a name.
    pub facts: Vec<(&'static str, String)>,
    /// What will fail with the item, and what to do.
    pub warnings: Vec<String>,
}

/// Describes all items of a PEM file.
///
/// # Errors
/// If the file cannot be read, or has no certificate, request, list of revoked certificates or
/// private key.
pub fn inspect(path: &Path, now: OffsetDateTime) -> Result<Vec<Report>, PkiError> {
    let unreadable = |source| PkiError::Read {
        path: path.to_owned(),
        source,
    };
    let content = Zeroizing::new(fs::read(path).map_err(unreadable)?);
    let mode = fs::metadata(path).map_err(unreadable)?.permissions().mode();
    let text = PemText::new(&content);
    let blocks = pem::parse_many(text.bytes()).unwrap_or_default();
    let reports: Vec<_> = blocks
        .iter()
        .filter_map(|block| report(block, path, mode, now))
        .collect();
    if !reports.is_empty() {
        return Ok(reports);
    }
    Err(match found_instead(&content, path, Wanted::Any) {
        Some((found, way_out)) => PkiError::Encoding {
            path: path.to_owned(),
            found,
            way_out,
        },
        None => PkiError::Unknown(path.to_owned()),
    })
}

fn report(block: &Pem, path: &Path, mode: u32, now: OffsetDateTime) -> Option<Report> {
    match block.tag() {
        "CERTIFICATE" => Some(certificate(block.contents(), now)),
        "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => Some(request(block.contents())),
        "X509 CRL" => Some(revocation_list(block.contents(), now)),
        tag if tag.ends_with("PRIVATE KEY") => Some(private_key(block, path, mode)),
        _ => None,
    }
}

fn damaged(kind: &'static str) -> Report {
    Report {
        kind,
        facts: Vec::new(),
        warnings: vec!["it is damaged".to_owned()],
    }
}

fn certificate(block: &[u8], now: OffsetDateTime) -> Report {
    const KIND: &str = "certificate";
    // What OpenSSL calls a trusted certificate has settings behind it.
    let Some(der) = without_settings(block) else {
        return damaged(KIND);
    };
    let (Ok((_, parsed)), Ok(told)) = (X509Certificate::from_der(der), Certificate::read(der))
    else {
        return damaged(KIND);
    };
    let is_ca = parsed.is_ca();
    let days = told.days_left(now);
    let mut facts = vec![
        ("subject", told.subject.clone()),
        ("issuer", parsed.issuer().to_string()),
    ];
    let names: Vec<_> = told
        .names
        .iter()
        .chain(&told.other_names)
        .cloned()
        .collect();
    if !names.is_empty() {
        facts.push(("names", names.join(", ")));
    }
    facts.push((
        "valid",
        format!(
            "{} to {} ({days} days left)",
            told.not_before.date(),
            told.not_after.date()
        ),
    ));
    facts.push(("use", uses(&parsed, &told)));
    facts.push(("key", key(parsed.public_key())));
    facts.push(("SHA-256", hex::encode(Sha256::digest(der))));
    let mut warnings: Vec<_> = dates(&told, now).into_iter().collect();
    if !is_ca {
        warnings.extend(names_missing(&parsed, &told));
        warnings.extend(rare_key(parsed.public_key()));
        warnings.extend(signs_nothing(&parsed));
    } else if is_self_signed(&parsed) && signs_nothing(&parsed).is_none() {
        // `openssl req -x509` makes a CA of a server's certificate.
        let rare = rare_key(parsed.public_key());
        warnings.extend(rare.map(|text| format!("if a server is to show it: {text}")));
    }
    warnings.extend(weak_key(parsed.public_key()));
    warnings.extend(weak_signature(&parsed));
    Report {
        kind: KIND,
        facts,
        warnings,
    }
}

fn dates(told: &Certificate, now: OffsetDateTime) -> Option<String> {
    let (from, until) = (told.not_before.date(), told.not_after.date());
    match told.days_left(now) {
        _ if told.not_after < now => Some(format!("it expired on {until}: renew it")),
        _ if told.not_before > now => Some(format!("it is not valid before {from}")),
        days if days < Certificate::SOON => Some(format!("it expires in {days} days: renew it")),
        _ => None,
    }
}

fn names_missing(parsed: &X509Certificate<'_>, told: &Certificate) -> Option<String> {
    if parsed.version() != X509Version::V3 {
        return Some(
            "it is of X.509 version 1, which TLS does not accept any more: sign its request anew \
             with `flwr cert sign`, or allow it with --ssl-allow-legacy-certificates"
                .to_owned(),
        );
    }
    told.is_legacy().then(|| {
        "it has no subjectAltName: as a server's it is refused; sign its request anew with \
         `flwr cert sign --name HOST`, or allow it with --ssl-allow-legacy-certificates"
            .to_owned()
    })
}

/// A key that may not sign a handshake.
fn signs_nothing(parsed: &X509Certificate<'_>) -> Option<String> {
    let usage = parsed.key_usage().ok().flatten()?;
    (!usage.value.digital_signature()).then(|| {
        "its keyUsage lacks digitalSignature: pip's flwr refuses it; sign it anew with \
         digitalSignature"
            .to_owned()
    })
}

fn uses(parsed: &X509Certificate<'_>, told: &Certificate) -> String {
    if parsed.is_ca() {
        return "signs other certificates (CA)".to_owned();
    }
    let extended = parsed.extended_key_usage().ok().flatten();
    match extended.map(|usage| (usage.value.server_auth, usage.value.client_auth)) {
        None | Some((true, true)) => "server and client".to_owned(),
        Some((false, true)) if told.is_node => "client, as a SuperNode".to_owned(),
        Some((true, false)) => "server".to_owned(),
        Some((false, true)) => "client".to_owned(),
        Some((false, false)) => "neither server nor client".to_owned(),
    }
}

fn key(spki: &SubjectPublicKeyInfo<'_>) -> String {
    match spki.parsed() {
        Ok(PublicKey::RSA(key)) => format!("RSA, {} bits", key.key_size()),
        Ok(PublicKey::EC(point)) => format!("EC, {} bits", curve_bits(point.key_size())),
        _ => match spki.algorithm.algorithm.to_id_string().as_str() {
            "1.3.101.112" => "Ed25519".to_owned(),
            other => format!("of kind {other}"),
        },
    }
}

/// The bits of a curve. `bits` is the size of a coordinate in whole bytes: P-521 has 66 bytes.
const fn curve_bits(bits: usize) -> usize {
    if bits == 528 { 521 } else { bits }
}

fn weak_key(spki: &SubjectPublicKeyInfo<'_>) -> Option<String> {
    small_rsa(spki)
        .map(|bits| format!("its RSA key has {bits} bits: TLS stacks of today want 2048 or more"))
}

fn is_self_signed(parsed: &X509Certificate<'_>) -> bool {
    parsed.issuer().as_raw() == parsed.subject().as_raw()
}

/// The problem of a signature with MD5 or SHA-1.
fn weak_signature(parsed: &X509Certificate<'_>) -> Option<String> {
    // Nobody looks at how a root has signed itself.
    let weak = weakness(&parsed.signature_algorithm).filter(|_| !is_self_signed(parsed));
    weak.map(|algorithm| {
        format!("it is signed with {algorithm}, which is refused today: sign it anew with SHA-256")
    })
}

fn request(der: &[u8]) -> Report {
    const KIND: &str = "certificate request";
    let Ok((_, parsed)) = X509CertificationRequest::from_der(der) else {
        return damaged(KIND);
    };
    let info = &parsed.certification_request_info;
    let mut facts = vec![
        ("subject", info.subject.to_string()),
        ("key", key(&info.subject_pki)),
    ];
    let extensions = parsed.requested_extensions().into_iter().flatten();
    let names: Vec<_> = extensions
        .filter_map(|extension| match extension {
            ParsedExtension::SubjectAlternativeName(names) => Some(names),
            _ => None,
        })
        .flat_map(|names| names.general_names.iter().map(ToString::to_string))
        .collect();
    let mut warnings = Vec::new();
    if names.is_empty() {
        warnings.push(
            "it asks for no subjectAltName: `flwr cert sign` takes its Common Name for one, \
             openssl none"
                .to_owned(),
        );
    } else {
        facts.push(("names", names.join(", ")));
    }
    if parsed.verify_signature().is_err() {
        warnings.push("it is not signed with its own key: no CA should sign it".to_owned());
    }
    warnings.extend(weak_key(&info.subject_pki));
    warnings.extend(rare_key(&info.subject_pki));
    Report {
        kind: KIND,
        facts,
        warnings,
    }
}

fn revocation_list(der: &[u8], now: OffsetDateTime) -> Report {
    const KIND: &str = "list of revoked certificates";
    let Ok((_, parsed)) = CertificateRevocationList::from_der(der) else {
        return damaged(KIND);
    };
    let next = parsed.next_update().map(|next| next.to_datetime());
    let mut facts = vec![
        ("issuer", parsed.issuer().to_string()),
        (
            "revoked",
            parsed.iter_revoked_certificates().count().to_string(),
        ),
    ];
    if let Some(next) = next {
        facts.push(("next", next.date().to_string()));
    }
    let overdue = next.filter(|next| *next < now);
    Report {
        kind: KIND,
        facts,
        warnings: overdue
            .map(|next| format!("a newer list was due on {}", next.date()))
            .into_iter()
            .collect(),
    }
}

fn private_key(block: &Pem, path: &Path, mode: u32) -> Report {
    let encrypted = is_encrypted(block);
    let mut warnings = Vec::new();
    if encrypted {
        warnings.push(
            "it is encrypted: a CA's may be, but a daemon cannot type a passphrase; `openssl pkey \
             -in FILE -out PLAIN` decrypts it"
                .to_owned(),
        );
    }
    if mode & 0o077 != 0 {
        warnings.push(format!(
            "others than its owner can read it: chmod 600 {}",
            path.display()
        ));
    }
    Report {
        kind: "private key",
        facts: vec![("encrypted", if encrypted { "yes" } else { "no" }.to_owned())],
        warnings,
    }
}
