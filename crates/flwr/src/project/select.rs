//! Selects the files of a bundle. The selection is that of flwr 1.17 to 1.22, as the bundle's hash
//! depends on it.
//!
//! Selected are all `.py`, `.toml` and `.md` files below the app's directory. Left out are
//! `pyproject.toml`, and all files that `.gitignore` or the pattern `__pycache__/` matches.
//!
//! A link is followed within the app only. Unlike Flower, we refuse a link to a file outside the app,
//! or in its `.flwr`: such a link in a cloned app would send a secret of the user's to all nodes.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use super::gitignore::Rules;
use crate::error::{Error, Result};
use crate::text::{self, BYTE_ORDER_MARK};

const EXTENSIONS: [&str; 3] = ["py", "toml", "md"];

/// The files of a bundle, and warnings about other files.
pub(super) struct Selection {
    /// The app's directory, without links in its path.
    pub(super) root: PathBuf,
    pub(super) rules: Rules,
    /// Path in the bundle, path on disk.
    pub(super) files: Vec<(String, PathBuf)>,
    /// Python files that `.gitignore` leaves out, and directories with some, by their paths in the
    /// app.
    pub(super) left_out: Vec<String>,
    /// Warnings about files that the user may expect in the bundle.
    pub(super) warnings: Vec<String>,
}

impl Selection {
    /// Selects the files of an app's directory. The paths on disk have no links.
    pub(super) fn of(root: &Path) -> Result<Self> {
        let root = root.canonicalize().map_err(|source| Error::Read {
            path: root.into(),
            source,
        })?;
        let (rules, warning) = rules(&root)?;
        let mut walk = Walk {
            root: &root,
            rules: &rules,
            found: Vec::new(),
            left_out: Vec::new(),
            warnings: warning.into_iter().collect(),
        };
        walk.look_into(&root)?;
        let (found, left_out, warnings) = (walk.found, walk.left_out, walk.warnings);
        let named = found
            .into_iter()
            .map(|(path, file)| Ok((name_in_bundle(&root, &path)?, file)));
        Ok(Self {
            files: named.collect::<Result<_>>()?,
            root,
            rules,
            left_out,
            warnings,
        })
    }

    /// Whether a file is in the bundle under this path.
    pub(super) fn has(&self, name: &str) -> bool {
        self.files.iter().any(|(bundled, _)| bundled == name)
    }
}

/// The path of a file without links. `root` has none. A link that leads out of the app is refused.
pub(super) fn within(root: &Path, path: &Path) -> Result<PathBuf> {
    let target = path.canonicalize().map_err(|source| Error::Read {
        path: path.into(),
        source,
    })?;
    let why = match target.strip_prefix(root) {
        Err(_) => "which is outside the app",
        Ok(inside) if inside.starts_with(".flwr") => "which holds secrets",
        Ok(_) => return Ok(target),
    };
    let link = path.strip_prefix(root).unwrap_or(path).to_owned();
    Err(Error::LinkOutside { link, target, why })
}

/// The patterns of an app, and a warning if Flower's own command would read the file differently.
fn rules(root: &Path) -> Result<(Rules, Option<String>)> {
    let text = text::read_if_there(&root.join(".gitignore"))?.unwrap_or_default();
    let Some(text) = text.strip_prefix(BYTE_ORDER_MARK) else {
        return Ok((Rules::new(&text), None));
    };
    let warning = "`.gitignore` begins with a UTF-8 byte order mark: its first line counts here, but not for \
                   pip's `flwr`; save the file without the mark";
    Ok((Rules::new(text), Some(warning.to_owned())))
}

/// The names of an absolute path, from the root of the file system.
pub(super) fn names(path: &Path) -> Vec<Cow<'_, str>> {
    path.iter().skip(1).map(OsStr::to_string_lossy).collect()
}

struct Walk<'a> {
    root: &'a Path,
    rules: &'a Rules,
    /// Path in the app, path without links.
    found: Vec<(PathBuf, PathBuf)>,
    left_out: Vec<String>,
    warnings: Vec<String>,
}

impl Walk<'_> {
    fn look_into(&mut self, directory: &Path) -> Result<()> {
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
                if !self.rules.prunes(&names(&path)) {
                    self.look_into(&path)?;
                } else if has_modules(&path) {
                    self.leave_out(&path);
                }
            } else {
                self.look_at(path)?;
            }
        }
        Ok(())
    }

    /// Adds a file, or a warning if the user may expect the file in the bundle.
    fn look_at(&mut self, path: PathBuf) -> Result<()> {
        let known = suffix(&path);
        if known.is_none() && !path.is_symlink() {
            return Ok(());
        }
        if self.rules.ignores(&names(&path)) {
            if is_module(&path) {
                self.leave_out(&path);
            }
            return Ok(());
        }
        let shown = path.strip_prefix(self.root).unwrap_or(&path).display();
        // `is_file` follows links: a linked file is bundled, a linked directory is not.
        match known {
            Some(Suffix::Bundled) if path.is_file() => {
                let file = within(self.root, &path)?;
                self.found.push((path, file));
            }
            Some(Suffix::OtherCase) if path.is_file() => self.warnings.push(format!(
                "{shown} is not in the bundle: Flower bundles .py, .toml and .md files, with suffixes in small letters"
            )),
            _ if path.is_dir() && has_modules(&path) => self.warnings.push(format!(
                "{shown} is a link to a directory: none of its files is in the bundle"
            )),
            _ => {}
        }
        Ok(())
    }

    fn leave_out(&mut self, path: &Path) {
        // A name that is not UTF-8 cannot be imported.
        self.left_out.extend(name_in_bundle(self.root, path).ok());
    }
}

/// The kind of a file, by the end of its name.
#[derive(Clone, Copy)]
enum Suffix {
    /// Flower bundles such files.
    Bundled,
    /// Flower bundles such files only if the ending is in small letters.
    OtherCase,
}

fn suffix(path: &Path) -> Option<Suffix> {
    if path.file_name()? == "pyproject.toml" {
        return None;
    }
    let extension = path.extension()?.to_str()?;
    if EXTENSIONS.contains(&extension) {
        return Some(Suffix::Bundled);
    }
    let known = |known: &&str| known.eq_ignore_ascii_case(extension);
    EXTENSIONS.iter().any(known).then_some(Suffix::OtherCase)
}

/// Whether a directory has Python modules.
fn has_modules(directory: &Path) -> bool {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .any(|path| is_module(&path))
}

fn is_module(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "py")
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
