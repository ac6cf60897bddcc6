//! All output of the command. Answers go to stdout; notes and errors go to stderr. Colours and
//! frames are for terminals only. `NO_COLOR` turns colours off.
//!
//! A text may hold words of a peer. What is printed here holds no escape sequences but our own
//! colours, and those of an app in its log.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use flwr_core::checkup::Checkup;
pub(crate) use flwr_core::printable::line as printable;
use flwr_core::printable::{LogFilter, is_order, lines};
use indicatif::ProgressBar;
use serde_json::{Value, json};

use crate::cli::{Format, JsonAs};
use crate::error::{Error, Result};

mod federations;
mod local;
mod nodes;
mod runs;
mod superlink;
mod table;
mod tokens;

pub(crate) use federations::FederationRow;
pub(crate) use local::LocalStatus;
pub(crate) use nodes::NodeRow;
pub(crate) use runs::RunRow;
use table::Table;
#[cfg(test)]
pub(crate) use testing::pages;
pub(crate) use tokens::TokenRow;

/// How often a sign of life moves.
const TICK: Duration = Duration::from_millis(100);

/// Where a command's words go.
pub(crate) struct Output {
    out: Box<dyn Write>,
    err: Box<dyn Write>,
    format: Format,
    json_as: JsonAs,
    /// Whether the answer in JSON was given: there is one, also when a log follows it.
    answered: bool,
    /// Lines of progress for stdout. They are printed with what comes next, and dropped if that is an
    /// error: "Success" before an error confuses.
    progress: Vec<String>,
    /// Whether stdout is a terminal.
    terminal: bool,
    colours: bool,
    err_colours: bool,
    /// Whether stderr is a terminal.
    err_terminal: bool,
    /// Whether details were asked for.
    verbose: bool,
    /// Characters in a line of the terminal.
    width: Option<usize>,
    /// Takes what a terminal obeys out of logs; they come in pieces.
    filter: LogFilter,
}

#[derive(Clone, Copy)]
enum Colour {
    Red,
    Green,
    Yellow,
    Blue,
    Magenta,
    Cyan,
}

impl Output {
    /// The process's own stdout and stderr.
    pub(crate) fn stdio(format: Format, verbose: bool) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let terminal = io::stdout().is_terminal();
        Self {
            out: Box::new(io::stdout()),
            err: Box::new(io::stderr()),
            format,
            json_as: JsonAs::default(),
            answered: false,
            progress: Vec::new(),
            terminal,
            colours: terminal && !plain,
            err_colours: io::stderr().is_terminal() && !plain,
            err_terminal: io::stderr().is_terminal(),
            verbose,
            width: terminal_size::terminal_size().map(|(width, _)| width.0.into()),
            filter: LogFilter::new(terminal && !plain),
        }
    }

    /// Answers in JSON have the types of this release from now on.
    pub(crate) fn json_as(&mut self, release: JsonAs) {
        self.json_as = release;
    }

    /// A line of the answer; silent where JSON was asked for.
    pub(crate) fn say(&mut self, line: &str) -> Result<()> {
        self.say_in(None, line)
    }

    fn say_in(&mut self, colour: Option<Colour>, line: &str) -> Result<()> {
        let line = match colour {
            None => lines(line),
            Some(colour) => paint(&lines(line), colour, self.colours),
        };
        match self.format {
            Format::Default => self.put(&format!("{line}\n")),
            Format::Json => Ok(()),
        }
    }

    /// A line of progress, as pip's `flwr` prints it; silent where JSON was asked for, and where the
    /// next words are an error.
    pub(crate) fn progress(&mut self, line: &str) {
        if self.format == Format::Default {
            self.progress.push(format!("{}\n", lines(line)));
        }
    }

    /// Prints the progress that nothing followed: the command was successful.
    pub(crate) fn finish(&mut self) -> Result<()> {
        self.put("")
    }

    /// A line of the answer that says that it worked; silent where JSON was asked for.
    pub(crate) fn success(&mut self, line: &str) -> Result<()> {
        self.say_in(Some(Colour::Green), line)
    }

    /// The answer as JSON; silent unless that was asked for.
    pub(crate) fn json(&mut self, value: &Value) -> Result<()> {
        match self.format {
            Format::Default => Ok(()),
            Format::Json => {
                self.answered = true;
                self.put(&pretty(&typed(value, self.json_as)))
            }
        }
    }

    /// The list of runs, in the format that was asked for.
    pub(crate) fn runs(&mut self, rows: &[RunRow]) -> Result<()> {
        self.list(&runs::table(rows), || runs::json(rows))
    }

    /// The list of SuperNodes, in the format that was asked for.
    pub(crate) fn nodes(&mut self, rows: &[NodeRow]) -> Result<()> {
        self.list(&nodes::table(rows, self.verbose), || nodes::json(rows))
    }

    fn list(&mut self, table: &Table, json: impl FnOnce() -> Value) -> Result<()> {
        match self.format {
            Format::Json => self.put(&pretty(&json())),
            Format::Default => self.table(table),
        }
    }

    fn table(&mut self, table: &Table) -> Result<()> {
        let text = if self.terminal {
            table.framed(self.colours, self.width)
        } else {
            table.columns()
        };
        self.put(&text)
    }

    /// What a checkup found, in the format that was asked for.
    pub(crate) fn checkup(&mut self, checkup: &Checkup) -> Result<()> {
        match self.format {
            Format::Default => self.put(&format!("{checkup}\n")),
            Format::Json => self.json(&checkup.json()),
        }
    }

    /// A run's log, with the app's own colours where there may be some.
    pub(crate) fn log(&mut self, text: &str) -> Result<()> {
        let text = self.filter.next(text.as_bytes());
        let mut shown = std::mem::take(&mut self.progress).concat();
        shown.push_str(&text);
        self.write(shown.as_bytes())
    }

    /// Makes room for the same list again: on a terminal it stands where the last one stood.
    pub(crate) fn again(&mut self) -> Result<()> {
        if self.terminal && self.format == Format::Default {
            self.put("\u{1b}[H\u{1b}[J")?;
        }
        Ok(())
    }

    /// Tells a person what takes a while, until the answer is dropped.
    pub(crate) fn busy(&mut self, what: &str) -> ProgressBar {
        // Nothing is drawn where stderr is no terminal.
        let spinner = ProgressBar::new_spinner().with_message(what.to_owned());
        spinner.enable_steady_tick(TICK);
        spinner
    }

    /// Talk for people, not for scripts: where stderr is a terminal, or details were asked for.
    pub(crate) fn talk(&mut self, line: &str) {
        if self.err_terminal || self.verbose {
            self.note(line);
        }
    }

    /// Talk beside the answer.
    pub(crate) fn note(&mut self, line: &str) {
        self.note_in(None, line);
    }

    fn note_in(&mut self, colour: Option<Colour>, line: &str) {
        let line = match colour {
            None => lines(line),
            Some(colour) => paint(&lines(line), colour, self.err_colours),
        };
        // A log on the same terminal may have left a colour on.
        let reset = self.filter.reset();
        if !reset.is_empty() {
            let _ = self.write(reset.as_bytes());
        }
        // Where stderr is gone there is nobody to tell.
        let _ = writeln!(self.err, "{line}");
    }

    /// Talk that stands above the answer, after the progress so far.
    pub(crate) fn title(&mut self, line: &str) -> Result<()> {
        self.finish()?;
        self.note(line);
        Ok(())
    }

    /// What to do next, for people; stderr, as the answer is for scripts too.
    pub(crate) fn suggest(&mut self, line: &str) {
        if self.format == Format::Default {
            self.note(&format!("hint: {line}"));
        }
    }

    /// Talk for those who asked for it.
    pub(crate) fn detail(&mut self, line: &str) {
        if self.verbose {
            self.note(line);
        }
    }

    /// Something the user should know, but that is no reason to stop.
    pub(crate) fn warn(&mut self, line: &str) {
        self.note_in(Some(Colour::Yellow), &format!("warning: {line}"));
    }

    /// How a command ended badly.
    pub(crate) fn fail(&mut self, error: &Error) {
        self.progress.clear();
        if let Error::Stdout(cause) = error
            && cause.kind() == io::ErrorKind::BrokenPipe
        {
            return;
        }
        if matches!(error, Error::Told) {
            return;
        }
        if self.format == Format::Json && !self.answered {
            let answer = pretty(&json!({"success": false, "error-message": error.chain()}));
            if self.put(&answer).is_ok() {
                return;
            }
        }
        self.note_in(Some(Colour::Red), &format!("❌ {}", error.chain()));
        if let Some(picture) = error.picture() {
            self.note(&picture);
        }
        if let Some(hint) = error.hint() {
            self.note(&format!("hint: {hint}"));
        }
    }

    fn put(&mut self, text: &str) -> Result<()> {
        self.data(text.as_bytes())
    }

    /// What another program reads, as it is.
    pub(crate) fn data(&mut self, bytes: &[u8]) -> Result<()> {
        let mut text = std::mem::take(&mut self.progress).concat().into_bytes();
        text.extend_from_slice(self.filter.reset().as_bytes());
        text.extend_from_slice(bytes);
        self.write(&text)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.out.write_all(bytes).and_then(|()| self.out.flush());
        written.map_err(Error::Stdout)
    }
}

/// An answer with the types of a release: flwr 1.22 has the id of a run as a number, where it is not
/// one of a list, and later releases as text.
fn typed(answer: &Value, release: JsonAs) -> Value {
    let mut answer = answer.clone();
    if release == JsonAs::Newest
        && let Some(id) = answer.get_mut("run-id")
        && id.is_number()
    {
        *id = Value::String(id.to_string());
    }
    answer
}

/// Two spaces per level, as Flower prints it. JSON escapes the control characters of ASCII by itself.
/// Those of Unicode, which stand in strings only, are escaped here.
fn pretty(value: &Value) -> String {
    let mut text = String::new();
    for c in format!("{value:#}\n").chars() {
        if c != '\n' && is_order(c) {
            let _ = write!(text, "\\u{:04x}", u32::from(c));
        } else {
            text.push(c);
        }
    }
    text
}

fn paint(text: &str, colour: Colour, on: bool) -> String {
    let code = match colour {
        _ if !on => return text.to_owned(),
        Colour::Red => 31,
        Colour::Green => 32,
        Colour::Yellow => 33,
        Colour::Blue => 34,
        Colour::Magenta => 35,
        Colour::Cyan => 36,
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
