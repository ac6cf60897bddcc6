//! Converts between messages and tasks (`TaskIns`, `TaskRes`).

use bytes::Bytes;
use flwr_core::id::NodeId;
use flwr_proto as proto;
use flwr_proto::v1_08 as wire;

use super::records::{self, Numbering, RecordError};
use crate::inflate::Inflated;

/// The code of a node that is gone: since flwr 1.15, and in these releases.
const NODE_UNAVAILABLE: [i64; 2] = [5, 3];

/// An instruction as a TaskIns, or a reply as a TaskRes. `name` gives the ids their names.
///
/// # Errors
/// If these releases cannot have the records.
pub(super) fn from_message(
    inflated: Inflated,
    numbering: Numbering,
    name: impl Fn(&str) -> String,
    pushed_at: f64,
) -> Result<wire::TaskMessage, RecordError> {
    let message: proto::Message = inflated.message.into();
    let metadata = message.metadata.unwrap_or_default();
    let content = inflated.content;
    let recordset = content.map(|content| records::to_task(content, numbering));
    let ancestry = Some(metadata.reply_to_message_id).filter(|id| !id.is_empty());
    let task = wire::Task {
        producer: Some(node(metadata.src_node_id)),
        consumer: Some(node(metadata.dst_node_id)),
        created_at: metadata.created_at,
        delivered_at: String::new(),
        pushed_at,
        ttl: metadata.ttl,
        ancestry: ancestry.iter().map(|id| name(id)).collect(),
        task_type: metadata.message_type,
        recordset: recordset.transpose()?,
        error: message.error.map(|error| proto::Error {
            code: if error.code == NODE_UNAVAILABLE[0] {
                NODE_UNAVAILABLE[1]
            } else {
                error.code
            },
            ..error
        }),
    };
    Ok(wire::TaskMessage {
        task_id: name(&metadata.message_id),
        group_id: metadata.group_id,
        run_id: metadata.run_id,
        task: Some(task),
    })
}

/// The answer to a task that was not sent, whose name is empty: no run is known of it, and it
/// replies to no task.
pub(super) fn of_unsent(now: f64) -> wire::TaskMessage {
    let superlink = node(NodeId::SUPERLINK.0);
    let task = wire::Task {
        producer: Some(superlink),
        consumer: Some(superlink),
        created_at: now,
        pushed_at: now,
        task_type: "system".to_owned(),
        error: Some(proto::Error {
            code: NODE_UNAVAILABLE[1],
            reason: "Error: Node Unavailable - The destination node is not there any more."
                .to_owned(),
        }),
        ..wire::Task::default()
    };
    wire::TaskMessage {
        task: Some(task),
        ..wire::TaskMessage::default()
    }
}

/// The ServerApp is 0 and anonymous in those versions.
fn node(id: u64) -> wire::Node {
    let is_server_app = id == NodeId::SUPERLINK.0;
    wire::Node {
        node_id: if is_server_app { 0 } else { id },
        anonymous: is_server_app,
    }
}

/// What a task says as a message. Its records are still bytes.
#[derive(Debug)]
pub(super) struct Parts {
    /// Its metadata; the id is left out.
    pub(super) metadata: proto::Metadata,
    /// The content.
    pub(super) recordset: Option<Bytes>,
    /// The error.
    pub(super) error: Option<proto::Error>,
}

/// Reads a task.
#[must_use]
pub(super) fn parts(message: wire::TaskMessage) -> Parts {
    let task = message.task.unwrap_or_default();
    let id = |node: Option<wire::Node>| match node.unwrap_or_default() {
        wire::Node { node_id: 0, .. } => NodeId::SUPERLINK.0,
        node => node.node_id,
    };
    Parts {
        metadata: proto::Metadata {
            run_id: message.run_id,
            message_id: String::new(),
            src_node_id: id(task.producer),
            dst_node_id: id(task.consumer),
            reply_to_message_id: task.ancestry.into_iter().next().unwrap_or_default(),
            group_id: message.group_id,
            ttl: task.ttl,
            message_type: task.task_type,
            created_at: task.created_at,
            src_task_id: None,
            dst_task_id: None,
        },
        recordset: task.recordset,
        error: task.error,
    }
}
