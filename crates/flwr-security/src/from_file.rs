//! A value that is read from a file, and reloaded when the file has changed.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;

/// Longest list that is read: it holds 200,000 keys.
pub(crate) const MAX_LIST_BYTES: u64 = 64 << 20;

/// The content of a file; `None` if it is longer than `most` bytes.
pub(crate) fn read_at_most(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    let mut content = Vec::new();
    // One byte more than is allowed tells; a length that is asked for first may be a lie.
    File::open(path)?.take(most + 1).read_to_end(&mut content)?;
    Ok((content.len() as u64 <= most).then_some(content))
}

/// A type that is read from a file.
pub trait Readable: Sized {
    /// The reason why a file is not usable. Its text names the file.
    type Error;

    /// Reads a file.
    ///
    /// # Errors
    /// If the content is not usable.
    fn from_file(path: &Path) -> Result<Self, Self::Error>;
}

/// The last usable content of a file.
#[derive(Debug)]
pub struct FromFile<T> {
    path: PathBuf,
    now: RwLock<Arc<T>>,
}

impl<T: Readable> FromFile<T> {
    /// Reads a file.
    ///
    /// # Errors
    /// If the content is not usable.
    pub fn load(path: &Path) -> Result<Self, T::Error> {
        Ok(Self {
            now: RwLock::new(Arc::new(T::from_file(path)?)),
            path: path.to_owned(),
        })
    }

    /// Reads the file again.
    ///
    /// # Errors
    /// If the content is not usable. The old content then stays in use.
    pub fn reload(&self) -> Result<Arc<T>, T::Error> {
        let read = Arc::new(T::from_file(&self.path)?);
        *self.now.write() = Arc::clone(&read);
        Ok(read)
    }

    /// The last usable content.
    #[must_use]
    pub fn now(&self) -> Arc<T> {
        Arc::clone(&self.now.read())
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}
