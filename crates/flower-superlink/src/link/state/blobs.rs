//! Where the bytes of objects and FABs stand.

use bytes::Bytes;

/// Where the bytes of an object stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blob {
    /// In a store by ids, under the id of the object. Several runs may share the bytes, and the
    /// store counts them.
    OfId,
    /// In a store by names. The bytes are of one run.
    Named(BlobName),
    /// In the state itself.
    Inline(Bytes),
}

/// The name of bytes in a store by names. A name is never used again: who deletes the bytes of a
/// name cannot meet bytes that came later.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlobName {
    /// The name, below the place of the store.
    pub key: String,
    /// The number of bytes.
    pub size: u64,
}
