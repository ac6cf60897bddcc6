//! For the fuzz targets: what this crate reads and has no other name for outside.

use bytes::Bytes;

use crate::store;

/// Whether this is a reply as the store keeps it.
#[must_use]
pub fn kept_reply(bytes: Bytes) -> bool {
    store::is_reply(bytes)
}
