//! The rows of join tokens, and the keys that nodes will have.

use std::collections::HashMap;

use async_trait::async_trait;
use flwr_core::id::NodeId;
use flwr_core::refusal::{JoinRefusal, Refusal};
use flwr_core::time::Timestamp;
use flwr_security::joining::JoinTokenId;
use flwr_security::key::PublicKey;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::lane::direct;
use super::reader::reading;
use super::row::{self, escaped, secs, signed, unreadable};
use super::unit::Tx;
use super::{PostgresState, life, nodes};
use crate::link::state::{
    self, Changed, Enrolment, Entry, KnownNode, KnownToken, StateResult, TokenUse, Written,
};
use crate::link::wake::Topic;
use crate::store::presence::Presence;

/// The columns that [`read`] reads.
const COLUMNS: &str = "id, secret, owner, name, address, issued_at, expires_at, uses, revoked_at";

/// A token without its uses.
fn read(row: &Row) -> StateResult<KnownToken> {
    let uses = row::count(row, 7)?;
    Ok(KnownToken {
        id: JoinTokenId(row::array(row, 0)?),
        secret: row::array(row, 1)?,
        owner: row::text(row, 2)?,
        name: row::maybe_text(row, 3)?,
        address: row::text(row, 4)?,
        issued_at: row::moment(row, 5)?,
        expires_at: row::moment(row, 6)?,
        uses: u32::try_from(uses).map_err(|problem| unreadable(7, problem))?,
        revoked_at: row::maybe_moment(row, 8)?,
        used: Vec::new(),
    })
}

/// All tokens, the oldest first, or the one with this id.
async fn find(tx: &Tx<'_>, id: Option<JoinTokenId>) -> StateResult<Vec<KnownToken>> {
    let id = id.as_ref().map(|id| &id.0[..]);
    let sql = "SELECT token, key, node, at FROM join_token_use
               WHERE $1::bytea IS NULL OR token = $1 ORDER BY at";
    let mut used = HashMap::<_, Vec<_>>::new();
    for found in tx.query(sql, &[&id]).await? {
        let token = JoinTokenId(row::array(&found, 0)?);
        used.entry(token.0).or_default().push(TokenUse {
            key: row::key(&found, 1)?,
            node: NodeId(row::id(&found, 2)?),
            at: row::moment(&found, 3)?,
        });
    }
    let sql = format!(
        "SELECT {COLUMNS} FROM join_token WHERE $1::bytea IS NULL OR id = $1
         ORDER BY issued_at, id"
    );
    let mut tokens = Vec::new();
    for found in tx.query(&sql, &[&id]).await? {
        let mut token = read(&found)?;
        token.used = used.remove(&token.id.0).unwrap_or_default();
        tokens.push(token);
    }
    Ok(tokens)
}

async fn add(tx: &Tx<'_>, token: &KnownToken) -> StateResult<()> {
    let sql =
        format!("INSERT INTO join_token ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)");
    let (id, secret) = (&token.id.0[..], &token.secret[..]);
    let values: [&(dyn ToSql + Sync); 9] = [
        &id,
        &secret,
        &escaped(&token.owner),
        &row::maybe_escaped(token.name.as_ref()),
        &escaped(&token.address),
        &token.issued_at.as_secs(),
        &token.expires_at.as_secs(),
        &i64::from(token.uses),
        &secs(token.revoked_at),
    ];
    tx.execute(&sql, &values).await?;
    Ok(())
}

async fn revoke(tx: &Tx<'_>, id: JoinTokenId, now: Timestamp) -> StateResult<()> {
    let sql = "UPDATE join_token SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
    tx.execute(sql, &[&&id.0[..], &now.as_secs()]).await?;
    Ok(())
}

/// A node joins. Gives the node and whether it is new. `None` in its place: the node joined before.
async fn join(
    tx: &Tx<'_>,
    presence: &Presence,
    (id, key): (JoinTokenId, &PublicKey),
    fresh: NodeId,
    now: Timestamp,
) -> StateResult<(NodeId, Option<(KnownNode, bool)>)> {
    let token = find(tx, Some(id)).await?.pop();
    let token = token.ok_or(Refusal::from(JoinRefusal::UnknownToken))?;
    let entry = token.entry(key, now).map_err(Refusal::from)?;
    if let Entry::Again(node) = entry {
        return match nodes::of_key(tx, key).await? {
            Some(bound) if bound == node => Ok((node, None)),
            _ => Err(Refusal::from(JoinRefusal::Gone).into()),
        };
    }
    let enrolment = Enrolment {
        key: key.clone(),
        owner: token.owner,
        name: token.name,
        location: None,
    };
    let enrolled = life::enroll(tx, presence, &enrolment, fresh, now).await?;
    let sql = "INSERT INTO join_token_use (token, key, node, at) VALUES ($1, $2, $3, $4)";
    let values: [&(dyn ToSql + Sync); 4] = [
        &&id.0[..],
        &key.to_openssh(),
        &signed(enrolled.0.id),
        &now.as_secs(),
    ];
    tx.execute(sql, &values).await?;
    Ok((enrolled.0.id, Some(enrolled)))
}

async fn forget(tx: &Tx<'_>, moment: Timestamp) -> StateResult<usize> {
    let tokens = find(tx, None).await?;
    let ended = tokens.iter().filter(|token| token.ends_at() < moment);
    let mut forgotten = 0;
    for token in ended {
        for sql in [
            "DELETE FROM join_token_use WHERE token = $1",
            "DELETE FROM join_token WHERE id = $1",
        ] {
            tx.execute(sql, &[&&token.id.0[..]]).await?;
        }
        forgotten += 1;
    }
    Ok(forgotten)
}

async fn of_next_key(tx: &Tx<'_>, next: &PublicKey) -> StateResult<Option<NodeId>> {
    let sql = "SELECT id FROM node WHERE next_key = $1 AND unregistered_at IS NULL";
    let found = tx.query_opt(sql, &[&next.to_openssh()]).await?;
    let id = |found: &Row| row::id(found, 0).map(NodeId);
    found.as_ref().map(id).transpose()
}

async fn note_next_key(tx: &Tx<'_>, node: NodeId, next: &PublicKey) -> StateResult<()> {
    let other = of_next_key(tx, next).await?;
    let of_another = other.is_some_and(|other| other != node);
    if of_another || nodes::of_key(tx, next).await?.is_some() {
        return Err(Refusal::KeyInUse.into());
    }
    let sql = "UPDATE node SET next_key = $2, edition = nextval('node_edition')
               WHERE id = $1 AND unregistered_at IS NULL";
    match tx
        .execute(sql, &[&signed(node), &next.to_openssh()])
        .await?
    {
        0 => Err(Refusal::NotRegistered.into()),
        _ => Ok(()),
    }
}

async fn use_next_key(tx: &Tx<'_>, next: &PublicKey) -> StateResult<Option<NodeId>> {
    let Some(node) = of_next_key(tx, next).await? else {
        return Ok(None);
    };
    let sql = "UPDATE node SET key = next_key, next_key = NULL, session = session + 1,
                 edition = nextval('node_edition') WHERE id = $1";
    tx.execute(sql, &[&signed(node)]).await?;
    Ok(Some(node))
}

#[async_trait]
impl state::Joining for PostgresState {
    async fn add_join_token(&self, token: &KnownToken) -> StateResult<()> {
        let token = token.clone();
        self.write(direct!([token] tx => add(tx, &token))).await
    }

    async fn join_tokens(&self) -> StateResult<Vec<KnownToken>> {
        reading!(self, tx => find(tx, None))
    }

    async fn join_token(&self, id: JoinTokenId) -> StateResult<Option<KnownToken>> {
        let mut found = reading!(self, tx => find(tx, Some(id)))?;
        Ok(found.pop())
    }

    async fn revoke_join_token(&self, id: JoinTokenId, now: Timestamp) -> StateResult<()> {
        self.write(direct!([] tx => revoke(tx, id, now))).await
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
        let join = direct!([presence, key] tx => join(tx, &presence, (id, &key), fresh, now));
        let joined = self.lane.write_then(join, move |(_, joined)| {
            if let Some((node, is_new)) = joined {
                enrolled.enrolled(node, *is_new);
            }
        });
        let (node, _) = joined.await?;
        self.wakes.tell_changed(node);
        Ok((node, Changed::default()))
    }

    async fn forget_join_tokens(&self, moment: Timestamp) -> StateResult<usize> {
        let tokens = reading!(self, tx => find(tx, None))?;
        if !tokens.iter().any(|token| token.ends_at() < moment) {
            return Ok(0);
        }
        self.write(direct!([] tx => forget(tx, moment))).await
    }

    async fn note_next_key(&self, node: NodeId, next: &PublicKey) -> StateResult<()> {
        let (presence, kept, noted) = (self.presence(), next.clone(), next.clone());
        let note = direct!([kept] tx => note_next_key(tx, node, &kept));
        let written = self
            .lane
            .write_then(note, move |()| presence.note_next_key(node, &noted));
        written.await?;
        self.wakes.tell_changed(node);
        Ok(())
    }

    async fn node_of_next_key(&self, next: &PublicKey) -> StateResult<Option<NodeId>> {
        match self.presence.of_next_key(next) {
            None if self.wakes.has_neighbours() => reading!(self, tx => of_next_key(tx, next)),
            known => Ok(known),
        }
    }

    async fn use_next_key(&self, next: &PublicKey) -> Written<Option<NodeId>> {
        let (presence, kept, used) = (self.presence(), next.clone(), next.clone());
        let change = direct!([kept] tx => use_next_key(tx, &kept));
        let written = self.lane.write_then(change, move |node| {
            if let Some(node) = node {
                presence.use_next_key(*node, &used);
            }
        });
        let node = written.await?;
        let mut changed = Changed::default();
        changed.wake.extend(node.map(Topic::Node));
        if let Some(node) = node {
            self.wakes.tell_changed(node);
            // Another SuperLink may have begun a session before. If not now, the next look tells.
            let _ = self.find(&[node]).await;
        }
        Ok((node, changed))
    }
}
