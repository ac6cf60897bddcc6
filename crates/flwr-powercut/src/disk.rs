//! A disk with a cache: what was written, and what of that is there after a power cut.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::calls::{Call, Offset};

/// Which names without a sync survive a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// None: each directory is as at its last sync.
    Synced,
    /// All: a new name may be on disk before the bytes of its file.
    All,
}

/// The files below one directory. The directory itself is there, and stays.
#[derive(Debug)]
pub struct Disk {
    root: PathBuf,
    files: Vec<File>,
    names: BTreeMap<PathBuf, Node>,
    synced: BTreeMap<PathBuf, Node>,
    /// What the syncs bring to disk that have begun and not ended.
    syncing: BTreeMap<PathBuf, Syncing>,
}

#[derive(Debug, Default)]
struct File {
    content: Vec<u8>,
    synced: Arc<Vec<u8>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    Dir,
    /// By its place among the files.
    File(usize),
}

#[derive(Debug)]
enum Syncing {
    Dir(BTreeMap<PathBuf, Node>),
    File(usize, Arc<Vec<u8>>),
}

impl Disk {
    /// An empty directory.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            files: Vec::new(),
            names: BTreeMap::new(),
            synced: BTreeMap::new(),
            syncing: BTreeMap::new(),
        }
    }

    /// Does what the call did.
    pub fn apply(&mut self, call: &Call) {
        match call {
            Call::MakeDir(path) => {
                self.names.insert(path.clone(), Node::Dir);
            }
            Call::Create(path) => {
                self.create(path);
            }
            Call::Write { path, at, bytes } => {
                let file = self.create(path);
                self.files[file].write(*at, bytes);
            }
            Call::Truncate(path, length) => {
                let file = self.create(path);
                let length = usize::try_from(*length).unwrap();
                self.files[file].content.resize(length, 0);
            }
            Call::Syncing(path) => self.begin_sync(path),
            Call::Synced(path) => self.end_sync(path),
            Call::Rename(from, to) => {
                let node = self.names.remove(from).unwrap();
                assert_ne!(
                    node,
                    Node::Dir,
                    "{from:?}: a renamed directory is not modelled"
                );
                self.names.insert(to.clone(), node);
            }
            Call::Link(from, to) => {
                let node = self.names[from];
                self.names.insert(to.clone(), node);
            }
            Call::Remove(path) => {
                self.names.remove(path);
            }
            Call::Acknowledge(_) => {}
        }
    }

    /// Writes what the disk holds after a power cut into an empty directory.
    pub fn lay_out(&self, to: &Path, names: Names) {
        let names = match names {
            Names::Synced => &self.synced,
            Names::All => &self.names,
        };
        // Parents come before their children.
        for (path, node) in names {
            let target = to.join(path.strip_prefix(&self.root).unwrap());
            if !target.parent().is_some_and(Path::is_dir) {
                // The name of a directory above is lost, and all below with it.
                continue;
            }
            match node {
                Node::Dir => fs::create_dir(target).unwrap(),
                Node::File(file) => fs::write(target, &*self.files[*file].synced).unwrap(),
            }
        }
    }

    fn create(&mut self, path: &Path) -> usize {
        if let Some(Node::File(file)) = self.names.get(path) {
            return *file;
        }
        self.files.push(File::default());
        let file = self.files.len() - 1;
        self.names.insert(path.to_owned(), Node::File(file));
        file
    }

    fn begin_sync(&mut self, path: &Path) {
        let syncing = match self.names.get(path) {
            Some(Node::File(file)) => {
                Syncing::File(*file, Arc::new(self.files[*file].content.clone()))
            }
            Some(Node::Dir) => Syncing::Dir(self.inside(path)),
            None if path == self.root => Syncing::Dir(self.inside(path)),
            // The file has no name any more: nobody finds it after the cut.
            None => return,
        };
        self.syncing.insert(path.to_owned(), syncing);
    }

    fn end_sync(&mut self, path: &Path) {
        match self.syncing.remove(path) {
            Some(Syncing::File(file, content)) => self.files[file].synced = content,
            Some(Syncing::Dir(inside)) => {
                self.synced.retain(|name, _| name.parent() != Some(path));
                self.synced.extend(inside);
            }
            None => {}
        }
    }

    fn inside(&self, dir: &Path) -> BTreeMap<PathBuf, Node> {
        let inside = self
            .names
            .iter()
            .filter(|(name, _)| name.parent() == Some(dir));
        inside.map(|(name, node)| (name.clone(), *node)).collect()
    }
}

impl File {
    fn write(&mut self, at: Offset, bytes: &[u8]) {
        let at = match at {
            Offset::At(at) => usize::try_from(at).unwrap(),
            Offset::End => self.content.len(),
        };
        let end = at + bytes.len();
        if self.content.len() < end {
            self.content.resize(end, 0);
        }
        self.content[at..end].copy_from_slice(bytes);
    }
}
