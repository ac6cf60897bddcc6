//! The rows of instructions.

use std::collections::HashMap;

use deadpool_postgres::ClientWrapper;
use flwr_core::id::{NodeId, RunId};
use flwr_core::message::{Message, MessageId};
use flwr_core::time::Timestamp;
use tokio_postgres::Row;

use super::row::{self, Key, signed};
use super::unit::{Tx, Unit};
use crate::link::state::StateResult;
use crate::store::columns::{MESSAGE, MESSAGE_COLUMNS};

/// An instruction.
#[derive(Debug, Clone)]
pub(super) struct Instruction {
    pub(super) message: Message,
    /// Objects whose bytes are not there.
    pub(super) missing: i64,
    pub(super) place: Place,
    pub(super) taken: bool,
    /// The first reply, whole or not.
    pub(super) reply: Option<MessageId>,
}

/// The place of an instruction in the queue of its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The instruction is not whole.
    None,
    /// It became whole in this transaction, as the one with this number.
    Awaited(u64),
    /// It has this place.
    Given(i64),
}

impl Place {
    pub(super) const fn awaited(self) -> Option<u64> {
        match self {
            Self::Awaited(number) => Some(number),
            Self::None | Self::Given(_) => None,
        }
    }

    pub(super) const fn given(self) -> Option<i64> {
        match self {
            Self::Given(place) => Some(place),
            Self::None | Self::Awaited(_) => None,
        }
    }

    pub(super) const fn give(&mut self, place: i64) {
        *self = Self::Given(place);
    }
}

impl Instruction {
    pub(super) const fn key(&self) -> Key {
        (self.message.metadata.run, self.message.metadata.id)
    }
}

/// The columns that [`read`] reads after those of the message.
const STATE: &str = "missing, place, taken, reply";

fn read(row: &Row) -> StateResult<Instruction> {
    let place: Option<i64> = row::get(row, MESSAGE_COLUMNS + 1)?;
    Ok(Instruction {
        message: row::message(row, None)?,
        missing: row::get(row, MESSAGE_COLUMNS)?,
        place: place.map_or(Place::None, Place::Given),
        taken: row::get(row, MESSAGE_COLUMNS + 2)?,
        reply: row::maybe_object_id(row, MESSAGE_COLUMNS + 3)?,
    })
}

pub(super) async fn select(tx: &Tx<'_>, keys: &[Key]) -> StateResult<Vec<Instruction>> {
    let sql = format!(
        "SELECT {MESSAGE}, {STATE} FROM instruction
         WHERE (run, id) IN (SELECT * FROM unnest($1::int8[], $2::bytea[]))"
    );
    let (runs, ids) = row::columns(keys);
    let select = tx.prepare_cached(&sql).await?;
    let rows = tx.query(&select, &[&runs, &ids]).await?;
    rows.iter().map(read).collect()
}

/// What can be handed out but for the time: in the queue of its node, not taken, not answered.
const QUEUED: &str = "place IS NOT NULL AND NOT taken
     AND NOT EXISTS (SELECT 1 FROM reply WHERE reply.run = instruction.run
                     AND reply.id = instruction.reply AND reply.missing = 0)";

/// The oldest instruction for each node that the node can have at its moment.
pub(super) async fn next(
    tx: &Tx<'_>,
    claims: &HashMap<NodeId, Timestamp>,
) -> StateResult<Vec<Instruction>> {
    let sql = format!(
        "SELECT found.* FROM unnest($1::int8[], $2::float8[]) AS asked (node, now)
         CROSS JOIN LATERAL (
           SELECT {MESSAGE}, {STATE} FROM instruction
           WHERE dst = asked.node AND expires_at > asked.now AND {QUEUED}
           ORDER BY place LIMIT 1
         ) AS found"
    );
    let nodes: Vec<_> = claims.keys().copied().map(signed).collect();
    let moments: Vec<_> = claims.values().map(|now| now.as_secs()).collect();
    let select = tx.prepare_cached(&sql).await?;
    let rows = tx.query(&select, &[&nodes, &moments]).await?;
    rows.iter().map(read).collect()
}

/// What there is for a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outlook {
    /// A claim might find something.
    pub(super) anything: bool,
    /// Nothing is queued, not even what is expired: until something is written for the node, a claim
    /// finds nothing, whatever time it is.
    pub(super) nothing_queued: bool,
}

/// What there is for each of the nodes at its moment, in their order.
pub(super) async fn outlooks(
    connection: &ClientWrapper,
    asked: &[(NodeId, Timestamp)],
) -> StateResult<Vec<Outlook>> {
    let sql = format!(
        "SELECT coalesce(node.unconfirmed IS NOT NULL, false),
           EXISTS (SELECT 1 FROM instruction
                   WHERE dst = asked.node AND expires_at > asked.now AND {QUEUED}),
           EXISTS (SELECT 1 FROM instruction
                   WHERE dst = asked.node AND place IS NOT NULL AND NOT taken),
           node.id IS NOT NULL
         FROM unnest($1::int8[], $2::float8[]) WITH ORDINALITY AS asked (node, now, number)
         LEFT JOIN node ON node.id = asked.node
         ORDER BY asked.number"
    );
    let nodes: Vec<_> = asked.iter().map(|(node, _)| signed(*node)).collect();
    let moments: Vec<_> = asked.iter().map(|(_, now)| now.as_secs()).collect();
    let select = connection.prepare_cached(&sql).await?;
    let found = connection.query(&select, &[&nodes, &moments]).await?;
    let outlook = |found: &Row| {
        let (unconfirmed, open, queued): (bool, bool, bool) = (
            row::get(found, 0)?,
            row::get(found, 1)?,
            row::get(found, 2)?,
        );
        let is_known: bool = row::get(found, 3)?;
        Ok(Outlook {
            anything: is_known && (unconfirmed || open),
            nothing_queued: is_known && !unconfirmed && !queued,
        })
    };
    found.iter().map(outlook).collect()
}

/// Those of the nodes for which something is queued.
pub(super) async fn queued(tx: &Tx<'_>, nodes: &[NodeId]) -> StateResult<Vec<NodeId>> {
    let sql = format!(
        "SELECT asked.node FROM unnest($1::int8[]) AS asked (node)
         WHERE EXISTS (SELECT 1 FROM instruction WHERE dst = asked.node AND {QUEUED})"
    );
    let nodes: Vec<_> = nodes.iter().copied().map(signed).collect();
    let select = tx.prepare_cached(&sql).await?;
    let found = tx.query(&select, &[&nodes]).await?;
    found
        .iter()
        .map(|row| row::id(row, 0).map(NodeId))
        .collect()
}

/// Whether an instruction for the node has no whole reply.
pub(super) async fn any_unanswered(tx: &Tx<'_>, node: NodeId) -> StateResult<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM instruction LEFT JOIN reply
                 ON reply.run = instruction.run AND reply.id = instruction.reply
               WHERE instruction.dst = $1 AND (reply.id IS NULL OR reply.missing > 0))";
    let select = tx.prepare_cached(sql).await?;
    row::get(&tx.query_one(&select, &[&signed(node)]).await?, 0)
}

/// What the node took and has no whole reply to.
pub(super) async fn unanswered(tx: &Tx<'_>, node: NodeId) -> StateResult<Vec<Key>> {
    let sql = "SELECT run, id FROM instruction WHERE dst = $1 AND taken AND NOT EXISTS
                 (SELECT 1 FROM reply WHERE reply.run = instruction.run
                  AND reply.id = instruction.reply AND reply.missing = 0)";
    let select = tx.prepare_cached(sql).await?;
    keys(&tx.query(&select, &[&signed(node)]).await?)
}

/// What expired before this moment, the first first.
pub(super) async fn expired(tx: &Tx<'_>, before: Timestamp, limit: i64) -> StateResult<Vec<Key>> {
    let sql = "SELECT run, id FROM instruction WHERE expires_at < $1 ORDER BY expires_at LIMIT $2";
    let select = tx.prepare_cached(sql).await?;
    keys(&tx.query(&select, &[&before.as_secs(), &limit]).await?)
}

fn keys(rows: &[Row]) -> StateResult<Vec<Key>> {
    let key = |row: &Row| Ok((RunId(row::id(row, 0)?), row::object_id(row, 1)?));
    rows.iter().map(key).collect()
}

impl Unit<'_> {
    /// The instruction, if it is known.
    pub(super) async fn instruction(&mut self, key: Key) -> StateResult<Option<&Instruction>> {
        self.read_instructions([key]).await?;
        Ok(self.instructions.get(key))
    }

    /// Changes an instruction that was read.
    pub(super) fn change_instruction(&mut self, key: Key, change: impl FnOnce(&mut Instruction)) {
        if let Some(known) = self.instructions.change(key) {
            change(known);
            self.touched.insert(known.message.metadata.dst);
        }
    }

    /// Removes an instruction.
    pub(super) async fn remove_instruction(&mut self, key: Key) -> StateResult<()> {
        self.read_instructions([key]).await?;
        if let Some(gone) = self.instructions.remove(key) {
            self.touched.insert(gone.message.metadata.dst);
        }
        Ok(())
    }

    /// The next place in a queue.
    pub(super) const fn next_place(&mut self) -> Place {
        self.queued += 1;
        Place::Awaited(self.queued)
    }

    /// One more object of the instruction arrived: its node, if it is now whole. `None`: there is no
    /// such instruction.
    pub(super) async fn instruction_progressed(
        &mut self,
        key: Key,
    ) -> StateResult<Option<Option<NodeId>>> {
        if self.instruction(key).await?.is_none() {
            return Ok(None);
        }
        let place = self.next_place();
        let mut whole_for = None;
        self.change_instruction(key, |known| {
            known.missing = (known.missing - 1).max(0);
            if known.missing == 0 {
                known.place = place;
                whole_for = Some(known.message.metadata.dst);
            }
        });
        Ok(Some(whole_for))
    }

    /// The oldest instruction that the node can have at `now`.
    pub(super) async fn next_for(
        &mut self,
        node: NodeId,
        now: Timestamp,
    ) -> StateResult<Option<Key>> {
        let read = self.next.get(&node).copied();
        if let Some((at, next)) = read
            && at == now
            && !self.touched.contains(&node)
        {
            return Ok(next);
        }
        self.flush().await?;
        self.read_next(HashMap::from([(node, now)])).await?;
        Ok(self.next.get(&node).and_then(|(_, next)| *next))
    }
}
