//! Where the content of an answer is put.

use std::io::{self, Write};

use bytes::Bytes;
use flwr_shm::Draft;

/// What kind of memory the contents of answers are put in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Room {
    /// Memory of this process alone.
    #[default]
    Own,
    /// Shared memory, which can be passed on to an app process without a copy. Own memory where the system
    /// gives no file for it.
    Shared,
}

/// A content that is arriving.
pub(super) enum Arriving {
    Own(Vec<u8>),
    Shared(Draft),
}

/// Bytes that are reserved for a content before they have arrived.
const RESERVED: usize = 1 << 20;

impl Room {
    /// An empty content, which will have this length.
    pub(super) fn begin(self, length: usize) -> Arriving {
        let shared = (self == Self::Shared).then(Draft::new);
        match shared {
            Some(Ok(draft)) => Arriving::Shared(draft),
            _ => Arriving::Own(Vec::with_capacity(length.min(RESERVED))),
        }
    }
}

impl Arriving {
    pub(super) fn add(&mut self, part: &[u8]) -> io::Result<()> {
        match self {
            Self::Own(content) => content.write_all(part),
            Self::Shared(draft) => draft.write_all(part),
        }
    }

    pub(super) fn finish(self) -> io::Result<Bytes> {
        match self {
            Self::Own(content) => Ok(content.into()),
            Self::Shared(draft) => draft.finish(),
        }
    }
}
