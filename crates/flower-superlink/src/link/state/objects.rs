//! What must not be forgotten of objects: what they are made of, and who needs them.

use std::collections::HashSet;
use std::time::Duration;

use async_trait::async_trait;
use flwr_core::id::{NodeId, RunId};
use flwr_core::object::ObjectId;

use super::{Blob, BlobName, StateResult, Written};

/// An object as the state knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectEntry {
    /// What the tree that announced it says it is made of.
    pub children: Vec<ObjectId>,
    /// Where its bytes stand, once they are there.
    pub blob: Option<Blob>,
}

impl ObjectEntry {
    /// Its bytes are there.
    #[must_use]
    pub const fn available(&self) -> bool {
        self.blob.is_some()
    }
}

/// What a node is to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The message is an instruction to the node.
    Receiver,
    /// The message is a reply of the node.
    Sender,
}

/// Objects, by id. Their bytes are kept elsewhere.
#[async_trait]
pub trait Objects {
    /// What is known of an object of a running run.
    async fn object(&self, run: RunId, object: ObjectId) -> StateResult<Option<ObjectEntry>>;

    /// The objects of the messages of a running run to which the node is this.
    async fn objects_of(
        &self,
        run: RunId,
        node: NodeId,
        role: Role,
    ) -> StateResult<HashSet<ObjectId>>;

    /// The object's bytes are kept, once for this run. False where nobody waits for them (any
    /// more), or where they were there already: they are freed then.
    async fn object_arrived(&self, run: RunId, object: ObjectId, blob: Blob) -> Written<bool>;

    /// Names that nothing has used for this long: their bytes can be deleted. Whoever deletes them
    /// says so with [`Self::swept`]. Empty for a state whose bytes have no names.
    async fn garbage(&self, _age: Duration, _limit: usize) -> StateResult<Vec<BlobName>> {
        Ok(Vec::new())
    }

    /// The bytes of these names are deleted.
    async fn swept(&self, _names: Vec<String>) -> StateResult<()> {
        Ok(())
    }

    /// The bytes of these names could not be deleted. Others are tried before them.
    async fn not_swept(&self, _names: Vec<String>) -> StateResult<()> {
        Ok(())
    }

    /// Those of the names that the state neither uses nor knows as garbage.
    async fn unknown_names(&self, _names: Vec<String>) -> StateResult<Vec<String>> {
        Ok(Vec::new())
    }
}
