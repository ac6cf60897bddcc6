//! The flags that differ between the daemons of makers.

use std::net::SocketAddr;
use std::process::Command;

use super::Maker;
use crate::support::daemon::here;

/// Says where a SuperLink listens, and which SuperNodes it lets in. Gives the ports of Fleet, Control and
/// ServerAppIo.
pub(super) fn add_superlink_flags(
    command: &mut Command,
    maker: Maker,
    ports: [u16; 3],
) -> [u16; 3] {
    let [fleet, control, serverappio] = ports;
    if maker == Maker::Newest {
        // All services are on one port, and keys are registered.
        command.arg("--enable-supernode-auth");
        command.args(host_and_port(here(fleet)));
        return [fleet; 3];
    }
    command.args(["--auth-list-public-keys", "keys/client_public_keys.csv"]);
    command.args(["--fleet-api-address", &here(fleet).to_string()]);
    command.args(["--control-api-address", &here(control).to_string()]);
    command.args(["--serverappio-api-address", &here(serverappio).to_string()]);
    ports
}

/// Where a SuperNode listens for ClientApps.
pub(super) fn clientappio(maker: Maker, address: SocketAddr) -> Vec<String> {
    match maker {
        Maker::Newest => host_and_port(address).into(),
        Maker::Ours | Maker::Pip | Maker::Earlier => {
            vec!["--clientappio-api-address".to_owned(), address.to_string()]
        }
    }
}

fn host_and_port(address: SocketAddr) -> [String; 4] {
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    ["--host".to_owned(), host, "--port".to_owned(), port]
}
