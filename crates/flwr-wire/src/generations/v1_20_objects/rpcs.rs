//! The methods by which nodes of flwr 1.20 to 1.22 come and go, for both halves.

use flwr_proto as proto;

use crate::rpc::Rpc;

pub(super) const CREATE_NODE: Rpc<proto::CreateNodeRequest, proto::CreateNodeResponse> =
    Rpc::at("/flwr.proto.Fleet/CreateNode");
pub(super) const DELETE_NODE: Rpc<proto::DeleteNodeRequest, proto::DeleteNodeResponse> =
    Rpc::at("/flwr.proto.Fleet/DeleteNode");
