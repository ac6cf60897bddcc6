//! Flower App Bundles (FAB): the zip archive in which an app travels from the user to the
//! SuperLink and on to every SuperNode (flwr 1.17 and later).
//!
//! Inside are a re-written `pyproject.toml`, the app's files, and `.info/CONTENT`, which has a
//! line `path,sha256,size in bits` for every file of the app. From flwr 1.27 on `pyproject.toml` has a
//! line too, the first one. A bundle is known by the SHA-256 of its bytes, so building must give the
//! bytes that the builder of flwr 1.22 gives.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::project::{Manifest, Project, ProjectError};
use crate::tomlw;

mod archive;
mod content;
mod local;

pub use local::{AppRef, AppRefError, LOCAL_FAB_ID, of_directory};

/// Largest bundle that Flower 1.20 and later take, in bytes.
pub const MAX_BYTES: usize = 10 * 1024 * 1024;
const MANIFEST: &str = "pyproject.toml";
const CONTENT: &str = ".info/CONTENT";
const INFO: &str = ".info/";

/// A verified bundle.
#[derive(Clone, Debug)]
pub struct Fab {
    /// The archive.
    pub bytes: Bytes,
    /// SHA-256 of `bytes`, lowercase hex: the name by which a bundle is asked for.
    pub hash: String,
    manifest: Manifest,
}

/// Why a bundle is refused, or cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum FabError {
    /// Larger than every Flower of this generation takes.
    #[error(
        "FAB size exceeds maximum allowed size of 10,485,760 bytes (it has at least {0}). To reduce the package \
         size, leave out unnecessary files via your `.gitignore` file"
    )]
    TooLarge(usize),
    /// Not a readable zip archive.
    #[error("FAB file has incorrect format")]
    Zip(#[source] zip::result::ZipError),
    /// A zip archive, but not one that a builder writes.
    #[error("FAB file has incorrect format: {0}")]
    Format(&'static str),
    /// More files than [`archive::MAX_ENTRIES`].
    #[error("FAB file has {0} entries, more than the allowed {max}", max = archive::MAX_ENTRIES)]
    TooMany(usize),
    /// The files together are larger than [`archive::MAX_INFLATED`].
    #[error("FAB file unpacks to more than the allowed {max} bytes", max = archive::MAX_INFLATED)]
    Inflated,
    /// A path that would leave the app's directory, or that no list of contents can carry.
    #[error(
        "{0:?} is not a path that a FAB can carry: it must lie below the app's directory and have no commas, \
         backslashes or control characters"
    )]
    Path(String),
    /// An entry that is no plain file, such as a symbolic link.
    #[error("FAB file has an entry that is not a plain file: {0:?}")]
    NotAFile(String),
    /// Two entries of the same name.
    #[error("FAB file has two entries named {0:?}")]
    Duplicate(String),
    /// A file that every bundle has is not there.
    #[error("FAB file has incorrect format: {0} is missing")]
    Missing(&'static str),
    /// A text that is not UTF-8.
    #[error("FAB file has incorrect format: {0} is not UTF-8 text")]
    NotText(&'static str),
    /// A line of `.info/CONTENT` that is not `path,sha256,bits`.
    #[error("FAB file has incorrect format: line {0} of .info/CONTENT is not `path,sha256,size`")]
    ContentLine(usize),
    /// A listed file is not there, or has other bytes.
    #[error("File hashes couldn't be verified: {path:?} {why}")]
    Hash {
        /// The file.
        path: String,
        /// In which way it differs.
        why: &'static str,
    },
    /// The bundle's `pyproject.toml` is not valid.
    #[error("Invalid config inside FAB file")]
    Project(#[source] ProjectError),
    /// A name in it that would leave the directory apps are installed to.
    #[error(
        "Invalid config inside FAB file: {what} {value:?} must be one plain name, without `/`, `\\` or control characters"
    )]
    Name {
        /// Which name.
        what: &'static str,
        /// Its value.
        value: String,
    },
}

impl Fab {
    /// Verifies a bundle: its size, that it is a zip archive with plain files on safe paths, that
    /// the list of contents and the files agree both ways, and its `pyproject.toml`.
    ///
    /// # Errors
    /// The first [`FabError`] found.
    pub fn open(bytes: Bytes) -> Result<Self, FabError> {
        Self::unpack(bytes).map(|(fab, _)| fab)
    }

    /// As [`Fab::open`]; and the files of the app by path, `pyproject.toml` among them, as they are
    /// installed.
    ///
    /// # Errors
    /// As there.
    pub fn unpack(bytes: Bytes) -> Result<(Self, Files), FabError> {
        let mut files = archive::read(&bytes)?;
        if !files.contains_key(MANIFEST) {
            return Err(FabError::Missing(MANIFEST));
        }
        let list = text(files.remove(CONTENT), CONTENT)?;
        // What else lies in `.info` is not installed: no part of the app.
        files.retain(|path, _| !path.starts_with(INFO));
        content::verify(&list, &files)?;
        let project = text(files.remove(MANIFEST), MANIFEST)?;
        let manifest = Project::parse(&project).map_err(FabError::Project)?;
        let fab = Self::new(bytes, manifest.manifest().clone())?;
        files.insert(MANIFEST.to_owned(), project.into_bytes());
        Ok((fab, files))
    }

    fn new(bytes: Bytes, manifest: Manifest) -> Result<Self, FabError> {
        check_names(&manifest)?;
        let hash = hex::encode(Sha256::digest(&bytes));
        Ok(Self {
            bytes,
            hash,
            manifest,
        })
    }

    /// What the app says about itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// `<publisher>/<name>`
    #[must_use]
    pub fn fab_id(&self) -> String {
        self.manifest.fab_id()
    }

    /// The first eight digits of the hash, which file and directory names carry.
    #[must_use]
    pub fn short_hash(&self) -> &str {
        &self.hash[..8]
    }

    /// `<publisher>.<name>.<version with dashes>.<short hash>.fab`
    #[must_use]
    pub fn file_name(&self) -> String {
        let Manifest {
            publisher,
            name,
            version,
            ..
        } = &self.manifest;
        format!(
            "{publisher}.{name}.{}.{}.fab",
            version.replace('.', "-"),
            self.short_hash()
        )
    }

    /// `<publisher>.<name>.<version>.<short hash>`: where it is installed, under `apps` in Flower's
    /// home directory (flwr 1.22).
    #[must_use]
    pub fn directory_name(&self) -> String {
        let Manifest {
            publisher,
            name,
            version,
            ..
        } = &self.manifest;
        format!("{publisher}.{name}.{version}.{}", self.short_hash())
    }
}

/// Builds a bundle with the bytes that the builder of flwr 1.17 to 1.26 would give. `files` are the
/// app's files (path with `/`, bytes), in any order, without `pyproject.toml`.
///
/// # Errors
/// [`FabError::Project`] when `pyproject_toml` is invalid, [`FabError::TooLarge`], and the faults
/// of single paths.
pub fn build(pyproject_toml: &str, files: Vec<(String, Bytes)>) -> Result<Fab, FabError> {
    let mut sorted = files;
    // By path components, as Python sorts paths: `a/z.py` before `a-b/c.py`.
    sorted.sort_by(|(a, _), (b, _)| a.split('/').cmp(b.split('/')));
    write(pyproject_toml, sorted, |_, files| content::list(files))
}

/// Builds a bundle with the bytes that the builder of flwr 1.28 and later would give. This builder
/// sorts paths as texts, and lists `pyproject.toml` too.
///
/// # Errors
/// As [`build`].
pub fn build_listed(pyproject_toml: &str, files: Vec<(String, Bytes)>) -> Result<Fab, FabError> {
    let mut sorted = files;
    sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
    write(pyproject_toml, sorted, |manifest, files| {
        let list = content::list(std::slice::from_ref(manifest)) + &content::list(files);
        list.trim_end().to_owned()
    })
}

/// Writes a bundle of files in their order, with the list that `listed` makes of the manifest and the
/// files.
fn write(
    pyproject_toml: &str,
    mut files: Vec<(String, Bytes)>,
    listed: impl FnOnce(&(String, Bytes), &[(String, Bytes)]) -> String,
) -> Result<Fab, FabError> {
    let project = Project::parse(pyproject_toml).map_err(FabError::Project)?;
    let manifest = project.manifest().clone();
    check_paths(&files)?;
    let text = Bytes::from(tomlw::to_string(&project.without_federations()));
    let first = (MANIFEST.to_owned(), text);
    let list = listed(&first, &files);
    let mut entries = vec![first];
    entries.append(&mut files);
    entries.push((CONTENT.to_owned(), Bytes::from(list)));
    Fab::new(archive::write(&entries)?.into(), manifest)
}

fn check_paths(files: &[(String, Bytes)]) -> Result<(), FabError> {
    let mut seen = BTreeSet::new();
    for (path, _) in files {
        // Flower splits a line of the list at its commas: a path with one could not be installed.
        let reserved = path == MANIFEST || path.starts_with(INFO) || path.contains(',');
        if reserved || !archive::is_safe(path) {
            return Err(FabError::Path(path.clone()));
        }
        if !seen.insert(path) {
            return Err(FabError::Duplicate(path.clone()));
        }
    }
    Ok(())
}

/// The installed app's directory is made of these names.
fn check_names(manifest: &Manifest) -> Result<(), FabError> {
    let Manifest {
        publisher,
        name,
        version,
        ..
    } = manifest;
    for (what, value) in [
        ("publisher", publisher),
        ("name", name),
        ("version", version),
    ] {
        let bad = |c: char| c == '/' || c == '\\' || c.is_control();
        if value.is_empty() || value.contains(bad) {
            return Err(FabError::Name {
                what,
                value: value.clone(),
            });
        }
    }
    Ok(())
}

fn text(bytes: Option<Vec<u8>>, name: &'static str) -> Result<String, FabError> {
    let bytes = bytes.ok_or(FabError::Missing(name))?;
    String::from_utf8(bytes).map_err(|_| FabError::NotText(name))
}

/// Files of a bundle by path.
pub type Files = BTreeMap<String, Vec<u8>>;

#[cfg(test)]
mod tests;
