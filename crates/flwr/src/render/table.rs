//! Tables: in a frame for terminals, in plain columns for pipes.

use std::fmt::Write as _;

use super::{Colour, paint};

/// Rows of cells under headers.
pub(super) struct Table {
    pub(super) headers: Vec<&'static str>,
    pub(super) rows: Vec<Row>,
    /// The column that has a colour of its own.
    pub(super) coloured: usize,
}

/// A row.
pub(super) struct Row {
    pub(super) cells: Vec<String>,
    pub(super) colour: Colour,
}

impl Table {
    /// Columns apart by two spaces, without colours: what `awk` and `grep` like.
    pub(super) fn columns(&self) -> String {
        let widths = self.widths();
        let line = |cells: &mut dyn Iterator<Item = &str>| {
            let padded: Vec<_> = cells
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:width$}"))
                .collect();
            format!("{}\n", padded.join("  ").trim_end())
        };
        let mut text = line(&mut self.headers.iter().copied());
        for row in &self.rows {
            text.push_str(&line(&mut row.cells.iter().map(String::as_str)));
        }
        text
    }

    /// A frame with a line between the rows.
    pub(super) fn framed(&self, colours: bool) -> String {
        let widths = self.widths();
        let mut text = rule(["┌", "┬", "┐"], &widths);
        let centred: Vec<_> = self
            .headers
            .iter()
            .zip(&widths)
            .map(|(header, width)| format!(" {header:^width$} "))
            .collect();
        let _ = writeln!(text, "│{}│", centred.join("│"));
        for row in &self.rows {
            text.push_str(&rule(["├", "┼", "┤"], &widths));
            let padded =
                row.cells
                    .iter()
                    .zip(&widths)
                    .enumerate()
                    .map(|(column, (cell, width))| {
                        let cell = format!(" {cell:width$} ");
                        if column == self.coloured {
                            paint(&cell, row.colour, colours)
                        } else {
                            cell
                        }
                    });
            let _ = writeln!(text, "│{}│", padded.collect::<Vec<_>>().join("│"));
        }
        text.push_str(&rule(["└", "┴", "┘"], &widths));
        text
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<_> = self
            .headers
            .iter()
            .map(|header| header.chars().count())
            .collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(&row.cells) {
                *width = cell.chars().count().max(*width);
            }
        }
        widths
    }
}

fn rule([left, middle, right]: [&str; 3], widths: &[usize]) -> String {
    let bars: Vec<_> = widths.iter().map(|width| "─".repeat(width + 2)).collect();
    format!("{left}{}{right}\n", bars.join(middle))
}

/// Names come from whoever wrote them: no control character of theirs reaches the terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}
