//! An `Output` that writes to memory, and runs to show, for tests.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

use flwr_core::config::UserConfig;
use flwr_core::id::RunId;
use flwr_core::run::{Run, RunStatus};
use flwr_core::time::Timestamp;

use super::Output;
use crate::cli::{Format, JsonAs};

/// Paper.
#[derive(Clone, Default)]
pub(crate) struct Page(Rc<RefCell<Vec<u8>>>);

impl Page {
    /// What was printed.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.borrow().clone()).unwrap()
    }
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An output to pages: (it, stdout, stderr).
pub(crate) fn pages(format: Format, terminal: bool) -> (Output, Page, Page) {
    let (out, err) = (Page::default(), Page::default());
    let output = Output {
        out: Box::new(out.clone()),
        err: Box::new(err.clone()),
        format,
        json_as: JsonAs::default(),
        answered: false,
        progress: Vec::new(),
        terminal,
        colours: false,
        err_colours: false,
        err_terminal: false,
        verbose: false,
        width: None,
        filter: flwr_core::printable::LogFilter::new(false),
    };
    (output, out, err)
}

/// A run with the moments at which it was created, began to run and ended; empty: not yet.
pub(crate) fn run(id: u64, at: [&str; 3], status: &str) -> Run {
    let [pending_at, running_at, finished_at] = at.map(Timestamp::from_iso8601);
    Run {
        id: RunId(id),
        fab_id: "pub/digits".into(),
        fab_version: "1.0.0".into(),
        fab_hash: "8dce5c8e475f4e7c".into(),
        account: String::new(),
        override_config: UserConfig::new(),
        status: RunStatus::plain(status.parse().unwrap()),
        pending_at: pending_at.unwrap(),
        starting_at: None,
        running_at,
        finished_at,
    }
}
