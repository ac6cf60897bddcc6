//! Columns to values and back.

use std::borrow::Cow;
use std::error::Error;

use flwr_core::id::{NodeId, RunId};
use flwr_core::message::{Body, Message, MessageId, Metadata};
use flwr_core::object::ObjectId;
use flwr_core::time::Timestamp;
use flwr_security::key::PublicKey;
use thiserror::Error;
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use crate::link::state::{StateError, StateResult};

/// An object or a message of a run.
pub(super) type Key = (RunId, ObjectId);

impl From<tokio_postgres::Error> for StateError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Broken(Box::new(error))
    }
}

/// A column that holds what no version of this program wrote there.
#[derive(Debug, Error)]
#[error("column {column} of a row cannot be read")]
struct Unreadable {
    column: usize,
    source: Box<dyn Error + Send + Sync>,
}

/// Says that a column holds what no version of this program wrote there.
pub(super) fn unreadable(
    column: usize,
    problem: impl Into<Box<dyn Error + Send + Sync>>,
) -> StateError {
    let source = problem.into();
    StateError::Broken(Box::new(Unreadable { column, source }))
}

/// PostgreSQL's integers are signed: the same 64 bits.
pub(super) fn signed(id: impl Into<u64>) -> i64 {
    id.into().cast_signed()
}

/// A value as PostgreSQL gives it.
pub(super) fn get<'r, T: FromSql<'r>>(row: &'r Row, column: usize) -> StateResult<T> {
    Ok(row.try_get(column)?)
}

/// A number that is never negative.
pub(super) fn count(row: &Row, column: usize) -> StateResult<u64> {
    let number: i64 = get(row, column)?;
    u64::try_from(number).map_err(|problem| unreadable(column, problem))
}

/// An id of a node or run.
pub(super) fn id(row: &Row, column: usize) -> StateResult<u64> {
    Ok(get::<i64>(row, column)?.cast_unsigned())
}

/// An id of a message or object.
pub(super) fn object_id(row: &Row, column: usize) -> StateResult<ObjectId> {
    Ok(ObjectId::from_bytes(array(row, column)?))
}

/// The same where there may be none.
pub(super) fn maybe_object_id(row: &Row, column: usize) -> StateResult<Option<ObjectId>> {
    let found: Option<&[u8]> = get(row, column)?;
    found.map(|_| object_id(row, column)).transpose()
}

/// So many bytes.
pub(super) fn array<const N: usize>(row: &Row, column: usize) -> StateResult<[u8; N]> {
    let bytes: &[u8] = get(row, column)?;
    <[u8; N]>::try_from(bytes).map_err(|problem| unreadable(column, problem))
}

/// A moment.
pub(super) fn moment(row: &Row, column: usize) -> StateResult<Timestamp> {
    Ok(Timestamp::from_secs(get(row, column)?))
}

/// A moment that may not have come.
pub(super) fn maybe_moment(row: &Row, column: usize) -> StateResult<Option<Timestamp>> {
    Ok(get::<Option<f64>>(row, column)?.map(Timestamp::from_secs))
}

/// A moment that may not have come, as it is bound.
pub(super) fn secs(moment: Option<Timestamp>) -> Option<f64> {
    moment.map(Timestamp::as_secs)
}

/// Text as it is kept: PostgreSQL refuses a NUL, which any peer may send.
pub(super) fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(['\\', '\0']) {
        return text.into();
    }
    text.replace('\\', "\\\\").replace('\0', "\\0").into()
}

/// The same where there may be none.
pub(super) fn maybe_escaped(text: Option<&String>) -> Option<Cow<'_, str>> {
    text.map(|text| escaped(text))
}

/// Text of peers and people.
pub(super) fn text(row: &Row, column: usize) -> StateResult<String> {
    Ok(unescaped(get(row, column)?))
}

/// The same where there may be none.
pub(super) fn maybe_text(row: &Row, column: usize) -> StateResult<Option<String>> {
    Ok(get::<Option<&str>>(row, column)?.map(unescaped))
}

fn unescaped(kept: &str) -> String {
    if !kept.contains('\\') {
        return kept.to_owned();
    }
    let (mut text, mut characters) = (String::with_capacity(kept.len()), kept.chars());
    while let Some(character) = characters.next() {
        match character {
            '\\' => text.push(match characters.next() {
                Some('0') => '\0',
                _ => '\\',
            }),
            plain => text.push(plain),
        }
    }
    text
}

/// A public key.
pub(super) fn key(row: &Row, column: usize) -> StateResult<PublicKey> {
    let line: &str = get(row, column)?;
    PublicKey::from_openssh(line).map_err(|problem| unreadable(column, problem))
}

/// The same where there may be none.
pub(super) fn maybe_key(row: &Row, column: usize) -> StateResult<Option<PublicKey>> {
    let line: Option<&str> = get(row, column)?;
    line.map(|_| key(row, column)).transpose()
}

/// Ids that stand one after the other.
pub(super) fn ids(bytes: &[u8]) -> Vec<ObjectId> {
    let (ids, _) = bytes.as_chunks::<32>();
    ids.iter().copied().map(ObjectId::from_bytes).collect()
}

/// Runs and ids as two arrays, to be unnested.
pub(super) fn columns<'k>(keys: impl IntoIterator<Item = &'k Key>) -> (Vec<i64>, Vec<&'k [u8]>) {
    let pairs = keys
        .into_iter()
        .map(|(run, id)| (signed(*run), &id.as_bytes()[..]));
    pairs.unzip()
}

/// Reads the columns of a message.
pub(super) fn message(row: &Row, reply_to: Option<MessageId>) -> StateResult<Message> {
    let metadata = Metadata {
        run: RunId(id(row, 0)?),
        id: object_id(row, 1)?,
        src: NodeId(id(row, 2)?),
        dst: NodeId(id(row, 3)?),
        reply_to,
        group: text(row, 4)?,
        ttl: get(row, 5)?,
        message_type: text(row, 6)?,
        created_at: moment(row, 7)?,
    };
    let body = match get::<Option<i64>>(row, 8)? {
        None => Body::Content,
        Some(code) => Body::Error {
            code,
            reason: maybe_text(row, 9)?.unwrap_or_default(),
        },
    };
    Ok(Message { metadata, body })
}

/// The columns of many messages, each as an array.
#[derive(Debug, Default)]
pub(super) struct Messages<'m> {
    pub(super) runs: Vec<i64>,
    pub(super) ids: Vec<&'m [u8]>,
    pub(super) sources: Vec<i64>,
    pub(super) receivers: Vec<i64>,
    pub(super) groups: Vec<Cow<'m, str>>,
    pub(super) ttls: Vec<f64>,
    pub(super) types: Vec<Cow<'m, str>>,
    pub(super) created: Vec<f64>,
    pub(super) codes: Vec<Option<i64>>,
    pub(super) reasons: Vec<Option<Cow<'m, str>>>,
}

/// How [`Messages`] are unnested.
pub(super) const MESSAGE_ARRAYS: &str = "$1::int8[], $2::bytea[], $3::int8[], $4::int8[], $5::text[], \
     $6::float8[], $7::text[], $8::float8[], $9::int8[], $10::text[]";

impl<'m> Messages<'m> {
    pub(super) fn push(&mut self, message: &'m Message) {
        let metadata = &message.metadata;
        let (code, reason) = match &message.body {
            Body::Content => (None, None),
            Body::Error { code, reason } => (Some(*code), Some(escaped(reason))),
        };
        self.runs.push(signed(metadata.run));
        self.ids.push(metadata.id.as_bytes());
        self.sources.push(signed(metadata.src));
        self.receivers.push(signed(metadata.dst));
        self.groups.push(escaped(&metadata.group));
        self.ttls.push(metadata.ttl);
        self.types.push(escaped(&metadata.message_type));
        self.created.push(metadata.created_at.as_secs());
        self.codes.push(code);
        self.reasons.push(reason);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_text_comes_back_and_is_kept_without_nul(text in r"[\\0a\x00é]{0,12}") {
            let kept = escaped(&text);
            prop_assert!(!kept.contains('\0'));
            prop_assert_eq!(unescaped(&kept), text);
        }
    }
}
