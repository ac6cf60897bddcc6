//! What the ports are for, and the flags that set their addresses.

use flwr_daemon::listen::Service;

pub(super) const FLEET: Service = Service {
    name: "Fleet",
    flag: "--fleet-api-address",
};
pub(super) const CONTROL: Service = Service {
    name: "Control",
    flag: "--control-api-address",
};
pub(super) const SERVERAPPIO: Service = Service {
    name: "ServerAppIo",
    flag: "--serverappio-api-address",
};
pub(super) const COMMON: Service = Service {
    name: "HTTP",
    flag: "--port",
};
pub(super) const HEALTH: Service = Service {
    name: "Health",
    flag: "--health-server-address",
};
pub(super) const JOIN: Service = Service {
    name: "Join",
    flag: "--join-api-address",
};
