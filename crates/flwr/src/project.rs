//! An app on disk: its `pyproject.toml`, the files that go into its bundle, and whether the
//! modules it names are there.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use flwr_core::config::{self, ConfigError};
use flwr_core::fab::{self, Fab, FabError};
use flwr_core::project::Project;
use toml::Table;

use crate::error::{Error, Result};
use crate::text;

mod bundled;
mod chosen;
mod gitignore;
mod imports;
mod modules;
mod select;

use chosen::Choice;
pub(crate) use chosen::ChoiceError;
use select::Selection;

/// An app whose `pyproject.toml` was read and checked.
#[derive(Debug)]
pub(crate) struct App {
    /// The app's directory, as the user named it.
    root: PathBuf,
    /// Text of the `pyproject.toml`.
    text: String,
    project: Project,
    /// Warnings for the user.
    pub(crate) warnings: Vec<String>,
}

impl App {
    /// Reads and checks the app in a directory.
    pub(crate) fn load(root: &Path) -> Result<Self> {
        let path = root.join("pyproject.toml");
        let Some(text) = text::read_if_there(&path)? else {
            return Err(Error::NoProject(path));
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

    /// Bundles the app as the `flwr build` of flwr 1.22 does, or as that of 1.28 if the app says which
    /// files go into its bundle. Unlike Flower, refuses a bundle without the app's modules.
    pub(crate) fn bundle(&self) -> Result<Bundle> {
        let choice = Choice::of(&self.project)?;
        let mut selection = match &choice {
            Some(choice) => choice.select(&self.root)?,
            None => Selection::of(&self.root)?,
        };
        select::within(&selection.root, &selection.root.join("pyproject.toml"))?;
        bundled::check(self.project.manifest(), &selection)?;
        let mut files = Vec::new();
        let mut size = 0;
        for (name, path) in std::mem::take(&mut selection.files) {
            let bytes = std::fs::read(&path).map_err(|source| Error::Read { path, source })?;
            size += bytes.len();
            if size > fab::MAX_BYTES {
                // A bundle over the limit cannot be sent: do not load it.
                return Err(Error::Fab(FabError::TooLarge(size)));
            }
            files.push((name, Bytes::from(bytes)));
        }
        let mut warnings = bundled::missed(&selection, &files);
        warnings.append(&mut selection.warnings);
        let build = if choice.is_some() {
            fab::build_listed
        } else {
            fab::build
        };
        Ok(Bundle {
            fab: build(&self.text, files).map_err(Error::Fab)?,
            warnings,
        })
    }
}

/// A bundle, with warnings for the user.
#[derive(Debug)]
pub(crate) struct Bundle {
    pub(crate) fab: Fab,
    /// Warnings about files that are left out and may be needed.
    pub(crate) warnings: Vec<String>,
}

/// The values of a repeatable `key=value` flag, or the one TOML file it names.
pub(crate) fn overrides(flag: &'static str, values: &[String]) -> Result<Table> {
    let parsed = match values {
        [file] if config::is_toml_file(file) => {
            config::from_toml_text(&text::read(Path::new(file))?)
        }
        _ => config::parse_pairs(&values.iter().map(String::as_str).collect::<Vec<_>>()),
    };
    parsed.map_err(|source| Error::Config { flag, source })
}

/// A warning for each word of a `key=value` flag that is no pair and has no effect.
pub(crate) fn ignored_words(flag: &str, values: &[String]) -> Vec<String> {
    let pairs = values.iter().filter(|value| !config::is_toml_file(value));
    let words = pairs.flat_map(|value| config::ignored(value));
    words
        .map(|word| {
            format!(
                "`{word}` in {flag} is ignored: it is not a key=value pair (no spaces around `=`)"
            )
        })
        .collect()
}

/// Refuses an override of a key that the app does not have.
pub(crate) fn config_error(flag: &'static str) -> impl FnOnce(ConfigError) -> Error {
    move |source| Error::Config { flag, source }
}

#[cfg(test)]
mod tests;
