//! The rows of join tokens, and the keys that nodes will have.

use async_trait::async_trait;
use flwr_core::id::NodeId;
use flwr_core::refusal::{JoinRefusal, Refusal};
use flwr_core::time::Timestamp;
use flwr_security::joining::JoinTokenId;
use flwr_security::key::PublicKey;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::row::{self, signed};
use super::{SqliteState, life, nodes};
use crate::link::state::{
    self, Changed, Enrolment, Entry, KnownNode, KnownToken, StateResult, TokenUse, Written,
};
use crate::link::wake::Topic;
use crate::store::presence::Presence;

/// The columns that [`read`] reads.
const COLUMNS: &str = "id, secret, owner, name, address, issued_at, expires_at, uses, revoked_at";

/// A token without its uses.
fn read(row: &Row<'_>) -> rusqlite::Result<KnownToken> {
    Ok(KnownToken {
        id: JoinTokenId(row.get(0)?),
        secret: row.get(1)?,
        owner: row.get(2)?,
        name: row.get(3)?,
        address: row.get(4)?,
        issued_at: Timestamp::from_secs(row.get(5)?),
        expires_at: Timestamp::from_secs(row.get(6)?),
        uses: row.get(7)?,
        revoked_at: row::moment(row, 8)?,
        used: Vec::new(),
    })
}

fn uses(connection: &Connection, id: JoinTokenId) -> StateResult<Vec<TokenUse>> {
    let sql = "SELECT key, node, at FROM join_token_use WHERE token = ? ORDER BY at";
    let mut select = connection.prepare_cached(sql)?;
    let uses = select.query_map([id.0], |row| {
        Ok(TokenUse {
            key: row::key(row, 0)?,
            node: NodeId(row::id(row, 1)?),
            at: Timestamp::from_secs(row.get(2)?),
        })
    })?;
    Ok(uses.collect::<Result<_, _>>()?)
}

fn get(connection: &Connection, id: JoinTokenId) -> StateResult<Option<KnownToken>> {
    let sql = format!("SELECT {COLUMNS} FROM join_token WHERE id = ?");
    let mut select = connection.prepare_cached(&sql)?;
    let Some(mut token) = select.query_row([id.0], read).optional()? else {
        return Ok(None);
    };
    token.used = uses(connection, id)?;
    Ok(Some(token))
}

fn all(connection: &Connection) -> StateResult<Vec<KnownToken>> {
    let sql = format!("SELECT {COLUMNS} FROM join_token ORDER BY issued_at, id");
    let mut select = connection.prepare_cached(&sql)?;
    let tokens = select.query_map([], read)?;
    let mut tokens = tokens.collect::<Result<Vec<_>, _>>()?;
    for token in &mut tokens {
        token.used = uses(connection, token.id)?;
    }
    Ok(tokens)
}

fn add(connection: &Connection, token: &KnownToken) -> StateResult<()> {
    let sql = format!("INSERT INTO join_token ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
    connection.prepare_cached(&sql)?.execute(params![
        token.id.0,
        token.secret,
        token.owner,
        token.name,
        token.address,
        token.issued_at.as_secs(),
        token.expires_at.as_secs(),
        token.uses,
        token.revoked_at.map(Timestamp::as_secs),
    ])?;
    Ok(())
}

fn revoke(connection: &Connection, id: JoinTokenId, now: Timestamp) -> StateResult<()> {
    let sql = "UPDATE join_token SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL";
    connection
        .prepare_cached(sql)?
        .execute(params![id.0, now.as_secs()])?;
    Ok(())
}

/// A node joins. Gives the node and whether it is new. `None` in its place: the node joined before.
fn join(
    connection: &Connection,
    presence: &Presence,
    (id, key): (JoinTokenId, &PublicKey),
    fresh: NodeId,
    now: Timestamp,
) -> StateResult<(NodeId, Option<(KnownNode, bool)>)> {
    let token = get(connection, id)?.ok_or(Refusal::from(JoinRefusal::UnknownToken))?;
    match token.entry(key, now).map_err(Refusal::from)? {
        Entry::Again(node) if nodes::of_key(connection, key)? == Some(node) => Ok((node, None)),
        Entry::Again(_) => Err(Refusal::from(JoinRefusal::Gone).into()),
        Entry::New => {
            let enrolment = Enrolment {
                key: key.clone(),
                owner: token.owner,
                name: token.name,
                location: None,
            };
            let enrolled = life::enroll(connection, presence, &enrolment, fresh, now)?;
            let sql = "INSERT INTO join_token_use (token, key, node, at) VALUES (?, ?, ?, ?)";
            connection.prepare_cached(sql)?.execute(params![
                id.0,
                key.to_openssh(),
                signed(enrolled.0.id),
                now.as_secs(),
            ])?;
            Ok((enrolled.0.id, Some(enrolled)))
        }
    }
}

fn forget(connection: &Connection, moment: Timestamp) -> StateResult<usize> {
    let tokens = all(connection)?;
    let ended = tokens.iter().filter(|token| token.ends_at() < moment);
    let mut forgotten = 0;
    for token in ended {
        for sql in [
            "DELETE FROM join_token_use WHERE token = ?",
            "DELETE FROM join_token WHERE id = ?",
        ] {
            connection.prepare_cached(sql)?.execute([token.id.0])?;
        }
        forgotten += 1;
    }
    Ok(forgotten)
}

fn of_next_key(connection: &Connection, next: &PublicKey) -> StateResult<Option<NodeId>> {
    let sql = "SELECT id FROM node WHERE next_key = ? AND unregistered_at IS NULL";
    let mut select = connection.prepare_cached(sql)?;
    let found = select.query_row([next.to_openssh()], |row| row::id(row, 0));
    Ok(found.optional()?.map(NodeId))
}

fn note_next_key(connection: &Connection, node: NodeId, next: &PublicKey) -> StateResult<()> {
    let of_another = of_next_key(connection, next)?.is_some_and(|other| other != node);
    if of_another || nodes::of_key(connection, next)?.is_some() {
        return Err(Refusal::KeyInUse.into());
    }
    let sql = "UPDATE node SET next_key = ?2 WHERE id = ?1 AND unregistered_at IS NULL";
    let mut update = connection.prepare_cached(sql)?;
    match update.execute(params![signed(node), next.to_openssh()])? {
        0 => Err(Refusal::NotRegistered.into()),
        _ => Ok(()),
    }
}

fn use_next_key(connection: &Connection, next: &PublicKey) -> StateResult<Option<NodeId>> {
    let Some(node) = of_next_key(connection, next)? else {
        return Ok(None);
    };
    let sql = "UPDATE node SET key = next_key, next_key = NULL, session = session + 1 WHERE id = ?";
    connection.prepare_cached(sql)?.execute([signed(node)])?;
    Ok(Some(node))
}

#[async_trait]
impl state::Joining for SqliteState {
    async fn add_join_token(&self, token: &KnownToken) -> StateResult<()> {
        let token = token.clone();
        self.writer.write(move |c| add(c, &token)).await
    }

    async fn join_tokens(&self) -> StateResult<Vec<KnownToken>> {
        self.reader.read(all).await
    }

    async fn join_token(&self, id: JoinTokenId) -> StateResult<Option<KnownToken>> {
        self.reader.read(move |c| get(c, id)).await
    }

    async fn revoke_join_token(&self, id: JoinTokenId, now: Timestamp) -> StateResult<()> {
        self.writer.write(move |c| revoke(c, id, now)).await
    }

    async fn join_node(
        &self,
        id: JoinTokenId,
        key: &PublicKey,
        fresh: NodeId,
        now: Timestamp,
    ) -> Written<NodeId> {
        let (presence, enrolled) = (self.presence(), self.presence());
        let key = key.clone();
        let joined = self.writer.write_then(
            move |c| join(c, &presence, (id, &key), fresh, now),
            move |(_, joined)| {
                if let Some((node, is_new)) = joined {
                    enrolled.enrolled(node, *is_new);
                }
            },
        );
        Ok((joined.await?.0, Changed::default()))
    }

    async fn forget_join_tokens(&self, moment: Timestamp) -> StateResult<usize> {
        let is_due = move |c: &Connection| {
            let tokens = all(c)?;
            Ok(tokens.iter().any(|token| token.ends_at() < moment))
        };
        match self.reader.read(is_due).await? {
            true => self.writer.write(move |c| forget(c, moment)).await,
            false => Ok(0),
        }
    }

    async fn note_next_key(&self, node: NodeId, next: &PublicKey) -> StateResult<()> {
        let (presence, kept, noted) = (self.presence(), next.clone(), next.clone());
        self.writer
            .write_then(
                move |c| note_next_key(c, node, &kept),
                move |()| presence.note_next_key(node, &noted),
            )
            .await
    }

    async fn node_of_next_key(&self, next: &PublicKey) -> StateResult<Option<NodeId>> {
        Ok(self.presence.of_next_key(next))
    }

    async fn use_next_key(&self, next: &PublicKey) -> Written<Option<NodeId>> {
        let (presence, used, key) = (self.presence(), next.clone(), next.clone());
        let node = self
            .writer
            .write_then(
                move |c| use_next_key(c, &key),
                move |node| {
                    if let Some(node) = node {
                        presence.use_next_key(*node, &used);
                    }
                },
            )
            .await?;
        let mut changed = Changed::default();
        changed.wake.extend(node.map(Topic::Node));
        Ok((node, changed))
    }
}
