//! The log in a file that is rotated by time (`--log-file`). Rotated files have the names that flwr
//! 1.27 and later give them: `FILE.2026-11-26_20`, with the hour in UTC in which the file began. A file
//! that somebody else has moved away, such as logrotate, is made anew.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{Access, access};
use time::OffsetDateTime;
use time::macros::format_description;

use crate::clock::{Clock, SystemClock};
use crate::console::Console;

/// The mode of a new file: others than the daemon's user do not read it. A file that is there keeps its
/// mode, and passes it on to the next one.
const MODE: u32 = 0o600;
/// How long the daemon waits after a file that could not be rotated.
const RETRY: Duration = Duration::from_secs(60);

/// A log file, and when it is rotated.
#[derive(Clone, Debug)]
pub struct LogFile {
    /// The file that is written to.
    pub path: PathBuf,
    /// How long one file is written to.
    pub interval: Duration,
    /// How many rotated files are kept.
    pub backups: usize,
}

impl LogFile {
    /// Looks whether the file can be written to, or made. Makes nothing.
    ///
    /// # Errors
    /// The reason why the daemon could not start with this file.
    pub fn look(&self) -> io::Result<()> {
        match fs::metadata(&self.path) {
            Ok(there) if there.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
            Ok(_) => Ok(access(&self.path, Access::WRITE_OK)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(access(self.folder(), Access::WRITE_OK | Access::EXEC_OK)?)
            }
            Err(error) => Err(error),
        }
    }

    /// The folder that the file lies in.
    fn folder(&self) -> &Path {
        let folder = self.path.parent();
        let named = folder.filter(|folder| !folder.as_os_str().is_empty());
        named.unwrap_or(Path::new("."))
    }
}

/// The open file.
#[derive(Debug)]
pub(super) struct Rotating {
    settings: LogFile,
    clock: Arc<dyn Clock>,
    file: File,
    /// When the file is rotated. `None`: it is no regular file, such as a pipe.
    due: Option<OffsetDateTime>,
    /// The lines that could not be written since the last that could.
    lost: u64,
}

impl Rotating {
    /// Opens the file, or makes it. The age of a file that is there counts from its last line.
    pub(super) fn open(settings: LogFile) -> io::Result<Self> {
        Self::open_at(settings, Arc::new(SystemClock))
    }

    fn open_at(settings: LogFile, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let before = fs::metadata(&settings.path).and_then(|file| file.modified());
        let file = open(&settings.path, MODE)?;
        let began = before.map_or_else(|_| clock.date_time(), OffsetDateTime::from);
        let is_regular = file.metadata()?.is_file();
        Ok(Self {
            due: is_regular.then(|| began + settings.interval),
            settings,
            clock,
            file,
            lost: 0,
        })
    }

    /// Rotates the file if it is time to. Makes it anew if it has been moved away.
    fn refresh(&mut self) -> io::Result<()> {
        let Some(due) = self.due else {
            return Ok(());
        };
        let now = self.clock.date_time();
        let mode = self.file.metadata()?.permissions().mode();
        if now >= due {
            // Whatever fails is tried again later, and meanwhile the old file goes on.
            self.due = Some(now + RETRY);
            self.move_away(due - self.settings.interval)?;
            self.file = open(&self.settings.path, mode)?;
            self.due = Some(now + self.settings.interval);
            self.remove_oldest()?;
        } else if !self.is_in_place() {
            self.file = open(&self.settings.path, mode)?;
            self.due = Some(now + self.settings.interval);
        }
        Ok(())
    }

    /// Whether the open file is the one that has the name.
    fn is_in_place(&self) -> bool {
        let id = |file: fs::Metadata| (file.dev(), file.ino());
        let there = fs::metadata(&self.settings.path).map(id);
        let open = self.file.metadata().map(id);
        matches!((there, open), (Ok(there), Ok(open)) if there == open)
    }

    /// Gives the file the name of the hour in which it began. A file of that name, of a daemon that was
    /// started twice in an hour, is kept.
    fn move_away(&self, began: OffsetDateTime) -> io::Result<()> {
        let path = &self.settings.path;
        let hour = format_description!("[year]-[month]-[day]_[hour]");
        let hour = began.format(hour).map_err(io::Error::other)?;
        let name = with_suffix(path, &hour);
        let others = (1..).map(|number: u32| with_suffix(&name, &number.to_string()));
        let mut names = [name.clone()].into_iter().chain(others);
        match names.find(|name| !name.exists()) {
            Some(free) => fs::rename(path, free),
            None => Ok(()),
        }
    }

    /// Removes the oldest of the rotated files beyond the number that is kept.
    fn remove_oldest(&self) -> io::Result<()> {
        let path = &self.settings.path;
        let own = path.file_name().unwrap_or_default();
        let mut rotated = Vec::new();
        for entry in fs::read_dir(self.settings.folder())? {
            let name = entry?.file_name();
            if is_rotated(&name, own) {
                rotated.push(name);
            }
        }
        rotated.sort_unstable();
        let beyond = rotated.len().saturating_sub(self.settings.backups);
        for name in &rotated[..beyond] {
            fs::remove_file(path.with_file_name(name))?;
        }
        Ok(())
    }
}

/// Never fails: the daemon goes on without its log file, and says so on stderr, once.
impl Write for Rotating {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Err(error) = self.refresh() {
            self.tell(&format!("cannot be rotated: {error}"));
        }
        match self.file.write_all(line) {
            Ok(()) if self.lost > 0 => {
                self.tell(&format!(
                    "can be written again; {} lines are lost",
                    self.lost
                ));
                self.lost = 0;
            }
            Ok(()) => {}
            Err(error) => {
                if self.lost == 0 {
                    self.tell(&format!("cannot be written: {error}"));
                }
                self.lost += 1;
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Rotating {
    fn tell(&self, what: &str) {
        let path = self.settings.path.display();
        let line = format!("--log-file: {path} {what}\n");
        // The console never fails.
        let _ = Console::stderr().write_all(line.as_bytes());
    }
}

fn open(path: &Path, mode: u32) -> io::Result<File> {
    let is_new = !path.exists();
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(mode & 0o777)
        .open(path)?;
    if is_new {
        // The umask may have taken something of the mode of the file before.
        file.set_permissions(Permissions::from_mode(mode & 0o777))?;
    }
    Ok(file)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

/// Whether the name is that of the log file `own` with an hour behind it, and a word behind that.
fn is_rotated(name: &OsStr, own: &OsStr) -> bool {
    let (Some(name), Some(own)) = (name.to_str(), own.to_str()) else {
        return false;
    };
    let Some(suffix) = name
        .strip_prefix(own)
        .and_then(|rest| rest.strip_prefix('.'))
    else {
        return false;
    };
    let (hour, word) = suffix.split_once('.').unwrap_or((suffix, "x"));
    let is_hour = hour.len() == 13
        && hour
            .bytes()
            .zip(*b"0000-00-00_00")
            .all(|(byte, like)| match like {
                b'0' => byte.is_ascii_digit(),
                like => byte == like,
            });
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    is_hour && !word.is_empty() && word.chars().all(is_word)
}

#[cfg(test)]
mod tests;
