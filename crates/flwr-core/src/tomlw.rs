//! Writes TOML exactly as Flower's own builder does (tomli-w 1.2, as shipped with flwr 1.20 to
//! 1.22). A bundle's hash covers the re-written `pyproject.toml`, so one byte of difference would
//! make another app of it; the `toml` crate's writer makes other choices.
//!
//! The layout: at each level first the plain values, then the tables, each behind a blank line
//! and a header; a table that has nothing but sub-tables gets no header of its own. Arrays stand
//! one item per line. An array of tables is written inline when every one of its tables fits a
//! line of [`MAX_LINE`] characters, else as `[[name]]` sections.

use std::fmt::Write as _;

use toml::value::{Date, Datetime, Offset, Time};
use toml::{Table, Value};

/// Longest line, in characters, up to which a table in an array is written inline (tomli-w 1.2).
const MAX_LINE: usize = 100;
const INDENT: &str = "    ";

/// The document as text, ending in a newline unless it is empty.
#[must_use]
pub fn to_string(document: &Table) -> String {
    let mut out = String::new();
    write_table(&mut out, document, "", false);
    out
}

/// Writes one table: `path` is its full dotted name, empty for the document itself.
fn write_table(out: &mut String, table: &Table, path: &str, in_array: bool) {
    let plain: Vec<_> = table
        .iter()
        .filter(|(_, value)| !is_section(value))
        .collect();
    let has_header = in_array || (!path.is_empty() && (!plain.is_empty() || table.is_empty()));
    if has_header {
        separate(out);
        let header = if in_array {
            format!("[[{path}]]\n")
        } else {
            format!("[{path}]\n")
        };
        out.push_str(&header);
    }
    for (key, value) in plain {
        write_key(out, key);
        out.push_str(" = ");
        write_value(out, value, 0);
        out.push('\n');
    }
    for (key, value) in table {
        write_section(out, value, &join(path, key));
    }
}

/// Writes the tables behind one key; does nothing for a plain value.
fn write_section(out: &mut String, value: &Value, path: &str) {
    match value {
        Value::Table(table) => write_table(out, table, path, false),
        Value::Array(items) if is_section(value) => {
            let tables = items.iter().filter_map(Value::as_table);
            tables.for_each(|table| write_table(out, table, path, true));
        }
        _ => {}
    }
}

/// A blank line before every header but the first line of the document.
fn separate(out: &mut String) {
    if !out.is_empty() {
        out.push('\n');
    }
}

fn join(path: &str, key: &str) -> String {
    let mut joined = String::from(path);
    if !path.is_empty() {
        joined.push('.');
    }
    write_key(&mut joined, key);
    joined
}

/// Whether a value gets a header (or several) instead of a `key = value` line.
fn is_section(value: &Value) -> bool {
    match value {
        Value::Table(_) => true,
        Value::Array(items) => {
            !items.is_empty() && items.iter().all(Value::is_table) && !items.iter().all(fits_a_line)
        }
        _ => false,
    }
}

fn fits_a_line(table: &Value) -> bool {
    let mut line = String::from(INDENT);
    write_value(&mut line, table, 0);
    line.push(',');
    line.chars().count() <= MAX_LINE && !line.contains('\n')
}

fn write_value(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::String(text) => write_text(out, text),
        Value::Integer(number) => push(out, format_args!("{number}")),
        Value::Float(number) => out.push_str(&float(*number)),
        Value::Boolean(flag) => push(out, format_args!("{flag}")),
        Value::Datetime(moment) => write_moment(out, moment),
        Value::Array(items) => write_array(out, items, depth),
        Value::Table(table) => write_inline(out, table),
    }
}

fn write_array(out: &mut String, items: &[Value], depth: usize) {
    if items.is_empty() {
        out.push_str("[]");
        return;
    }
    out.push_str("[\n");
    for item in items {
        out.push_str(&INDENT.repeat(depth + 1));
        write_value(out, item, depth + 1);
        out.push_str(",\n");
    }
    out.push_str(&INDENT.repeat(depth));
    out.push(']');
}

/// `{ a = 1, b = 2 }`. Arrays inside start over at the margin, however deep the table stands.
fn write_inline(out: &mut String, table: &Table) {
    if table.is_empty() {
        out.push_str("{}");
        return;
    }
    for (index, (key, value)) in table.iter().enumerate() {
        out.push_str(if index == 0 { "{ " } else { ", " });
        write_key(out, key);
        out.push_str(" = ");
        write_value(out, value, 0);
    }
    out.push_str(" }");
}

fn write_key(out: &mut String, key: &str) {
    let bare = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if !key.is_empty() && key.bytes().all(bare) {
        out.push_str(key);
    } else {
        write_text(out, key);
    }
}

fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push('\t'),
            c if c.is_ascii_control() => push(out, format_args!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = out.write_fmt(text);
}

/// A float as Python's `str()` writes it: shortest digits, with an exponent of at least two
/// digits below 1e-4 and from 1e16 on.
#[must_use]
pub fn float(number: f64) -> String {
    if number.is_nan() {
        return "nan".into();
    }
    if number.is_infinite() {
        return if number > 0.0 {
            "inf".into()
        } else {
            "-inf".into()
        };
    }
    let scientific = shortest(number);
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        positional(digits, exponent)
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
    }
}

/// `-1.25` and 3 to `-1250.0`.
fn positional(digits: &str, exponent: i32) -> String {
    let (sign, digits) = digits
        .strip_prefix('-')
        .map_or(("", digits), |digits| ("-", digits));
    let digits = digits.replace('.', "");
    let zeros = exponent.unsigned_abs() as usize;
    if exponent < 0 {
        return format!(
            "{sign}0.{:0>width$}",
            digits,
            width = digits.len() + zeros - 1
        );
    }
    let (front, back) = digits.split_at((zeros + 1).min(digits.len()));
    let back = if back.is_empty() { "0" } else { back };
    format!("{sign}{front:0<width$}.{back}", width = zeros + 1)
}

/// The shortest digits that read back as the number. Where several are as short, Python takes
/// those nearest to the number and an even last digit in a tie; Rust does not.
fn shortest(number: f64) -> String {
    let shortest = format!("{number:e}");
    let digits = shortest.split('e').next().map_or(0, |digits| {
        digits.bytes().filter(u8::is_ascii_digit).count()
    });
    let nearest = format!("{number:.*e}", digits.saturating_sub(1));
    if nearest.parse() == Ok(number) {
        nearest
    } else {
        shortest
    }
}

/// Dates and times as Python's `str()` writes them: a space in the middle, microseconds, and
/// `+00:00` for UTC.
fn write_moment(out: &mut String, moment: &Datetime) {
    if let Some(date) = moment.date {
        let Date { year, month, day } = date;
        push(out, format_args!("{year:04}-{month:02}-{day:02}"));
    }
    if let Some(time) = moment.time {
        if moment.date.is_some() {
            out.push(' ');
        }
        write_time(out, time);
    }
    if let Some(offset) = moment.offset {
        write_offset(out, offset);
    }
}

fn write_time(out: &mut String, time: Time) {
    let (hour, minute, second) = (time.hour, time.minute, time.second.unwrap_or(0));
    push(out, format_args!("{hour:02}:{minute:02}:{second:02}"));
    let micros = time.nanosecond.unwrap_or(0) / 1_000;
    if micros != 0 {
        push(out, format_args!(".{micros:06}"));
    }
}

fn write_offset(out: &mut String, offset: Offset) {
    let minutes = match offset {
        Offset::Z => 0,
        Offset::Custom { minutes } => minutes,
    };
    let sign = if minutes < 0 { '-' } else { '+' };
    let minutes = minutes.unsigned_abs();
    push(
        out,
        format_args!("{sign}{:02}:{:02}", minutes / 60, minutes % 60),
    );
}

#[cfg(test)]
mod tests;
