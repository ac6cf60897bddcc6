//! One transaction: what its operations read and change. Messages and objects are read in sets
//! before the operations begin ([`Wants`]), changed in memory, and written in sets at the end: a
//! statement costs a round trip, whatever the number of its rows.
//!
//! An operation that needs a row which nobody wanted reads that row then. An operation that writes
//! rows by itself has everything written first ([`Unit::direct`]).

use std::collections::{HashMap, HashSet};

use flwr_core::id::{NodeId, RunId};
use flwr_core::message::MessageId;
use flwr_core::object::ObjectId;
use flwr_core::refusal::Refusal;
use flwr_core::run::Phase;
use flwr_core::time::Timestamp;

use super::blobs::Blobs;
use super::instructions::Instruction;
use super::objects::Object;
use super::replies::Reply;
use super::row::{self, Key, signed};
use super::table::Table;
use super::{flush, instructions, objects, replies, runs};
use crate::link::state::{Session, StateResult};

/// A transaction of PostgreSQL.
pub(super) type Tx<'t> = deadpool_postgres::Transaction<'t>;

/// What the operations of a transaction will read.
#[derive(Debug, Default)]
pub(super) struct Wants {
    pub(super) runs: HashSet<RunId>,
    pub(super) nodes: HashSet<NodeId>,
    pub(super) instructions: HashSet<Key>,
    pub(super) replies: HashSet<Key>,
    pub(super) objects: HashSet<Key>,
    /// These objects and all that they are made of.
    pub(super) trees: HashSet<Key>,
    /// Objects that arrive: with the messages that wait for them.
    pub(super) arriving: HashSet<Key>,
    /// Nodes that take a message.
    pub(super) claims: HashMap<NodeId, Timestamp>,
}

/// What a transaction knows of a node.
#[derive(Debug, Clone, Copy)]
pub(super) struct Holder {
    pub(super) session: Session,
    /// What was handed to the node last, if it never said that it arrived.
    pub(super) unconfirmed: Option<Key>,
}

/// The messages that wait for an object.
#[derive(Debug, Default)]
pub(super) struct Waits {
    /// Those that the database knows, once they were read.
    pub(super) stored: Option<Vec<MessageId>>,
    pub(super) added: HashSet<MessageId>,
    /// Nobody waits who did before.
    pub(super) is_over: bool,
}

/// One transaction.
#[derive(Debug)]
pub(super) struct Unit<'t> {
    pub(super) tx: &'t Tx<'t>,
    phases: HashMap<RunId, Option<Phase>>,
    /// The nodes that are registered.
    pub(super) nodes: HashMap<NodeId, Option<Holder>>,
    pub(super) in_hand: HashSet<NodeId>,
    pub(super) instructions: Table<Instruction>,
    pub(super) replies: Table<Reply>,
    pub(super) objects: Table<Object>,
    /// Objects that were read with all that they are made of.
    pub(super) trees: HashSet<Key>,
    pub(super) waits: HashMap<Key, Waits>,
    /// The next message for each node that wanted one, as the database has it.
    pub(super) next: HashMap<NodeId, (Timestamp, Option<Key>)>,
    /// Nodes whose next message may be another by now.
    pub(super) touched: HashSet<NodeId>,
    /// How many instructions were queued.
    pub(super) queued: u64,
    /// Bytes that come and go.
    pub(super) blobs: Blobs,
}

impl<'t> Unit<'t> {
    pub(super) fn new(tx: &'t Tx<'t>) -> Self {
        Self {
            tx,
            phases: HashMap::new(),
            nodes: HashMap::new(),
            in_hand: HashSet::new(),
            instructions: Table::default(),
            replies: Table::default(),
            objects: Table::default(),
            trees: HashSet::new(),
            waits: HashMap::new(),
            next: HashMap::new(),
            touched: HashSet::new(),
            queued: 0,
            blobs: Blobs::default(),
        }
    }

    /// Reads what the operations want: at most three round trips.
    pub(super) async fn read(&mut self, wants: Wants) -> StateResult<()> {
        self.read_phases(wants.runs).await?;
        let mut nodes = wants.nodes;
        nodes.extend(wants.claims.keys());
        self.read_waits(wants.arriving.iter().copied()).await?;
        let waiting = wants.arriving.iter().flat_map(|key| {
            let stored = self.waits.get(key).and_then(|waits| waits.stored.as_ref());
            let stored = stored.into_iter().flatten();
            stored.map(|message| (key.0, *message))
        });
        let waiting: Vec<_> = waiting.collect();
        let mut instructions = wants.instructions;
        instructions.extend(&waiting);
        self.read_instructions(instructions).await?;
        let mut replies = wants.replies;
        replies.extend(waiting);
        self.read_replies(replies).await?;
        self.read_next(wants.claims).await?;
        let receivers = self.instructions.iter();
        nodes.extend(receivers.map(|(_, known)| known.message.metadata.dst));
        self.read_nodes(nodes).await?;
        let mut objects = wants.objects;
        objects.extend(wants.arriving);
        self.read_objects(objects).await?;
        let mut trees = wants.trees;
        trees.extend(self.next.values().filter_map(|(_, next)| *next));
        let answered = self.replies.iter().filter_map(|(key, reply)| {
            let asked = reply.message.metadata.reply_to?;
            Some((key.0, asked))
        });
        trees.extend(answered);
        self.read_trees(trees).await
    }

    async fn read_phases(&mut self, runs: HashSet<RunId>) -> StateResult<()> {
        let unread: Vec<_> = runs
            .into_iter()
            .filter(|run| !self.phases.contains_key(run))
            .collect();
        if !unread.is_empty() {
            let mut known = runs::phases(self.tx, &unread).await?;
            let phases = unread.into_iter().map(|run| (run, known.remove(&run)));
            self.phases.extend(phases);
        }
        Ok(())
    }

    async fn read_nodes(&mut self, nodes: HashSet<NodeId>) -> StateResult<()> {
        let unread = nodes
            .into_iter()
            .filter(|node| !self.nodes.contains_key(node));
        let unread: Vec<_> = unread.collect();
        if unread.is_empty() {
            return Ok(());
        }
        let ids: Vec<_> = unread.iter().copied().map(signed).collect();
        let sql = "SELECT id, session, unconfirmed_run, unconfirmed FROM node
                   WHERE id = ANY($1) AND unregistered_at IS NULL";
        let select = self.tx.prepare_cached(sql).await?;
        let mut known = HashMap::new();
        for found in self.tx.query(&select, &[&ids]).await? {
            let run: Option<i64> = row::get(&found, 2)?;
            let run = run.map(|run| RunId(run.cast_unsigned()));
            let holder = Holder {
                session: row::id(&found, 1)?,
                unconfirmed: run.zip(row::maybe_object_id(&found, 3)?),
            };
            known.insert(NodeId(row::id(&found, 0)?), holder);
        }
        let nodes = unread
            .into_iter()
            .map(|node| (node, known.get(&node).copied()));
        self.nodes.extend(nodes);
        Ok(())
    }

    pub(super) async fn read_instructions(
        &mut self,
        keys: impl IntoIterator<Item = Key>,
    ) -> StateResult<()> {
        let unread = self.instructions.unread(keys);
        if !unread.is_empty() {
            for known in instructions::select(self.tx, &unread).await? {
                self.instructions.read(known.key(), known);
            }
            self.instructions.read_no_more_of(unread);
        }
        Ok(())
    }

    pub(super) async fn read_replies(
        &mut self,
        keys: impl IntoIterator<Item = Key>,
    ) -> StateResult<()> {
        let unread = self.replies.unread(keys);
        if !unread.is_empty() {
            for known in replies::select(self.tx, &unread).await? {
                self.replies.read(known.key(), known);
            }
            self.replies.read_no_more_of(unread);
        }
        Ok(())
    }

    pub(super) async fn read_objects(
        &mut self,
        keys: impl IntoIterator<Item = Key>,
    ) -> StateResult<()> {
        let unread = self.objects.unread(keys);
        if !unread.is_empty() {
            for (key, known) in objects::select(self.tx, &unread).await? {
                self.objects.read(key, known);
            }
            self.objects.read_no_more_of(unread);
        }
        Ok(())
    }

    /// Reads objects with all that they are made of.
    pub(super) async fn read_trees(
        &mut self,
        roots: impl IntoIterator<Item = Key>,
    ) -> StateResult<()> {
        let roots: Vec<_> = roots
            .into_iter()
            .filter(|root| self.trees.insert(*root))
            .collect();
        if !roots.is_empty() {
            for (key, known) in objects::below(self.tx, &roots).await? {
                self.objects.read(key, known);
            }
            self.objects.read_no_more_of(roots);
        }
        Ok(())
    }

    /// Reads which messages wait for the objects.
    pub(super) async fn read_waits(
        &mut self,
        objects: impl IntoIterator<Item = Key>,
    ) -> StateResult<()> {
        let unread = objects.into_iter().filter(|key| {
            let known = self.waits.get(key);
            known.is_none_or(|waits| waits.stored.is_none() && !waits.is_over)
        });
        let unread: Vec<_> = unread.collect();
        if !unread.is_empty() {
            let mut waiting = objects::waiting(self.tx, &unread).await?;
            for key in unread {
                let stored = waiting.remove(&key).unwrap_or_default();
                self.waits.entry(key).or_default().stored = Some(stored);
            }
        }
        Ok(())
    }

    pub(super) async fn read_next(
        &mut self,
        claims: HashMap<NodeId, Timestamp>,
    ) -> StateResult<()> {
        if claims.is_empty() {
            return Ok(());
        }
        let found = instructions::next(self.tx, &claims).await?;
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
        Ok(())
    }

    pub(super) async fn phase(&mut self, run: RunId) -> StateResult<Phase> {
        self.read_phases(HashSet::from([run])).await?;
        let phase = self.phases.get(&run).copied().flatten();
        Ok(phase.ok_or(Refusal::UnknownRun(run))?)
    }

    pub(super) async fn require_running(&mut self, run: RunId) -> StateResult<()> {
        match self.phase(run).await? {
            Phase::Running => Ok(()),
            phase => Err(Refusal::RunIs { run, phase }.into()),
        }
    }

    /// The node, if it is registered.
    pub(super) async fn node(&mut self, node: NodeId) -> StateResult<Option<Holder>> {
        self.read_nodes(HashSet::from([node])).await?;
        Ok(self.nodes.get(&node).copied().flatten())
    }

    /// Notes what the node has in hand.
    pub(super) fn hand_out(&mut self, node: NodeId, message: Option<Key>) {
        if let Some(Some(holder)) = self.nodes.get_mut(&node) {
            holder.unconfirmed = message;
            self.in_hand.insert(node);
        }
    }

    /// Writes everything. What was read is read again when it is needed.
    pub(super) async fn flush(&mut self) -> StateResult<()> {
        flush::write(self).await?;
        *self = Self::new(self.tx);
        Ok(())
    }

    /// The transaction, for an operation that reads and writes rows by itself.
    pub(super) async fn direct(&mut self) -> StateResult<&'t Tx<'t>> {
        self.flush().await?;
        Ok(self.tx)
    }
}

/// The ids of objects of a run, as keys.
pub(super) fn keys(run: RunId, ids: impl IntoIterator<Item = ObjectId>) -> Vec<Key> {
    ids.into_iter().map(|id| (run, id)).collect()
}
