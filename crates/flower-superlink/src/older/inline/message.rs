//! A message in one piece, and as objects.

use std::collections::HashMap;

use bytes::Bytes;
use flwr_core::id::RunId;
use flwr_core::message::Message;
use flwr_core::object::{ObjectId, ObjectTree};
use flwr_core::record::{self, InflateError};
use flwr_proto as proto;
use flwr_proto::older::inline as wire;
use tokio::task::spawn_blocking;

use super::records;
use crate::error::{Error, Result};
use crate::link::state::Parcel;
use crate::link::{Link, Pulled};

/// A message with all its objects.
pub(super) struct Whole {
    pub(super) parcel: Parcel,
    pub(super) objects: HashMap<ObjectId, Bytes>,
}

/// Puts a message together, or says why its objects make none.
pub(super) async fn whole(
    link: &Link,
    parcel: Parcel,
) -> Result<std::result::Result<wire::Message, InflateError>> {
    let Parcel { message, tree } = parcel;
    let run = message.metadata.run;
    let mut objects = HashMap::new();
    for object in tree.post_order() {
        if let Pulled::There(bytes) = link.pull_object(run, object.id).await? {
            objects.insert(object.id, bytes);
        }
    }
    let inflate = move || match tree.children.first() {
        None => Ok(None),
        Some(content) => record::inflate(content.id, &|id| objects.get(id).cloned())
            .map(|content| Some(records::to_inline(content))),
    };
    let content = spawn_blocking(inflate).await.map_err(|_| Error::Stopping)?;
    Ok(content.map(|content| {
        let message: proto::Message = message.into();
        wire::Message {
            metadata: message.metadata,
            content,
            error: message.error,
        }
    }))
}

/// Takes a message apart that `read` finds good. Its id is made here: whoever sent it left that to
/// the SuperLink.
pub(super) async fn apart(
    message: wire::Message,
    read: impl FnOnce(proto::Message) -> Result<Message>,
) -> Result<Whole> {
    let content = message.content;
    let mut message = read(proto::Message {
        metadata: message.metadata.map(|metadata| proto::Metadata {
            message_id: ObjectId::of(&[]).to_string(),
            ..metadata
        }),
        content: content.is_some().then(proto::RecordDict::default),
        error: message.error,
    })?;
    let deflate = move || content.map(|content| record::deflate(records::from_inline(content)));
    let content = spawn_blocking(deflate).await.map_err(|_| Error::Stopping)?;
    let object = message.object(content.as_ref().map(|content| content.tree.id));
    message.metadata.id = object.id;
    let (children, mut objects) = match content {
        None => (Vec::new(), HashMap::new()),
        Some(content) => (vec![content.tree], content.objects),
    };
    let tree = ObjectTree {
        id: object.id,
        children,
    };
    objects.insert(object.id, object.bytes);
    Ok(Whole {
        parcel: Parcel { message, tree },
        objects,
    })
}

/// Stores the objects that are missing, of those that are here.
pub(super) async fn push_objects(
    link: &Link,
    run: RunId,
    missing: Vec<ObjectId>,
    mut objects: HashMap<ObjectId, Bytes>,
) -> Result<()> {
    for id in missing {
        if let Some(bytes) = objects.remove(&id) {
            link.push_object(run, id, bytes).await?;
        }
    }
    Ok(())
}
