//! The FABs and objects of a stopped SuperLink, as files named by their ids.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes as Content;
use flwr_core::id::RunId;
use flwr_core::object::ObjectId;
use flwr_core::size::Size;
use flwr_daemon::objects::path_in;
use flwr_security::private_files;
use tokio::task::spawn_blocking;

use super::ImportError;
use crate::store::sqlite::{Export, Unread, beside};
use crate::store::{FABS, OBJECTS, owner};

/// A file, and the runs that need it.
#[derive(Debug)]
pub(super) struct Bytes {
    pub(super) id: ObjectId,
    pub(super) runs: Vec<RunId>,
    pub(super) size: u64,
    path: PathBuf,
}

/// All files that a state counts on.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) objects: Vec<Bytes>,
    pub(super) fabs: Vec<Bytes>,
    /// The file of the state.
    pub(super) database: PathBuf,
    dir: PathBuf,
}

impl fmt::Display for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.objects.iter().chain(&self.fabs);
        let bytes = all.map(|found| found.size).sum();
        write!(
            f,
            "{} objects and {} FABs of {} in {}",
            self.objects.len(),
            self.fabs.len(),
            Size(bytes),
            self.dir.display()
        )
    }
}

impl Files {
    /// Finds the files that a state counts on in its directory. Nothing is read yet.
    pub(super) fn find(database: &Path, dir: &Path, state: &Export) -> Result<Self, ImportError> {
        let expected = state.expected();
        let mut files = Self {
            objects: Vec::new(),
            fabs: Vec::new(),
            database: database.to_owned(),
            dir: dir.to_owned(),
        };
        if expected.objects.is_empty() && expected.fabs.is_empty() {
            return Ok(files);
        }
        if !dir.is_dir() {
            return Err(ImportError::NoStorage(dir.to_owned()));
        }
        let owner = owner::read(dir).map_err(crate::store::StoreError::from)?;
        match owner {
            Some(owner) if owner != state.id() => {
                return Err(ImportError::OtherStorage {
                    dir: dir.to_owned(),
                    found: owner,
                });
            }
            _ => {}
        }
        files.objects = files.in_folder(OBJECTS, &expected.objects)?;
        files.fabs = files.in_folder(FABS, &expected.fabs)?;
        Ok(files)
    }

    fn in_folder(
        &self,
        folder: &str,
        expected: &HashMap<ObjectId, Vec<RunId>>,
    ) -> Result<Vec<Bytes>, ImportError> {
        let folder = self.dir.join(folder);
        let found = expected.iter().map(|(id, runs)| {
            let path = path_in(&folder, id);
            match fs::metadata(&path) {
                Ok(file) => Ok(Bytes {
                    id: *id,
                    runs: runs.clone(),
                    size: file.len(),
                    path,
                }),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    Err(self.lost(&path, runs, "missing"))
                }
                Err(source) => Err(ImportError::Unreadable { path, source }),
            }
        });
        let mut found = found.collect::<Result<Vec<_>, _>>()?;
        found.sort_unstable_by_key(|found| found.id);
        Ok(found)
    }

    /// The verified bytes of a file.
    pub(super) async fn read(&self, file: &Bytes) -> Result<Content, ImportError> {
        let (path, id) = (file.path.clone(), file.id);
        let read = move || fs::read(path).map(|content| (ObjectId::of(&content) == id, content));
        let read = spawn_blocking(read).await.map_err(io::Error::other);
        match read.and_then(|read| read) {
            Ok((true, content)) => Ok(content.into()),
            Ok((false, _)) => Err(self.lost(&file.path, &file.runs, "damaged")),
            Err(source) => Err(ImportError::Unreadable {
                path: file.path.clone(),
                source,
            }),
        }
    }

    /// Lets the next SuperLink see what ServerApps that live print: their files are open. Best effort: the
    /// end of their output tells why a run failed, and stands in no log.
    pub(super) fn link_outputs(&self, to: Option<&Path>) {
        let (Some(to), Ok(outputs)) = (to, fs::read_dir(beside(&self.database, "apps"))) else {
            return;
        };
        // Without a folder each link fails.
        let _ = private_files::create_dir(to);
        for output in outputs.flatten() {
            let _ = fs::hard_link(output.path(), to.join(output.file_name()));
        }
    }

    fn lost(&self, path: &Path, runs: &[RunId], what: &'static str) -> ImportError {
        ImportError::Lost {
            path: path.to_owned(),
            what,
            run: runs.first().copied(),
            database: self.database.clone(),
        }
    }

    /// Marks an error of the rows with the file.
    pub(super) fn unread(&self) -> impl Fn(Unread) -> ImportError + use<> {
        let file = self.database.clone();
        move |source| ImportError::Unread(file.clone(), source.into())
    }
}

/// Whether both paths lead to one directory.
pub(super) fn is_same(one: &Path, other: &Path) -> bool {
    let resolved = |path: &Path| path.canonicalize().ok();
    one == other || resolved(one).is_some_and(|one| resolved(other) == Some(one))
}
