//! Why the memory of an enrolment cannot be used.

use std::io;
use std::path::PathBuf;

use flwr_security::key::KeyError;
use thiserror::Error;

/// Why the memory of an enrolment cannot be used.
#[derive(Debug, Error)]
pub enum MemoryError {
    /// A file cannot be read.
    #[error("{}: cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("{}: cannot be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file has another content than this program writes.
    #[error(
        "{}: it is damaged: `--join TOKEN --rejoin` with a new token replaces it", .0.display()
    )]
    Damaged(PathBuf),
    /// Who wrote the memory could have the node trust another SuperLink, and knows its key.
    #[error(
        "{} belongs to another user (user id {owner}), who could have the node join elsewhere and knows its key: give the node a --flwr-dir of its own, or give the folder to the user of this process (chown -R)", path.display()
    )]
    OfAnother {
        /// The folder or file.
        path: PathBuf,
        /// The user id of its owner.
        owner: u32,
    },
    /// Another process has the lock.
    #[error(
        "another `flower-supernode` is joining or renewing its key in {}: wait for it", .0.display()
    )]
    Busy(PathBuf),
    /// The key cannot be made, read or written.
    #[error(transparent)]
    Key(#[from] KeyError),
}
