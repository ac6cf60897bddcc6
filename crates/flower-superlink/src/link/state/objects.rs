//! What must not be forgotten of objects: what they are made of, and who needs them.

use async_trait::async_trait;
use flwr_core::id::RunId;
use flwr_core::object::ObjectId;

use super::{StateResult, Written};

/// An object as the state knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectEntry {
    /// What the tree that announced it says it is made of.
    pub children: Vec<ObjectId>,
    /// Its bytes are there.
    pub available: bool,
}

/// Objects, by id. Their bytes are kept elsewhere.
#[async_trait]
pub trait Objects {
    /// What is known of an object of a running run.
    async fn object(&self, run: RunId, object: ObjectId) -> StateResult<Option<ObjectEntry>>;

    /// The object's bytes are kept, once for this run. False where nobody waits for them (any
    /// more), or where they were there already: they are freed then.
    async fn object_arrived(&self, run: RunId, object: ObjectId) -> Written<bool>;
}
