//! The objects of one run: what they are made of, and who still needs them.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use flwr_core::id::{NodeId, RunId};
use flwr_core::message::MessageId;
use flwr_core::object::{ObjectId, ObjectTree};
use rusqlite::{Connection, OptionalExtension, params};

use super::row::{self, signed};
use super::{SqliteState, replies, runs};
use crate::link::state::{self, Blob, ObjectEntry, Role, StateResult, Written};
use crate::store::rules;

/// The objects of a run within one piece of work: rows are read when they are needed, changed
/// here, and written once at the end. A broadcast touches the rows of its model thousands of
/// times.
#[derive(Debug)]
pub(super) struct Shelf<'c> {
    connection: &'c Connection,
    run: RunId,
    rows: HashMap<ObjectId, Option<Object>>,
    changed: HashSet<ObjectId>,
}

#[derive(Debug, Clone)]
struct Object {
    children: Vec<ObjectId>,
    available: bool,
    /// Objects of which this is a child, and messages of which it is the root.
    referrers: i64,
}

impl<'c> Shelf<'c> {
    pub(super) fn new(connection: &'c Connection, run: RunId) -> Self {
        Self {
            connection,
            run,
            rows: HashMap::new(),
            changed: HashSet::new(),
        }
    }

    /// Whether the tree says the same of each object wherever it stands, here and in the trees
    /// before. Without that a tree could grow out of small ones beyond every bound.
    pub(super) fn check(&mut self, tree: &ObjectTree) -> StateResult<()> {
        rules::check_tree(tree, |id, children| {
            let known = self.get(id)?;
            Ok(known.map(|object| object.children == children))
        })
    }

    /// Makes all objects of a checked tree known, and its root needed once more. Gives the
    /// distinct ones whose bytes are missing.
    pub(super) fn announce(&mut self, tree: &ObjectTree) -> StateResult<HashSet<ObjectId>> {
        let mut missing = HashSet::new();
        for tree in tree.post_order() {
            let available = match self.get(tree.id)? {
                Some(object) => object.available,
                None => {
                    self.add(tree)?;
                    false
                }
            };
            if !available {
                missing.insert(tree.id);
            }
        }
        self.refer(tree.id)?;
        Ok(missing)
    }

    /// The objects of a tree whose bytes are not there, in the order of their ids.
    pub(super) fn missing(&mut self, tree: &ObjectTree) -> StateResult<Vec<ObjectId>> {
        let mut missing = Vec::new();
        for tree in tree.post_order() {
            if !self.get(tree.id)?.is_some_and(|object| object.available) {
                missing.push(tree.id);
            }
        }
        missing.sort_unstable();
        missing.dedup();
        Ok(missing)
    }

    /// The message is not whole until each of these objects arrives.
    pub(super) fn await_for(
        &self,
        message: MessageId,
        missing: &HashSet<ObjectId>,
    ) -> StateResult<()> {
        let mut insert = self.connection.prepare_cached(
            "INSERT OR IGNORE INTO awaited (run, object, message) VALUES (?, ?, ?)",
        )?;
        for object in missing {
            insert.execute(params![
                signed(self.run),
                object.as_bytes(),
                message.as_bytes()
            ])?;
        }
        Ok(())
    }

    /// The bytes are there: the messages that waited for them, or `None` if nobody did.
    pub(super) fn arrive(&mut self, object: ObjectId) -> StateResult<Option<Vec<MessageId>>> {
        if self.get(object)?.is_none_or(|object| object.available) {
            return Ok(None);
        }
        self.change(object, |object| object.available = true);
        let mut waiting = self
            .connection
            .prepare_cached("DELETE FROM awaited WHERE run = ? AND object = ? RETURNING message")?;
        let messages = waiting.query_map(params![signed(self.run), object.as_bytes()], |row| {
            row::object_id(row, 0)
        })?;
        Ok(Some(messages.collect::<Result<_, _>>()?))
    }

    /// A message that stood on this object needs it no more. What nobody else needs goes, with
    /// all that only it was made of.
    pub(super) fn release(&mut self, root: ObjectId) -> StateResult<Vec<ObjectId>> {
        let mut freed = Vec::new();
        let mut released = vec![root];
        while let Some(id) = released.pop() {
            let Some(object) = self.get(id)? else {
                continue;
            };
            if object.referrers > 1 {
                self.change(id, |object| object.referrers -= 1);
                continue;
            }
            released.extend(&object.children);
            freed.extend(object.available.then_some(id));
            self.rows.insert(id, None);
            self.changed.insert(id);
        }
        Ok(freed)
    }

    /// These objects, and all that they are made of.
    fn below(&mut self, roots: Vec<ObjectId>) -> StateResult<HashSet<ObjectId>> {
        let (mut found, mut next) = (HashSet::new(), roots);
        while let Some(id) = next.pop() {
            if let Some(object) = self.get(id)?
                && found.insert(id)
            {
                next.extend(&object.children);
            }
        }
        Ok(found)
    }

    /// The tree below a known object.
    pub(super) fn tree(&mut self, id: ObjectId) -> StateResult<ObjectTree> {
        let children = self.get(id)?.map(|object| object.children.clone());
        let children = children.unwrap_or_default().into_iter();
        let children = children.map(|child| self.tree(child));
        Ok(ObjectTree {
            id,
            children: children.collect::<StateResult<_>>()?,
        })
    }

    pub(super) fn entry(&mut self, id: ObjectId) -> StateResult<Option<ObjectEntry>> {
        Ok(self.get(id)?.map(|object| ObjectEntry {
            children: object.children.clone(),
            blob: object.available.then_some(Blob::OfId),
        }))
    }

    /// Writes what was changed.
    pub(super) fn write(self) -> StateResult<()> {
        let mut put = self.connection.prepare_cached(
            "INSERT OR REPLACE INTO object (run, id, children, available, referrers)
             VALUES (?, ?, ?, ?, ?)",
        )?;
        for id in &self.changed {
            match self.rows.get(id) {
                Some(Some(object)) => {
                    let children = object.children.iter().flat_map(ObjectId::as_bytes);
                    let children: Vec<u8> = children.copied().collect();
                    put.execute(params![
                        signed(self.run),
                        id.as_bytes(),
                        children,
                        object.available,
                        object.referrers
                    ])?;
                }
                _ => self.remove(*id)?,
            }
        }
        Ok(())
    }

    fn remove(&self, id: ObjectId) -> StateResult<()> {
        for sql in [
            "DELETE FROM object WHERE run = ? AND id = ?",
            "DELETE FROM awaited WHERE run = ? AND object = ?",
        ] {
            let mut delete = self.connection.prepare_cached(sql)?;
            delete.execute(params![signed(self.run), id.as_bytes()])?;
        }
        Ok(())
    }

    /// Its children are there: the tree is walked from the leaves.
    fn add(&mut self, tree: &ObjectTree) -> StateResult<()> {
        let children = tree.distinct_children();
        for child in &children {
            self.refer(*child)?;
        }
        let object = Object {
            children,
            available: false,
            referrers: 0,
        };
        self.rows.insert(tree.id, Some(object));
        self.changed.insert(tree.id);
        Ok(())
    }

    fn refer(&mut self, id: ObjectId) -> StateResult<()> {
        if self.get(id)?.is_some() {
            self.change(id, |object| object.referrers += 1);
        }
        Ok(())
    }

    fn change(&mut self, id: ObjectId, change: impl FnOnce(&mut Object)) {
        if let Some(Some(object)) = self.rows.get_mut(&id) {
            change(object);
            self.changed.insert(id);
        }
    }

    fn get(&mut self, id: ObjectId) -> StateResult<Option<&Object>> {
        if !self.rows.contains_key(&id) {
            let read = self.read(id)?;
            self.rows.insert(id, read);
        }
        Ok(self.rows.get(&id).and_then(Option::as_ref))
    }

    fn read(&self, id: ObjectId) -> StateResult<Option<Object>> {
        let mut select = self.connection.prepare_cached(
            "SELECT children, available, referrers FROM object WHERE run = ? AND id = ?",
        )?;
        let found = select.query_row(params![signed(self.run), id.as_bytes()], |row| {
            Ok(Object {
                children: ids(&row.get::<_, Vec<u8>>(0)?),
                available: row.get(1)?,
                referrers: row.get(2)?,
            })
        });
        Ok(found.optional()?)
    }
}

/// The messages to which the node is this.
fn messages_of(
    connection: &Connection,
    run: RunId,
    node: NodeId,
    role: Role,
) -> StateResult<Vec<ObjectId>> {
    let mut select = connection.prepare_cached(match role {
        Role::Receiver => "SELECT id FROM instruction WHERE run = ? AND dst = ?",
        Role::Sender => "SELECT id FROM reply WHERE run = ? AND src = ?",
    })?;
    let ids = select.query_map([signed(run), signed(node)], |row| row::object_id(row, 0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// Ids that stand one after the other.
pub(super) fn ids(bytes: &[u8]) -> Vec<ObjectId> {
    let (ids, _) = bytes.as_chunks::<32>();
    ids.iter().copied().map(ObjectId::from_bytes).collect()
}

/// All objects of a run go.
pub(super) fn clear(connection: &Connection, run: RunId) -> StateResult<Vec<ObjectId>> {
    let mut available =
        connection.prepare_cached("SELECT id FROM object WHERE run = ? AND available")?;
    let freed = available.query_map([signed(run)], |row| row::object_id(row, 0))?;
    let freed = freed.collect::<Result<_, _>>()?;
    for sql in [
        "DELETE FROM object WHERE run = ?",
        "DELETE FROM awaited WHERE run = ?",
    ] {
        connection.prepare_cached(sql)?.execute([signed(run)])?;
    }
    Ok(freed)
}

/// How often each object is kept: once for each run that has it.
pub(super) fn held(connection: &Connection) -> StateResult<Vec<(ObjectId, usize)>> {
    let mut counted =
        connection.prepare("SELECT id, count(*) FROM object WHERE available GROUP BY id")?;
    let rows = counted.query_map([], |row| Ok((row::object_id(row, 0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

#[async_trait]
impl state::Objects for SqliteState {
    async fn object(&self, run: RunId, object: ObjectId) -> StateResult<Option<ObjectEntry>> {
        self.reader
            .read(move |c| {
                runs::require_running(c, run)?;
                Shelf::new(c, run).entry(object)
            })
            .await
    }

    async fn objects_of(
        &self,
        run: RunId,
        node: NodeId,
        role: Role,
    ) -> StateResult<HashSet<ObjectId>> {
        self.reader
            .read(move |c| {
                runs::require_running(c, run)?;
                let roots = messages_of(c, run, node, role)?;
                Shelf::new(c, run).below(roots)
            })
            .await
    }

    async fn object_arrived(&self, run: RunId, object: ObjectId, _: Blob) -> Written<bool> {
        self.change(move |c| replies::object_arrived(c, run, object), |_| {})
            .await
    }
}
