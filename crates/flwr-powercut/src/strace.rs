//! Reads what `strace --follow-forks --decode-fds=path --strings-in-hex=all` writes.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::calls::{Call, Offset};

/// The calls below `root`, and the acknowledgements in the file `marks`.
pub(crate) fn read(text: &str, root: &Path, marks: &Path) -> Vec<Call> {
    let mut reader = Reader {
        root,
        marks,
        begun: HashMap::new(),
        open: HashMap::new(),
        calls: Vec::new(),
    };
    for line in text.lines() {
        reader.line(line);
    }
    reader.calls
}

struct Reader<'a> {
    root: &'a Path,
    marks: &'a Path,
    /// By thread: the start of the call in which another thread's call came between.
    begun: HashMap<&'a str, String>,
    /// By file descriptor: where the next `write` goes.
    open: HashMap<u64, Offset>,
    calls: Vec<Call>,
}

impl<'a> Reader<'a> {
    fn line(&mut self, line: &'a str) {
        let Some((thread, rest)) = line.split_once(' ') else {
            return;
        };
        let rest = rest.trim_start();
        if let Some(start) = rest.strip_suffix(" <unfinished ...>") {
            self.begin(start);
            self.begun.insert(thread, start.to_owned());
        } else if let Some((_, end)) = rest.split_once(" resumed>") {
            let start = self.begun.remove(thread).unwrap_or_default();
            self.end(&(start + end));
        } else {
            self.begin(rest);
            self.end(rest);
        }
    }

    /// A sync brings to disk what is there when it begins.
    fn begin(&mut self, call: &str) {
        if let Some(("fsync" | "fdatasync", arguments)) = call.split_once('(')
            && let Some(path) = self.ours(decoded(arguments))
        {
            self.calls.push(Call::Syncing(path));
        }
    }

    fn end(&mut self, call: &str) {
        let Some((name, rest)) = call.split_once('(') else {
            return;
        };
        let Some((inside, result)) = rest.rsplit_once(" = ") else {
            return;
        };
        if result.starts_with(['-', '?']) {
            return;
        }
        let inside = inside.trim_end().trim_end_matches(')');
        let arguments: Vec<&str> = inside.split(", ").collect();
        self.call(name, &arguments, result);
    }

    fn call(&mut self, name: &str, arguments: &[&str], result: &str) {
        match name {
            "open" | "openat" | "creat" => self.opened(name, arguments, result),
            "close" => {
                self.open.remove(&number(arguments[0]));
            }
            "lseek" => {
                self.open
                    .insert(number(arguments[0]), Offset::At(number(result)));
            }
            "write" | "writev" => self.written(arguments, number(result)),
            "pwrite64" => {
                let at = Offset::At(number(arguments[3]));
                self.write(arguments, at, number(result));
            }
            "ftruncate" | "truncate" => {
                let path = decoded(arguments[0]).or_else(|| quoted(arguments[0]));
                if let Some(path) = self.ours(path) {
                    self.calls.push(Call::Truncate(path, number(arguments[1])));
                }
            }
            "fsync" | "fdatasync" => {
                if let Some(path) = self.ours(decoded(arguments[0])) {
                    self.calls.push(Call::Synced(path));
                }
            }
            "rename" | "renameat" | "renameat2" => {
                let (from, to) = match name {
                    "rename" => (named(&arguments[..1]), named(&arguments[1..])),
                    _ => (named(&arguments[..2]), named(&arguments[2..4])),
                };
                if let (Some(from), Some(to)) = (self.ours(from), self.ours(to)) {
                    self.calls.push(Call::Rename(from, to));
                }
            }
            "link" | "linkat" => {
                let (from, to) = match name {
                    "link" => (named(&arguments[..1]), named(&arguments[1..])),
                    _ => (named(&arguments[..2]), named(&arguments[2..4])),
                };
                if let (Some(from), Some(to)) = (self.ours(from), self.ours(to)) {
                    self.calls.push(Call::Link(from, to));
                }
            }
            "unlink" | "unlinkat" | "rmdir" => {
                if let Some(path) = self.ours(named(arguments)) {
                    self.calls.push(Call::Remove(path));
                }
            }
            "mkdir" | "mkdirat" => {
                if let Some(path) = self.ours(named(arguments)) {
                    self.calls.push(Call::MakeDir(path));
                }
            }
            _ => {
                let touched = arguments.iter().any(|argument| {
                    let path = decoded(argument).or_else(|| quoted(argument));
                    self.ours(path).is_some()
                });
                assert!(!touched, "{name} is not modelled: {arguments:?}");
            }
        }
    }

    fn opened(&mut self, name: &str, arguments: &[&str], result: &str) {
        let has = |flag| name == "creat" || arguments.iter().any(|text| text.contains(flag));
        let place = match arguments.iter().any(|text| text.contains("O_APPEND")) {
            true => Offset::End,
            false => Offset::At(0),
        };
        self.open.insert(number(result), place);
        if let Some(path) = self.ours(decoded(result)) {
            if has("O_CREAT") {
                self.calls.push(Call::Create(path.clone()));
            }
            if has("O_TRUNC") {
                self.calls.push(Call::Truncate(path, 0));
            }
        }
    }

    fn written(&mut self, arguments: &[&str], count: u64) {
        let place = self
            .open
            .entry(number(arguments[0]))
            .or_insert(Offset::At(0));
        let at = *place;
        if let Offset::At(at) = place {
            *at += count;
        }
        self.write(arguments, at, count);
    }

    fn write(&mut self, arguments: &[&str], at: Offset, count: u64) {
        let Some(path) = decoded(arguments[0]) else {
            return;
        };
        if path != self.marks && !path.starts_with(self.root) {
            return;
        }
        let parts = arguments[1..].iter().filter_map(|text| bytes_in(text));
        let mut bytes = parts.collect::<Vec<_>>().concat();
        bytes.truncate(usize::try_from(count).unwrap());
        self.calls.push(if path == self.marks {
            Call::Acknowledge(String::from_utf8(bytes).unwrap())
        } else {
            Call::Write { path, at, bytes }
        });
    }

    fn ours(&self, path: Option<PathBuf>) -> Option<PathBuf> {
        path.filter(|path| path.starts_with(self.root))
    }
}

/// The number at the start of `7</a/path>`.
fn number(text: &str) -> u64 {
    let digits = text.split(|c: char| !c.is_ascii_digit()).next();
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// The path in `7</a/path>`.
fn decoded(text: &str) -> Option<PathBuf> {
    let (_, rest) = text.split_once('<')?;
    let (path, _) = rest.split_once('>')?;
    Some(text_of(path).into())
}

/// The path that `"name"` or `AT_FDCWD<dir>, "name"` stands for.
fn named(arguments: &[&str]) -> Option<PathBuf> {
    let name = arguments.iter().find_map(|text| quoted(text))?;
    match decoded(arguments[0]) {
        Some(dir) => Some(dir.join(name)),
        None => Some(name),
    }
}

fn quoted(text: &str) -> Option<PathBuf> {
    let bytes = bytes_in(text)?;
    Some(String::from_utf8(bytes).ok()?.into())
}

/// The bytes in `"\x01\x02"`.
fn bytes_in(text: &str) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once('"')?;
    let (hex, _) = rest.split_once('"')?;
    Some(unescape(hex))
}

fn text_of(escaped: &str) -> String {
    String::from_utf8_lossy(&unescape(escaped)).into_owned()
}

/// `\x2f` is one byte. What is not escaped stands for itself.
fn unescape(text: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len() / 4), text.as_bytes());
    while let Some((first, tail)) = rest.split_first() {
        let hex = rest.strip_prefix(b"\\x").and_then(|hex| hex.get(..2));
        let byte = hex.and_then(|hex| u8::from_str_radix(str::from_utf8(hex).ok()?, 16).ok());
        match byte {
            Some(byte) => {
                bytes.push(byte);
                rest = &rest[4..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    bytes
}
