//! How a node comes to a SuperLink of flwr 1.20 to 1.22, and goes.

use flwr_core::id::NodeId;
use flwr_core::port::Result;
use flwr_proto as proto;

use super::rpcs;
use crate::line::{Line, Now};
use crate::objects::{Entrance, NodeCaller};

/// A node's session with a SuperLink at the other end of a line.
pub type FleetCaller<L> = NodeCaller<L, Created>;

/// The node is created by its first call, and deleted by its last.
#[derive(Debug, Clone, Copy)]
pub struct Created;

/// A session at the other end of this line, for the holder of the key that signs there. The node
/// has no id before it has joined.
pub fn fleet_over<L: Line>(line: L, now: Now) -> FleetCaller<L> {
    NodeCaller::over(line, now, Created)
}

impl Entrance for Created {
    async fn join<L: Line>(&self, line: &L, interval: f64) -> Result<NodeId> {
        let request = proto::CreateNodeRequest {
            heartbeat_interval: interval,
        };
        let answer = rpcs::CREATE_NODE.call(line, request).await?;
        Ok(answer.node.into())
    }

    async fn leave<L: Line>(&self, line: &L, node: NodeId) -> Result<()> {
        let node = Some(node.into());
        let request = proto::DeleteNodeRequest { node };
        rpcs::DELETE_NODE.call(line, request).await.map(drop)
    }
}
