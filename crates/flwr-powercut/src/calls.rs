//! The system calls that change what a disk holds.

use std::path::PathBuf;

/// One call that was made with success. Calls are in the order of their ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// A directory was made.
    MakeDir(PathBuf),
    /// A file was opened, and made if it was not there.
    Create(PathBuf),
    /// Bytes were written.
    Write {
        /// The file.
        path: PathBuf,
        /// Where in the file.
        at: Offset,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// A file got this length.
    Truncate(PathBuf, u64),
    /// A sync of a file or directory began: what is there now is what the sync brings to disk.
    Syncing(PathBuf),
    /// The sync that began last for this path has ended.
    Synced(PathBuf),
    /// A file got another name.
    Rename(PathBuf, PathBuf),
    /// A file got a second name.
    Link(PathBuf, PathBuf),
    /// A file or an empty directory was removed.
    Remove(PathBuf),
    /// The caller has this answer.
    Acknowledge(String),
}

/// Where bytes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offset {
    /// At this byte.
    At(u64),
    /// At the end.
    End,
}
