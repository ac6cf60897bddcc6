//! Object bytes in memory. They are lost when the process ends.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use async_trait::async_trait;
use bytes::Bytes;
use flwr_core::object::ObjectId;
use parking_lot::RwLock;

use super::{Error, Flaw, Flawed, ObjectBytes};

/// Object bytes in memory.
#[derive(Debug, Default)]
pub struct Memory(RwLock<HashMap<ObjectId, Held>>);

/// Bytes, and how many `put`s hold them.
#[derive(Debug)]
struct Held {
    content: Bytes,
    holders: usize,
}

impl Memory {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl ObjectBytes for Memory {
    async fn put(&self, id: ObjectId, content: Bytes) -> Result<(), Error> {
        self.0
            .write()
            .entry(id)
            .or_insert(Held {
                content,
                holders: 0,
            })
            .holders += 1;
        Ok(())
    }

    async fn get(&self, id: &ObjectId) -> Result<Option<Bytes>, Error> {
        Ok(self.0.read().get(id).map(|held| held.content.clone()))
    }

    async fn find_flaw(&self, ids: Vec<ObjectId>) -> Result<Option<Flawed>, Error> {
        let held = self.0.read();
        let lost = ids.into_iter().find(|id| !held.contains_key(id));
        Ok(lost.map(|id| Flawed {
            id,
            flaw: Flaw::Lost,
        }))
    }

    async fn try_to_write(&self) -> Result<(), Error> {
        Ok(())
    }

    async fn delete(&self, id: &ObjectId) -> Result<(), Error> {
        if let Entry::Occupied(mut held) = self.0.write().entry(*id) {
            held.get_mut().holders -= 1;
            if held.get().holders == 0 {
                held.remove();
            }
        }
        Ok(())
    }

    fn used(&self) -> u64 {
        let kept = self.0.read();
        kept.values().map(|held| held.content.len() as u64).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn memory_keeps_and_forgets() {
        crate::objects::files::tests::keeps_and_forgets(&Memory::new()).await;
    }
}
