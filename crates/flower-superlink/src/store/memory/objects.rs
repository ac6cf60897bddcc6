//! The objects of one run: what they are made of, and who still needs them.

use std::collections::{BTreeSet, HashMap, HashSet};

use async_trait::async_trait;
use flwr_core::id::{NodeId, RunId};
use flwr_core::message::MessageId;
use flwr_core::object::{ObjectId, ObjectTree};
use flwr_core::refusal::Refusal;

use super::{Inner, MemoryState};
use crate::link::state::{self, Blob, Changed, ObjectEntry, Role, StateResult, Written};
use crate::store::rules;

#[derive(Debug, Default)]
pub(super) struct Objects(HashMap<ObjectId, Object>);

#[derive(Debug, Default)]
struct Object {
    children: Vec<ObjectId>,
    available: bool,
    /// Objects of which this is a child, and messages of which it is the root.
    referrers: usize,
    /// Messages that are not whole until it arrives.
    awaited_by: BTreeSet<MessageId>,
}

impl Objects {
    /// Whether the tree says the same of each object wherever it stands, here and in the trees
    /// before. Without that a tree could grow out of small ones beyond every bound.
    pub(super) fn check(&self, tree: &ObjectTree) -> Result<(), Refusal> {
        rules::check_tree(tree, |id, children| {
            let known = self.0.get(&id);
            Ok(known.map(|object| object.children == children))
        })
    }

    /// Makes all objects of a checked tree known, and its root needed once more. Gives the
    /// distinct ones whose bytes are missing.
    pub(super) fn announce(&mut self, tree: &ObjectTree) -> HashSet<ObjectId> {
        let mut missing = HashSet::new();
        for tree in tree.post_order() {
            if !self.0.contains_key(&tree.id) {
                self.add(tree);
            }
            if !self.0[&tree.id].available {
                missing.insert(tree.id);
            }
        }
        self.refer(tree.id);
        missing
    }

    /// Its children are there: the tree is walked from the leaves.
    fn add(&mut self, tree: &ObjectTree) {
        let children = tree.distinct_children();
        for child in &children {
            self.refer(*child);
        }
        self.0.insert(
            tree.id,
            Object {
                children,
                ..Object::default()
            },
        );
    }

    fn refer(&mut self, object: ObjectId) {
        if let Some(object) = self.0.get_mut(&object) {
            object.referrers += 1;
        }
    }

    /// The message is not whole until each of these objects arrives.
    pub(super) fn await_for(&mut self, message: MessageId, missing: &HashSet<ObjectId>) {
        for id in missing {
            if let Some(object) = self.0.get_mut(id) {
                object.awaited_by.insert(message);
            }
        }
    }

    /// The bytes are there: the messages that waited for them, or `None` if nobody did.
    pub(super) fn arrive(&mut self, object: ObjectId) -> Option<Vec<MessageId>> {
        let object = self.0.get_mut(&object).filter(|object| !object.available)?;
        object.available = true;
        Some(std::mem::take(&mut object.awaited_by).into_iter().collect())
    }

    /// A message that stood on this object needs it no more. What nobody else needs goes, with
    /// all that only it was made of.
    pub(super) fn release(&mut self, root: ObjectId) -> Vec<ObjectId> {
        let mut freed = Vec::new();
        let mut released = vec![root];
        while let Some(id) = released.pop() {
            let Some(object) = self.0.get_mut(&id) else {
                continue;
            };
            object.referrers = object.referrers.saturating_sub(1);
            if object.referrers > 0 {
                continue;
            }
            if let Some(object) = self.0.remove(&id) {
                released.extend(object.children);
                freed.extend(object.available.then_some(id));
            }
        }
        freed
    }

    /// All objects go.
    pub(super) fn clear(&mut self) -> Vec<ObjectId> {
        let all = std::mem::take(&mut self.0).into_iter();
        all.filter(|(_, object)| object.available)
            .map(|(id, _)| id)
            .collect()
    }

    pub(super) fn entry(&self, object: ObjectId) -> Option<ObjectEntry> {
        let object = self.0.get(&object)?;
        Some(ObjectEntry {
            children: object.children.clone(),
            blob: object.available.then_some(Blob::OfId),
        })
    }

    /// These objects, and all that they are made of.
    pub(super) fn below(&self, roots: Vec<ObjectId>) -> HashSet<ObjectId> {
        let (mut found, mut next) = (HashSet::new(), roots);
        while let Some(id) = next.pop() {
            if let Some(object) = self.0.get(&id)
                && found.insert(id)
            {
                next.extend(&object.children);
            }
        }
        found
    }

    /// The tree below a known object.
    pub(super) fn tree(&self, id: ObjectId) -> ObjectTree {
        let children = self
            .0
            .get(&id)
            .map(|object| &object.children[..])
            .unwrap_or_default();
        ObjectTree {
            id,
            children: children.iter().map(|child| self.tree(*child)).collect(),
        }
    }
}

#[async_trait]
impl state::Objects for MemoryState {
    async fn object(&self, run: RunId, object: ObjectId) -> StateResult<Option<ObjectEntry>> {
        Ok(self.0.lock().running(run)?.objects().entry(object))
    }

    async fn objects_of(
        &self,
        run: RunId,
        node: NodeId,
        role: Role,
    ) -> StateResult<HashSet<ObjectId>> {
        Ok(self.0.lock().running(run)?.objects_of(node, role))
    }

    async fn object_arrived(&self, run: RunId, object: ObjectId, _: Blob) -> Written<bool> {
        let mut inner = self.0.lock();
        let Inner { nodes, runs, .. } = &mut *inner;
        let state = runs.get_mut(&run);
        let Some((changed, whole)) = state.and_then(|state| state.object_arrived(object)) else {
            return Ok((false, Changed::freed(vec![object])));
        };
        for (node, message) in whole {
            nodes.wait(node, run, message);
        }
        Ok((true, changed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> ObjectId {
        ObjectId::of(name.as_bytes())
    }

    fn tree(name: &str, children: Vec<ObjectTree>) -> ObjectTree {
        ObjectTree {
            id: id(name),
            children,
        }
    }

    #[test]
    fn an_object_of_two_messages_goes_with_the_second() {
        let mut objects = Objects::default();
        let shared = tree("model", vec![tree("layer", vec![])]);
        let first = tree("first", vec![shared.clone()]);
        assert_eq!(objects.announce(&first).len(), 3);
        for name in ["first", "model", "layer"] {
            assert_eq!(objects.arrive(id(name)), Some(vec![]));
        }
        let second = tree("second", vec![shared]);
        assert_eq!(objects.announce(&second), HashSet::from([id("second")]));
        assert_eq!(objects.tree(id("second")), second);

        assert_eq!(objects.release(id("first")), vec![id("first")]);
        // "second" never arrived: there are no bytes to let go.
        assert_eq!(
            objects.release(id("second")),
            vec![id("model"), id("layer")]
        );
        assert!(objects.0.is_empty());
    }

    #[test]
    fn an_object_has_the_same_children_everywhere() {
        let mut objects = Objects::default();
        let grown = tree("a", vec![tree("b", vec![])]);
        let within = tree(
            "root",
            vec![grown.clone(), tree("c", vec![tree("a", vec![])])],
        );
        assert_eq!(objects.check(&within), Err(Refusal::ObjectDiffers(id("a"))));
        objects.announce(&grown);
        assert_eq!(objects.check(&grown), Ok(()));
        assert_eq!(
            objects.check(&tree("a", vec![])),
            Err(Refusal::ObjectDiffers(id("a")))
        );
    }

    #[test]
    fn bytes_that_nobody_announced_or_that_came_before_are_not_kept() {
        let mut objects = Objects::default();
        assert_eq!(objects.arrive(id("stray")), None);
        objects.announce(&tree("a", vec![]));
        objects.await_for(id("m"), &HashSet::from([id("a")]));
        assert_eq!(objects.arrive(id("a")), Some(vec![id("m")]));
        assert_eq!(objects.arrive(id("a")), None);
    }
}
