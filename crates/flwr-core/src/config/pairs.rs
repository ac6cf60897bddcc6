//! The `key=value` grammar of `--run-config`, `--federation-config` and `--node-config`
//! (flwr 1.17 to 1.22): a key is everything up to the first `=` that has something behind it, a
//! value is a quoted string, which may have spaces in it, or everything up to the next space.

use toml::{Table, Value};

use super::{ConfigError, SyntaxError};

/// Parses each text and lays the later over the earlier, table by table.
///
/// Flower replaces a whole table when a later flag names one key of it (`-c a.b=1 -c a.c=2` keeps
/// only `a.c` there); here both are kept.
///
/// # Errors
/// [`ConfigError::Pairs`] when a value is not TOML (most often a string without quotes),
/// [`ConfigError::Mixed`] when a text is the name of a `.toml` file.
pub fn parse_pairs(texts: &[&str]) -> Result<Table, ConfigError> {
    let mut merged = Table::new();
    for text in texts.iter().copied().filter(|text| !text.is_empty()) {
        if super::is_toml_file(text) {
            return Err(ConfigError::Mixed);
        }
        merge(&mut merged, parse(text)?);
    }
    Ok(merged)
}

fn parse(text: &str) -> Result<Table, ConfigError> {
    let lines: Vec<_> = scan(text)
        .pairs
        .iter()
        .map(|(key, value)| format!("{key} = {value}"))
        .collect();
    let lines = lines.join("\n");
    lines.parse().map_err(|error| {
        let source = SyntaxError::of(&lines, &error);
        ConfigError::Pairs {
            given: text.to_owned(),
            source,
        }
    })
}

fn merge(into: &mut Table, from: Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Table(old)), Value::Table(new)) => merge(old, new),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

/// The words of a text that are no `key=value` pair. Flower drops them without a word, for
/// instance all three of `lr = 0.1`; callers should tell the user.
#[must_use]
pub fn ignored(text: &str) -> Vec<&str> {
    scan(text).ignored
}

#[derive(Default)]
struct Scan<'a> {
    pairs: Vec<(&'a str, &'a str)>,
    ignored: Vec<&'a str>,
}

fn scan(text: &str) -> Scan<'_> {
    let mut found = Scan::default();
    let mut rest = text.trim_start_matches(is_space);
    while !rest.is_empty() {
        let word = &rest[..word_len(rest)];
        let end = match split(rest, word) {
            Some((key, value)) => {
                found.pairs.push((key, value));
                key.len() + 1 + value.len()
            }
            None => {
                found.ignored.push(word);
                word.len()
            }
        };
        rest = rest[end..].trim_start_matches(is_space);
    }
    found
}

/// The pair at the start of `rest`, whose first word is `word`.
fn split<'a>(rest: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
    // A key has at least one character, so an `=` in first place belongs to it.
    let equals = word
        .char_indices()
        .skip(1)
        .find(|(at, c)| *c == '=' && at + 1 < word.len());
    let (at, _) = equals?;
    let value = &rest[at + 1..];
    Some((&rest[..at], &value[..value_len(value)]))
}

fn value_len(value: &str) -> usize {
    match value.chars().next() {
        Some(quote @ ('"' | '\'')) => match value[1..].find(quote) {
            Some(end) => end + 2,
            None => word_len(value),
        },
        _ => word_len(value),
    }
}

fn word_len(text: &str) -> usize {
    text.find(is_space).unwrap_or(text.len())
}

/// White space as Python's regular expressions know it: Unicode's, and four control characters.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

#[cfg(test)]
pub(super) fn pairs_of(text: &str) -> Vec<(&str, &str)> {
    scan(text).pairs
}
