//! Which objects a node may pull and push: those of the instructions to it, and of its replies. The
//! state knows; what a node is just transferring is kept at hand, since the state would walk the whole
//! tree for each of its objects.

use std::collections::{HashMap, HashSet};

use flwr_core::id::{NodeId, RunId};
use flwr_core::object::{ObjectId, ObjectTree};
use parking_lot::Mutex;

use super::Link;
use super::state::Role;
use crate::error::Result;

/// Transfers that are kept at hand. All are forgotten at once when there are more.
const MAX_TRANSFERS: usize = 4096;

/// What each node is transferring.
#[derive(Debug, Default)]
pub(super) struct Reach(Mutex<HashMap<(NodeId, Role), Transfer>>);

/// The objects of a message on its way.
#[derive(Debug)]
struct Transfer {
    run: RunId,
    objects: HashSet<ObjectId>,
}

impl Reach {
    /// The node gets an instruction.
    pub(super) fn receives(&self, node: NodeId, run: RunId, tree: &ObjectTree) {
        self.end(node, Role::Sender);
        let objects = tree.post_order().into_iter().map(|tree| tree.id);
        self.begin(node, Role::Receiver, run, objects.collect());
    }

    /// The node sends a reply of which these objects are missing.
    pub(super) fn sends(&self, node: NodeId, run: RunId, missing: &[ObjectId]) {
        let objects = missing.iter().copied().collect();
        self.begin(node, Role::Sender, run, objects);
    }

    fn begin(&self, node: NodeId, role: Role, run: RunId, objects: HashSet<ObjectId>) {
        let mut transfers = self.0.lock();
        if transfers.len() >= MAX_TRANSFERS {
            transfers.clear();
        }
        transfers.insert((node, role), Transfer { run, objects });
    }

    fn end(&self, node: NodeId, role: Role) {
        self.0.lock().remove(&(node, role));
    }

    fn has(&self, node: NodeId, role: Role, run: RunId, object: ObjectId) -> bool {
        let transfers = self.0.lock();
        let transfer = transfers.get(&(node, role));
        transfer.is_some_and(|transfer| transfer.run == run && transfer.objects.contains(&object))
    }

    /// The object is there: the node need not push it any more.
    fn has_come(&self, node: NodeId, object: ObjectId) {
        let mut transfers = self.0.lock();
        let key = (node, Role::Sender);
        if let Some(transfer) = transfers.get_mut(&key) {
            transfer.objects.remove(&object);
            if transfer.objects.is_empty() {
                transfers.remove(&key);
            }
        }
    }
}

impl Link {
    /// Whether the object is of an instruction to the node.
    ///
    /// # Errors
    /// If the run is not running.
    pub async fn is_for(&self, node: NodeId, run: RunId, object: ObjectId) -> Result<bool> {
        self.reaches(node, Role::Receiver, run, object).await
    }

    /// Whether the object is of an instruction to the node, or of a reply of the node.
    ///
    /// # Errors
    /// If the run is not running.
    pub async fn may_pull(&self, node: NodeId, run: RunId, object: ObjectId) -> Result<bool> {
        let is_for = self.is_for(node, run, object).await?;
        Ok(is_for || self.may_push(node, run, object).await?)
    }

    /// Whether the object is of a reply of the node.
    ///
    /// # Errors
    /// If the run is not running.
    pub async fn may_push(&self, node: NodeId, run: RunId, object: ObjectId) -> Result<bool> {
        self.reaches(node, Role::Sender, run, object).await
    }

    /// The node has the instruction, and pulls no more of it.
    pub fn has_received(&self, node: NodeId) {
        self.reach.end(node, Role::Receiver);
    }

    /// The node has pushed this object.
    pub fn has_pushed(&self, node: NodeId, object: ObjectId) {
        self.reach.has_come(node, object);
    }

    async fn reaches(
        &self,
        node: NodeId,
        role: Role,
        run: RunId,
        object: ObjectId,
    ) -> Result<bool> {
        if self.reach.has(node, role, run, object) {
            return Ok(true);
        }
        let objects = self.state.objects_of(run, node, role).await?;
        let is_found = objects.contains(&object);
        if is_found {
            self.reach.begin(node, role, run, objects);
        }
        Ok(is_found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transfers_are_forgotten_when_they_end_and_when_there_are_too_many() {
        let reach = Reach::default();
        let (node, run, object) = (NodeId(7), RunId(1), ObjectId::of(b"object"));
        reach.sends(node, run, &[object]);
        assert!(reach.has(node, Role::Sender, run, object));
        assert!(!reach.has(node, Role::Receiver, run, object));
        assert!(!reach.has(NodeId(8), Role::Sender, run, object));
        assert!(!reach.has(node, Role::Sender, RunId(2), object));
        reach.has_come(node, object);
        assert!(reach.0.lock().is_empty());
        for node in 0..=MAX_TRANSFERS as u64 {
            reach.receives(NodeId(node), run, &ObjectTree::leaf(object));
        }
        assert_eq!(reach.0.lock().len(), 1);
    }
}
