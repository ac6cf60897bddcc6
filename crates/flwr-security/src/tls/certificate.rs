//! Describes a certificate for people.

use flwr_core::id::NodeId;
use time::OffsetDateTime;
use x509_parser::der_parser::oid::Oid;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate, X509Version};
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::reason::Reason;
use crate::key;

/// The extended key usage of SuperNodes, beside clientAuth. The last number is a random one: under
/// 2.25 nobody asks a registry (ITU-T X.667).
pub(crate) const NODE_USE: &[u64] = &[2, 25, 7_482_935_160_284_719_053];

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
    /// Whether it is marked as a SuperNode's, by [`NODE_USE`] among its extended key usages.
    pub is_node: bool,
    /// To whom the CA for nodes has issued it. `None` for certificates of other CAs, and where nobody
    /// has looked.
    pub issued: Option<Issued>,
    /// Whether it is of X.509 version 3; TLS stacks of today take no other.
    pub is_v3: bool,
    /// From when on it is valid.
    pub not_before: OffsetDateTime,
    /// Until when it is valid.
    pub not_after: OffsetDateTime,
}

/// To whom the CA for nodes has issued a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// The node.
    pub node: NodeId,
    /// The node's key, which is the certificate's.
    pub key: key::PublicKey,
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
            is_node: is_node(&certificate),
            issued: None,
            is_v3: certificate.version() == X509Version::V3,
            not_before: certificate.validity().not_before.to_datetime(),
            not_after: certificate.validity().not_after.to_datetime(),
        })
    }

    /// Who it is for, as far as its renewals say the same: its subject, or its names where the
    /// subject is empty.
    #[must_use]
    pub fn owner(&self) -> String {
        if !self.subject.is_empty() {
            return self.subject.clone();
        }
        let names = self.names.iter().chain(&self.other_names);
        names.map(String::as_str).collect::<Vec<_>>().join(", ")
    }

    /// The node that the certificate names, as the CA for nodes does it: the Common Name is the node's
    /// id, there is no other name, and the certificate is marked as a node's.
    pub(crate) fn named_node(&self) -> Option<NodeId> {
        let has_others = !self.names.is_empty() || !self.other_names.is_empty();
        let name = self.common_name.as_ref().filter(|_| !has_others)?;
        let node = NodeId(name.parse().ok()?);
        (self.is_node && node.to_string() == *name).then_some(node)
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
}

/// Whether it is of an old version, or says in its subject only whom it is for.
pub(super) fn is_legacy(certificate: &X509Certificate<'_>) -> bool {
    certificate.version() != X509Version::V3
        || !matches!(certificate.subject_alternative_name(), Ok(Some(_)) | Err(_))
}

fn is_node(certificate: &X509Certificate<'_>) -> bool {
    let Ok(Some(usage)) = certificate.extended_key_usage() else {
        return false;
    };
    let is_it = |oid: &Oid<'_>| {
        oid.iter()
            .is_some_and(|arcs| arcs.eq(NODE_USE.iter().copied()))
    };
    usage.value.other.iter().any(is_it)
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

/// A name as a subjectAltName or a name constraint has it.
pub(super) fn shown(name: &GeneralName<'_>) -> String {
    match name {
        GeneralName::IPAddress(bytes) => address_range(bytes),
        GeneralName::DirectoryName(name) => name.to_string(),
        other => host_name(other)
            .or_else(|| other_name(other))
            .unwrap_or_else(|| other.to_string()),
    }
}

/// An address, or one with its mask.
fn address_range(bytes: &[u8]) -> String {
    let (address, mask) = match bytes.len() {
        8 | 32 => bytes.split_at(bytes.len() / 2),
        _ => (bytes, &[][..]),
    };
    let shown = |bytes| ip_address(bytes).unwrap_or_else(|| hex::encode(bytes));
    if mask.is_empty() {
        return shown(address);
    }
    let ones: u32 = mask.iter().map(|byte| byte.count_ones()).sum();
    format!("{}/{ones}", shown(address))
}

/// The DNS names of its subjectAltName.
pub(super) fn dns_names(certificate: &X509Certificate<'_>) -> Vec<String> {
    names(certificate, |name| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    })
}

/// RSA keys under this are refused by TLS stacks of today.
const RSA_BITS: usize = 2048;

/// The bits of an RSA key that is too small.
pub(crate) fn small_rsa(spki: &SubjectPublicKeyInfo<'_>) -> Option<usize> {
    match spki.parsed() {
        Ok(PublicKey::RSA(key)) => Some(key.key_size()).filter(|bits| *bits < RSA_BITS),
        _ => None,
    }
}

/// What few peers can do with a key of this kind. gRPC in C, and so pip's flwr, is built with a TLS
/// library that checks handshakes signed with RSA, P-256 and P-384 only.
pub(crate) fn rare_key(spki: &SubjectPublicKeyInfo<'_>) -> Option<String> {
    const ED25519: &str = "1.3.101.112";
    let kind = match spki.parsed() {
        Ok(PublicKey::EC(point)) if point.key_size() > 384 => "EC P-521",
        _ if spki.algorithm.algorithm.to_id_string() == ED25519 => "Ed25519",
        _ => return None,
    };
    Some(format!(
        "its key is of kind {kind}, with which only this project's programs connect: pip's flwr \
         (and all of gRPC in C) takes RSA, EC P-256 and P-384"
    ))
}
