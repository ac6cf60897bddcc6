//! How a node comes to a SuperLink of flwr 1.23 to 1.39, and goes.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use flwr_core::id::NodeId;
use flwr_core::port::Result;
use flwr_core::refusal::{Code, Failure};
use flwr_proto as proto;

use super::rpcs;
use crate::line::{Line, Now};
use crate::objects::{Entrance, NodeCaller};

/// A node's session with a SuperLink at the other end of a line.
pub type FleetCaller<L> = NodeCaller<L, Activated>;

/// The node is activated by its key. A SuperLink that does not know the key is asked to register the
/// key first.
#[derive(Debug)]
pub struct Activated {
    /// PEM.
    key: Bytes,
    /// This session has registered the key.
    has_registered: AtomicBool,
    /// The key goes with this process.
    is_passing: bool,
}

/// A session at the other end of this line, for the holder of this key (PEM), which signs there. The
/// node has no id before it has joined. `is_passing`: the key goes with this process, so that the node
/// is unregistered when it leaves.
pub fn fleet_over<L: Line>(line: L, now: Now, key: Bytes, is_passing: bool) -> FleetCaller<L> {
    let entrance = Activated {
        key,
        has_registered: AtomicBool::new(false),
        is_passing,
    };
    NodeCaller::over(line, now, entrance)
}

/// Whether the answer to ActivateNode means that the SuperLink is of an earlier release. Our own
/// SuperLinks of before flwr 1.23 look for the caller's node first, and find none.
#[must_use]
pub fn is_earlier(failure: &Failure) -> bool {
    failure.is_unknown_method() || has_code(failure, Code::NodeNotRegistered)
}

fn has_code(failure: &Failure, code: Code) -> bool {
    matches!(failure, Failure::Answered(refused) if refused.code == Some(code))
}

impl Activated {
    async fn activate<L: Line>(&self, line: &L, interval: f64) -> Result<NodeId> {
        let request = proto::ActivateNodeRequest {
            public_key: self.key.clone(),
            heartbeat_interval: interval,
        };
        let answer = rpcs::ACTIVATE_NODE.call(line, request).await?;
        Ok(NodeId(answer.node_id))
    }

    async fn register<L: Line>(&self, line: &L) -> Result<()> {
        let public_key = self.key.clone();
        let request = proto::RegisterNodeFleetRequest { public_key };
        rpcs::REGISTER_NODE.call(line, request).await?;
        self.has_registered.store(true, Ordering::Relaxed);
        Ok(())
    }
}

impl Entrance for Activated {
    async fn join<L: Line>(&self, line: &L, interval: f64) -> Result<NodeId> {
        // SuperLinks of flwr 1.33 and later do not tell whether no node has the key, or an online one.
        let not_activated = match self.activate(line, interval).await {
            Err(failure) if has_code(&failure, Code::FleetNodeActivationFailed) => failure,
            activated => return activated,
        };
        match self.register(line).await {
            Ok(()) => self.activate(line, interval).await,
            Err(failure) if has_code(&failure, Code::PublicKeyAlreadyInUse) => Err(not_activated),
            Err(failure) => Err(failure),
        }
    }

    async fn leave<L: Line>(&self, line: &L, node: NodeId) -> Result<()> {
        let request = proto::DeactivateNodeRequest { node_id: node.0 };
        rpcs::DEACTIVATE_NODE.call(line, request).await?;
        let has_registered = self.has_registered.swap(false, Ordering::Relaxed);
        if self.is_passing && has_registered {
            let request = proto::UnregisterNodeFleetRequest { node_id: node.0 };
            rpcs::UNREGISTER_NODE.call(line, request).await?;
        }
        Ok(())
    }
}
