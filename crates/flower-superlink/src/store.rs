//! Backends of [`LinkState`](crate::link::state::LinkState), and the battery of tests that each
//! must pass.

mod backup;
mod blobs;
mod check;
mod columns;
mod import;
mod log;
mod memory;
mod metrics;
mod open;
mod owner;
mod place;
mod postgres;
mod presence;
mod rules;
mod sqlite;
mod tables;

#[cfg(test)]
#[allow(
    unused_must_use,
    reason = "these tests keep no bytes, and nobody waits"
)]
mod battery;
#[cfg(test)]
#[allow(
    unused_must_use,
    reason = "these tests answer nobody, and nobody waits"
)]
mod fixtures;
#[cfg(test)]
mod model;

pub use backup::{BackupError, Saved};
pub use blobs::{Bucket, BucketError, BucketUrl};
pub use import::{Import, ImportError, Imported};
pub use memory::MemoryState;
pub use open::Opened;
pub use owner::OwnerError;
pub use place::{Database, Places, Storage, StoreError};
#[doc(hidden)]
pub use postgres::reads_notification;
pub use postgres::{
    Member, PasswordError, PasswordSource, PostgresError, PostgresState, PostgresUrl,
    PostgresUrlError, Roster, Unfit,
};
pub use sqlite::{OpenError, SqliteState};

use crate::link::state::own_line;

/// The folders of a storage directory whose files are named by ids.
const OBJECTS: &str = "objects";
const FABS: &str = "fabs";
/// Seconds that an expired instruction is still known, so that whoever asks hears that it is.
const EXPIRED_KEPT: f64 = 60.0;
/// Why a run is lost, in Flower's words.
const LOST: &str = "No heartbeat received from the run.";

/// What the log of a lost run ends with.
fn lost_line() -> String {
    own_line(format_args!(
        "{LOST} Its ServerApp process gave no sign of life in time: the run failed."
    ))
}
