//! How a reply lies in its file:
//!
//! ```text
//! "FLWRNODE" | version u32 | message | tree | context | objects…
//! ```
//! Numbers are little-endian. Message, tree and Context are protobuf behind their length (u32; a
//! Context of no bytes is none); an object is its id (32 bytes), its length (u64) and its bytes,
//! which must hash to the id.

use std::collections::HashMap;
use std::io::{self, Read, Write};

use bytes::{Buf, Bytes};
use flwr_core::context::Context;
use flwr_core::message::Message;
use flwr_core::object::{ObjectId, ObjectTree};
use thiserror::Error;

use super::{Reply, Stored};

const MAGIC: &[u8; 8] = b"FLWRNODE";
pub(super) const VERSION: u32 = 1;

/// Why a file is no reply.
#[derive(Debug, Error)]
pub(super) enum Unreadable {
    #[error("{0}")]
    Failed(#[from] io::Error),
    #[error("no SuperNode wrote it")]
    Foreign,
    #[error("a newer SuperNode wrote it (format {0}, and this one knows formats up to {VERSION})")]
    Newer(u32),
    #[error("it is damaged")]
    Damaged,
}

/// All but the objects.
pub(super) fn head(stored: &Stored) -> Vec<u8> {
    let mut head = MAGIC.to_vec();
    head.extend(VERSION.to_le_bytes());
    let Reply { message, tree, .. } = &stored.reply;
    let context = stored.context.as_ref().map(Context::to_bytes);
    let parts = [
        message.to_bytes(),
        tree.to_bytes(),
        context.unwrap_or_default(),
    ];
    for part in parts {
        // Protobuf holds less than 2 GiB.
        let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
        head.extend(length.to_le_bytes());
        head.extend(part);
    }
    head
}

pub(super) fn write(
    file: &mut impl Write,
    head: &[u8],
    objects: &HashMap<ObjectId, Bytes>,
) -> io::Result<()> {
    file.write_all(head)?;
    for (id, content) in objects {
        file.write_all(id.as_bytes())?;
        file.write_all(&(content.len() as u64).to_le_bytes())?;
        file.write_all(content)?;
    }
    Ok(())
}

pub(super) fn read(mut bytes: Bytes) -> Result<Stored, Unreadable> {
    if take(&mut bytes, MAGIC.len()).is_none_or(|magic| magic[..] != MAGIC[..]) {
        return Err(Unreadable::Foreign);
    }
    match take_u32(&mut bytes) {
        Some(VERSION) => {}
        Some(newer) => return Err(Unreadable::Newer(newer)),
        None => return Err(Unreadable::Damaged),
    }
    read_parts(bytes).ok_or(Unreadable::Damaged)
}

/// The message of a reply's file: the objects stay unread.
pub(super) fn message(file: &mut impl Read) -> Result<Message, Unreadable> {
    let mut start = [0; 16];
    file.read_exact(&mut start)?;
    let mut start = Bytes::copy_from_slice(&start);
    if take(&mut start, MAGIC.len()).is_none_or(|magic| magic[..] != MAGIC[..]) {
        return Err(Unreadable::Foreign);
    }
    if let Some(newer) = take_u32(&mut start).filter(|version| *version != VERSION) {
        return Err(Unreadable::Newer(newer));
    }
    let length = take_u32(&mut start).ok_or(Unreadable::Damaged)?;
    let mut message = Vec::new();
    file.take(length.into()).read_to_end(&mut message)?;
    Message::reply_from_bytes(message.into()).ok_or(Unreadable::Damaged)
}

fn read_parts(mut bytes: Bytes) -> Option<Stored> {
    let message = Message::reply_from_bytes(take_part(&mut bytes)?)?;
    let tree = ObjectTree::from_bytes(take_part(&mut bytes)?)?;
    let context = take_part(&mut bytes)?;
    let context = if context.is_empty() {
        None
    } else {
        Some(Context::from_bytes(context).ok()?)
    };
    let mut objects = HashMap::new();
    while !bytes.is_empty() {
        let id = ObjectId::from_bytes(take(&mut bytes, 32)?[..].try_into().ok()?);
        let length = take(&mut bytes, 8)?.get_u64_le();
        let content = take(&mut bytes, usize::try_from(length).ok()?)?;
        if ObjectId::of(&content) != id {
            return None;
        }
        objects.insert(id, content);
    }
    let reply = Reply {
        message,
        tree,
        objects,
        worked: None,
    };
    Some(Stored { reply, context })
}

fn take_part(bytes: &mut Bytes) -> Option<Bytes> {
    let length = take_u32(bytes)?;
    take(bytes, usize::try_from(length).ok()?)
}

fn take_u32(bytes: &mut Bytes) -> Option<u32> {
    Some(take(bytes, 4)?.get_u32_le())
}

fn take(bytes: &mut Bytes, length: usize) -> Option<Bytes> {
    (bytes.len() >= length).then(|| bytes.split_to(length))
}
