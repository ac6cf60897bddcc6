//! The expiry dates in a daemon's files: own certificates, CA certificates and revocation lists.

use std::path::{Path, PathBuf};

use flwr_core::checkup::Checkup;
use rustls_pki_types::CertificateDer;
use time::{Duration, OffsetDateTime};

use super::Certificate;

/// A file's entry with an expiry date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dated {
    file: PathBuf,
    role: Role,
    /// The subject of a certificate, or the issuer of a list.
    name: String,
    from: OffsetDateTime,
    until: OffsetDateTime,
    /// The entries of the same file that take over after its expiry.
    relief: Relief,
}

/// The use of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Our own certificate.
    Own,
    /// An intermediate CA, sent with our own certificate.
    Between,
    /// A trusted CA of servers.
    Root,
    /// A trusted CA of clients.
    ClientCa,
    /// A list of revoked certificates.
    RevocationList,
}

/// Whether other entries of the same file take over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relief {
    None,
    /// The file has other trusted certificates.
    Others,
    /// The file has an entry of the same name that is valid until this date.
    Successor(OffsetDateTime),
}

/// The state of an entry by its dates, with a text for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Valid for long enough.
    Good(String),
    /// Expired or about to expire, and a successor of the same name is in the file.
    Succeeded(String),
    /// About to expire, or expired while others are in use.
    Ending(String),
    /// Not valid yet.
    Early(String),
    /// Expired.
    Over(String),
}

impl Dated {
    /// The entries of our own certificate and its intermediate CAs.
    pub(super) fn of_chain(file: &Path, chain: &[CertificateDer<'_>]) -> Vec<Self> {
        let mut all = of_certificates(file, Role::Between, chain);
        if let Some(own) = all.first_mut() {
            own.role = Role::Own;
        }
        all
    }

    /// The entries of trusted CAs.
    pub(super) fn of_authorities(
        file: &Path,
        role: Role,
        authorities: &[CertificateDer<'_>],
    ) -> Vec<Self> {
        let mut all = of_certificates(file, role, authorities);
        let now = OffsetDateTime::now_utc();
        let known: Vec<_> = all
            .iter()
            .map(|of| (of.name.clone(), of.from, of.until))
            .collect();
        for of in &mut all {
            let later = known.iter().filter(|(_, from, until)| {
                // A successor serves before its forerunner ends.
                *until > of.until && *from <= of.until.max(now)
            });
            let successor = later.clone().find(|(name, ..)| *name == of.name);
            of.relief = match (successor, later.count()) {
                (Some((.., until)), _) => Relief::Successor(*until),
                (None, 0) => Relief::None,
                (None, _) => Relief::Others,
            };
        }
        all
    }

    /// The entry of a list of revoked certificates.
    pub(super) fn of_list(
        file: &Path,
        issuer: &str,
        from: OffsetDateTime,
        until: OffsetDateTime,
    ) -> Self {
        Self {
            file: file.to_owned(),
            role: Role::RevocationList,
            name: issuer.to_owned(),
            from,
            until,
            relief: Relief::None,
        }
    }

    /// Adds expired and soon expiring entries to a checkup, under `step`.
    pub fn tell(all: &[Self], step: &'static str, now: OffsetDateTime, checkup: &mut Checkup) {
        for dated in all {
            match dated.at(now) {
                Standing::Over(told) | Standing::Early(told) => checkup.failed(step, told, None),
                Standing::Ending(told) => checkup.warning(step, told, None),
                Standing::Succeeded(_) | Standing::Good(_) => {}
            }
        }
    }

    /// When the entry expires.
    #[must_use]
    pub const fn until(&self) -> OffsetDateTime {
        self.until
    }

    /// Whether peers see this certificate.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.role == Role::Own
    }

    /// The state of the entry at `now`.
    #[must_use]
    pub fn at(&self, now: OffsetDateTime) -> Standing {
        let (what, until) = (self.what(), self.until.date());
        let days = (self.until - now).whole_days();
        if self.from > now {
            let from = self.from.date();
            return Standing::Early(format!(
                "{what} is not valid before {from}: check the clock"
            ));
        }
        let is_over = self.until < now;
        if !is_over && self.until - now >= self.notice() {
            return Standing::Good(format!("{what} is valid for {days} days, until {until}"));
        }
        let ends = if is_over {
            format!("{what} {} on {until}", self.ended())
        } else {
            format!("{what} {} in {days} days, on {until}", self.ends())
        };
        match self.relief {
            Relief::Successor(until) => Standing::Succeeded(format!(
                "{ends}; its successor, until {}, is there",
                until.date()
            )),
            Relief::Others if is_over => Standing::Ending(format!(
                "{ends}, and nothing it has signed is trusted any more: take it out of the file"
            )),
            // A list of revoked certificates stays in use: what it revokes stays revoked.
            _ if is_over && self.role != Role::RevocationList => {
                Standing::Over(format!("{ends}: {}", self.way_out()))
            }
            _ => Standing::Ending(format!("{ends}: {}", self.way_out())),
        }
    }

    /// The time before expiry at which daemons warn. CAs renew lists more often than certificates, and a
    /// node renews its own certificate, which is valid for a month, when a third of that is left.
    fn notice(&self) -> Duration {
        let soon = Duration::days(Certificate::SOON);
        match self.role {
            Role::RevocationList | Role::Own => soon.min((self.until - self.from) / 4),
            _ => soon,
        }
    }

    fn what(&self) -> String {
        let (name, file) = (&self.name, self.file.display());
        match self.role {
            Role::Own => format!("certificate {name}"),
            Role::Between => format!("{file}: the CA certificate {name} in the chain"),
            Role::Root => format!("{file}: the CA certificate {name}"),
            Role::ClientCa => format!("{file}: the CA certificate {name} for clients"),
            Role::RevocationList => format!("{file}: the list of revoked certificates of {name}"),
        }
    }

    const fn ended(&self) -> &'static str {
        match self.role {
            Role::RevocationList => "should have been renewed",
            _ => "expired",
        }
    }

    const fn ends(&self) -> &'static str {
        match self.role {
            Role::RevocationList => "is to be renewed",
            _ => "expires",
        }
    }

    const fn way_out(&self) -> &'static str {
        match self.role {
            Role::Own => "renew it",
            Role::Between => "replace it, and sign the certificate anew",
            Role::Root => {
                "peers that trust it alone refuse what it has signed; give them its successor too"
            }
            Role::ClientCa => {
                "clients whose certificates it has signed are refused; add its successor"
            }
            Role::RevocationList => "get a newer list from the CA",
        }
    }
}

fn of_certificates(file: &Path, role: Role, certificates: &[CertificateDer<'_>]) -> Vec<Dated> {
    let read = certificates
        .iter()
        .filter_map(|der| Certificate::read(der).ok());
    read.map(|certificate| Dated {
        file: file.to_owned(),
        role,
        name: certificate.subject,
        from: certificate.not_before,
        until: certificate.not_after,
        relief: Relief::None,
    })
    .collect()
}
