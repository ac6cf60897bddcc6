//! A program that a test started: what it says, and how it ends.

use std::cell::Cell;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::PATIENCE;

mod seen;

pub use seen::{Seen, is_alive, wait_for_end};

/// Texts that no program may ever write, whatever happens: a key, or Rust's word for a panic.
const FORBIDDEN: [&str; 2] = ["PRIVATE KEY-----", "panicked at"];
/// Tokens of apps are 256 hexadecimal digits; half of one is too much. Object ids have 64.
const TOKEN_DIGITS: usize = 128;
/// How often an exit is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A running program, in a process group of its own. Dropping it kills the whole group.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    said: Arc<Said>,
    readers: Vec<JoinHandle<()>>,
}

/// The lines of stdout and stderr, in the order they came.
#[derive(Debug, Default)]
struct Said {
    record: Mutex<Record>,
    more: Condvar,
}

#[derive(Debug, Default)]
struct Record {
    lines: Vec<String>,
    /// Streams that have ended.
    closed: usize,
}

impl Process {
    /// Starts `command`; what it says also goes to `<folder>/<name>.log`.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start(name: &str, command: &mut Command, folder: &Path) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let said = Arc::new(Said::default());
        // Appended to: a daemon that is started again goes on in the same file.
        let path = folder.join(format!("{name}.log"));
        let log = File::options()
            .create(true)
            .append(true)
            .open(path)
            .unwrap();
        let out = child.stdout.take().unwrap();
        let err = child.stderr.take().unwrap();
        let readers = vec![
            Said::listen(&said, out, log.try_clone().unwrap()),
            Said::listen(&said, err, log),
        ];
        Self {
            name: name.to_owned(),
            child,
            said,
            readers,
        }
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// All lines so far.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.said.lock().lines.clone()
    }

    /// Waits for a line that contains `text`, said before or later, and gives it back.
    ///
    /// # Panics
    /// If it does not come.
    #[track_caller]
    pub fn line(&self, text: &str) -> String {
        self.line_where(text, |line| line.contains(text))
    }

    /// Waits for a line that contains `text` after the first `seen` lines.
    ///
    /// # Panics
    /// If it does not come.
    #[track_caller]
    pub fn line_after(&self, seen: usize, text: &str) -> String {
        self.line_where_after(seen, text, |line| line.contains(text))
    }

    /// Waits for a line that `fits` after the first `seen` lines; `what` says which for the failure's text.
    ///
    /// # Panics
    /// If it does not come.
    #[track_caller]
    pub fn line_where_after(&self, seen: usize, what: &str, fits: impl Fn(&str) -> bool) -> String {
        let number = Cell::new(0);
        self.line_where(what, |line| {
            number.set(number.get() + 1);
            number.get() > seen && fits(line)
        })
    }

    /// Waits for a line that `fits`; `what` says which for the failure's text.
    ///
    /// # Panics
    /// If it does not come.
    #[track_caller]
    pub fn line_where(&self, what: &str, fits: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut record = self.said.lock();
        let mut seen = 0;
        loop {
            if let Some(line) = record.lines[seen..].iter().find(|line| fits(line)) {
                return line.clone();
            }
            seen = record.lines.len();
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || record.closed == 2 {
                drop(record);
                panic!("{} did not say {what:?}:\n{}", self.name, self.last_words());
            }
            record = self.said.more.wait_timeout(record, left).unwrap().0;
        }
    }

    /// Whether it said `text` so far.
    #[must_use]
    pub fn has_said(&self, text: &str) -> bool {
        self.said
            .lock()
            .lines
            .iter()
            .any(|line| line.contains(text))
    }

    /// How it ended, if it has.
    ///
    /// # Panics
    /// If that cannot be told.
    #[must_use]
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Asks it to end (SIGTERM).
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends SIGHUP: read again what may change while you run.
    pub fn reload(&self) {
        self.signal(Signal::HUP);
    }

    /// Sends a signal to it alone.
    pub fn signal(&self, signal: Signal) {
        // Fails only if it has ended already.
        let _ = kill_process(self.pid(), signal);
    }

    /// Ends it without asking (SIGKILL), but not its children.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits until it has ended.
    ///
    /// # Panics
    /// If it does not.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        self.wait_within(PATIENCE)
    }

    /// Waits until it has ended, for as long as is said.
    ///
    /// # Panics
    /// If it does not.
    #[track_caller]
    pub fn wait_within(&mut self, patience: Duration) -> ExitStatus {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(
                Instant::now() < deadline,
                "{} did not end in {} s:\n{}",
                self.name,
                patience.as_secs(),
                self.last_words()
            );
            thread::sleep(LOOK_EVERY);
        }
    }

    /// How it ended, if it does so in that time.
    ///
    /// # Panics
    /// If that cannot be told.
    #[must_use]
    pub fn ended_within(&mut self, patience: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if let Some(status) = self.ended() {
                return Some(status);
            }
            thread::sleep(LOOK_EVERY);
        }
        None
    }

    /// Asks it to end and waits: the orderly stop that every daemon owes.
    ///
    /// # Panics
    /// If it does not end, or not with 0.
    #[track_caller]
    pub fn stop(&mut self) {
        self.terminate();
        let status = self.wait();
        assert!(
            status.success(),
            "{} stopped with {status}:\n{}",
            self.name,
            self.last_words()
        );
    }

    /// Waits until all that it and its children say has been read, for programs that have ended.
    pub fn all_lines(&mut self) -> Vec<String> {
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        self.lines()
    }

    /// The end of what it said.
    #[must_use]
    pub fn last_words(&self) -> String {
        let lines = self.lines();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = kill_process_group(self.pid(), Signal::KILL);
        let _ = self.child.wait();
        if thread::panicking() {
            return;
        }
        let found = self.lines().into_iter().find(|line| must_not_be_said(line));
        assert!(found.is_none(), "{} wrote {found:?}", self.name);
    }
}

fn must_not_be_said(line: &str) -> bool {
    let mut words = line.split(|c: char| !c.is_ascii_hexdigit());
    FORBIDDEN.iter().any(|text| line.contains(text)) || words.any(|word| word.len() >= TOKEN_DIGITS)
}

impl Said {
    fn listen(
        said: &Arc<Self>,
        stream: impl Read + Send + 'static,
        mut log: File,
    ) -> JoinHandle<()> {
        let said = Arc::clone(said);
        thread::spawn(move || {
            let mut stream = BufReader::new(stream);
            let mut line = Vec::new();
            while stream
                .read_until(b'\n', &mut line)
                .is_ok_and(|count| count > 0)
            {
                let _ = log.write_all(&line);
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                said.lock().lines.push(text);
                said.more.notify_all();
                line.clear();
            }
            said.lock().closed += 1;
            said.more.notify_all();
        })
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::must_not_be_said;

    #[test]
    fn keys_tokens_and_panics_are_noticed() {
        let token = format!("token={}", "0a".repeat(128));
        for line in [
            "-----BEGIN EC PRIVATE KEY-----",
            "thread 'main' panicked at x.rs:1",
            &token,
        ] {
            assert!(must_not_be_said(line), "{line}");
        }
    }

    #[test]
    fn object_ids_and_names_of_flags_are_fine() {
        let id = format!("object {}", "0a".repeat(32));
        for line in [
            "--auth-supernode-private-key is missing",
            &id,
            "the private key is 0600",
        ] {
            assert!(!must_not_be_said(line), "{line}");
        }
    }
}
