//! Which files go into a bundle: the same that flwr 1.17 to 1.22 pick, as the bundle's hash
//! depends on it.
//!
//! Every `.py`, `.toml` and `.md` file below the app's directory, but no `pyproject.toml`, and
//! nothing that `.gitignore` or the pattern `__pycache__/` matches.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use super::gitignore::Rules;
use crate::error::{Error, Result};

const EXTENSIONS: [&str; 3] = ["py", "toml", "md"];

/// The files to bundle: path in the bundle, path on disk.
pub(super) fn files(root: &Path) -> Result<Vec<(String, PathBuf)>> {
    let root = root.canonicalize().map_err(|source| Error::Read {
        path: root.into(),
        source,
    })?;
    let rules = rules(&root)?;
    let mut found = Vec::new();
    walk(&root, &rules, &mut found)?;
    found
        .into_iter()
        .map(|path| Ok((name_in_bundle(&root, &path)?, path)))
        .collect()
}

fn rules(root: &Path) -> Result<Rules> {
    let path = root.join(".gitignore");
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Rules::new(&text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Rules::new("")),
        Err(source) => Err(Error::Read { path, source }),
    }
}

/// The names of an absolute path, from the root of the file system on.
fn names(path: &Path) -> Vec<Cow<'_, str>> {
    path.iter().skip(1).map(OsStr::to_string_lossy).collect()
}

fn walk(directory: &Path, rules: &Rules, found: &mut Vec<PathBuf>) -> Result<()> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        // As Flower: what may not be listed is left out.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(()),
        Err(source) => {
            return Err(Error::Read {
                path: directory.into(),
                source,
            });
        }
    };
    for entry in entries {
        let entry = entry.map_err(|source| Error::Read {
            path: directory.into(),
            source,
        })?;
        let path = entry.path();
        let kind = entry.file_type().map_err(|source| Error::Read {
            path: path.clone(),
            source,
        })?;
        if kind.is_dir() {
            if !rules.prunes(&names(&path)) {
                walk(&path, rules, found)?;
            }
        } else if is_wanted(&path) && !rules.ignores(&names(&path)) && path.is_file() {
            // `is_file` follows links: a linked file is bundled, a linked directory is not.
            found.push(path);
        }
    }
    Ok(())
}

fn is_wanted(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| EXTENSIONS.contains(&extension))
        && path
            .file_name()
            .is_some_and(|name| name != "pyproject.toml")
}

fn name_in_bundle(root: &Path, path: &Path) -> Result<String> {
    let relative = path.strip_prefix(root).unwrap_or(path);
    let parts: Option<Vec<_>> = relative.iter().map(|part| part.to_str()).collect();
    parts
        .map(|parts| parts.join("/"))
        .ok_or_else(|| Error::FileName(path.into()))
}

#[cfg(test)]
mod tests;
