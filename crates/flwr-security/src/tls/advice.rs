//! Predicts why peers will refuse our own certificate. Daemons warn at the start and at each
//! reload, and checkups report it, before a peer connects.

use std::path::Path;

use rustls_pki_types::{CertificateDer, ServerName};
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::certificate::rare_key;
use super::chain::{self, Purpose};
use super::flaw::{Flaw, Problem, Whose};
use super::identity::Loaded;
use super::strict::{StrictServerVerifier, addresses_as_names};
use super::{Certificate, Reason};

/// The way out of most of it.
const WAY_OUT: &str = "clients will refuse it; `flwr cert new` makes a good one";

/// Why clients that trust the same roots may refuse a server's certificate.
pub(super) fn for_server(path: &Path, own: &Loaded, clients: &StrictServerVerifier) -> Vec<String> {
    let mut advice: Vec<_> = refused(own, clients).into_iter().collect();
    if advice.is_empty() {
        advice.extend(without_signing(&own.chain[0]));
    }
    for address in addresses_as_names(&own.chain[0]) {
        advice.push(format!(
            "it names {address} as a DNS name in its subjectAltName: flwr takes that for the \
             address, other clients may not; sign it anew with IP:{address}"
        ));
    }
    advice.extend(rare(&own.chain[0]));
    advice.extend(own.advice.iter().cloned());
    about_file(path, advice)
}

/// Why servers may refuse a client's certificate.
pub(super) fn for_client(path: &Path, own: &Loaded) -> Vec<String> {
    let mut advice: Vec<_> = without_signing(&own.chain[0]).into_iter().collect();
    advice.extend(rare(&own.chain[0]));
    if let Ok((_, read)) = X509Certificate::from_der(&own.chain[0])
        && !chain::is_meant_for(&read, Purpose::Client)
    {
        let flaw = Flaw::of_own(Problem::Purpose(Purpose::Client.name()));
        advice.push(format!("{flaw}: servers will refuse it"));
    }
    advice.extend(own.advice.iter().cloned());
    about_file(path, advice)
}

fn about_file(path: &Path, advice: Vec<String>) -> Vec<String> {
    let line = |advice| format!("{}: {advice}", path.display());
    advice.into_iter().map(line).collect()
}

fn refused(own: &Loaded, clients: &StrictServerVerifier) -> Option<String> {
    let now = OffsetDateTime::now_utc();
    let Certificate {
        not_before,
        not_after,
        names,
        ..
    } = &own.certificate;
    if *not_after < now {
        return Some(format!("it expired on {}: {WAY_OUT}", not_after.date()));
    }
    if *not_before > now {
        let from = not_before.date();
        return Some(format!("it is not valid before {from}: {WAY_OUT}"));
    }
    let Some(name) = names.first() else {
        return Some(format!(
            "it names no host in its subjectAltName, which clients need: {WAY_OUT}"
        ));
    };
    // A wildcard stands for names; one of them serves for this.
    let Ok(name) = ServerName::try_from(name.replace('*', "any")) else {
        return Some(format!(
            "{name:?} in its subjectAltName is no host name: {WAY_OUT}"
        ));
    };
    let (certificate, others) = own.chain.split_first()?;
    match clients.objection(certificate, others, &name)? {
        // The dates of CAs are told with all other dates.
        Reason::Chain(Flaw {
            whose: Whose::Ca(_),
            problem: Problem::Expired(_) | Problem::NotYetValid(_),
        }) => None,
        reason => Some(format!("{reason}: clients will refuse it")),
    }
}

fn rare(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, read) = X509Certificate::from_der(certificate).ok()?;
    rare_key(read.public_key())
}

/// Our programs take a certificate whose key may not sign, as webpki does. pip's do not.
fn without_signing(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, read) = X509Certificate::from_der(certificate).ok()?;
    let usage = read.key_usage().ok().flatten()?;
    let flaw = Flaw::of_own(Problem::SignsNothing);
    (!usage.value.digital_signature()).then(|| format!("{flaw}; pip's flwr refuses it"))
}
