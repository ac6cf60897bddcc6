//! Finds out in which wire a SuperLink serves Fleet.

use flwr_core::port::Result;
use flwr_wire::generations::v1_20_objects;

use crate::channel::Channel;
use crate::fleet::NodeSession;
use crate::line::{Carries, GrpcLine};
use crate::signer::Signer;

/// A node's line to its SuperLink: signed, over gRPC.
pub type NodeLine = GrpcLine<Channel, Signer>;

/// A session with the SuperLink at the other end of this line, in the wire that the SuperLink
/// speaks. A node opens a session for each registration, since a SuperLink of another release may
/// have taken the place of the last.
///
/// All SuperLinks that a node can work for today speak one wire, so that nothing is asked.
///
/// # Errors
/// If the SuperLink does not answer.
pub async fn fleet<S: Carries>(
    line: GrpcLine<S, Signer>,
) -> Result<NodeSession<GrpcLine<S, Signer>>> {
    let clock = line.proof().clock();
    Ok(NodeSession::V1_20(v1_20_objects::fleet_over(line, clock)))
}
