//! Messages of the test's own: errors, which are one object each.

use flwr_proto::{Error, Message, Metadata, ObjectTree};
use time::OffsetDateTime;

/// An object of nobody.
pub(super) const NO_OBJECT: &str =
    "a98040e47aea50529f21f6936f241a8f096c208c64e56c9dcdd51c3872a18d8c";

/// A message that has an error in place of content.
#[derive(Clone)]
pub(super) struct Reply {
    pub(super) message: Message,
    pub(super) tree: ObjectTree,
    /// The message as an object.
    pub(super) object: Vec<u8>,
}

/// Of a reply to the ServerApp.
pub(super) fn metadata() -> Metadata {
    let now = OffsetDateTime::now_utc();
    Metadata {
        dst_node_id: 1,
        group_id: "1".to_owned(),
        ttl: 60.0,
        message_type: "train".to_owned(),
        created_at: now.unix_timestamp() as f64,
        ..Metadata::default()
    }
}

impl Reply {
    pub(super) fn new(metadata: Metadata) -> Self {
        let error = Error {
            code: 2,
            reason: "this node has trouble".to_owned(),
        };
        let mut message = Message {
            metadata: Some(metadata),
            error: Some(error),
            ..Message::default()
        };
        let body = prost::Message::encode_to_vec(&message);
        let mut object = format!("Message  {}\0", body.len()).into_bytes();
        object.extend(body);
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &object);
        let id = digest.as_ref().iter();
        let id: String = id.map(|byte| format!("{byte:02x}")).collect();
        if let Some(metadata) = &mut message.metadata {
            metadata.message_id.clone_from(&id);
        }
        let tree = ObjectTree {
            object_id: id,
            children: vec![],
        };
        Self {
            message,
            tree,
            object,
        }
    }
}
