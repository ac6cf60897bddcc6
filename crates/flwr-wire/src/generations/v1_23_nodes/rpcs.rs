//! The steps of a node's life in flwr 1.23 to 1.39, for both halves.

use flwr_proto as proto;

use crate::rpc::Rpc;

pub(super) const REGISTER_NODE: Rpc<
    proto::RegisterNodeFleetRequest,
    proto::RegisterNodeFleetResponse,
> = Rpc::at("/flwr.proto.Fleet/RegisterNode");
pub(super) const ACTIVATE_NODE: Rpc<proto::ActivateNodeRequest, proto::ActivateNodeResponse> =
    Rpc::at("/flwr.proto.Fleet/ActivateNode");
pub(super) const DEACTIVATE_NODE: Rpc<proto::DeactivateNodeRequest, proto::DeactivateNodeResponse> =
    Rpc::at("/flwr.proto.Fleet/DeactivateNode");
pub(super) const UNREGISTER_NODE: Rpc<
    proto::UnregisterNodeFleetRequest,
    proto::UnregisterNodeFleetResponse,
> = Rpc::at("/flwr.proto.Fleet/UnregisterNode");
