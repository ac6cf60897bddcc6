//! `config.toml` in Flower's home directory: the user's federations for all directories, in the
//! same tables as in `pyproject.toml`. The `[superlink]` tables of flwr 1.26 and later are read
//! too. If a file has both kinds, our tables win.

use std::fs;
use std::path::{Path, PathBuf};

use flwr_core::config::SyntaxError;
use flwr_core::project::{FEDERATIONS, Federations, section};
use toml::Table;
use toml_edit::{DocumentMut, Item, Value};

use super::Source;
use crate::error::{Error, Result};
use crate::resolved::Logins;
use crate::text;

/// The table of flwr 1.26 and later.
const SUPERLINK: &str = "superlink";

/// The file. It need not exist.
#[derive(Debug)]
pub(crate) struct Home {
    path: PathBuf,
    text: String,
    document: Table,
}

impl Home {
    /// Reads the file of a home directory.
    pub(crate) fn read(home: &Path) -> Result<Self> {
        let path = home.join("config.toml");
        let text = text::read_if_there(&path)?.unwrap_or_default();
        match text.parse() {
            Ok(document) => Ok(Self {
                path,
                text,
                document,
            }),
            Err(error) => Err(Error::HomeFile {
                source: SyntaxError::of(&text, &error),
                path,
            }),
        }
    }

    /// The path of the file, also if the file does not exist.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The federations in the file, if there are any.
    pub(super) fn source(&self) -> Option<Source> {
        let told = self.path.display().to_string();
        let declared = section(&self.document, self.heading())?.clone();
        let base = self.path.parent().unwrap_or(&self.path);
        Some(Source {
            federations: Federations::new(told.clone(), declared),
            base: base.to_owned(),
            logins: Logins::Home(base.to_owned()),
            told,
        })
    }

    /// The federations in the file.
    pub(crate) fn federations(&self) -> Federations {
        let source = self.source();
        source.map(|source| source.federations).unwrap_or_default()
    }

    fn heading(&self) -> &'static str {
        let ours = section(&self.document, FEDERATIONS).is_some();
        if !ours && section(&self.document, SUPERLINK).is_some() {
            SUPERLINK
        } else {
            FEDERATIONS
        }
    }

    /// Writes a federation to the file. Replaces a federation of the same name.
    pub(crate) fn add(&self, name: &str, settings: &[(&str, Value)], default: bool) -> Result<()> {
        self.edit(|federations| {
            let mut table = toml_edit::Table::new();
            for (key, value) in settings {
                table.insert(key, toml_edit::value(value.clone()));
            }
            federations.insert(name, Item::Table(table));
            if default {
                federations.insert("default", toml_edit::value(name));
            }
        })
    }

    /// Removes a federation from the file. If it was the default, no default is left.
    pub(crate) fn remove(&self, name: &str) -> Result<()> {
        let was_default = self.federations().default_name() == Some(name);
        self.edit(|federations| {
            federations.remove(name);
            if was_default {
                federations.remove("default");
            }
        })
    }

    /// Makes a federation the default one.
    pub(crate) fn set_default(&self, name: &str) -> Result<()> {
        self.edit(|federations| {
            federations.insert("default", toml_edit::value(name));
        })
    }

    /// Changes the table of the federations and nothing else: comments and order stay.
    fn edit(&self, change: impl FnOnce(&mut toml_edit::Table)) -> Result<()> {
        let mut document: DocumentMut = self.text.parse().map_err(|_| self.odd())?;
        let mut table = document.as_table_mut();
        for key in self.heading().split('.') {
            table = table
                .entry(key)
                .or_insert_with(|| {
                    let mut table = toml_edit::Table::new();
                    table.set_implicit(true);
                    Item::Table(table)
                })
                .as_table_mut()
                .ok_or_else(|| self.odd())?;
        }
        change(table);
        let write = |source| Error::Write {
            path: self.path.clone(),
            source,
        };
        if let Some(home) = self.path.parent() {
            fs::create_dir_all(home).map_err(write)?;
        }
        // If the path is a symbolic link, its target.
        let file = self.path.canonicalize();
        let file = file.as_ref().unwrap_or(&self.path);
        let text = document.to_string();
        flwr_security::private_files::replace_with_mode(file, 0o600, text.as_bytes()).map_err(write)
    }

    /// Tables written in another form than with headings of their own.
    fn odd(&self) -> Error {
        Error::HomeFileForm {
            path: self.path.clone(),
            heading: self.heading(),
        }
    }
}
