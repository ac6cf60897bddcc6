//! Texts of others, made harmless before they are printed. A terminal takes orders from escape
//! sequences: to move the cursor, to set its title, to hide or to answer. A line break lets a text
//! pretend to be several of our lines, such as a `hint:`.

use std::mem;

use anstyle_parse::{Params, Parser, Perform};

/// Stands for a character that is not printed.
const LEFT_OUT: char = '\u{fffd}';

/// A text in one line: line breaks become spaces, and other control characters U+FFFD.
#[must_use]
pub fn line(text: &str) -> String {
    let text = text.trim_end_matches(['\r', '\n']);
    text.chars()
        .map(|c| match c {
            '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => ' ',
            c => harmless(c),
        })
        .collect()
}

/// A text that may have several lines.
#[must_use]
pub fn lines(text: &str) -> String {
    let keep = |c| {
        if c == '\n' || c == '\t' {
            c
        } else {
            harmless(c)
        }
    };
    text.chars().map(keep).collect()
}

/// A text whose further lines are indented, so that no line of the text looks like one of ours.
#[must_use]
pub fn indented(text: &str) -> String {
    lines(text).trim_end().replace('\n', "\n  ")
}

/// Whether a character is an order to the terminal: a control character, or one that breaks the line
/// or changes the direction of the text around it (Unicode TR 36, "bidirectional text spoofing").
#[must_use]
pub fn is_order(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn harmless(c: char) -> char {
    if is_order(c) { LEFT_OUT } else { c }
}

/// Filters the log of an app, which comes in pieces. Line breaks, tabs and the return of the
/// carriage, with which progress bars are drawn, pass. Colours (ECMA-48, SGR) pass if they are
/// wanted. All other control characters and sequences are left out.
pub struct LogFilter {
    parser: Parser,
    /// The bytes of a character whose rest is in the next piece.
    cut: Vec<u8>,
    colours: bool,
    /// Whether a colour is on.
    coloured: bool,
}

impl LogFilter {
    /// A filter at the beginning of a log.
    #[must_use]
    pub fn new(colours: bool) -> Self {
        Self {
            parser: <Parser>::new(),
            cut: Vec::new(),
            colours,
            coloured: false,
        }
    }

    /// What is printed of the next piece. A sequence or a character may be cut in two.
    pub fn next(&mut self, piece: &[u8]) -> String {
        let mut passed = Passed {
            text: String::with_capacity(piece.len()),
            colours: self.colours,
            coloured: self.coloured,
        };
        let mut bytes = mem::take(&mut self.cut);
        bytes.extend_from_slice(piece);
        let mut rest = bytes.as_slice();
        // Not by the parser, which leaves out the character after a byte that is no text.
        while let Err(error) = str::from_utf8(rest) {
            let (text, odd) = rest.split_at(error.valid_up_to());
            self.read(text, &mut passed);
            let Some(length) = error.error_len() else {
                self.cut = odd.to_vec();
                rest = &[];
                break;
            };
            passed.text.push(LEFT_OUT);
            rest = &odd[length..];
        }
        self.read(rest, &mut passed);
        self.coloured = passed.coloured;
        passed.text
    }

    /// Reads bytes that are text.
    fn read(&mut self, text: &[u8], passed: &mut Passed) {
        for byte in text {
            if *byte == b'\n' {
                // A sequence without an end must not swallow the rest of the log.
                self.parser = <Parser>::new();
                passed.text.push('\n');
            } else {
                self.parser.advance(passed, *byte);
            }
        }
    }

    /// Turns off the colour that the log has left on; empty if there is none.
    pub fn reset(&mut self) -> &'static str {
        self.parser = <Parser>::new();
        if mem::take(&mut self.coloured) {
            "\u{1b}[0m"
        } else {
            ""
        }
    }
}

impl std::fmt::Debug for LogFilter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogFilter")
            .field("colours", &self.colours)
            .finish_non_exhaustive()
    }
}

/// What of a piece passes.
struct Passed {
    text: String,
    colours: bool,
    coloured: bool,
}

impl Perform for Passed {
    fn print(&mut self, c: char) {
        self.text.push(harmless(c));
    }

    fn execute(&mut self, byte: u8) {
        if matches!(byte, b'\r' | b'\t') {
            self.text.push(char::from(byte));
        }
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], ignore: bool, action: u8) {
        if !self.colours || action != b'm' || !intermediates.is_empty() || ignore {
            return;
        }
        let params: Vec<String> = params
            .iter()
            .map(|values| {
                let values: Vec<_> = values.iter().map(ToString::to_string).collect();
                values.join(":")
            })
            .collect();
        let params = params.join(";");
        self.coloured = !matches!(params.as_str(), "" | "0");
        self.text.push_str("\u{1b}[");
        self.text.push_str(&params);
        self.text.push('m');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Orders to a terminal: title, clear, cursor, clipboard, a report that is typed back, a DCS
    /// string, another character set, C1 in two forms, backspace, bell.
    const ORDERS: &str = "\u{1b}]0;title\u{7}\u{1b}[2J\u{1b}[1;1H\u{1b}]52;c;aGk=\u{1b}\\\u{1b}[6n\
                          \u{1b}Pq#0\u{1b}\\\u{1b}(0\u{9b}2J\u{8}\u{7}\u{7f}\u{1b}c";

    fn filtered(colours: bool, pieces: &[&[u8]]) -> String {
        let mut filter = LogFilter::new(colours);
        pieces.iter().map(|piece| filter.next(piece)).collect()
    }

    #[test]
    fn of_a_log_only_text_and_colours_pass() {
        let log = format!("a{ORDERS}b\u{1b}[1;38;5;196mred\u{1b}[0m\tc\r\n");
        let shown = filtered(true, &[log.as_bytes()]);
        let harmless = shown.replace(LEFT_OUT, "");
        assert_eq!(harmless, "a2Jb\u{1b}[1;38;5;196mred\u{1b}[0m\tc\r\n");
        let plain = filtered(false, &[log.as_bytes()]).replace(LEFT_OUT, "");
        assert_eq!(plain, "a2Jbred\tc\r\n");
    }

    #[test]
    fn sequences_and_characters_that_are_cut_in_two_are_read_whole() {
        let log = "ä\u{1b}[31mrot\u{1b}[m\u{1b}]0;x\u{7}ß\n".as_bytes();
        for cut in 0..log.len() {
            let shown = filtered(true, &[&log[..cut], &log[cut..]]);
            assert_eq!(shown, "ä\u{1b}[31mrot\u{1b}[0mß\n", "{cut}");
        }
    }

    #[test]
    fn a_sequence_without_an_end_hides_its_own_line_only() {
        for begun in ["\u{1b}]0;", "\u{1b}P", "\u{1b}[", "\u{1b}_", "\u{1b}"] {
            let shown = filtered(true, &[format!("{begun}hidden\nshown\n").as_bytes()]);
            assert!(shown.ends_with("\nshown\n"), "{begun:?}: {shown:?}");
            assert!(!shown.contains('\u{1b}'), "{begun:?}: {shown:?}");
        }
        assert_eq!(filtered(true, &[b"a\n\n\nb\n"]), "a\n\n\nb\n");
    }

    #[test]
    fn bytes_that_are_no_text_are_left_out() {
        let shown = filtered(true, &[b"a\xff\x9b2J\xc3b\n"]);
        assert!(
            shown.starts_with('a') && shown.ends_with("b\n"),
            "{shown:?}"
        );
        assert!(shown.chars().all(|c| c == '\n' || !c.is_control()));
    }

    #[test]
    fn a_colour_that_is_left_on_can_be_turned_off() {
        let mut filter = LogFilter::new(true);
        filter.next(b"\x1b[8mhidden");
        assert_eq!(filter.reset(), "\u{1b}[0m");
        assert_eq!(filter.reset(), "");
        filter.next(b"\x1b[31mred\x1b[0m");
        assert_eq!(filter.reset(), "");
    }

    #[test]
    fn a_text_of_another_is_one_line_and_orders_nothing() {
        let text = line(&format!("no{ORDERS}\nhint: run it\r\n"));
        assert!(text.ends_with(" hint: run it"), "{text:?}");
        assert!(text.chars().all(|c| !c.is_control()), "{text:?}");
        assert_eq!(line("a\u{202e}b\u{2028}c"), "a\u{fffd}b c");
        assert_eq!(line("plain, größer"), "plain, größer");
    }

    #[test]
    fn further_lines_are_indented() {
        assert_eq!(indented("a\nhint: b\u{1b}\n"), "a\n  hint: b\u{fffd}");
        assert_eq!(lines("a\tb\nc\r"), "a\tb\nc\u{fffd}");
    }
}
