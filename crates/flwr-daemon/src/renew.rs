//! Files that change while a daemon runs: certificates, keys and lists. They are read again on
//! SIGHUP and when they change. Connections stay; what comes next meets the new files. A file that
//! is not usable is told once, what was read before stays in use, and the file is tried again every
//! few seconds. A new try helps where no file changes: a hook grants access to a directory, a
//! network file system answers again, file descriptors become free.

use std::error::Error as StdError;
use std::fmt::Debug;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use flwr_core::cause::chain;
use flwr_security::allow_list::AllowList;
use flwr_security::client_list::ClientList;
use flwr_security::from_file::FromFile;
use flwr_security::tls::{Certificate, ClientTls, Dated, ServerTls, Standing};
use parking_lot::Mutex;
use time::OffsetDateTime;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};
use tracing::{error, info, warn};

use crate::clock::Clock;
use crate::stop::Stopper;

/// How often files are looked at. Looking costs less than being told would in code, and works on
/// every file system, also where a directory is swapped as a whole.
const PERIOD: Duration = Duration::from_secs(1);
/// How often files that could not be used are tried again, although they look as before.
const RETRY: Duration = Duration::from_secs(5);
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

    /// Everything in the files that has an end: certificates and lists of revoked certificates.
    fn dated(&self) -> Vec<Dated> {
        Vec::new()
    }
}

/// All of that a daemon has, each under the flag that named it.
#[derive(Clone, Debug)]
pub struct Renewals {
    parts: Vec<Part>,
    clock: Arc<dyn Clock>,
}

/// What one flag names.
#[derive(Clone, Debug)]
struct Part {
    flag: &'static str,
    files: Arc<dyn Renewable>,
    /// The files as they were when the daemon had read them for the first time.
    first: Seen,
    /// The last reading, if it failed.
    failed: Arc<Mutex<Option<Failed>>>,
}

/// A reading that failed.
#[derive(Clone, Debug)]
struct Failed {
    text: String,
    at: Instant,
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

    /// Adds what was given with `flag`, and was read just now. Files that change before
    /// [`Self::run`] begins are read again by it.
    pub fn add(&mut self, flag: &'static str, files: Arc<dyn Renewable>) {
        let first = look(&files.paths());
        let failed = Arc::default();
        self.parts.push(Part {
            flag,
            files,
            first,
            failed,
        });
    }

    /// Reads all files again, off the async workers.
    pub async fn renew(&self) {
        if self.parts.is_empty() {
            info!("SIGHUP: nothing to read again");
        }
        for part in &self.parts {
            // Whoever asks hears of a failure again.
            part.failed.lock().take();
            part.renew(self.now()).await;
        }
    }

    /// Reads again what changes, and says which certificates will expire, until it is time to stop.
    pub async fn run(self, stopper: Stopper) {
        for part in &self.parts {
            part.log_dates(self.now(), true);
        }
        stopper.run_until_stopped(self.watch()).await;
    }

    async fn watch(&self) {
        let mut watches: Vec<_> = self.parts.iter().map(Watch::new).collect();
        let mut told = Instant::now();
        loop {
            sleep(PERIOD).await;
            for watch in &mut watches {
                watch.look(self.now()).await;
            }
            if told.elapsed() >= DAY {
                told = Instant::now();
                for part in &self.parts {
                    part.log_dates(self.now(), false);
                }
            }
        }
    }

    fn now(&self) -> OffsetDateTime {
        let now = self.clock.now().to_date_time();
        now.unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

impl Part {
    /// Says what has expired or soon will. At the start, also until when our own certificates are
    /// valid.
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

    /// Reads the files again. A failure is told once, also when it is met again and again.
    async fn renew(&self, now: OffsetDateTime) {
        let (flag, files) = (self.flag, Arc::clone(&self.files));
        let failure = match spawn_blocking(move || files.renew()).await {
            Ok(Ok(shown)) => {
                info!("{flag} read again: {shown}");
                self.failed.lock().take();
                return self.log_dates(now, false);
            }
            Ok(Err(unusable)) => chain(&*unusable),
            Err(panicked) => panicked.to_string(),
        };
        let at = Instant::now();
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

    /// Whether a reading failed a while ago.
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
    /// The files as they were when they were read last.
    known: Seen,
    /// The files as they were a moment ago.
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

    /// Reads the files again if they have changed, or could not be used a while ago.
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

/// What tells one state of a file from another. Writing sets the time of the last change
/// (`ctime`), and so do chmod, chown and ACLs, which nobody can set back.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Look {
    There {
        device: u64,
        inode: u64,
        length: u64,
        written: (i64, i64),
        changed: (i64, i64),
    },
    /// The file cannot be looked at, for this reason.
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
