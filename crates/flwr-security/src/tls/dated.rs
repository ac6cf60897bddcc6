//! Everything in a daemon's files that has an end: certificates of its own and of CAs, and lists of
//! revoked certificates.

use std::path::{Path, PathBuf};

use flwr_core::checkup::Checkup;
use rustls_pki_types::CertificateDer;
use time::{Duration, OffsetDateTime};

use super::Certificate;

/// Something with an end, in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dated {
    file: PathBuf,
    role: Role,
    /// The subject of a certificate, the issuer of a list.
    name: String,
    from: OffsetDateTime,
    until: OffsetDateTime,
    /// What the same file holds for the time after it.
    relief: Relief,
}

/// What it is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// To be shown.
    Own,
    /// To be shown with one's own, as a CA between that and a root.
    Between,
    /// To be trusted as the CA of servers.
    Root,
    /// To be trusted as the CA of clients.
    ClientCa,
    /// To tell which certificates were revoked.
    RevocationList,
}

/// Whether others of the same file step in for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relief {
    None,
    /// There are others that are trusted.
    Others,
    /// There is one of the same name that is valid until then.
    Successor(OffsetDateTime),
}

/// How something stands with its dates, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// There is time.
    Good(String),
    /// It is at its end, and another of the same name is there.
    Succeeded(String),
    /// It ends soon, or has ended while others serve.
    Ending(String),
    /// It is not valid yet.
    Early(String),
    /// It has ended.
    Over(String),
}

impl Dated {
    /// One's own certificate, and those of CAs that follow it.
    pub(super) fn of_chain(file: &Path, chain: &[CertificateDer<'_>]) -> Vec<Self> {
        let mut all = of_certificates(file, Role::Between, chain);
        if let Some(own) = all.first_mut() {
            own.role = Role::Own;
        }
        all
    }

    /// CAs that are trusted.
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

    /// A list of revoked certificates, by its issuer.
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

    /// Adds what has ended or soon will to a checkup, under `step`.
    pub fn tell(all: &[Self], step: &'static str, now: OffsetDateTime, checkup: &mut Checkup) {
        for dated in all {
            match dated.at(now) {
                Standing::Over(told) | Standing::Early(told) => checkup.failed(step, told, None),
                Standing::Ending(told) => checkup.warning(step, told, None),
                Standing::Succeeded(_) | Standing::Good(_) => {}
            }
        }
    }

    /// Whether it is what peers are shown.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.role == Role::Own
    }

    /// How it stands at this moment.
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

    /// How long before its end it is told. Lists are published more often than certificates.
    fn notice(&self) -> Duration {
        let soon = Duration::days(Certificate::SOON);
        match self.role {
            Role::RevocationList => soon.min((self.until - self.from) / 4),
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
