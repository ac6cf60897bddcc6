//! Tables: framed to the width of a terminal, or plain columns for pipes.

use std::fmt::Write as _;

use super::{Colour, paint};

/// A column that is cut keeps so many characters, and the sign that it is cut.
const NARROWEST: usize = 8;
const CUT: char = '…';

/// Rows of cells under headers.
pub(super) struct Table {
    pub(super) headers: Vec<&'static str>,
    pub(super) rows: Vec<Row>,
    /// The column that has a colour of its own: what a row is looked at for.
    pub(super) coloured: usize,
    /// Columns that are left out where the terminal is too narrow, in this order. After that the
    /// widest of the others are cut, but not the first, by which a row is named, and not the coloured
    /// one. That one has its short form where the rest cannot be cut enough.
    pub(super) spare: &'static [usize],
}

/// A row.
pub(super) struct Row {
    pub(super) cells: Vec<String>,
    /// The cell of the coloured column in fewer letters, if there is such a form.
    pub(super) short: Option<String>,
    pub(super) colour: Colour,
}

impl Table {
    /// Columns apart by two spaces, without colours: what `awk` and `grep` like.
    pub(super) fn columns(&self) -> String {
        let widths = self.widths(false);
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

    /// A frame with a line between the rows, not wider than the terminal if that can be.
    pub(super) fn framed(&self, colours: bool, terminal: Option<usize>) -> String {
        let (columns, is_short) = self.fitted(terminal.unwrap_or(usize::MAX));
        let widths: Vec<_> = columns.iter().map(|(_, width)| *width).collect();
        let mut text = rule(["┌", "┬", "┐"], &widths);
        let centred: Vec<_> = columns
            .iter()
            .map(|(column, width)| format!(" {:^width$} ", cut(self.headers[*column], *width)))
            .collect();
        let _ = writeln!(text, "│{}│", centred.join("│"));
        for row in &self.rows {
            text.push_str(&rule(["├", "┼", "┤"], &widths));
            let padded = columns.iter().map(|(column, width)| {
                let cell = format!(
                    " {:width$} ",
                    cut(self.cell(row, *column, is_short), *width)
                );
                if *column == self.coloured {
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

    /// The columns that are shown and how wide, and whether the coloured one has its short form.
    fn fitted(&self, terminal: usize) -> (Vec<(usize, usize)>, bool) {
        let whole = self.cut_to(terminal, false);
        if framed(&whole) > terminal {
            (self.cut_to(terminal, true), true)
        } else {
            (whole, false)
        }
    }

    /// Columns in a frame of this width, or of the least width that they can have.
    fn cut_to(&self, terminal: usize, is_short: bool) -> Vec<(usize, usize)> {
        let mut columns: Vec<_> = self.widths(is_short).into_iter().enumerate().collect();
        for spare in self.spare {
            if framed(&columns) > terminal {
                columns.retain(|(column, _)| column != spare);
            }
        }
        while framed(&columns) > terminal {
            let others = columns.iter_mut().skip(1);
            let others = others.filter(|(column, _)| *column != self.coloured);
            match others.max_by_key(|(_, width)| *width) {
                Some((_, width)) if *width > NARROWEST => *width -= 1,
                _ => break,
            }
        }
        columns
    }

    fn cell<'a>(&self, row: &'a Row, column: usize, is_short: bool) -> &'a str {
        match &row.short {
            Some(short) if is_short && column == self.coloured => short,
            _ => &row.cells[column],
        }
    }

    fn widths(&self, is_short: bool) -> Vec<usize> {
        let mut widths: Vec<_> = self
            .headers
            .iter()
            .map(|header| header.chars().count())
            .collect();
        for row in &self.rows {
            for (column, width) in widths.iter_mut().enumerate() {
                let cell = self.cell(row, column, is_short);
                *width = cell.chars().count().max(*width);
            }
        }
        widths
    }
}

/// How wide a frame around these columns is.
fn framed(columns: &[(usize, usize)]) -> usize {
    columns.iter().map(|(_, width)| width + 3).sum::<usize>() + 1
}

/// A cell that is not wider than its column.
fn cut(cell: &str, width: usize) -> String {
    if cell.chars().count() <= width {
        return cell.to_owned();
    }
    let kept = cell.chars().take(width.saturating_sub(1));
    kept.chain([CUT]).collect()
}

fn rule([left, middle, right]: [&str; 3], widths: &[usize]) -> String {
    let bars: Vec<_> = widths.iter().map(|width| "─".repeat(width + 2)).collect();
    format!("{left}{}{right}\n", bars.join(middle))
}
