//! The rows of a table within one transaction: read before they are needed, changed in memory, and
//! written together at the end.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::row::Key;

/// The rows of a table that a transaction has to do with.
#[derive(Debug)]
pub(super) struct Table<V>(HashMap<Key, Slot<V>>);

#[derive(Debug)]
struct Slot<V> {
    /// `None`: there is no such row.
    value: Option<V>,
    /// The database has a row.
    is_stored: bool,
    is_changed: bool,
}

/// What is to be written.
#[derive(Debug)]
pub(super) struct Pending<'t, V> {
    pub(super) new: Vec<(&'t Key, &'t V)>,
    pub(super) changed: Vec<(&'t Key, &'t V)>,
    pub(super) gone: Vec<&'t Key>,
}

impl<V> Default for Table<V> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<V> Table<V> {
    /// Those of the rows that were not read yet, each once.
    pub(super) fn unread(&self, keys: impl IntoIterator<Item = Key>) -> Vec<Key> {
        let unread = keys.into_iter().filter(|key| !self.0.contains_key(key));
        let mut unread: Vec<_> = unread.collect();
        unread.sort_unstable();
        unread.dedup();
        unread
    }

    /// The database has this row. What the transaction made of the row stays.
    pub(super) fn read(&mut self, key: Key, value: V) {
        if let Entry::Vacant(unread) = self.0.entry(key) {
            unread.insert(Slot {
                value: Some(value),
                is_stored: true,
                is_changed: false,
            });
        }
    }

    /// These rows were asked for, and the database has only those that were found, and more that go with them.
    pub(super) fn read_all(&mut self, asked: Vec<Key>, found: impl IntoIterator<Item = (Key, V)>) {
        for (key, value) in found {
            self.read(key, value);
        }
        self.read_no_more_of(asked);
    }

    /// Of these rows, the database has no more than were read.
    fn read_no_more_of(&mut self, keys: Vec<Key>) {
        for key in keys {
            self.0.entry(key).or_insert(Slot {
                value: None,
                is_stored: false,
                is_changed: false,
            });
        }
    }

    /// A row that was read.
    pub(super) fn get(&self, key: Key) -> Option<&V> {
        self.0.get(&key)?.value.as_ref()
    }

    /// A row that was read, to be changed.
    pub(super) fn change(&mut self, key: Key) -> Option<&mut V> {
        let slot = self.0.get_mut(&key)?;
        slot.is_changed |= slot.value.is_some();
        slot.value.as_mut()
    }

    /// Puts a row in the place of one that was read, or was read not to be there.
    pub(super) fn put(&mut self, key: Key, value: V) {
        let slot = self.0.entry(key).or_insert(Slot {
            value: None,
            is_stored: false,
            is_changed: false,
        });
        slot.value = Some(value);
        slot.is_changed = true;
    }

    /// Removes a row that was read.
    pub(super) fn remove(&mut self, key: Key) -> Option<V> {
        let slot = self.0.get_mut(&key)?;
        slot.is_changed = true;
        slot.value.take()
    }

    /// The rows that were read, and are there.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Key, &V)> {
        let rows = self.0.iter();
        rows.filter_map(|(key, slot)| Some((key, slot.value.as_ref()?)))
    }

    /// What is to be written, in the order of the keys.
    pub(super) fn pending(&self) -> Pending<'_, V> {
        let mut slots: Vec<_> = self.0.iter().filter(|(_, slot)| slot.is_changed).collect();
        slots.sort_unstable_by_key(|(key, _)| **key);
        let mut pending = Pending {
            new: Vec::new(),
            changed: Vec::new(),
            gone: Vec::new(),
        };
        for (key, slot) in slots {
            match (&slot.value, slot.is_stored) {
                (Some(value), true) => pending.changed.push((key, value)),
                (Some(value), false) => pending.new.push((key, value)),
                (None, true) => pending.gone.push(key),
                (None, false) => {}
            }
        }
        pending
    }
}

#[cfg(test)]
mod tests {
    use flwr_core::id::RunId;
    use flwr_core::object::ObjectId;

    use super::*;

    #[test]
    fn what_is_written_is_what_changed() {
        let keys: Vec<Key> = (0..5).map(|n: u8| (RunId(1), ObjectId::of(&[n]))).collect();
        let mut table = Table::default();
        assert_eq!(table.unread(keys.clone()).len(), 5);
        for stored in &keys[..3] {
            table.read(*stored, "stored");
        }
        table.read_no_more_of(keys.clone());
        assert_eq!(table.unread(keys.clone()), []);
        *table.change(keys[0]).unwrap() = "changed";
        // Whoever reads the row again does not undo what was done to it.
        table.read(keys[0], "stored");
        assert_eq!(table.remove(keys[1]), Some("stored"));
        table.put(keys[3], "new");
        table.put(keys[4], "come");
        assert_eq!(table.remove(keys[4]), Some("come"));
        let pending = table.pending();
        assert_eq!(pending.changed, [(&keys[0], &"changed")]);
        assert_eq!(pending.new, [(&keys[3], &"new")]);
        assert_eq!(pending.gone, [&keys[1]]);
        assert_eq!(table.get(keys[2]), Some(&"stored"));
        assert_eq!(table.iter().count(), 3);
    }
}
