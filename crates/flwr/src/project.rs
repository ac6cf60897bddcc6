//! An app on disk: its `pyproject.toml`, the files that go into its bundle, and whether the
//! modules it names are there.

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use flwr_core::config::{self, ConfigError};
use flwr_core::fab::{self, Fab, FabError};
use flwr_core::project::Project;
use toml::Table;

use crate::error::{Error, Result};

mod gitignore;
mod modules;
mod select;

/// An app whose `pyproject.toml` was read and checked.
#[derive(Debug)]
pub(crate) struct App {
    /// The app's directory, as the user named it.
    root: PathBuf,
    /// Text of the `pyproject.toml`.
    text: String,
    project: Project,
    /// What should be told, but is no reason to stop.
    pub(crate) warnings: Vec<String>,
}

impl App {
    /// Reads and checks the app in a directory.
    pub(crate) fn load(root: &Path) -> Result<Self> {
        let path = root.join("pyproject.toml");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::NoProject(path));
            }
            Err(source) => return Err(Error::Read { path, source }),
        };
        let project = Project::parse(&text).map_err(Error::Project)?;
        let warnings = modules::check(root, project.manifest())?;
        Ok(Self {
            root: root.to_owned(),
            text,
            project,
            warnings,
        })
    }

    /// The app's own description.
    pub(crate) fn project(&self) -> &Project {
        &self.project
    }

    /// The app's directory.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Bundles the app as `flwr build` and `flwr run` of Flower do.
    pub(crate) fn bundle(&self) -> Result<Fab> {
        let mut files = Vec::new();
        let mut size = 0;
        for (name, path) in select::files(&self.root)? {
            let bytes = std::fs::read(&path).map_err(|source| Error::Read { path, source })?;
            size += bytes.len();
            if size > fab::MAX_BYTES {
                // Not to fill the memory with what cannot be sent.
                return Err(Error::Fab(FabError::TooLarge(size)));
            }
            files.push((name, Bytes::from(bytes)));
        }
        fab::build(&self.text, files).map_err(Error::Fab)
    }
}

/// The values of a repeatable `key=value` flag, or the one TOML file it names.
pub(crate) fn overrides(flag: &'static str, values: &[String]) -> Result<Table> {
    let parsed = match values {
        [file] if file.ends_with(".toml") => {
            let text = std::fs::read_to_string(file);
            let text = text.map_err(|source| Error::Read {
                path: file.into(),
                source,
            })?;
            config::from_toml_text(&text)
        }
        _ => config::parse_pairs(&values.iter().map(String::as_str).collect::<Vec<_>>()),
    };
    parsed.map_err(|source| Error::Config { flag, source })
}

/// A line for each word of a `key=value` flag that is no pair and therefore does nothing.
pub(crate) fn ignored_words(flag: &str, values: &[String]) -> Vec<String> {
    let pairs = values.iter().filter(|value| !value.ends_with(".toml"));
    let words = pairs.flat_map(|value| config::ignored(value));
    words
        .map(|word| {
            format!(
                "`{word}` in {flag} is ignored: it is not a key=value pair (no spaces around `=`)"
            )
        })
        .collect()
}

/// An override of a key that the app does not have, as an error of the flag.
pub(crate) fn config_error(flag: &'static str) -> impl FnOnce(ConfigError) -> Error {
    move |source| Error::Config { flag, source }
}

#[cfg(test)]
mod tests;
