//! Messages with their content in them.

use flwr_proto as proto;
use flwr_proto::v1_15 as wire;

use crate::inflate::Inflated;
use crate::record_maps;

/// A message with its content in it.
#[must_use]
pub(super) fn from_inflated(inflated: Inflated) -> wire::Message {
    let message: proto::Message = inflated.message.into();
    wire::Message {
        metadata: message.metadata,
        content: inflated.content.map(record_maps::to_maps),
        error: message.error,
    }
}
