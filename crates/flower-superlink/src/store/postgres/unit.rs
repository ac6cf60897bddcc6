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
use super::flush;
use super::instructions::Instruction;
use super::objects::Object;
use super::replies::Reply;
use super::row::Key;
use super::table::Table;
use crate::link::state::{Session, StateResult};

mod reads;

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

    pub(super) async fn phase(&mut self, run: RunId) -> StateResult<Phase> {
        let phase = self.read_phase(run).await?;
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
        self.read_node(node).await?;
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
