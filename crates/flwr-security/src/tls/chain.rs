//! Follows a certificate from issuer to issuer up to a trusted root, and names the first thing
//! that is wrong with it.
//!
//! webpki decides, and is brief: "unknown issuer", or a code. This search says which certificate is
//! at fault, and why. It also checks what webpki leaves out: the dates of roots, and the key usage
//! of CAs. It does not evaluate name constraints, which webpki does; where webpki could not get that
//! far, a chain with name constraints is refused.

use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::extensions::NameConstraints;
use x509_parser::oid_registry::OID_X509_EXT_NAME_CONSTRAINTS;
use x509_parser::prelude::{FromDer, ParsedExtension, X509Certificate};

use super::certificate;
use super::flaw::{Flaw, Problem, Whose};
use super::roots::Roots;
use super::signed::weakness;

mod checks;

pub(crate) use checks::has_signed;
pub(super) use checks::is_meant_for;
use checks::{check_own, constraints, dates, is_readable, may_sign, unknown_critical};

/// CAs between a certificate and its root. webpki stops at six; no real hierarchy has more than
/// this.
const MOST_BETWEEN: usize = 16;
/// Signatures that are checked for one certificate, as many as webpki checks: a peer chooses what
/// it sends, and must not keep us busy with it.
const MOST_SIGNATURES: usize = 100;

/// What a certificate is shown for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To be a server.
    Server,
    /// To be a client.
    Client,
}

impl Purpose {
    /// The purpose's number in extendedKeyUsage.
    pub(super) const fn oid(self) -> &'static str {
        match self {
            Self::Server => "1.3.6.1.5.5.7.3.1",
            Self::Client => "1.3.6.1.5.5.7.3.2",
        }
    }

    /// The purpose's name in extendedKeyUsage.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Server => "serverAuth",
            Self::Client => "clientAuth",
        }
    }
}

/// A good way from a certificate to a root.
#[derive(Debug)]
pub(super) struct Path {
    /// The CA that limits the names it signs for, and the limits in words.
    pub(super) constraints: Option<(String, String)>,
    /// The root.
    pub(super) root: CertificateDer<'static>,
}

/// Looks for a way from `certificate` over some of `others` to one of the roots.
pub(super) fn examine(
    certificate: &CertificateDer<'_>,
    others: &[CertificateDer<'_>],
    roots: &Roots,
    now: UnixTime,
    purpose: Purpose,
) -> Result<Path, Flaw> {
    Search::new(others, roots, now, purpose).find(certificate)
}

/// Checks a certificate that is trusted itself, byte for byte: nobody else vouches for it.
pub(super) fn examine_pinned(
    certificate: &CertificateDer<'_>,
    now: UnixTime,
    purpose: Purpose,
) -> Result<(), Flaw> {
    let (_, own) =
        X509Certificate::from_der(certificate).map_err(|_| Flaw::of_own(Problem::Malformed))?;
    check_own(&own, now, purpose, true)?;
    // webpki does not look at the key usage of such a certificate, and openssl does.
    let usage = own.key_usage().ok().flatten();
    if usage.is_some_and(|usage| !usage.value.digital_signature()) {
        return Err(Flaw::of_own(Problem::SignsNothing));
    }
    Ok(())
}

/// One search.
pub(super) struct Search<'a> {
    others: Vec<X509Certificate<'a>>,
    roots: &'a Roots,
    now: UnixTime,
    purpose: Purpose,
    /// Signatures that may still be checked.
    signatures: usize,
    /// The flaw that was met nearest to a root, and how far that was.
    worst: Option<(usize, Flaw)>,
}

impl<'a> Search<'a> {
    pub(super) fn new(
        others: &'a [CertificateDer<'_>],
        roots: &'a Roots,
        now: UnixTime,
        purpose: Purpose,
    ) -> Self {
        let others = others.iter();
        let parsed = others.filter_map(|other| X509Certificate::from_der(other).ok());
        Self {
            others: parsed.map(|(_, other)| other).collect(),
            roots,
            now,
            purpose,
            signatures: MOST_SIGNATURES,
            worst: None,
        }
    }

    pub(super) fn find(&mut self, certificate: &'a CertificateDer<'_>) -> Result<Path, Flaw> {
        let malformed = || Flaw::of_own(Problem::Malformed);
        let (_, own) = X509Certificate::from_der(certificate).map_err(|_| malformed())?;
        check_own(&own, self.now, self.purpose, false)?;
        let mut way = vec![own];
        if let Some(path) = self.climb(&mut way) {
            return Ok(path);
        }
        Err(self.worst.take().map_or_else(malformed, |(_, flaw)| flaw))
    }

    /// Signatures that may still be checked.
    #[cfg(test)]
    pub(super) const fn signatures_left(&self) -> usize {
        self.signatures
    }

    /// Looks for the issuers of the last certificate of `way`, which begins with the peer's own.
    fn climb(&mut self, way: &mut Vec<X509Certificate<'a>>) -> Option<Path> {
        let current = way.last()?.clone();
        let height = way.len();
        if let Some(weak) = weakness(&current.signature_algorithm) {
            self.note(height, Flaw::new(whose(way), Problem::WeakSignature(weak)));
            return None;
        }
        let issuer = current.issuer().as_raw();
        let mut signed_by_some = false;
        let mut named = false;
        let roots = self.roots;
        for root in roots.with_subject(issuer) {
            named = true;
            if self.has_signed(&root, &current, height) {
                signed_by_some = true;
                match self.check_dates(&root) {
                    Ok(()) => return Some(path(way, &root)),
                    Err(flaw) => self.note(height + 1, flaw),
                }
            }
        }
        for index in self.issuers_between(issuer, way) {
            let other = self.others[index].clone();
            named = true;
            if !self.has_signed(&other, &current, height) {
                continue;
            }
            signed_by_some = true;
            if let Err(flaw) = self.check_issuer(&other, way) {
                self.note(height + 1, flaw);
                continue;
            }
            way.push(other);
            let found = self.climb(way);
            if found.is_some() {
                return found;
            }
            way.pop();
        }
        if !signed_by_some {
            let issuer = current.issuer().to_string();
            let problem = if named {
                Problem::ForgedIssuer(issuer)
            } else {
                Problem::NoIssuer(issuer)
            };
            self.note(height, Flaw::new(whose(way), problem));
        }
        None
    }

    /// The CAs of this name that the peer has shown, and that are not on the way already.
    fn issuers_between(&self, name: &[u8], way: &[X509Certificate<'_>]) -> Vec<usize> {
        let is_new = |ca: &X509Certificate<'_>| {
            let mut before = way.iter().filter(|ca| ca.subject().as_raw() == name);
            !before.any(|before| before.public_key().raw == ca.public_key().raw)
        };
        let others = self.others.iter().enumerate();
        others
            .filter(|(_, ca)| ca.subject().as_raw() == name && is_new(ca))
            .map(|(index, _)| index)
            .collect()
    }

    fn note(&mut self, height: usize, flaw: Flaw) {
        if self.worst.as_ref().is_none_or(|(most, _)| *most < height) {
            self.worst = Some((height, flaw));
        }
    }

    fn has_signed(
        &mut self,
        issuer: &X509Certificate<'_>,
        certificate: &X509Certificate<'_>,
        height: usize,
    ) -> bool {
        let Some(left) = self.signatures.checked_sub(1) else {
            return false;
        };
        self.signatures = left;
        if let Some(bits) = certificate::small_rsa(issuer.public_key()) {
            self.note(height + 1, ca_flaw(issuer, Problem::SmallKey(bits)));
            return false;
        }
        has_signed(issuer, certificate)
    }

    /// Whether `issuer` may sign the last certificate of `way`, now and for this purpose.
    fn check_issuer(
        &self,
        issuer: &X509Certificate<'_>,
        way: &[X509Certificate<'_>],
    ) -> Result<(), Flaw> {
        let flaw = |problem| Err(ca_flaw(issuer, problem));
        if !is_readable(issuer) {
            return flaw(Problem::Malformed);
        }
        self.check_dates(issuer)?;
        if let Some(oid) = unknown_critical(issuer) {
            return flaw(Problem::Critical(oid));
        }
        let Some(constraints) = constraints(issuer).filter(|constraints| constraints.ca) else {
            return flaw(Problem::NoCa);
        };
        let between = way.iter().skip(1);
        let between = between.filter(|ca| ca.subject().as_raw() != ca.issuer().as_raw());
        if let Some(most) = constraints.path_len_constraint
            && between.count() > most as usize
        {
            return flaw(Problem::PathLength(most));
        }
        if way.len() > MOST_BETWEEN {
            return flaw(Problem::TooLong(MOST_BETWEEN));
        }
        if !may_sign(issuer) {
            return flaw(Problem::MayNotSign);
        }
        if !is_meant_for(issuer, self.purpose) {
            return flaw(Problem::Purpose(self.purpose.name()));
        }
        Ok(())
    }

    fn check_dates(&self, issuer: &X509Certificate<'_>) -> Result<(), Flaw> {
        dates(issuer, self.now).map_or(Ok(()), |problem| Err(ca_flaw(issuer, problem)))
    }
}

fn path(way: &[X509Certificate<'_>], root: &X509Certificate<'_>) -> Path {
    let limits = |ca: &X509Certificate<'_>| {
        let mut extensions = ca.extensions().iter();
        let found = extensions.find(|extension| extension.oid == OID_X509_EXT_NAME_CONSTRAINTS)?;
        let words = match found.parsed_extension() {
            ParsedExtension::NameConstraints(limits) => limits_in_words(limits),
            _ => "only for names that cannot be read".to_owned(),
        };
        Some((ca.subject().to_string(), words))
    };
    let mut authorities = way.iter().skip(1).chain([root]);
    Path {
        constraints: authorities.find_map(limits),
        root: CertificateDer::from(root.as_raw().to_vec()),
    }
}

fn limits_in_words(limits: &NameConstraints<'_>) -> String {
    let list = |trees: &Option<Vec<x509_parser::extensions::GeneralSubtree<'_>>>| {
        let trees = trees.iter().flatten();
        let names = trees.map(|tree| certificate::shown(&tree.base));
        names.collect::<Vec<_>>().join(", ")
    };
    let (only, never) = (
        list(&limits.permitted_subtrees),
        list(&limits.excluded_subtrees),
    );
    match (only.is_empty(), never.is_empty()) {
        (false, true) => format!("only for {only}"),
        (true, false) => format!("for all but {never}"),
        _ => format!("only for {only}, but not for {never}"),
    }
}

/// Whose certificate is the last of this way.
fn whose(way: &[X509Certificate<'_>]) -> Whose {
    match way {
        [.., ca] if way.len() > 1 => Whose::Ca(ca.subject().to_string()),
        _ => Whose::Own,
    }
}

fn ca_flaw(ca: &X509Certificate<'_>, problem: Problem) -> Flaw {
    Flaw::new(Whose::Ca(ca.subject().to_string()), problem)
}
