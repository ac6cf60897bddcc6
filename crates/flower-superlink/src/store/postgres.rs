//! The state in a PostgreSQL database: there after a crash, of the SuperLink or of the server,
//! whatever was answered before.
//!
//! ```text
//!   writes ─▶ lane: one task and connection, group commit, set-based statements ─▶ answer
//!   reads  ─▶ a pool of connections, each read a snapshot of what is committed
//!   looks  ─▶ nodes that ask at once are answered by one statement
//!   signs of life ─▶ presence: memory, written now and then
//!   changes ─▶ wakes: NOTIFY to other SuperLinks, and LISTEN
//! ```
//!
//! Others may work with the database too, each under a name of its own ([`hold`]). What they change of
//! nodes is taken over into memory ([`follow`]).

use std::sync::Arc;

use deadpool_postgres::Pool;
use parking_lot::Mutex;

use super::blobs::Beside;
use super::presence::Presence;
use crate::link::state::{Changed, LinkState, Shared, StateResult, Written};
use crate::link::wake::{Topic, Wake};

pub(super) mod audit;
mod blobs;
mod burial;
mod census;
mod certificates;
mod connect;
mod dismissed;
mod expiry;
mod filling;
mod flush;
mod follow;
mod hold;
mod identity;
mod instructions;
mod joining;
mod lane;
mod life;
mod lifecycle;
mod logins;
mod logs;
mod looks;
mod lost;
mod messages;
mod metrics;
mod nodes;
mod objects;
mod opening;
mod orphans;
mod patience;
mod reader;
mod replies;
mod roster;
mod row;
mod runs;
mod schema;
mod settings;
mod signs;
mod table;
mod tasks;
mod time;
mod tls;
mod unit;
mod upkeep;
mod url;
mod wakes;

pub use connect::Unfit;
pub(super) use filling::{Filling, Vacant};
pub(super) use hold::Company;
pub use opening::PostgresError;
pub use roster::{Member, Roster};
pub use url::{PasswordError, PasswordSource, PostgresUrl, PostgresUrlError};
#[doc(hidden)]
pub use wakes::reads_notification;

use lane::{Lane, Op};
use looks::Looks;
use upkeep::Lately;
use wakes::Wakes;

/// The state in a PostgreSQL database.
#[derive(Debug)]
pub struct PostgresState {
    lane: Lane,
    pool: Pool,
    presence: Arc<Presence>,
    wakes: Wakes,
    looks: Looks,
    /// What the database takes, as it was counted a moment ago.
    used: Mutex<Lately>,
    followed: Mutex<follow::Followed>,
    id: String,
    database: String,
    /// The name of this SuperLink among those that work with the database; empty where it works alone.
    name: String,
    epoch: i64,
    /// The starts of others.
    beside: Beside,
    /// Since when others are silent.
    watch: Mutex<burial::Watch>,
}

impl PostgresState {
    fn presence(&self) -> Arc<Presence> {
        Arc::clone(&self.presence)
    }

    /// Writes what others wait for. Once it is committed, and before anybody is answered or woken,
    /// `then` is done, and the nodes that have something to take are noted.
    async fn change<T: Send + 'static>(
        &self,
        op: impl Op<Out = (T, Changed)>,
        then: impl FnOnce(&T) + Send + 'static,
    ) -> Written<T> {
        let presence = self.presence();
        let then = move |(value, changed): &(T, Changed)| {
            then(value);
            presence.look_again(&changed.wake);
        };
        self.lane.write_then(op, then).await
    }

    /// Whether another SuperLink was heard.
    #[cfg(test)]
    pub(super) fn hears_others(&self) -> bool {
        self.wakes.has_heard_others()
    }

    async fn write<T: Send + 'static>(&self, op: impl Op<Out = T>) -> StateResult<T> {
        self.lane.write(op).await
    }
}

impl LinkState for PostgresState {}

impl Shared for PostgresState {
    fn wake_at(&self, hub: &Arc<Wake>) {
        self.wakes.wake_at(hub);
    }

    fn tell_others(&self, topics: &[Topic]) {
        self.wakes.tell(topics);
    }
}

#[cfg(test)]
#[allow(
    unused_must_use,
    reason = "these tests keep no bytes, and nobody waits"
)]
pub(super) mod tests;
