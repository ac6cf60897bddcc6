//! What the SuperLink must not forget: a trait for each aggregate, and [`LinkState`], their sum.
//!
//! Each method is one fact that is true or not, whatever the backend and whoever is killed: it
//! happens whole or not at all, and once it has answered it stays. A *refusal* is an answer that
//! the protocol knows; a *broken* state is a disk that fails. Objects are known here by id and by
//! what they are made of; their bytes are kept elsewhere, and a method that ends an object's use
//! says so in [`Changed`].
//!
//! Not promised: the order of replies, and an order between runs.

use flwr_core::object::ObjectId;

use super::wake::Topic;

mod blobs;
mod census;
mod error;
mod joining;
mod logins;
mod logs;
mod messages;
mod metrics;
mod neighbours;
mod nodes;
mod objects;
mod runs;
mod settings;
mod shared;
mod tasks;
mod upkeep;

pub use blobs::{Blob, BlobName};
pub use census::{Census, CommitMeter, Counting};
pub use error::{StateError, StateResult};
pub use flwr_core::message::Parcel;
pub use flwr_core::port::control::NodeStatus;
pub use flwr_core::port::runtime::Sent;
pub use joining::{Entry, Joining, KnownToken, TokenUse};
pub use logins::{KnownLogin, Logins, RefreshTurn};
pub use logs::{LogEntry, Logs, begins_again, own_line, pieces};
pub use messages::{Answer, Messages};
pub use metrics::{Measure, Metrics, Point, Sample, Source, Summary, Total};
pub use neighbours::{Burial, Care, Neighbours, Orphans, Takeover};
pub use nodes::{Enrolment, KnownNode, Nodes, Outlook, RETURN, Registration, Session, Traits};
pub use objects::{ObjectEntry, Objects, Role};
pub use runs::{Runs, Traffic};
pub use settings::{Prints, Settings};
pub use shared::Shared;
pub use tasks::{APP_FIRST_CONTACT, APP_FIRST_HEARTBEAT, Claim, Process, Tasks};
pub use upkeep::{Keep, READ, Upkeep, Usage};

/// What a write changed for others. `Link::apply` is where both are done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use = "the bytes of freed objects are still kept, and nobody is woken"]
pub struct Changed {
    /// Objects that nothing refers to any more. A store by ids deletes their bytes, each as often
    /// as the object is listed.
    pub freed: Vec<ObjectId>,
    /// Who looks again.
    pub wake: Vec<Topic>,
}

impl Changed {
    /// Objects are freed, and nobody waits for that.
    pub const fn freed(freed: Vec<ObjectId>) -> Self {
        Self {
            freed,
            wake: Vec::new(),
        }
    }

    /// Nothing is freed, and these look again.
    pub fn wake<const N: usize>(wake: [Topic; N]) -> Self {
        Self {
            freed: Vec::new(),
            wake: wake.into(),
        }
    }

    /// Takes in what another part of the same write changed.
    pub fn extend(&mut self, other: Self) {
        self.freed.extend(other.freed);
        self.wake.extend(other.wake);
    }
}

/// What a write gives: its answer, and what it changed for others.
pub type Written<T> = StateResult<(T, Changed)>;

/// Everything durable, as one object. Each aggregate is a trait of its own, which a backend
/// implements beside what the backend keeps of the aggregate.
pub trait LinkState:
    Nodes
    + Joining
    + Runs
    + Tasks
    + Messages
    + Objects
    + Logs
    + Metrics
    + Upkeep
    + Logins
    + Neighbours
    + Shared
    + Settings
    + Counting
    + std::fmt::Debug
    + Send
    + Sync
{
}
