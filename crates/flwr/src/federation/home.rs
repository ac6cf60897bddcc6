//! `config.toml` in Flower's home directory: the user's federations for all directories.
//!
//! The federations are tables under `[superlink]`, where the `flwr` of pip looks for them from 1.26
//! on. Earlier versions of this program wrote `[tool.flwr.federations]`, as in `pyproject.toml`.
//! Both are read; if both have a name, the earlier table wins. A change of the file moves the earlier
//! tables under `[superlink]`.

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

/// The table of the federations.
const SUPERLINK: &str = "superlink";
/// The settings of a federation that name files.
const FILES: [&str; 3] = ["root-certificates", "client-certificate", "client-key"];

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
        let earlier = section(&self.document, FEDERATIONS);
        let today = section(&self.document, SUPERLINK);
        let mut declared = today.or(earlier)?.clone();
        // Both define the default, too.
        declared.extend(earlier.into_iter().flatten().map(owned));
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

    /// Changes the federations and nothing else: comments and order stay.
    fn edit(&self, change: impl FnOnce(&mut toml_edit::Table)) -> Result<()> {
        let mut document: DocumentMut = self.text.parse().map_err(|_| self.odd(SUPERLINK))?;
        let earlier = self.take_earlier(&mut document)?;
        let table = document.entry(SUPERLINK).or_insert_with(implicit);
        let table = table.as_table_mut().ok_or_else(|| self.odd(SUPERLINK))?;
        for (name, item) in earlier {
            table.insert(&name, item);
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

    /// Takes the tables of earlier versions out of the document. Their paths become absolute, as the
    /// `flwr` of pip wants them.
    fn take_earlier(&self, document: &mut DocumentMut) -> Result<Vec<(String, Item)>> {
        let (parents, last) = FEDERATIONS.rsplit_once('.').unwrap_or(("", FEDERATIONS));
        let mut parent = document.as_item_mut();
        for key in parents.split('.') {
            // `Item::get_mut` would make what is missing.
            let children = parent.as_table_like_mut();
            match children.and_then(|children| children.get_mut(key)) {
                Some(child) => parent = child,
                None => return Ok(Vec::new()),
            }
        }
        let Some(taken) = parent
            .as_table_like_mut()
            .and_then(|table| table.remove(last))
        else {
            return Ok(Vec::new());
        };
        let taken = taken.into_table().map_err(|_| self.odd(FEDERATIONS))?;
        let base = self.path.parent().unwrap_or(&self.path);
        Ok(taken
            .into_iter()
            .map(|(name, mut item)| {
                for key in FILES {
                    make_absolute(&mut item, key, base);
                }
                (name.to_string(), item)
            })
            .collect())
    }

    /// Tables written in another form than with headings of their own.
    fn odd(&self, heading: &'static str) -> Error {
        Error::HomeFileForm {
            path: self.path.clone(),
            heading,
        }
    }
}

fn owned((name, value): (&String, &toml::Value)) -> (String, toml::Value) {
    (name.clone(), value.clone())
}

/// A table whose heading is written only if the table has values of its own.
fn implicit() -> Item {
    let mut table = toml_edit::Table::new();
    table.set_implicit(true);
    Item::Table(table)
}

/// Lays the path of a federation's file over the directory that the path is relative to.
fn make_absolute(federation: &mut Item, key: &str, base: &Path) {
    let settings = federation.as_table_like_mut();
    let Some(item) = settings.and_then(|settings| settings.get_mut(key)) else {
        return;
    };
    let whole = item.as_str().map(|path| base.join(path));
    // An empty path counts as none. Other text than UTF-8 cannot stand in the file.
    if let Some(whole) = whole.filter(|whole| whole != base)
        && let Some(text) = whole.to_str()
    {
        *item = toml_edit::value(text);
    }
}
