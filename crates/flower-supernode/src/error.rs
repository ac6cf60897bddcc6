//! Why a SuperNode could not start, or had to end.

use flwr_daemon::{apps, listen};

/// A reason to end. Displays show their own level; print the chain of sources.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A port could not be opened, or its server ended.
    #[error(transparent)]
    Listen(#[from] listen::Error),
    /// The SuperLink could not be reached within the limits that were set.
    #[error(
        "gave up on the SuperLink after {tries} tries, as --max-retries or --max-wait-time says: {reason}"
    )]
    GaveUp {
        /// Requests sent.
        tries: u64,
        /// The last refusal.
        reason: String,
    },
    /// What answers at the SuperLink's address serves no SuperNodes of the releases that this program
    /// speaks.
    #[error("this SuperNode is not served: {0}")]
    NotServed(String),
    /// The machine has no randomness to make a token of.
    #[error("the system has no randomness to make a token of")]
    NoRandomness,
    /// A part ended that never should.
    #[error("an internal task ended: {0}")]
    Task(String),
    /// The ClientApp's program is gone.
    #[error(transparent)]
    Apps(#[from] apps::Error),
}
