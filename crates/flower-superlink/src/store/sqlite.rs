//! The state in a SQLite file: there after a crash, whatever was answered before.
//!
//! ```text
//!   writes ─▶ writer: one thread, group commit, WAL, synchronous FULL ─▶ answer
//!   reads  ─▶ reader: a few connections, each a snapshot of what is committed
//!   signs of life ─▶ presence: memory, written now and then
//! ```

use std::sync::Arc;

use flwr_core::object::ObjectId;
use rusqlite::Connection;

use crate::link::state::{Changed, LinkState, Logins, Neighbours, Settings, Shared, Written};

mod audit;
mod census;
mod dismissed;
mod expiry;
mod export;
mod file;
mod in_hand;
mod instructions;
mod joining;
mod life;
mod lifecycle;
mod logs;
mod messages;
mod metrics;
mod migration;
mod nodes;
mod objects;
mod opening;
mod reader;
mod replies;
mod row;
mod runs;
mod signs;
mod snapshot;
mod tasks;
mod upkeep;
mod writer;

pub(super) use audit::Audit;
pub(super) use export::{Export, ExportError, Unread};
pub use file::OpenError;
pub(super) use file::{beside, exists, hold};
pub(super) use snapshot::{Content, SnapshotError, copy, state_of};

use crate::store::presence::Presence;
use reader::Reader;
use writer::Writer;

/// What a state counts on: each object or FAB, and how often.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) objects: Vec<(ObjectId, usize)>,
    pub(super) fabs: Vec<(ObjectId, usize)>,
}

/// The state in a SQLite file.
#[derive(Debug)]
pub struct SqliteState {
    writer: Writer,
    reader: Reader,
    presence: Arc<Presence>,
    id: String,
    kept: Kept,
    _hold: file::Hold,
}

impl SqliteState {
    fn presence(&self) -> Arc<Presence> {
        Arc::clone(&self.presence)
    }

    /// Writes what others wait for. Once it is on disk, and before anybody is answered or woken,
    /// `then` is done, and the nodes that have something to take are noted.
    async fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Written<T> + Send + 'static,
        then: impl FnOnce(&T) + Send + 'static,
    ) -> Written<T> {
        let presence = self.presence();
        let then = move |(value, changed): &(T, Changed)| {
            then(value);
            presence.look_again(&changed.wake);
        };
        self.writer.write_then(work, then).await
    }
}

impl Shared for SqliteState {}

impl Logins for SqliteState {}
impl Neighbours for SqliteState {}

impl Settings for SqliteState {}

impl LinkState for SqliteState {}

#[cfg(test)]
#[allow(
    unused_must_use,
    reason = "these tests keep no bytes, and nobody waits"
)]
mod tests;
