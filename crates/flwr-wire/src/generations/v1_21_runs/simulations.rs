//! The calls of simulations (flwr 1.20 to 1.31). A SuperLink of ours simulates nothing, and says so.

/// The calls that only simulations make.
pub(super) const CALLS: [&str; 11] = [
    "/flwr.proto.ServerAppIo/GetFederationOptions",
    "/flwr.proto.SimulationIo/ListAppsToLaunch",
    "/flwr.proto.SimulationIo/RequestToken",
    "/flwr.proto.SimulationIo/GetRun",
    "/flwr.proto.SimulationIo/PullAppInputs",
    "/flwr.proto.SimulationIo/PushAppOutputs",
    "/flwr.proto.SimulationIo/UpdateRunStatus",
    "/flwr.proto.SimulationIo/PushLogs",
    "/flwr.proto.SimulationIo/GetFederationOptions",
    "/flwr.proto.SimulationIo/GetRunStatus",
    "/flwr.proto.SimulationIo/SendAppHeartbeat",
];
