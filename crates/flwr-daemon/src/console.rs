//! The daemon's stdout and stderr, for its log and for the output of apps.
//!
//! A thread for each stream writes what a bounded queue holds. A reader that takes nothing (a full
//! pipe, a stopped terminal) therefore holds up neither an app that prints nor a task that logs:
//! what does not fit is dropped and counted, and the count is written when the reader is back.

use std::collections::VecDeque;
use std::env;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::Duration;

use flwr_core::monotonic;
use flwr_core::printable::LogFilter;
use parking_lot::{Condvar, Mutex};
use tokio::sync::Notify;
use tokio::time::timeout;

/// The limit of queued bytes from apps.
const QUEUE: usize = 1 << 20;
/// Further queued bytes for the daemon's own log.
const RESERVE: usize = 1 << 18;
/// The time that an app's line waits for a blocked reader.
const PATIENCE: Duration = Duration::from_secs(2);

/// One of the daemon's two streams, or its log file. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Console(Arc<Shared>);

/// The lines of one app on their way to the console.
#[derive(Debug)]
pub(crate) struct AppLines {
    console: Console,
    filter: LogFilter,
}

impl AppLines {
    /// Writes a line, or a piece of a long line.
    pub(crate) async fn pass(&mut self, line: &[u8]) {
        let mut text = self.filter.next(line);
        if text.ends_with('\n') {
            // No colour goes on in the lines of others.
            text.insert_str(text.len() - 1, self.filter.reset());
        }
        self.console.pass(text.as_bytes()).await;
    }
}

#[derive(Debug, Default)]
struct Shared {
    /// Whether colours may be written: to a terminal, without `NO_COLOR`.
    colours: bool,
    queue: Mutex<Queue>,
    /// Notified when a line is queued.
    filled: Condvar,
    /// Notified when a line was written.
    drained: Condvar,
    /// As `drained`, for async tasks.
    room: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    /// The lines dropped since the last queued line.
    dropped: u64,
    /// Whether the reader is blocked. Lines are then dropped at once, until the reader reads again.
    stuck: bool,
    /// A line is being written.
    busy: bool,
}

static STDOUT: LazyLock<Console> = LazyLock::new(|| {
    let out = io::stdout();
    Console::over_with(coloured(&out), out)
});
static STDERR: LazyLock<Console> = LazyLock::new(|| {
    let err = io::stderr();
    Console::over_with(coloured(&err), err)
});

/// See <https://no-color.org>.
pub(crate) fn coloured(stream: &impl IsTerminal) -> bool {
    let is_off = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    stream.is_terminal() && !is_off
}

impl Console {
    /// The daemon's stdout.
    #[must_use]
    pub fn stdout() -> Self {
        STDOUT.clone()
    }

    /// The daemon's stderr.
    #[must_use]
    pub fn stderr() -> Self {
        STDERR.clone()
    }

    /// A console without colours.
    #[cfg(test)]
    fn over(out: impl Write + Send + 'static) -> Self {
        Self::over_with(false, out)
    }

    /// A console whose lines a thread writes to `out`. Without a thread nothing is written.
    pub(crate) fn over_with(colours: bool, out: impl Write + Send + 'static) -> Self {
        let shared = Arc::new(Shared {
            colours,
            ..Shared::default()
        });
        let writer = Arc::clone(&shared);
        let started = thread::Builder::new()
            .name("console".to_owned())
            .spawn(move || writer.write_to(out));
        if started.is_err() {
            shared.queue.lock().stuck = true;
        }
        Self(shared)
    }

    /// For the lines of one app. Of the app's escape sequences only colours pass, and these only on
    /// a terminal.
    pub(crate) fn for_app(self) -> AppLines {
        AppLines {
            filter: LogFilter::new(self.0.colours),
            console: self,
        }
    }

    /// Writes a line of an app. While the reader is slow the line waits, and with it the app, as
    /// if the app wrote to the reader itself. While the reader takes nothing the line is dropped.
    pub(crate) async fn pass(&self, line: &[u8]) {
        loop {
            let room = self.0.room.notified();
            {
                let mut queue = self.0.queue.lock();
                if queue.bytes < QUEUE || queue.stuck {
                    queue.put(line, QUEUE);
                    self.0.filled.notify_one();
                    return;
                }
            }
            if timeout(PATIENCE, room).await.is_err() {
                self.0.queue.lock().stuck = true;
            }
        }
    }

    /// Writes a line of the daemon's own log, and does not wait.
    fn log(&self, line: &[u8]) {
        self.0.queue.lock().put(line, QUEUE + RESERVE);
        self.0.filled.notify_one();
    }

    /// Waits until everything is written, `patience` at most. For the end of a program.
    pub fn flush(&self, patience: Duration) {
        let end = monotonic::now() + patience;
        let mut queue = self.0.queue.lock();
        while (queue.busy || !queue.lines.is_empty()) && !queue.stuck {
            if self
                .0
                .drained
                .wait_until(&mut queue, end.into_std())
                .timed_out()
            {
                return;
            }
        }
    }
}

impl Queue {
    fn put(&mut self, line: &[u8], limit: usize) {
        if self.bytes >= limit {
            self.dropped += 1;
            return;
        }
        let told = self.take_count();
        for line in told.into_iter().chain([line.to_vec()]) {
            self.bytes += line.len();
            self.lines.push_back(line);
        }
    }

    /// The next line to write.
    fn take(&mut self) -> Option<Vec<u8>> {
        if self.lines.is_empty() {
            let told = self.take_count()?;
            self.bytes += told.len();
            return Some(told);
        }
        self.lines.pop_front()
    }

    /// A line with the number of those that were dropped, if there are some.
    fn take_count(&mut self) -> Option<Vec<u8>> {
        let dropped = std::mem::take(&mut self.dropped);
        let told = || format!("{dropped} lines were not written: nobody took them\n").into_bytes();
        (dropped > 0).then(told)
    }
}

impl Shared {
    fn write_to(&self, mut out: impl Write) {
        loop {
            let line = {
                let mut queue = self.queue.lock();
                loop {
                    if let Some(line) = queue.take() {
                        queue.busy = true;
                        break line;
                    }
                    self.filled.wait(&mut queue);
                }
            };
            // A stream that is closed takes nothing: the program goes on all the same.
            let _ = out.write_all(&line).and_then(|()| out.flush());
            let mut queue = self.queue.lock();
            queue.bytes -= line.len();
            queue.busy = false;
            queue.stuck = false;
            drop(queue);
            self.drained.notify_all();
            self.room.notify_waiters();
        }
    }
}

/// The log writes each line at once.
impl Write for Console {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.log(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
