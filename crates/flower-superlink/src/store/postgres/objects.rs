//! The objects of runs: what they are made of, and who still needs them.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use async_trait::async_trait;
use flwr_core::id::{NodeId, RunId};
use flwr_core::message::MessageId;
use flwr_core::object::{ObjectId, ObjectTree};
use tokio_postgres::Row;

use super::lane::{Op, direct};
use super::reader::reading;
use super::row::{self, Key, signed};
use super::unit::{Tx, Unit, Wants, keys};
use super::{PostgresState, blobs};
use crate::link::state::{self, Blob, BlobName, ObjectEntry, Role, StateResult, Written};
use crate::store::rules;

/// An object of a run.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) children: Vec<ObjectId>,
    pub(super) available: bool,
    /// The name of its bytes, if they have one.
    pub(super) blob: Option<String>,
    /// Objects of which this is a child, and messages of which it is the root.
    pub(super) referrers: i64,
}

fn read(row: &Row) -> StateResult<(Key, Object)> {
    let object = Object {
        children: row::ids(row::get(row, 2)?),
        available: row::get(row, 3)?,
        referrers: row::get(row, 4)?,
        blob: row::get(row, 5)?,
    };
    Ok(((RunId(row::id(row, 0)?), row::object_id(row, 1)?), object))
}

pub(super) async fn select(tx: &Tx<'_>, keys: &[Key]) -> StateResult<Vec<(Key, Object)>> {
    const SQL: &str = "SELECT run, id, children, available, referrers, blob FROM object
         WHERE (run, id) IN (SELECT * FROM unnest($1::int8[], $2::bytea[]))";
    by_keys(tx, SQL, keys).await
}

/// These objects, and all that they are made of.
pub(super) async fn below(tx: &Tx<'_>, roots: &[Key]) -> StateResult<Vec<(Key, Object)>> {
    const SQL: &str = "WITH RECURSIVE below (run, id) AS (
           SELECT * FROM unnest($1::int8[], $2::bytea[])
           UNION
           SELECT object.run, substring(object.children FROM child * 32 + 1 FOR 32)
           FROM below
           JOIN object ON object.run = below.run AND object.id = below.id
           CROSS JOIN LATERAL generate_series(0, octet_length(object.children) / 32 - 1) AS child
         )
         SELECT object.run, object.id, children, available, referrers, blob
         FROM below JOIN object ON object.run = below.run AND object.id = below.id";
    by_keys(tx, SQL, roots).await
}

async fn by_keys(tx: &Tx<'_>, sql: &str, keys: &[Key]) -> StateResult<Vec<(Key, Object)>> {
    let (runs, ids) = row::columns(keys);
    let select = tx.prepare_cached(sql).await?;
    let rows = tx.query(&select, &[&runs, &ids]).await?;
    rows.iter().map(read).collect()
}

/// The messages that wait for each of these objects.
pub(super) async fn waiting(
    tx: &Tx<'_>,
    objects: &[Key],
) -> StateResult<HashMap<Key, Vec<MessageId>>> {
    let sql = "SELECT run, object, message FROM awaited
               WHERE (run, object) IN (SELECT * FROM unnest($1::int8[], $2::bytea[]))";
    let (runs, ids) = row::columns(objects);
    let select = tx.prepare_cached(sql).await?;
    let mut waiting = HashMap::<Key, Vec<_>>::new();
    for found in tx.query(&select, &[&runs, &ids]).await? {
        let key = (RunId(row::id(&found, 0)?), row::object_id(&found, 1)?);
        let message = row::object_id(&found, 2)?;
        waiting.entry(key).or_default().push(message);
    }
    Ok(waiting)
}

/// All objects of a run go. Gives those whose bytes are kept.
pub(super) async fn clear(tx: &Tx<'_>, of: RunId) -> StateResult<Vec<ObjectId>> {
    let run = signed(of);
    let select = tx
        .prepare_cached("SELECT id FROM object WHERE run = $1 AND available")
        .await?;
    let freed = tx.query(&select, &[&run]).await?;
    let freed = freed.iter().map(|found| row::object_id(found, 0)).collect();
    for sql in [
        "DELETE FROM object WHERE run = $1",
        "DELETE FROM awaited WHERE run = $1",
    ] {
        let delete = tx.prepare_cached(sql).await?;
        tx.execute(&delete, &[&run]).await?;
    }
    blobs::clear(tx, of).await?;
    freed
}

/// The messages to which the node is this.
async fn messages_of(
    tx: &Tx<'_>,
    run: RunId,
    node: NodeId,
    role: Role,
) -> StateResult<Vec<ObjectId>> {
    let sql = match role {
        Role::Receiver => "SELECT id FROM instruction WHERE run = $1 AND dst = $2",
        Role::Sender => "SELECT id FROM reply WHERE run = $1 AND src = $2",
    };
    let select = tx.prepare_cached(sql).await?;
    let ids = tx.query(&select, &[&signed(run), &signed(node)]).await?;
    ids.iter().map(|found| row::object_id(found, 0)).collect()
}

/// The ids of all objects of a tree.
pub(super) fn ids_of(tree: &ObjectTree) -> impl Iterator<Item = ObjectId> {
    tree.post_order().into_iter().map(|tree| tree.id)
}

impl Unit<'_> {
    /// The object, if it is known.
    pub(super) async fn object(
        &mut self,
        run: RunId,
        id: ObjectId,
    ) -> StateResult<Option<&Object>> {
        self.read_objects([(run, id)]).await?;
        Ok(self.objects.get((run, id)))
    }

    /// Whether the tree says the same of each object wherever it stands, here and in the trees
    /// before. Without that a tree could grow out of small ones beyond every bound.
    pub(super) async fn check(&mut self, run: RunId, tree: &ObjectTree) -> StateResult<()> {
        self.read_objects(keys(run, ids_of(tree))).await?;
        rules::check_tree(tree, |id, children| {
            let known = self.objects.get((run, id));
            Ok(known.map(|object| object.children == children))
        })
    }

    /// Makes all objects of a checked tree known, and its root needed once more. Gives the
    /// distinct ones whose bytes are missing.
    pub(super) async fn announce(
        &mut self,
        run: RunId,
        tree: &ObjectTree,
    ) -> StateResult<HashSet<ObjectId>> {
        self.read_objects(keys(run, ids_of(tree))).await?;
        let mut missing = HashSet::new();
        for tree in tree.post_order() {
            let available = match self.objects.get((run, tree.id)) {
                Some(object) => object.available,
                None => {
                    self.add(run, tree);
                    false
                }
            };
            if !available {
                missing.insert(tree.id);
            }
        }
        self.refer(run, tree.id);
        Ok(missing)
    }

    /// Its children are there: the tree is walked from the leaves.
    fn add(&mut self, run: RunId, tree: &ObjectTree) {
        let children = tree.distinct_children();
        for child in &children {
            self.refer(run, *child);
        }
        let object = Object {
            children,
            available: false,
            blob: None,
            referrers: 0,
        };
        self.objects.put((run, tree.id), object);
    }

    fn refer(&mut self, run: RunId, id: ObjectId) {
        if let Some(object) = self.objects.change((run, id)) {
            object.referrers += 1;
        }
    }

    /// The objects of a tree whose bytes are not there, in the order of their ids.
    pub(super) async fn missing(
        &mut self,
        run: RunId,
        tree: &ObjectTree,
    ) -> StateResult<Vec<ObjectId>> {
        self.read_objects(keys(run, ids_of(tree))).await?;
        let is_missing = |id: &ObjectId| {
            let object = self.objects.get((run, *id));
            !object.is_some_and(|object| object.available)
        };
        let mut missing: Vec<_> = ids_of(tree).filter(is_missing).collect();
        missing.sort_unstable();
        missing.dedup();
        Ok(missing)
    }

    /// The message is not whole until each of these objects arrives.
    pub(super) fn await_for(
        &mut self,
        run: RunId,
        message: MessageId,
        missing: &HashSet<ObjectId>,
    ) {
        for object in missing {
            let waits = self.waits.entry((run, *object)).or_default();
            waits.added.insert(message);
        }
    }

    /// The bytes are there: the messages that waited for them, or `None` if nobody did.
    pub(super) async fn arrive(
        &mut self,
        run: RunId,
        object: ObjectId,
        blob: &Blob,
    ) -> StateResult<Option<Vec<MessageId>>> {
        let known = self.object(run, object).await?;
        if known.is_none_or(|object| object.available) {
            self.blobs.refuse(blob);
            return Ok(None);
        }
        let name = self.blobs.take_in((run, object), blob);
        if let Some(object) = self.objects.change((run, object)) {
            object.available = true;
            object.blob = name;
        }
        self.read_waits([(run, object)]).await?;
        let waits = self.waits.entry((run, object)).or_default();
        waits.is_over = true;
        let mut waiting = waits.stored.take().unwrap_or_default();
        waiting.extend(waits.added.drain());
        waiting.sort_unstable();
        waiting.dedup();
        Ok(Some(waiting))
    }

    /// A message that stood on this object needs it no more. What nobody else needs goes, with
    /// all that only it was made of.
    pub(super) async fn release(
        &mut self,
        run: RunId,
        root: ObjectId,
    ) -> StateResult<Vec<ObjectId>> {
        self.read_trees([(run, root)]).await?;
        let mut freed = Vec::new();
        let mut released = vec![root];
        while let Some(id) = released.pop() {
            // Nearly always it was read with the root.
            if self.object(run, id).await?.is_none() {
                continue;
            }
            if let Some(object) = self.objects.change((run, id))
                && object.referrers > 1
            {
                object.referrers -= 1;
                continue;
            }
            let waits = self.waits.entry((run, id)).or_default();
            waits.stored = None;
            waits.added.clear();
            waits.is_over = true;
            if let Some(gone) = self.objects.remove((run, id)) {
                if gone.available {
                    self.blobs.let_go((run, id), &gone);
                    freed.push(id);
                }
                released.extend(gone.children);
            }
        }
        Ok(freed)
    }

    /// These objects, and all that they are made of.
    async fn all_below(
        &mut self,
        run: RunId,
        roots: Vec<ObjectId>,
    ) -> StateResult<HashSet<ObjectId>> {
        self.read_trees(keys(run, roots.iter().copied())).await?;
        let (mut found, mut next) = (HashSet::new(), roots);
        while let Some(id) = next.pop() {
            if let Some(object) = self.objects.get((run, id))
                && found.insert(id)
            {
                next.extend(&object.children);
            }
        }
        Ok(found)
    }

    /// The tree below a known object.
    pub(super) async fn tree(&mut self, run: RunId, id: ObjectId) -> StateResult<ObjectTree> {
        self.read_trees([(run, id)]).await?;
        Ok(self.tree_of(run, id))
    }

    fn tree_of(&self, run: RunId, id: ObjectId) -> ObjectTree {
        let object = self.objects.get((run, id));
        let children = object.map(|object| object.children.iter());
        let children = children.into_iter().flatten();
        ObjectTree {
            id,
            children: children.map(|child| self.tree_of(run, *child)).collect(),
        }
    }
}

/// The bytes of an object are kept.
#[derive(Debug)]
struct ObjectArrived {
    run: RunId,
    object: ObjectId,
    blob: Blob,
}

#[async_trait]
impl Op for ObjectArrived {
    type Out = (bool, state::Changed);

    fn wants(&self, wants: &mut Wants) {
        wants.arriving.insert((self.run, self.object));
    }

    async fn apply(&self, unit: &mut Unit<'_>) -> StateResult<Self::Out> {
        unit.object_arrived(self.run, self.object, &self.blob).await
    }
}

#[async_trait]
impl state::Objects for PostgresState {
    async fn object(&self, run: RunId, object: ObjectId) -> StateResult<Option<ObjectEntry>> {
        reading!(self, tx => blobs::entry(tx, run, object))
    }

    async fn objects_of(
        &self,
        run: RunId,
        node: NodeId,
        role: Role,
    ) -> StateResult<HashSet<ObjectId>> {
        reading!(self, tx => async {
            let mut unit = Unit::new(tx);
            unit.require_running(run).await?;
            let roots = messages_of(tx, run, node, role).await?;
            unit.all_below(run, roots).await
        })
    }

    async fn object_arrived(&self, run: RunId, object: ObjectId, blob: Blob) -> Written<bool> {
        let arrived = ObjectArrived { run, object, blob };
        self.change(arrived, |_| {}).await
    }

    async fn garbage(&self, age: Duration, limit: usize) -> StateResult<Vec<BlobName>> {
        reading!(self, tx => blobs::garbage(tx, age, limit))
    }

    async fn swept(&self, names: Vec<String>) -> StateResult<()> {
        self.write(direct!([names] tx => blobs::swept(tx, &names)))
            .await
    }

    async fn not_swept(&self, names: Vec<String>) -> StateResult<()> {
        self.write(direct!([names] tx => blobs::not_swept(tx, &names)))
            .await
    }

    async fn unknown_names(&self, names: Vec<String>) -> StateResult<Vec<String>> {
        reading!(self, tx => blobs::unknown(tx, &names))
    }
}
