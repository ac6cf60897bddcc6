//! What the operations of a transaction want is read together: statements that need nothing of each other
//! go to the server in one round trip. All SuperLinks wait while one of them has the turn to write.

use std::collections::{HashMap, HashSet};

use flwr_core::id::{NodeId, RunId};
use flwr_core::run::Phase;
use flwr_core::time::Timestamp;
use tokio::try_join;

use super::{Holder, Tx, Unit, Waits, Wants};
use crate::link::state::StateResult;
use crate::store::postgres::instructions::{self, Instruction};
use crate::store::postgres::objects::{self, Object};
use crate::store::postgres::replies::{self, Reply};
use crate::store::postgres::row::{self, Key, signed};
use crate::store::postgres::runs;
use crate::store::postgres::table::Table;

impl Unit<'_> {
    /// Reads what the operations want: at most three round trips.
    pub(in crate::store::postgres) async fn read(&mut self, wants: Wants) -> StateResult<()> {
        let tx = self.tx;
        let mut holders = wants.nodes;
        holders.extend(wants.claims.keys());
        let named = wants.objects.iter().chain(&wants.arriving).copied();
        let ((), (), (), (), (), (), next) = try_join!(
            phases(tx, &mut self.phases, wants.runs),
            waits(tx, &mut self.waits, wants.arriving.iter().copied()),
            instructions(tx, &mut self.instructions, wants.instructions),
            replies(tx, &mut self.replies, wants.replies),
            objects(tx, &mut self.objects, named),
            nodes(tx, &mut self.nodes, holders),
            next_for(tx, &wants.claims),
        )?;
        self.note_next(wants.claims, next);
        let waiting = self.waiting_for(&wants.arriving);
        try_join!(
            instructions(tx, &mut self.instructions, waiting.iter().copied()),
            replies(tx, &mut self.replies, waiting.iter().copied()),
        )?;
        let receivers = self.instructions.iter();
        let receivers = receivers.map(|(_, known)| known.message.metadata.dst);
        let receivers = receivers.collect();
        let mut roots = wants.trees;
        roots.extend(self.next.values().filter_map(|(_, next)| *next));
        roots.extend(self.replies.iter().filter_map(|(key, reply)| {
            let asked = reply.message.metadata.reply_to?;
            Some((key.0, asked))
        }));
        try_join!(
            nodes(tx, &mut self.nodes, receivers),
            trees(tx, &mut self.objects, &mut self.trees, roots),
        )?;
        Ok(())
    }

    /// The messages that wait for objects which arrive.
    fn waiting_for(&self, arriving: &HashSet<Key>) -> Vec<Key> {
        let waiting = arriving.iter().flat_map(|key| {
            let stored = self.waits.get(key).and_then(|waits| waits.stored.as_ref());
            let stored = stored.into_iter().flatten();
            stored.map(|message| (key.0, *message))
        });
        waiting.collect()
    }

    /// Notes the next message for each of the nodes.
    fn note_next(&mut self, claims: HashMap<NodeId, Timestamp>, found: Vec<Instruction>) {
        for (node, now) in claims {
            self.next.insert(node, (now, None));
        }
        for known in found {
            let (node, key) = (known.message.metadata.dst, known.key());
            if let Some((_, next)) = self.next.get_mut(&node) {
                *next = Some(key);
            }
            self.instructions.read(key, known);
        }
    }

    pub(super) async fn read_phase(&mut self, run: RunId) -> StateResult<Option<Phase>> {
        phases(self.tx, &mut self.phases, HashSet::from([run])).await?;
        Ok(self.phases.get(&run).copied().flatten())
    }

    pub(super) async fn read_node(&mut self, node: NodeId) -> StateResult<()> {
        nodes(self.tx, &mut self.nodes, HashSet::from([node])).await
    }

    pub(in crate::store::postgres) async fn read_instructions(
        &mut self,
        keys: impl IntoIterator<Item = Key>,
    ) -> StateResult<()> {
        instructions(self.tx, &mut self.instructions, keys).await
    }

    pub(in crate::store::postgres) async fn read_replies(
        &mut self,
        keys: impl IntoIterator<Item = Key>,
    ) -> StateResult<()> {
        replies(self.tx, &mut self.replies, keys).await
    }

    pub(in crate::store::postgres) async fn read_objects(
        &mut self,
        keys: impl IntoIterator<Item = Key>,
    ) -> StateResult<()> {
        objects(self.tx, &mut self.objects, keys).await
    }

    /// Reads objects with all that they are made of.
    pub(in crate::store::postgres) async fn read_trees(
        &mut self,
        roots: impl IntoIterator<Item = Key>,
    ) -> StateResult<()> {
        trees(self.tx, &mut self.objects, &mut self.trees, roots).await
    }

    /// Reads which messages wait for the objects.
    pub(in crate::store::postgres) async fn read_waits(
        &mut self,
        objects: impl IntoIterator<Item = Key>,
    ) -> StateResult<()> {
        waits(self.tx, &mut self.waits, objects).await
    }

    pub(in crate::store::postgres) async fn read_next(
        &mut self,
        claims: HashMap<NodeId, Timestamp>,
    ) -> StateResult<()> {
        let found = next_for(self.tx, &claims).await?;
        self.note_next(claims, found);
        Ok(())
    }
}

async fn phases(
    tx: &Tx<'_>,
    known: &mut HashMap<RunId, Option<Phase>>,
    runs: HashSet<RunId>,
) -> StateResult<()> {
    let unread = runs.into_iter().filter(|run| !known.contains_key(run));
    let unread: Vec<_> = unread.collect();
    if !unread.is_empty() {
        let mut found = runs::phases(tx, &unread).await?;
        known.extend(unread.into_iter().map(|run| (run, found.remove(&run))));
    }
    Ok(())
}

async fn nodes(
    tx: &Tx<'_>,
    known: &mut HashMap<NodeId, Option<Holder>>,
    nodes: HashSet<NodeId>,
) -> StateResult<()> {
    let unread = nodes.into_iter().filter(|node| !known.contains_key(node));
    let unread: Vec<_> = unread.collect();
    if unread.is_empty() {
        return Ok(());
    }
    let ids: Vec<_> = unread.iter().copied().map(signed).collect();
    let sql = "SELECT id, session, unconfirmed_run, unconfirmed FROM node
               WHERE id = ANY($1) AND unregistered_at IS NULL";
    let select = tx.prepare_cached(sql).await?;
    let mut holders = HashMap::new();
    for found in tx.query(&select, &[&ids]).await? {
        let run: Option<i64> = row::get(&found, 2)?;
        let run = run.map(|run| RunId(run.cast_unsigned()));
        let holder = Holder {
            session: row::id(&found, 1)?,
            unconfirmed: run.zip(row::maybe_object_id(&found, 3)?),
        };
        holders.insert(NodeId(row::id(&found, 0)?), holder);
    }
    let nodes = unread.into_iter();
    known.extend(nodes.map(|node| (node, holders.get(&node).copied())));
    Ok(())
}

async fn instructions(
    tx: &Tx<'_>,
    known: &mut Table<Instruction>,
    keys: impl IntoIterator<Item = Key>,
) -> StateResult<()> {
    let unread = known.unread(keys);
    if !unread.is_empty() {
        let found = instructions::select(tx, &unread).await?;
        known.read_all(unread, found.into_iter().map(|found| (found.key(), found)));
    }
    Ok(())
}

async fn replies(
    tx: &Tx<'_>,
    known: &mut Table<Reply>,
    keys: impl IntoIterator<Item = Key>,
) -> StateResult<()> {
    let unread = known.unread(keys);
    if !unread.is_empty() {
        let found = replies::select(tx, &unread).await?;
        known.read_all(unread, found.into_iter().map(|found| (found.key(), found)));
    }
    Ok(())
}

async fn objects(
    tx: &Tx<'_>,
    known: &mut Table<Object>,
    keys: impl IntoIterator<Item = Key>,
) -> StateResult<()> {
    let unread = known.unread(keys);
    if !unread.is_empty() {
        let found = objects::select(tx, &unread).await?;
        known.read_all(unread, found);
    }
    Ok(())
}

async fn trees(
    tx: &Tx<'_>,
    known: &mut Table<Object>,
    whole: &mut HashSet<Key>,
    roots: impl IntoIterator<Item = Key>,
) -> StateResult<()> {
    let roots = roots.into_iter().filter(|root| whole.insert(*root));
    let roots: Vec<_> = roots.collect();
    if !roots.is_empty() {
        let found = objects::below(tx, &roots).await?;
        known.read_all(roots, found);
    }
    Ok(())
}

async fn waits(
    tx: &Tx<'_>,
    known: &mut HashMap<Key, Waits>,
    objects: impl IntoIterator<Item = Key>,
) -> StateResult<()> {
    let unread = objects.into_iter().filter(|key| {
        let known = known.get(key);
        known.is_none_or(|waits| waits.stored.is_none() && !waits.is_over)
    });
    let unread: Vec<_> = unread.collect();
    if !unread.is_empty() {
        let mut waiting = objects::waiting(tx, &unread).await?;
        for key in unread {
            let stored = waiting.remove(&key).unwrap_or_default();
            known.entry(key).or_default().stored = Some(stored);
        }
    }
    Ok(())
}

/// The next message for each of the nodes that has any.
async fn next_for(
    tx: &Tx<'_>,
    claims: &HashMap<NodeId, Timestamp>,
) -> StateResult<Vec<Instruction>> {
    match claims.is_empty() {
        true => Ok(Vec::new()),
        false => instructions::next(tx, claims).await,
    }
}
