//! Checks that the modules of `serverapp` and `clientapp` are in the bundle. A module may exist in
//! the app's directory and still be left out: a pattern of `.gitignore` matches the module or a
//! directory above the app, or a directory is a symbolic link.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use flwr_core::project::Manifest;

use super::select::{Selection, names};
use super::{imports, modules};
use crate::error::{Error, Result};

/// Why a file of an app is not in its bundle.
#[derive(Debug, PartialEq, Eq)]
enum LeftOut {
    /// A pattern matches the file or a directory above.
    Pattern {
        pattern: String,
        /// Line of `.gitignore`; 0 for the pattern that every app has.
        line: usize,
        /// The file or directory that the pattern matches.
        matched: PathBuf,
        /// Its place, as seen from the app.
        place: Place,
    },
    /// The file is in a directory that is a symbolic link.
    Link(PathBuf),
    /// The file is in a directory that cannot be listed.
    Unlisted(PathBuf),
}

/// The place of a matched file or directory, as seen from the app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The app's directory, or a directory above.
    AtOrAboveTheApp,
    InTheApp,
}

/// Refuses a bundle that lacks a module of the app's directory.
pub(super) fn check(manifest: &Manifest, selection: &Selection) -> Result<()> {
    for (component, reference) in [
        ("serverapp", &manifest.serverapp),
        ("clientapp", &manifest.clientapp),
    ] {
        let module = reference.split(':').next().unwrap_or(reference);
        let files = modules::files(module);
        if files.iter().any(|file| selection.has(file)) {
            continue;
        }
        // A module without a file here may be installed where the app runs.
        if let Some(file) = files
            .iter()
            .find(|file| selection.root.join(file).is_file())
        {
            let why = why(selection, file);
            return Err(Error::NotBundled {
                component,
                file: file.clone(),
                why: why.to_string(),
                way_out: why.way_out(file),
            });
        }
    }
    Ok(())
}

/// A warning for each module that a file of the bundle imports and `.gitignore` leaves out.
pub(super) fn missed(selection: &Selection, files: &[(String, Bytes)]) -> Vec<String> {
    if selection.left_out.is_empty() {
        return Vec::new();
    }
    let mut imports = BTreeMap::new();
    for (file, bytes) in files.iter().filter(|(file, _)| file.ends_with(".py")) {
        for module in imports::of(file, &String::from_utf8_lossy(bytes)) {
            imports.entry(module).or_insert(file);
        }
    }
    let missed = selection.left_out.iter().filter_map(|left| {
        let module = imports::module(left);
        let file = imports.get(&module)?;
        let why = why(selection, left);
        Some(format!(
            "{file} imports {module}, and that is not in the bundle: {why}"
        ))
    });
    missed.collect()
}

/// The reason why an existing file is not in the bundle.
fn why(selection: &Selection, file: &str) -> LeftOut {
    let path = selection.root.join(file);
    let below = |directory: &&Path| directory.starts_with(&selection.root);
    let mut directories: Vec<_> = path.ancestors().skip(1).take_while(below).collect();
    // From the app's directory downwards, without itself.
    directories.pop();
    directories.reverse();
    if let Some(link) = directories.iter().find(|directory| directory.is_symlink()) {
        return LeftOut::Link(relative(&selection.root, link));
    }
    let Some(reason) = selection.rules.reason(&names(&path)) else {
        return LeftOut::Unlisted(relative(&selection.root, path.parent().unwrap_or(&path)));
    };
    let matched: PathBuf = path.iter().take(reason.depth + 1).collect();
    let inside = matched.starts_with(&selection.root) && matched != selection.root;
    LeftOut::Pattern {
        pattern: reason.pattern.to_owned(),
        line: reason.line,
        place: if inside {
            Place::InTheApp
        } else {
            Place::AtOrAboveTheApp
        },
        matched: if inside {
            relative(&selection.root, &matched)
        } else {
            matched
        },
    }
}

fn relative(root: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(root).unwrap_or(path).to_owned()
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pattern {
                pattern,
                line,
                matched,
                place,
            } => {
                write!(f, "the pattern `{pattern}` ")?;
                match line {
                    0 => f.write_str("(part of every app)")?,
                    line => write!(f, "(line {line} of .gitignore)")?,
                }
                let matched = matched.display();
                match place {
                    Place::InTheApp => write!(f, " matches {matched}"),
                    Place::AtOrAboveTheApp => write!(
                        f,
                        " matches {matched}: Flower matches patterns against the whole path, from the root of \
                         the file system on"
                    ),
                }
            }
            Self::Link(link) => write!(
                f,
                "{} is a link to a directory, and Flower bundles nothing that is behind such a link",
                link.display()
            ),
            Self::Unlisted(directory) => {
                write!(f, "the directory {} cannot be listed", directory.display())
            }
        }
    }
}

impl LeftOut {
    /// What the user can do to get the file into the bundle.
    fn way_out(&self, file: &str) -> String {
        // A package is taken back as a whole.
        let taken_back = match file.split_once('/') {
            Some((package, _)) => format!("!{package}/"),
            None => format!("!{file}"),
        };
        match self {
            Self::Pattern { line: 0, .. } => "rename the directory".to_owned(),
            Self::Pattern {
                place: Place::AtOrAboveTheApp,
                ..
            } => format!(
                "move the app to another directory, or take the module back: `{taken_back}` as the last line of \
                 .gitignore"
            ),
            Self::Pattern { .. } => format!(
                "remove the pattern, or take the module back: `{taken_back}` as the last line of .gitignore"
            ),
            Self::Link(_) => "put the directory itself in the place of the link".to_owned(),
            Self::Unlisted(_) => "let its owner list it: `chmod u+rx`".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
