//! Files that change while a daemon runs: certificates, keys and lists. They are read again on
//! SIGHUP and when they change. Connections stay; what comes next meets the new files. A file that
//! is not usable is told, and what was read before stays in use.

use std::error::Error as StdError;
use std::fmt::Debug;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use flwr_core::cause::chain;
use flwr_security::allow_list::AllowList;
use flwr_security::client_list::ClientList;
use flwr_security::from_file::FromFile;
use flwr_security::tls::{Certificate, ClientTls, ServerTls};
use time::OffsetDateTime;
use tokio::fs;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};
use tracing::{error, info, warn};

use crate::clock::Clock;
use crate::stop::Stopper;

/// How often files are looked at. Looking costs less than being told would in code, and works on
/// every file system, also where a directory is swapped as a whole.
const PERIOD: Duration = Duration::from_secs(1);
/// How often it is said that a certificate will expire.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Something that is read from files.
pub trait Renewable: Debug + Send + Sync {
    /// Its files.
    fn paths(&self) -> Vec<PathBuf>;

    /// Reads them again, and says what is in use now.
    ///
    /// # Errors
    /// If they are not usable.
    fn renew(&self) -> Result<String, Box<dyn StdError + Send + Sync>>;

    /// The certificate that must not expire.
    fn certificate(&self) -> Option<Certificate> {
        None
    }
}

/// All of that a daemon has, each under the flag that named it.
#[derive(Clone, Debug)]
pub struct Renewals {
    parts: Vec<(&'static str, Arc<dyn Renewable>)>,
    clock: Arc<dyn Clock>,
}

impl Renewals {
    /// Nothing yet.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            parts: Vec::new(),
            clock,
        }
    }

    /// Adds what was given with `flag`.
    pub fn add(&mut self, flag: &'static str, part: Arc<dyn Renewable>) {
        self.parts.push((flag, part));
    }

    /// Reads all files again, off the async workers.
    pub async fn renew(&self) {
        if self.parts.is_empty() {
            info!("SIGHUP: nothing to read again");
        }
        for (flag, part) in &self.parts {
            renew(flag, part).await;
        }
    }

    /// Reads again what changes, and says which certificates will expire, until it is time to stop.
    pub async fn run(self, stopper: Stopper) {
        self.log_expiry(i64::MAX);
        stopper.run_until_stopped(self.watch()).await;
    }

    async fn watch(&self) {
        let mut watched = Vec::new();
        for (flag, part) in &self.parts {
            let seen = look(&part.paths()).await;
            watched.push((flag, part, seen.clone(), seen));
        }
        let mut told = Instant::now();
        loop {
            sleep(PERIOD).await;
            for (flag, part, known, last) in &mut watched {
                let seen = look(&part.paths()).await;
                // Certificate and key are two files, and writing takes time: they are read when
                // they have been left alone for a while.
                if seen != *known && seen == *last {
                    renew(flag, part).await;
                    *known = seen.clone();
                }
                *last = seen;
            }
            if told.elapsed() >= DAY {
                told = Instant::now();
                self.log_expiry(Certificate::SOON);
            }
        }
    }

    /// Says of each certificate that has at most so many days left how many it has.
    fn log_expiry(&self, most: i64) {
        let now = self.clock.now().to_date_time();
        let now = now.unwrap_or(OffsetDateTime::UNIX_EPOCH);
        for (flag, part) in &self.parts {
            let Some(certificate) = part.certificate() else {
                continue;
            };
            let (days, subject) = (certificate.days_left(now), &certificate.subject);
            let until = certificate.not_after.date();
            if certificate.not_after < now {
                error!("{flag}: certificate {subject} expired on {until}: renew it");
            } else if days < Certificate::SOON {
                warn!("{flag}: certificate {subject} expires in {days} days, on {until}: renew it");
            } else if days <= most {
                info!("{flag}: certificate {subject} is valid for {days} days, until {until}");
            }
        }
    }
}

async fn renew(flag: &str, part: &Arc<dyn Renewable>) {
    let reading = Arc::clone(part);
    match spawn_blocking(move || reading.renew()).await {
        Ok(Ok(now)) => info!("{flag} read again: {now}"),
        Ok(Err(unusable)) => error!(
            "{flag} is not usable now, what was read before stays in use: {}",
            chain(&*unusable)
        ),
        Err(panicked) => error!("{flag} could not be read again: {panicked}"),
    }
}

/// What tells one state of a file from another: where it is, its size, and when it was written.
type Seen = Vec<Option<(u64, u64, u64, i64, i64)>>;

async fn look(paths: &[PathBuf]) -> Seen {
    let mut seen = Vec::new();
    for path in paths {
        let found = fs::metadata(path).await.ok();
        seen.push(found.map(|file| {
            let (device, inode) = (file.dev(), file.ino());
            (device, inode, file.len(), file.mtime(), file.mtime_nsec())
        }));
    }
    seen
}

impl Renewable for ServerTls {
    fn paths(&self) -> Vec<PathBuf> {
        self.paths()
    }

    fn renew(&self) -> Result<String, Box<dyn StdError + Send + Sync>> {
        self.reload()?;
        for warning in self.warnings() {
            warn!("{warning}");
        }
        Ok(shown(&self.certificate()))
    }

    fn certificate(&self) -> Option<Certificate> {
        Some(self.certificate())
    }
}

impl Renewable for ClientTls {
    fn paths(&self) -> Vec<PathBuf> {
        self.paths()
    }

    fn renew(&self) -> Result<String, Box<dyn StdError + Send + Sync>> {
        self.reload()?;
        let own = self.certificate();
        Ok(own.map_or_else(|| "trusted certificates".to_owned(), |own| shown(&own)))
    }

    fn certificate(&self) -> Option<Certificate> {
        self.certificate()
    }
}

impl Renewable for FromFile<AllowList> {
    fn paths(&self) -> Vec<PathBuf> {
        vec![self.path().to_owned()]
    }

    fn renew(&self) -> Result<String, Box<dyn StdError + Send + Sync>> {
        Ok(format!("{} keys", self.reload()?.len()))
    }
}

impl Renewable for FromFile<ClientList> {
    fn paths(&self) -> Vec<PathBuf> {
        vec![self.path().to_owned()]
    }

    fn renew(&self) -> Result<String, Box<dyn StdError + Send + Sync>> {
        Ok(format!("{} clients", self.reload()?.len()))
    }
}

fn shown(certificate: &Certificate) -> String {
    let Certificate {
        subject, not_after, ..
    } = certificate;
    format!("certificate {subject} until {}", not_after.date())
}
