//! Writes what a transaction has changed: a statement for each kind of change of a table.

use tokio::try_join;
use tokio_postgres::types::ToSql;

use super::instructions::Instruction;
use super::objects::Object;
use super::replies::Reply;
use super::row::{self, Key, MESSAGE_ARRAYS, signed};
use super::unit::{Tx, Unit};
use crate::link::state::StateResult;
use crate::store::columns::MESSAGE;

/// Nothing that is written to one table needs what is written to another, so all goes to the server in one
/// round trip.
pub(super) async fn write(unit: &mut Unit<'_>) -> StateResult<()> {
    give_places(unit).await?;
    let unit = &*unit;
    try_join!(
        objects(unit),
        unit.blobs.write(unit.tx),
        waits(unit),
        instructions(unit),
        replies(unit),
        in_hand(unit),
    )?;
    Ok(())
}

/// Does one statement.
async fn execute(tx: &Tx<'_>, sql: &str, values: &[&(dyn ToSql + Sync)]) -> StateResult<()> {
    let statement = tx.prepare_cached(sql).await?;
    tx.execute(&statement, values).await?;
    Ok(())
}

/// Removes the rows with these keys.
async fn delete(tx: &Tx<'_>, sql: &str, keys: &[&Key]) -> StateResult<()> {
    if keys.is_empty() {
        return Ok(());
    }
    let (runs, ids) = row::columns(keys.iter().copied());
    execute(tx, sql, &[&runs, &ids]).await
}

/// Gives instructions that became whole their places in the queues, in the order in which they did.
async fn give_places(unit: &mut Unit<'_>) -> StateResult<()> {
    let waiting = unit.instructions.iter();
    let waiting = waiting.filter_map(|(key, known)| Some((known.place.awaited()?, *key)));
    let mut waiting: Vec<_> = waiting.collect();
    if waiting.is_empty() {
        return Ok(());
    }
    waiting.sort_unstable();
    let number = i64::try_from(waiting.len()).unwrap_or(i64::MAX);
    let sql = "SELECT nextval('instruction_place') FROM generate_series(1, $1::int8)";
    let select = unit.tx.prepare_cached(sql).await?;
    let places = unit.tx.query(&select, &[&number]).await?;
    for ((_, key), place) in waiting.into_iter().zip(places) {
        if let Some(known) = unit.instructions.change(key) {
            known.place.give(row::get(&place, 0)?);
        }
    }
    Ok(())
}

async fn objects(unit: &Unit<'_>) -> StateResult<()> {
    const INSERT: &str = "INSERT INTO object (run, id, children, available, referrers, blob)
         SELECT * FROM unnest($1::int8[], $2::bytea[], $3::bytea[], $4::bool[], $5::int8[], $6::text[])";
    const UPDATE: &str = "UPDATE object SET children = new.children, available = new.available,
           referrers = new.referrers, blob = new.blob
         FROM unnest($1::int8[], $2::bytea[], $3::bytea[], $4::bool[], $5::int8[], $6::text[])
           AS new (run, id, children, available, referrers, blob)
         WHERE object.run = new.run AND object.id = new.id";
    const DELETE: &str =
        "DELETE FROM object USING unnest($1::int8[], $2::bytea[]) AS gone (run, id)
         WHERE object.run = gone.run AND object.id = gone.id";
    let pending = unit.objects.pending();
    for (sql, rows) in [(INSERT, &pending.new), (UPDATE, &pending.changed)] {
        if rows.is_empty() {
            continue;
        }
        let (runs, ids) = row::columns(rows.iter().map(|(key, _)| *key));
        let children = rows.iter().map(|(_, object)| object.children_as_bytes());
        let children: Vec<_> = children.collect();
        let available: Vec<_> = rows.iter().map(|(_, object)| object.available).collect();
        let referrers: Vec<_> = rows.iter().map(|(_, object)| object.referrers).collect();
        let blobs: Vec<_> = rows.iter().map(|(_, object)| &object.blob).collect();
        let values: [&(dyn ToSql + Sync); 6] =
            [&runs, &ids, &children, &available, &referrers, &blobs];
        execute(unit.tx, sql, &values).await?;
    }
    delete(unit.tx, DELETE, &pending.gone).await
}

async fn waits(unit: &Unit<'_>) -> StateResult<()> {
    const INSERT: &str = "INSERT INTO awaited (run, object, message)
         SELECT * FROM unnest($1::int8[], $2::bytea[], $3::bytea[]) ON CONFLICT DO NOTHING";
    const DELETE: &str =
        "DELETE FROM awaited USING unnest($1::int8[], $2::bytea[]) AS gone (run, id)
         WHERE awaited.run = gone.run AND awaited.object = gone.id";
    let over = unit.waits.iter().filter(|(_, waits)| waits.is_over);
    let mut over: Vec<_> = over.map(|(key, _)| key).collect();
    over.sort_unstable();
    delete(unit.tx, DELETE, &over).await?;
    let added = unit.waits.iter().flat_map(|(key, waits)| {
        let added = waits.added.iter();
        added.map(move |message| (key, message))
    });
    let mut added: Vec<_> = added.collect();
    if added.is_empty() {
        return Ok(());
    }
    added.sort_unstable();
    let (runs, objects) = row::columns(added.iter().map(|(key, _)| *key));
    let messages = added.iter().map(|(_, message)| &message.as_bytes()[..]);
    let messages: Vec<_> = messages.collect();
    execute(unit.tx, INSERT, &[&runs, &objects, &messages]).await
}

async fn instructions(unit: &Unit<'_>) -> StateResult<()> {
    const UPDATE: &str = "UPDATE instruction SET missing = new.missing, place = new.place,
           taken = new.taken, reply = new.reply
         FROM unnest($1::int8[], $2::bytea[], $3::int8[], $4::int8[], $5::bool[], $6::bytea[])
           AS new (run, id, missing, place, taken, reply)
         WHERE instruction.run = new.run AND instruction.id = new.id";
    const DELETE: &str = "DELETE FROM instruction
         USING unnest($1::int8[], $2::bytea[]) AS gone (run, id)
         WHERE instruction.run = gone.run AND instruction.id = gone.id";
    let pending = unit.instructions.pending();
    insert_instructions(unit.tx, &pending.new).await?;
    if !pending.changed.is_empty() {
        let (runs, ids) = row::columns(pending.changed.iter().map(|(key, _)| *key));
        let state = InstructionColumns::of(&pending.changed);
        let values: [&(dyn ToSql + Sync); 6] = [
            &runs,
            &ids,
            &state.missing,
            &state.places,
            &state.taken,
            &state.replies,
        ];
        execute(unit.tx, UPDATE, &values).await?;
    }
    delete(unit.tx, DELETE, &pending.gone).await
}

/// What changes of an instruction, each as an array.
struct InstructionColumns<'i> {
    missing: Vec<i64>,
    places: Vec<Option<i64>>,
    taken: Vec<bool>,
    replies: Vec<Option<&'i [u8]>>,
}

impl<'i> InstructionColumns<'i> {
    fn of(rows: &[(&Key, &'i Instruction)]) -> Self {
        let rows = || rows.iter().map(|(_, known)| *known);
        let reply = |known: &'i Instruction| Some(&known.reply.as_ref()?.as_bytes()[..]);
        Self {
            missing: rows().map(|known| known.missing).collect(),
            places: rows().map(|known| known.place.given()).collect(),
            taken: rows().map(|known| known.taken).collect(),
            replies: rows().map(reply).collect(),
        }
    }
}

async fn insert_instructions(tx: &Tx<'_>, rows: &[(&Key, &Instruction)]) -> StateResult<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut messages = row::Messages::default();
    for (_, known) in rows {
        messages.push(&known.message);
    }
    let expiries = rows.iter().map(|(_, known)| &known.message.metadata);
    let expiries = expiries.map(|metadata| metadata.expires_at().as_secs());
    let expiries: Vec<_> = expiries.collect();
    let state = InstructionColumns::of(rows);
    let sql = format!(
        "INSERT INTO instruction ({MESSAGE}, expires_at, missing, place, taken, reply)
         SELECT * FROM unnest({MESSAGE_ARRAYS}, $11::float8[], $12::int8[], $13::int8[], $14::bool[],
           $15::bytea[])"
    );
    let values: [&(dyn ToSql + Sync); 15] = [
        &messages.runs,
        &messages.ids,
        &messages.sources,
        &messages.receivers,
        &messages.groups,
        &messages.ttls,
        &messages.types,
        &messages.created,
        &messages.codes,
        &messages.reasons,
        &expiries,
        &state.missing,
        &state.places,
        &state.taken,
        &state.replies,
    ];
    execute(tx, &sql, &values).await
}

async fn replies(unit: &Unit<'_>) -> StateResult<()> {
    const DELETE: &str = "DELETE FROM reply USING unnest($1::int8[], $2::bytea[]) AS gone (run, id)
         WHERE reply.run = gone.run AND reply.id = gone.id";
    const UPDATE: &str = "UPDATE reply SET missing = new.missing
         FROM unnest($1::int8[], $2::bytea[], $3::int8[]) AS new (run, id, missing)
         WHERE reply.run = new.run AND reply.id = new.id";
    let pending = unit.replies.pending();
    // A reply that takes the place of another with its id differs in more than the count.
    let (counted, other): (Vec<_>, Vec<_>) = pending
        .changed
        .into_iter()
        .partition(|(_, reply)| !reply.is_new);
    let mut gone = pending.gone;
    gone.extend(other.iter().map(|(key, _)| *key));
    delete(unit.tx, DELETE, &gone).await?;
    let new: Vec<_> = pending.new.into_iter().chain(other).collect();
    insert_replies(unit.tx, &new).await?;
    if counted.is_empty() {
        return Ok(());
    }
    let (runs, ids) = row::columns(counted.iter().map(|(key, _)| *key));
    let missing: Vec<_> = counted.iter().map(|(_, reply)| reply.missing).collect();
    execute(unit.tx, UPDATE, &[&runs, &ids, &missing]).await
}

async fn insert_replies(tx: &Tx<'_>, rows: &[(&Key, &Reply)]) -> StateResult<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut messages = row::Messages::default();
    for (_, reply) in rows {
        messages.push(&reply.message);
    }
    let asked = rows.iter().map(|(_, reply)| {
        let asked = reply.message.metadata.reply_to.as_ref()?;
        Some(&asked.as_bytes()[..])
    });
    let asked: Vec<Option<&[u8]>> = asked.collect();
    let missing: Vec<_> = rows.iter().map(|(_, reply)| reply.missing).collect();
    let sql = format!(
        "INSERT INTO reply ({MESSAGE}, reply_to, missing)
         SELECT * FROM unnest({MESSAGE_ARRAYS}, $11::bytea[], $12::int8[])"
    );
    let values: [&(dyn ToSql + Sync); 12] = [
        &messages.runs,
        &messages.ids,
        &messages.sources,
        &messages.receivers,
        &messages.groups,
        &messages.ttls,
        &messages.types,
        &messages.created,
        &messages.codes,
        &messages.reasons,
        &asked,
        &missing,
    ];
    execute(tx, &sql, &values).await
}

async fn in_hand(unit: &Unit<'_>) -> StateResult<()> {
    const UPDATE: &str = "UPDATE node SET unconfirmed_run = new.run, unconfirmed = new.message
         FROM unnest($1::int8[], $2::int8[], $3::bytea[]) AS new (id, run, message)
         WHERE node.id = new.id";
    let mut nodes: Vec<_> = unit.in_hand.iter().copied().collect();
    if nodes.is_empty() {
        return Ok(());
    }
    nodes.sort_unstable();
    let held = nodes.iter().map(|node| {
        let holder = unit.nodes.get(node).and_then(Option::as_ref);
        holder.and_then(|holder| holder.unconfirmed.as_ref())
    });
    let held: Vec<_> = held.collect();
    let runs: Vec<_> = held
        .iter()
        .map(|held| held.map(|(run, _)| signed(*run)))
        .collect();
    let messages = held
        .iter()
        .map(|held| held.map(|(_, id)| &id.as_bytes()[..]));
    let messages: Vec<Option<&[u8]>> = messages.collect();
    let ids: Vec<_> = nodes.into_iter().map(signed).collect();
    execute(unit.tx, UPDATE, &[&ids, &runs, &messages]).await
}

impl Object {
    fn children_as_bytes(&self) -> Vec<u8> {
        let children = self.children.iter().flat_map(|child| child.as_bytes());
        children.copied().collect()
    }
}
