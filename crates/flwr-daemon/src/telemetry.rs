//! Logs: to stderr, for people or as JSON lines, and to a file if there is to be one.

use std::env;
use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use flwr_core::printable::LogFilter;
use tracing_subscriber::EnvFilter;

use crate::console::{Console, coloured};

mod file;

pub use file::LogFile;

use file::Rotating;

/// How long the end of a program waits for a reader of its log.
const FAREWELL: Duration = Duration::from_secs(1);

/// The log, which is written to its end when this is dropped.
#[derive(Debug)]
#[must_use = "the log's last lines are written when this is dropped"]
pub struct Logs {
    file: Option<Console>,
}

impl Logs {
    /// Writes the last words of a program that ends to the log file too. On stderr they are already.
    pub fn end_with(&self, words: &str) {
        if let Some(file) = &self.file {
            // The console never fails.
            let _ = Lines::to(file.clone(), false).write(words.as_bytes());
        }
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            file.flush(FAREWELL);
        }
        Console::stderr().flush(FAREWELL);
        Console::stdout().flush(FAREWELL);
    }
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// A line for people, coloured on a terminal.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Why logging could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither `text` nor `json`.
    #[error("log format `{0}` is unknown: use `text` or `json`")]
    UnknownFormat(String),
    /// A level or filter that does not parse.
    #[error(
        "{origin}: `{filter}` is not a log level: use error, warn, info, debug, trace, or a filter such as `info,flwr_daemon=debug`"
    )]
    BadFilter {
        /// Where the text came from: a flag or a variable.
        origin: &'static str,
        /// The text.
        filter: String,
    },
    /// The log file cannot be opened.
    #[error("--log-file {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody else in this process has set up logging already.
    #[error("logging is set up already")]
    AlreadySet,
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => Err(Error::UnknownFormat(other.to_owned())),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

/// Starts logging to stderr, and to the file if one is given. `RUST_LOG` wins over `level` (the `--log-level` flag), which wins
/// over `FLWR_LOG_LEVEL`; without any it is `info`.
///
/// # Errors
/// A level that does not parse, a file that cannot be opened, or logging that was set up before.
pub fn init(level: Option<&str>, format: Format, file: Option<LogFile>) -> Result<Logs, Error> {
    let filter = choose(env_text("RUST_LOG"), level, env_text("FLWR_LOG_LEVEL"))?;
    let file = file.map(console_of).transpose()?;
    let logs = Logs { file: file.clone() };
    let coloured = coloured(&io::stderr());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(move || Both {
            stderr: Lines::to(Console::stderr(), coloured),
            file: file.clone().map(|file| Lines::to(file, false)),
        })
        .with_ansi(coloured)
        .with_target(false);
    let done = match format {
        Format::Text => builder.try_init(),
        Format::Json => builder
            .json()
            .flatten_event(true)
            .with_target(true)
            .try_init(),
    };
    done.map(|()| logs).map_err(|_| Error::AlreadySet)
}

/// The console that writes to the file. A disk that takes nothing holds up nobody who logs.
fn console_of(file: LogFile) -> Result<Console, Error> {
    let path = file.path.clone();
    let file = Rotating::open(file).map_err(|source| Error::File { path, source })?;
    Ok(Console::over_with(false, file))
}

/// Writes each line to stderr, and to the log file without colours.
struct Both {
    stderr: Lines<Console>,
    file: Option<Lines<Console>>,
}

impl Write for Both {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Some(file) = &mut self.file {
            file.write_all(line)?;
        }
        self.stderr.write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stderr.flush()
    }
}

/// Writes the lines of the log. A text of a peer in a line can break no line and gives the terminal no
/// orders. tracing-subscriber escapes the escape character, and no line break.
struct Lines<W> {
    to: W,
    filter: LogFilter,
}

impl<W: Write> Lines<W> {
    fn to(to: W, colours: bool) -> Self {
        Self {
            to,
            filter: LogFilter::new(colours),
        }
    }
}

/// tracing-subscriber writes each line at once.
impl<W: Write> Write for Lines<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = self.filter.next(line);
        let text = text.trim_end_matches(['\n', '\r']);
        let text = text.replace('\r', "").replace('\n', "\n    ");
        // In one piece: other lines would come between two.
        let text = format!("{text}{}\n", self.filter.reset());
        self.to.write_all(text.as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

fn choose(
    rust_log: Option<String>,
    flag: Option<&str>,
    flwr: Option<String>,
) -> Result<EnvFilter, Error> {
    let (origin, filter) = match (rust_log, flag, flwr) {
        (Some(text), _, _) => ("RUST_LOG", text),
        (None, Some(text), _) => ("--log-level", text.to_owned()),
        (None, None, Some(text)) => ("FLWR_LOG_LEVEL", python_level(&text)),
        (None, None, None) => return Ok(EnvFilter::new(tidy("info"))),
    };
    // A lone word that is no level would be read as the name of a module, and silence the rest.
    let lone_word = !filter.contains(['=', ',']);
    if lone_word && tracing::level_filters::LevelFilter::from_str(&filter).is_err() {
        return Err(Error::BadFilter { origin, filter });
    }
    let wanted = if lone_word && origin != "RUST_LOG" {
        quiet(&filter)
    } else {
        filter.clone()
    };
    EnvFilter::try_new(tidy(&wanted)).map_err(|_| Error::BadFilter { origin, filter })
}

/// The pool of connections to a database warns about each connection that ends, the client of a bucket tells
/// each try, and that of a database each notice of the server. Whoever calls them tells the log what that
/// means. The client of the database shows the values of each statement at `debug`, and values may be the data
/// of runs. A filter that names one of them counts.
fn tidy(filter: &str) -> String {
    format!("{TIDY}{filter}")
}

const TIDY: &str = "deadpool=error,object_store=error,tokio_postgres=warn,";

/// `debug` and `trace` are about this daemon: a line for each HTTP/2 frame would drown it. Who
/// wants those too asks RUST_LOG for them.
fn quiet(level: &str) -> String {
    if matches!(level, "debug" | "trace") {
        format!("{level},h2=info,hyper=info,hyper_util=info,rustls=info,tonic=info,tower=info")
    } else {
        level.to_owned()
    }
}

/// Flower's variable takes the names of Python's levels.
fn python_level(text: &str) -> String {
    match text.to_ascii_uppercase().as_str() {
        "WARNING" => "warn".to_owned(),
        "CRITICAL" | "FATAL" => "error".to_owned(),
        "NOTSET" => "trace".to_owned(),
        other => other.to_ascii_lowercase(),
    }
}

fn env_text(name: &str) -> Option<String> {
    env::var(name).ok().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    /// Paper.
    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_text_of_a_peer_breaks_no_line_and_gives_no_orders() {
        for colours in [false, true] {
            let page = Page::default();
            let writer = page.clone();
            let subscriber = tracing_subscriber::fmt()
                .with_writer(move || Lines::to(writer.clone(), colours))
                .with_ansi(colours)
                .finish();
            let theirs = "x\u{1b}]0;t\u{7}\u{1b}[2J\u{9b}2J\r\n2026-11-26 ERROR forged\u{202e}";
            tracing::subscriber::with_default(subscriber, || {
                tracing::warn!(reason = %theirs, "refused: {theirs}");
            });
            let text = String::from_utf8(page.0.lock().clone()).unwrap();
            let lines: Vec<_> = text.lines().collect();
            assert_eq!(lines.len(), 3, "{text:?}");
            assert!(
                lines[1].starts_with("    2026-11-26 ERROR forged"),
                "{text:?}"
            );
            let mut uncoloured = LogFilter::new(false);
            let shown = uncoloured.next(text.as_bytes());
            assert!(
                shown.chars().all(|c| c == '\n' || !c.is_control()),
                "{shown:?}"
            );
            assert_eq!(colours, text.contains('\u{1b}'), "{text:?}");
            let orders = text.split("\u{1b}[").skip(1);
            let is_colour = |order: &str| {
                let end = order.find(|c: char| c.is_ascii_alphabetic());
                end.is_some_and(|end| order[end..].starts_with('m'))
            };
            assert!(orders.into_iter().all(is_colour), "{text:?}");
        }
    }

    #[test]
    fn the_crates_of_a_database_are_silent_unless_they_are_asked_for() {
        let filter = |flag| choose(None, flag, None).unwrap().to_string();
        for flag in [None, Some("debug"), Some("trace,flwr_daemon=debug")] {
            for quiet in TIDY.split_terminator(',') {
                assert!(filter(flag).contains(quiet), "{flag:?}: {quiet}");
            }
        }
        let asked = filter(Some("warn,tokio_postgres=debug"));
        assert!(asked.contains("tokio_postgres=debug"), "{asked}");
        assert!(!asked.contains("tokio_postgres=warn"), "{asked}");
    }

    /// Notes each piece that is written at once.
    #[derive(Default)]
    struct Pieces(Vec<Vec<u8>>);

    impl Write for Pieces {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.push(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The console queues each piece. What other threads say would come between two.
    #[test]
    fn a_line_is_written_in_one_piece() {
        for colours in [false, true] {
            let mut lines = Lines::to(Pieces::default(), colours);
            for line in ["one\n", "\u{1b}[31mtwo\n", "three\nfour"] {
                lines.write_all(line.as_bytes()).unwrap();
            }
            let pieces = lines.to.0;
            assert_eq!(pieces.len(), 3, "{pieces:?}");
            assert!(pieces.iter().all(|piece| piece.ends_with(b"\n")));
        }
    }

    fn chosen(rust_log: Option<&str>, flag: Option<&str>, flwr: Option<&str>) -> String {
        let chosen = choose(rust_log.map(str::to_owned), flag, flwr.map(str::to_owned));
        let chosen = chosen.unwrap().to_string();
        TIDY.split_inclusive(',')
            .fold(chosen, |chosen, own| chosen.replace(own, ""))
    }

    #[test]
    fn rust_log_wins_over_the_flag_and_the_flag_over_flowers_variable() {
        assert_eq!(chosen(Some("trace"), Some("debug"), Some("ERROR")), "trace");
        assert!(chosen(None, Some("debug"), Some("ERROR")).ends_with(",debug"));
        assert!(chosen(None, Some("debug"), None).contains("h2=info"));
        assert_eq!(chosen(None, None, Some("WARNING")), "warn");
        assert_eq!(chosen(None, None, None), "info");
        assert_eq!(
            chosen(None, Some("info,flwr_daemon=debug"), None),
            "flwr_daemon=debug,info"
        );
    }

    #[test]
    fn a_word_that_is_no_level_is_refused_with_the_flags_name() {
        let error = choose(None, Some("loud"), None).unwrap_err().to_string();
        assert!(
            error.starts_with("--log-level: `loud` is not a log level"),
            "{error}"
        );
        let error = choose(Some("a=b=c".to_owned()), None, None)
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("RUST_LOG: "), "{error}");
    }

    #[test]
    fn formats_are_text_and_json() {
        assert_eq!("json".parse::<Format>().unwrap(), Format::Json);
        assert_eq!("text".parse::<Format>().unwrap().to_string(), "text");
        assert!("yaml".parse::<Format>().is_err());
    }
}
