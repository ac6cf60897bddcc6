//! Reloads certificates, keys and lists while the daemon runs: on SIGHUP, and when a file changes.
//! New connections use the new files. Open connections stay, but for those whose client would be
//! refused now (`listen::clients`). If a file is not usable, the daemon
//! logs the reason once, keeps the old content, and retries every few seconds. A retry can succeed
//! without a change of the file: a hook grants access to a directory, a network file system is
//! back, or file descriptors become free.

use std::error::Error as StdError;
use std::fmt::Debug;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use flwr_core::cause::chain;
use flwr_core::monotonic;
use flwr_metrics::{Levels, Registry, Tally};
use flwr_security::allow_list::AllowList;
use flwr_security::client_list::ClientList;
use flwr_security::from_file::FromFile;
use flwr_security::pki::NodeAuthority;
use flwr_security::tls::{Certificate, ClientTls, Dated, ServerTls, Standing};
use parking_lot::Mutex;
use time::OffsetDateTime;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};
use tracing::{error, info, warn};

use crate::clock::Clock;
use crate::stop::Stopper;

/// The polling interval. Polling needs less code than inotify, and works on every file system, also
/// where a directory is replaced by a rename.
const PERIOD: Duration = Duration::from_secs(1);
/// The retry interval for unusable files that have not changed.
const RETRY: Duration = Duration::from_secs(5);
/// The interval of the warnings about expiring certificates.
const DAY: Duration = Duration::from_secs(24 * 3600);
/// The outcomes of a load.
const LOADED: &str = "ok";
const FAILED: &str = "failed";

/// A part of the configuration that is read from files.
pub trait Renewable: Debug + Send + Sync {
    /// Its files.
    fn paths(&self) -> Vec<PathBuf>;

    /// Reloads the files, and describes the content that is in use now.
    ///
    /// # Errors
    /// If the files are not usable.
    fn renew(&self) -> Result<String, Box<dyn StdError + Send + Sync>>;

    /// The expiry dates in the files.
    fn dated(&self) -> Vec<Dated> {
        Vec::new()
    }
}

/// All reloadable parts of a daemon, each with its flag.
#[derive(Clone, Debug)]
pub struct Renewals {
    parts: Vec<Part>,
    clock: Arc<dyn Clock>,
    /// Loads, by their outcome.
    loads: Tally,
}

/// The part that one flag names.
#[derive(Clone, Debug)]
struct Part {
    flag: &'static str,
    files: Arc<dyn Renewable>,
    /// The state of the files at their first load.
    first: Seen,
    /// The last load, if it failed.
    failed: Arc<Mutex<Option<Failed>>>,
    loads: Tally,
}

/// A failed load.
#[derive(Clone, Debug)]
struct Failed {
    text: String,
    at: Instant,
}

impl Renewals {
    /// No parts yet.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            parts: Vec::new(),
            clock,
            loads: Tally::new("outcome", &[LOADED, FAILED]),
        }
    }

    /// Adds the part of `flag`, whose files were just loaded. [`Self::run`] also reloads files that
    /// change before its start.
    pub fn add(&mut self, flag: &'static str, files: Arc<dyn Renewable>) {
        let first = look(&files.paths());
        let failed = Arc::default();
        let loads = self.loads.clone();
        self.parts.push(Part {
            flag,
            files,
            first,
            failed,
            loads,
        });
    }

    /// Names what is counted.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Certificates, keys and lists that were read again";
        self.loads.register(registry, "flwr_reloads", help);
    }

    /// Tells when the first entry of each part expires, in seconds since 1970, by the flag of the part.
    pub fn tell_expiry(&self, expiry: &Levels) {
        for part in &self.parts {
            let dated = part.files.dated();
            if let Some(until) = dated.iter().map(Dated::until).min() {
                let until = u64::try_from(until.unix_timestamp()).unwrap_or_default();
                expiry.set(part.flag, until);
            }
        }
    }

    /// Reloads all files, off the async workers.
    pub async fn renew(&self) {
        if self.parts.is_empty() {
            info!("SIGHUP: nothing to read again");
        }
        for part in &self.parts {
            // Whoever asks hears of a failure again.
            part.failed.lock().take();
            part.renew(self.clock.date_time()).await;
        }
    }

    /// Reloads changed files and warns about expiring certificates, until the daemon stops.
    pub async fn run(self, stopper: Stopper) {
        for part in &self.parts {
            part.log_dates(self.clock.date_time(), true);
        }
        stopper.run_until_stopped(self.watch()).await;
    }

    async fn watch(&self) {
        let mut watches: Vec<_> = self.parts.iter().map(Watch::new).collect();
        let mut told = monotonic::now();
        loop {
            sleep(PERIOD).await;
            for watch in &mut watches {
                watch.look(self.clock.date_time()).await;
            }
            if told.elapsed() >= DAY {
                told = monotonic::now();
                for part in &self.parts {
                    part.log_dates(self.clock.date_time(), false);
                }
            }
        }
    }
}

impl Part {
    /// Logs expired and soon expiring entries. At the start, also logs the expiry dates of our own
    /// certificates.
    fn log_dates(&self, now: OffsetDateTime, at_start: bool) {
        let flag = self.flag;
        for dated in self.files.dated() {
            match dated.at(now) {
                Standing::Over(told) | Standing::Early(told) => error!("{flag}: {told}"),
                Standing::Ending(told) => warn!("{flag}: {told}"),
                Standing::Succeeded(told) if at_start => info!("{flag}: {told}"),
                Standing::Good(told) if at_start && dated.is_own() => info!("{flag}: {told}"),
                Standing::Succeeded(_) | Standing::Good(_) => {}
            }
        }
    }

    /// Reloads the files. Logs a failure once, however often it repeats.
    async fn renew(&self, now: OffsetDateTime) {
        let (flag, files) = (self.flag, Arc::clone(&self.files));
        let failure = match spawn_blocking(move || files.renew()).await {
            Ok(Ok(shown)) => {
                info!("{flag} read again: {shown}");
                self.failed.lock().take();
                self.loads.count(LOADED);
                return self.log_dates(now, false);
            }
            Ok(Err(unusable)) => chain(&*unusable),
            Err(panicked) => panicked.to_string(),
        };
        self.loads.count(FAILED);
        let at = monotonic::now();
        let told = self.failed.lock().replace(Failed {
            text: failure.clone(),
            at,
        });
        if told.is_none_or(|told| told.text != failure) {
            let seconds = RETRY.as_secs();
            error!(
                "{flag} is not usable now, what was read before stays in use: {failure} (tried again every {seconds} s)"
            );
        }
    }

    /// Whether a failed load is due for a retry.
    fn is_due(&self) -> bool {
        let failed = self.failed.lock();
        failed
            .as_ref()
            .is_some_and(|failed| failed.at.elapsed() >= RETRY)
    }
}

/// Watches the files of one part.
struct Watch<'a> {
    part: &'a Part,
    /// The state of the files at the last load.
    known: Seen,
    /// The state of the files at the last look.
    last: Seen,
}

impl<'a> Watch<'a> {
    fn new(part: &'a Part) -> Self {
        Self {
            part,
            known: part.first.clone(),
            last: part.first.clone(),
        }
    }

    /// Reloads the files if they have changed, or if a retry is due.
    async fn look(&mut self, now: OffsetDateTime) {
        let paths = self.part.files.paths();
        let Ok(seen) = spawn_blocking(move || look(&paths)).await else {
            return;
        };
        // Certificate and key are two files, and writing takes time: they are read when they have
        // been left alone for a while.
        let has_changed = seen != self.known && seen == self.last;
        self.last.clone_from(&seen);
        if has_changed || self.part.is_due() {
            self.known = seen;
            self.part.renew(now).await;
        }
    }
}

/// The state of a file, to notice changes. Writes, chmod, chown and changes of ACLs all set the
/// `ctime`, and no program can set it back.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Look {
    There {
        device: u64,
        inode: u64,
        length: u64,
        written: (i64, i64),
        changed: (i64, i64),
    },
    /// The file cannot be examined, for this reason.
    Unseen(ErrorKind),
}

type Seen = Vec<Look>;

fn look(paths: &[PathBuf]) -> Seen {
    let look = |path: &PathBuf| match fs::metadata(path) {
        Ok(file) => Look::There {
            device: file.dev(),
            inode: file.ino(),
            length: file.len(),
            written: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        },
        Err(error) => Look::Unseen(error.kind()),
    };
    paths.iter().map(look).collect()
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

    fn dated(&self) -> Vec<Dated> {
        self.dated()
    }
}

impl Renewable for ClientTls {
    fn paths(&self) -> Vec<PathBuf> {
        self.paths()
    }

    fn renew(&self) -> Result<String, Box<dyn StdError + Send + Sync>> {
        self.reload()?;
        for warning in self.warnings() {
            warn!("{warning}");
        }
        let own = self.certificate();
        Ok(own.map_or_else(|| "trusted certificates".to_owned(), |own| shown(&own)))
    }

    fn dated(&self) -> Vec<Dated> {
        self.dated()
    }
}

impl Renewable for NodeAuthority {
    fn paths(&self) -> Vec<PathBuf> {
        self.paths()
    }

    fn renew(&self) -> Result<String, Box<dyn StdError + Send + Sync>> {
        self.reload()?;
        Ok("the CA for SuperNodes that join".to_owned())
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

#[cfg(test)]
mod tests;
