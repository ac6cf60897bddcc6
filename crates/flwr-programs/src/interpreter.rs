//! The Python that runs a script, read from the script's first lines. Installers write many forms:
//!
//! - `#!/venv/bin/python3`, also with options;
//! - `#!/usr/bin/env python3`, also with `-S` and options: conda for long prefixes;
//! - `#!/bin/sh` and a line `'''exec' "/my venv/bin/python3" "$0" "$@"`, which is a string for
//!   Python. pip, uv and conda write this form for a path with a space or of more than 127
//!   characters, since the system allows neither in a first line. Relocatable environments of uv
//!   name the directory of the script by `dirname`.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::find::{find, path_variable};

/// Bytes read of a script: more than two of the longest paths.
const START: u64 = 16 * 1024;
/// Stands for the directory of the script.
const BESIDE_SCRIPT: &[u8] = br#""$(dirname -- "$(realpath -- "$0")")"/"#;

/// A Python with its own options, such as `-E`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interpreter {
    /// The Python's path.
    pub python: PathBuf,
    /// Its own options.
    pub options: Vec<OsString>,
}

impl Interpreter {
    /// The Python that a script names. `None` for a program that is no Python script, or has an
    /// unknown form.
    #[must_use]
    pub fn of(script: &Path) -> Option<Self> {
        Self::found_in(script, &path_variable())
    }

    /// The Python that a script names and that is gone, as after an upgrade of the system. Such a script
    /// does not start.
    #[must_use]
    pub fn gone(script: &Path) -> Option<PathBuf> {
        let named = Self::named_in(script, &path_variable())?;
        (!named.python.is_file()).then_some(named.python)
    }

    fn found_in(script: &Path, path: &OsStr) -> Option<Self> {
        Self::named_in(script, path).filter(|named| named.python.is_file())
    }

    fn named_in(script: &Path, path: &OsStr) -> Option<Self> {
        let mut start = Vec::new();
        let file = File::open(script).ok()?;
        file.take(START).read_to_end(&mut start).ok()?;
        let mut lines = start.strip_prefix(b"#!")?.split(|byte| *byte == b'\n');
        let first = words(lines.next()?)?;
        let (program, rest) = first.split_first()?;
        match Path::new(program).file_name()?.as_bytes() {
            b"env" => Self::through_env(rest, path),
            b"sh" | b"bash" | b"dash" => Self::through_shell(lines.next()?, script),
            _ => Self::new(program.into(), rest),
        }
    }

    fn new(python: PathBuf, options: &[OsString]) -> Option<Self> {
        let name = python.file_name()?.as_bytes();
        let is_python = name.starts_with(b"python") || name.starts_with(b"pypy");
        is_python.then(|| Self {
            python,
            options: options.to_vec(),
        })
    }

    /// Reads the words after `env`. No installer writes variables or other options there.
    fn through_env(words: &[OsString], path: &OsStr) -> Option<Self> {
        let (first, rest) = words.split_first()?;
        match first.to_str() {
            Some("-S" | "--split-string") => Self::through_env(rest, path),
            Some(name) => Self::new(find(name, path)?, rest),
            None => None,
        }
    }

    /// The second line of a script for `sh`.
    fn through_shell(line: &[u8], script: &Path) -> Option<Self> {
        let line = line.strip_prefix(b"'''exec' ")?;
        let words = match line.strip_prefix(BESIDE_SCRIPT) {
            None => words(line)?,
            Some(line) => {
                let mut words = words(line)?;
                let python = words.first_mut()?;
                *python = script.canonicalize().ok()?.parent()?.join(&*python).into();
                words
            }
        };
        let end = words.iter().position(|word| word == "$0")?;
        let (python, options) = words[..end].split_first()?;
        Self::new(python.into(), options)
    }
}

/// Splits a line into words as the shell does. `None` if a word has an expansion other than `$0`
/// and `$@`.
fn words(line: &[u8]) -> Option<Vec<OsString>> {
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut quote = None;
    let mut bytes = line.trim_ascii().iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match (quote, byte) {
            (Some(open), _) if byte == open => quote = None,
            (None, b'"' | b'\'') => {
                quote = Some(byte);
                word.get_or_insert_default();
            }
            (None, b' ' | b'\t') => words.extend(word.take().map(OsString::from_vec)),
            // A comment: conda ends its line with `#'''`.
            (None, b'#') if word.is_none() => break,
            (Some(b'\''), _) => word.get_or_insert_default().push(byte),
            (_, b'$') if matches!(bytes.peek(), Some(b'0' | b'@')) => {
                word.get_or_insert_default().push(byte);
            }
            (_, b'$' | b'`' | b'\\') => return None,
            (None, b';' | b'&' | b'|' | b'<' | b'>' | b'(') => return None,
            _ => word.get_or_insert_default().push(byte),
        }
    }
    words.extend(word.map(OsString::from_vec));
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests;
