//! The daemons of the local federation, with their flags and ports.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;

use super::material::Material;
use super::member::Member;
use super::{Local, ports, programs};
use crate::error::{Error, Result};
use crate::local_federation::LocalFederation;
use crate::render::Output;

/// The usual port of ServerAppIo; Fleet, Control and the ClientAppIo of the SuperNodes follow.
const PORTS: u16 = 9091;

/// The daemons to start, with their flags.
pub(super) struct Plan {
    pub(super) superlink: Member,
    pub(super) supernodes: Vec<Member>,
    pub(super) description: LocalFederation,
}

impl Plan {
    /// Makes certificates and keys, and finds ports.
    pub(super) fn make(
        local: &Local,
        supernodes: u32,
        path: &OsString,
        output: &mut Output,
    ) -> Result<Self> {
        let material = Material::make(local, supernodes)?;
        let mut place = |number: u16, what: &str| -> Result<SocketAddr> {
            let place = ports::free(PORTS.saturating_add(number)).map_err(Error::NoPort)?;
            if let Some(usual) = place.instead_of {
                output.say(&format!(
                    "Port {usual} is taken: {what} is on {}",
                    place.address.port()
                ))?;
            }
            Ok(place.address)
        };
        let serverappio = place(0, "ServerAppIo")?;
        let fleet = place(1, "Fleet")?;
        let control = place(2, "Control")?;
        let mut nodes = Vec::new();
        let program = programs::daemon("flower-supernode")?;
        for (n, key) in (1..).zip(&material.nodes) {
            let address = place(2 + n, &format!("ClientAppIo of supernode-{n}"))?;
            nodes.push(Member {
                name: format!("supernode-{n}"),
                program: program.clone(),
                arguments: supernode(&material, key, fleet, address, (n, supernodes)),
                path: path.clone(),
            });
        }
        let superlink = Member {
            name: "superlink".to_owned(),
            program: programs::daemon("flower-superlink")?,
            arguments: superlink(local, &material, serverappio, fleet, control),
            path: path.clone(),
        };
        let description = LocalFederation {
            pid: std::process::id(),
            since: String::new(),
            address: control.to_string(),
            fleet_address: fleet.to_string(),
            root_certificates: material.ca,
            supernodes,
            log: None,
        };
        Ok(Self {
            superlink,
            supernodes: nodes,
            description,
        })
    }
}

/// `--name value` for each pair.
fn flags<const N: usize>(pairs: [(&str, OsString); N]) -> Vec<OsString> {
    pairs
        .into_iter()
        .flat_map(|(name, value)| [name.into(), value])
        .collect()
}

fn superlink(
    local: &Local,
    material: &Material,
    serverappio: SocketAddr,
    fleet: SocketAddr,
    control: SocketAddr,
) -> Vec<OsString> {
    let state = local.directory().join("superlink/state.db");
    let mut arguments = flags([
        ("--ssl-ca-certfile", material.ca.clone().into()),
        ("--ssl-certfile", material.certificate.clone().into()),
        ("--ssl-keyfile", material.key.clone().into()),
        ("--auth-list-public-keys", material.list.clone().into()),
        ("--serverappio-api-address", serverappio.to_string().into()),
        ("--fleet-api-address", fleet.to_string().into()),
        ("--control-api-address", control.to_string().into()),
        // The usual one may be another SuperLink's.
        ("--port", "0".into()),
        ("--database", state.into()),
    ]);
    arguments.push("--until-stdin-closes".into());
    arguments
}

fn supernode(
    material: &Material,
    key: &Path,
    fleet: SocketAddr,
    clientappio: SocketAddr,
    (number, all): (u16, u32),
) -> Vec<OsString> {
    let node = format!("partition-id={} num-partitions={all}", number - 1);
    let mut public = key.as_os_str().to_owned();
    public.push(".pub");
    let mut arguments = flags([
        ("--superlink", fleet.to_string().into()),
        ("--root-certificates", material.ca.clone().into()),
        ("--auth-supernode-private-key", key.into()),
        ("--auth-supernode-public-key", public),
        ("--clientappio-api-address", clientappio.to_string().into()),
        ("--node-config", node.into()),
        // The whole federation stops: nobody takes the reply.
        ("--drain", "0".into()),
    ]);
    arguments.push("--until-stdin-closes".into());
    arguments
}
