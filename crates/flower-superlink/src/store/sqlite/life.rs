//! A node comes, or comes back: its key says which it is.

use flwr_core::id::NodeId;
use flwr_core::time::Timestamp;
use flwr_security::key::PublicKey;
use rusqlite::Connection;

use super::{messages, nodes};
use crate::link::state::{Changed, Registration, Written};
use crate::link::wake::Topic;

pub(super) fn register(
    connection: &Connection,
    key: &PublicKey,
    fresh: NodeId,
    until: Timestamp,
) -> Written<Registration> {
    if let Some(node) = nodes::of_key(connection, key)? {
        let freed = messages::unclaim(connection, node)?;
        let wake = vec![Topic::Node(node)];
        let resumed = true;
        return Ok((Registration { node, resumed }, Changed { freed, wake }));
    }
    nodes::add(connection, fresh, key, until)?;
    let registration = Registration {
        node: fresh,
        resumed: false,
    };
    Ok((registration, Changed::wake([Topic::Node(fresh)])))
}
