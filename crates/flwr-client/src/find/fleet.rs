//! Finds out in which wire a SuperLink serves Fleet.

use flwr_core::id::NodeId;
use flwr_core::port::{Fleet, Result};
use flwr_wire::generations::{v1_20_objects, v1_23_nodes};
use tracing::info;

use crate::channel::Carrier;
use crate::fleet::NodeSession;
use crate::line::SuperLinkLine;
use crate::signer::Signer;

/// A node's line to its SuperLink: signed, over the carrier that the SuperLink speaks.
pub type NodeLine = SuperLinkLine<Signer>;

/// What a node asks of its session.
#[derive(Debug, Clone, Copy)]
pub struct Joining {
    /// Seconds between two heartbeats, as the SuperLink is told.
    pub interval: f64,
    /// The node's key goes with this process. The node is unregistered when it leaves.
    pub is_passing: bool,
}

/// Joins the SuperLink at the other end of this line, in the wire that the SuperLink speaks. Gives the
/// session and the node's id. A node joins anew for each registration, since a SuperLink of another
/// release may have taken the place of the last: a connection over HTTP/1.1 may have been made again
/// without a failed call, and a SuperLink that speaks gRPC too is asked over gRPC.
///
/// The newest wire is tried first: a modern SuperLink is asked nothing else. The call by which a
/// node joins there leaves no trace in an earlier SuperLink, which does not have it. No earlier
/// SuperLink speaks HTTP/1.1.
///
/// # Errors
/// If the SuperLink refuses, or does not answer.
pub async fn joined(line: NodeLine, joining: Joining) -> Result<(NodeSession<NodeLine>, NodeId)> {
    let Joining {
        interval,
        is_passing,
    } = joining;
    let (clock, key) = (line.proof().clock(), line.proof().public_key());
    line.find_carrier_again();
    let newest = v1_23_nodes::fleet_over(line.clone(), clock, key, is_passing);
    match newest.join(interval).await {
        Ok(node) => {
            let wire = match line.carrier() {
                Carrier::Grpc => "flwr 1.23 to 1.39, over gRPC",
                Carrier::Http => "flwr 1.40 and later, over HTTP/1.1",
            };
            info!("the SuperLink speaks the wire of {wire}");
            Ok((NodeSession::V1_23(newest), node))
        }
        Err(failure) if line.carrier() == Carrier::Grpc && v1_23_nodes::is_earlier(&failure) => {
            let session = NodeSession::V1_20(earlier(line));
            let node = session.join(interval).await?;
            info!("the SuperLink speaks the wire of flwr 1.20 to 1.22, over gRPC");
            Ok((session, node))
        }
        Err(failure) => Err(failure),
    }
}

/// A session without a node, for calls that all SuperLinks have.
#[must_use]
pub fn unjoined(line: NodeLine) -> NodeSession<NodeLine> {
    NodeSession::V1_20(earlier(line))
}

fn earlier(line: NodeLine) -> v1_20_objects::FleetCaller<NodeLine> {
    let clock = line.proof().clock();
    v1_20_objects::fleet_over(line, clock)
}
