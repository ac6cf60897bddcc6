//! An `Output` that writes to memory, for tests.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

use super::Output;
use crate::cli::Format;

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
        answered: false,
        progress: Vec::new(),
        terminal,
        colours: false,
        err_colours: false,
        err_terminal: false,
        verbose: false,
        width: None,
        plain: anstream::adapter::StripBytes::new(),
    };
    (output, out, err)
}
