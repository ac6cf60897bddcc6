//! The flaws of a certificate in a chain, in words.

use std::fmt;
use std::net::IpAddr;

use time::OffsetDateTime;

/// A certificate that is not good enough, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// The certificate.
    pub whose: Whose,
    /// What is wrong with it.
    pub problem: Problem,
}

/// Whose certificate it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// The peer's.
    Own,
    /// A CA's, by its subject.
    Ca(String),
}

/// What is wrong with a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// It cannot be read.
    Malformed,
    /// It was valid until this moment.
    Expired(OffsetDateTime),
    /// It is valid from this moment on.
    NotYetValid(OffsetDateTime),
    /// An extension that must be understood, and is not, by its number.
    Critical(String),
    /// It is a CA's, and shown for a server or client.
    IsCa,
    /// It is no CA's, and has signed others.
    NoCa,
    /// Its key usage does not allow to sign certificates.
    MayNotSign,
    /// Its key usage does not allow to sign a handshake.
    SignsNothing,
    /// Its extended key usage lacks this purpose.
    Purpose(&'static str),
    /// It allows this many CAs below it, and there are more.
    PathLength(u32),
    /// There are more CAs above it than this.
    TooLong(usize),
    /// webpki does not look that far up, and one of the CAs limits names.
    TooLongForNames,
    /// It names this address as a DNS name, and one of its CAs limits names.
    AddressAsName(IpAddr),
    /// It is signed with an algorithm that can be forged.
    WeakSignature(&'static str),
    /// Its RSA key has this many bits, which are too few.
    SmallKey(usize),
    /// It may sign only for certain names, as these words say, and this name is not among them.
    Names(String),
    /// Nobody has the name of its issuer.
    NoIssuer(String),
    /// A CA has the name of its issuer, and has not signed it.
    ForgedIssuer(String),
}

impl Flaw {
    pub(super) const fn new(whose: Whose, problem: Problem) -> Self {
        Self { whose, problem }
    }

    /// A flaw of the peer's own certificate.
    pub(super) const fn of_own(problem: Problem) -> Self {
        Self::new(Whose::Own, problem)
    }

    /// Whether nobody who is trusted vouches for the certificate.
    pub(super) const fn is_unknown_issuer(&self) -> bool {
        matches!(
            self.problem,
            Problem::NoIssuer(_) | Problem::ForgedIssuer(_)
        )
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.whose, self.problem)?;
        if matches!(self.whose, Whose::Ca(_)) && matches!(self.problem, Problem::Expired(_)) {
            f.write_str("; peers need its successor in their root certificate file")?;
        }
        Ok(())
    }
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own => f.write_str("its certificate"),
            Self::Ca(subject) => write!(f, "the certificate of its CA {subject}"),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("is malformed"),
            Self::Expired(on) => write!(f, "has expired on {}: renew it", on.date()),
            Self::NotYetValid(on) => write!(
                f,
                "is not valid yet (before {}): check the clocks",
                on.date()
            ),
            Self::Critical(oid) => write!(
                f,
                "has a critical extension that is not known here ({oid}): sign it anew without the extension"
            ),
            Self::IsCa => f.write_str(
                "is a CA's (CA:TRUE), which a server or client may show only if the root \
                 certificate file has the same certificate: use one with CA:FALSE",
            ),
            Self::NoCa => f.write_str(
                "is not a CA's (CA:FALSE, or no basicConstraints), and it has signed others: \
                 sign it anew with CA:TRUE",
            ),
            Self::MayNotSign => f.write_str(
                "has a keyUsage without keyCertSign, so that it may not sign others: sign it \
                 anew with keyCertSign",
            ),
            Self::SignsNothing => f.write_str(
                "has a keyUsage without digitalSignature, so that its key may not sign a \
                 handshake: sign it anew with digitalSignature",
            ),
            Self::Purpose(name) => write!(
                f,
                "has an extendedKeyUsage without {name}: sign it anew with {name}"
            ),
            Self::PathLength(most) => write!(
                f,
                "allows {most} CAs below it (pathlen:{most}), and there are more: have one \
                 nearer to it sign"
            ),
            Self::TooLongForNames => f.write_str(
                "has more than six CAs above it, one of which limits names (nameConstraints), \
                 which is not evaluated that far: have one nearer to the root sign",
            ),
            Self::AddressAsName(address) => write!(
                f,
                "names {address} as a DNS name, and one of its CAs limits names \
                 (nameConstraints), for which the two differ: sign it anew with IP:{address}"
            ),
            Self::TooLong(most) => write!(f, "is the last of more than {most} CAs"),
            Self::WeakSignature(algorithm) => write!(
                f,
                "is signed with {algorithm}, which can be forged: sign it anew with SHA-256"
            ),
            Self::SmallKey(bits) => write!(
                f,
                "has an RSA key of {bits} bits, which can be broken: 2048 or more are needed"
            ),
            Self::Names(limits) => write!(
                f,
                "allows it to sign {limits} (nameConstraints): no other name may be in what it signs"
            ),
            Self::NoIssuer(issuer) => write!(
                f,
                "is signed by a CA that is not trusted here: {issuer} is neither in the root \
                 certificate file nor in the file with the certificate"
            ),
            Self::ForgedIssuer(issuer) => write!(
                f,
                "is signed by a CA that is not trusted here: it says {issuer}, and the trusted \
                 CA of that name has another key"
            ),
        }
    }
}
