//! Which bytes are a file in memory, so that whoever passes them on passes the file and copies nothing.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use memmap2::Mmap;

/// A file, and how many bytes it has.
type Known = (Arc<OwnedFd>, usize);

/// The mapped files, by where their bytes begin. No two mappings that live begin at the same place.
static KNOWN: LazyLock<Mutex<HashMap<usize, Known>>> = LazyLock::new(Mutex::default);

/// A mapping of a whole file that this process has written and sealed.
struct Mapping {
    bytes: Mmap,
}

impl AsRef<[u8]> for Mapping {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // Before the mapping itself ends, and another can begin at the same place.
        known().remove(&place(&self.bytes));
    }
}

/// The bytes of this mapping, which is one of the whole file.
pub(super) fn bytes_of(mapping: Mmap, file: OwnedFd) -> Bytes {
    known().insert(place(&mapping), (Arc::new(file), mapping.len()));
    Bytes::from_owner(Mapping { bytes: mapping })
}

/// The file in memory that has these bytes and no others, if [`super::Draft::finish`] made them. A part of
/// its bytes has no file: the file would tell more.
#[must_use]
pub fn file_of(bytes: &Bytes) -> Option<Arc<OwnedFd>> {
    if bytes.is_empty() {
        return None;
    }
    let (file, length) = known().get(&place(bytes)).cloned()?;
    (length == bytes.len()).then_some(file)
}

fn place(bytes: &[u8]) -> usize {
    bytes.as_ptr().addr()
}

fn known() -> MutexGuard<'static, HashMap<usize, Known>> {
    // Nothing panics between two changes of the map.
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}
