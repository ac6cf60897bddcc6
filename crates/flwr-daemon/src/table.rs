//! The content of a JSON or TOML file that people write: one table. JSON may be written as a Python
//! dictionary ([`relaxed`]).

use std::fs;
use std::io;
use std::path::Path;

use flwr_core::config::SyntaxError;
use serde_json::{Map, Value};
use thiserror::Error;

mod relaxed;

pub use relaxed::SpellingError;

/// Longest file that is read.
const MAX_BYTES: u64 = 1 << 20;

/// The reason why a file has no table. The caller adds the name of the file.
#[derive(Debug, Error)]
pub enum TableError {
    /// The file cannot be read.
    #[error("cannot be read as text")]
    Read(#[source] io::Error),
    /// The content is no table.
    #[error("longer than 1 MiB, which no configuration is")]
    TooLong,
    /// The content is no JSON.
    #[error("not a JSON file")]
    Json(#[source] serde_json::Error),
    /// The content is not even JSON as people write it by hand.
    #[error("not a JSON file")]
    Spelling(#[source] SpellingError),
    /// The content is no TOML.
    #[error("not a TOML file")]
    Toml(#[source] SyntaxError),
}

/// Reads a file as JSON or TOML, by its extension, or else by its first characters.
///
/// # Errors
/// If the file has no table.
pub fn read(path: &Path) -> Result<Map<String, Value>, TableError> {
    let size = fs::metadata(path).map_err(TableError::Read)?.len();
    if size > MAX_BYTES {
        return Err(TableError::TooLong);
    }
    let text = fs::read_to_string(path).map_err(TableError::Read)?;
    // Editors on Windows put a byte order mark before the text.
    let text = text.trim_start_matches('\u{feff}');
    if is_toml(path, text) {
        let table = toml::from_str(text);
        table.map_err(|error| TableError::Toml(SyntaxError::of(text, &error)))
    } else {
        let json = relaxed::to_json(text).map_err(TableError::Spelling)?;
        serde_json::from_str(&json).map_err(TableError::Json)
    }
}

fn is_toml(path: &Path, text: &str) -> bool {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("toml") => true,
        Some("json") => false,
        _ => !begins_with_brace(text),
    }
}

/// Whether the first line that is neither empty nor a comment begins as a JSON object does.
fn begins_with_brace(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim_start);
    let first = lines.find(|line| !(line.is_empty() || line.starts_with(['#', '/'])));
    first.is_some_and(|line| line.starts_with('{'))
}
