//! The flags and the ways of pip's daemons that differ between the releases.

use std::net::SocketAddr;
use std::process::Command;

use super::{Addresses, Federation, Plan, Security};
use crate::ports;
use crate::program::{Maker, Release};

/// Where a SuperLink listens for users and for app processes.
pub(super) fn add_superlink_addresses(command: &mut Command, plan: &Plan, addresses: &Addresses) {
    let maker = plan.superlink;
    // Users speak HTTP from 1.37 on, on the port of the apps.
    if maker.pips_since(37).is_some() {
        command.args(host_and_port(addresses.serverappio));
        if plan.control_over_grpc {
            command.args(["--control-api-address", &addresses.control.to_string()]);
            command.env("FLWR_INTERNAL_GRPC_CONTROL_API", "1");
        }
        return;
    }
    let control = match maker {
        Maker::Pip(release) if release <= Release::V1_20 => "--exec-api-address",
        _ => "--control-api-address",
    };
    command.args([control, &addresses.control.to_string()]);
    // Apps speak HTTP from here on.
    if maker.pips_since(35).is_some() {
        command.args(host_and_port(addresses.serverappio));
        return;
    }
    let serverappio = addresses.serverappio.to_string();
    command.args(["--serverappio-api-address", &serverappio]);
    if maker.pips_since(23).is_some() && maker.pips_since(28).is_none() {
        let free = format!("127.0.0.1:{}", ports::free());
        command.args(["--simulationio-api-address", &free]);
    }
}

/// Where a SuperNode listens for app processes.
pub(super) fn clientappio_flags(maker: Maker, address: SocketAddr) -> Vec<String> {
    match maker.pips_since(35) {
        Some(_) => host_and_port(address).into(),
        None => vec!["--clientappio-api-address".to_owned(), address.to_string()],
    }
}

fn host_and_port(address: SocketAddr) -> [String; 4] {
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    ["--host".to_owned(), host, "--port".to_owned(), port]
}

impl Addresses {
    /// Has the services of the SuperLink stand where its release has them.
    pub(super) fn share_port(&mut self, plan: &Plan) {
        let superlink = plan.superlink;
        if superlink.pips_since(37).is_some() && !plan.control_over_grpc {
            self.control = self.serverappio;
        }
        if superlink.pips_since(40).is_some() {
            self.fleet = self.serverappio;
        }
    }
}

impl Plan {
    /// Whose `flwr` registers the keys of the SuperNodes, where no list has them.
    pub(super) fn registrar(&self) -> Option<Maker> {
        // pip's SuperLinks of 1.23 and later know no list.
        let pips = self.superlink.pips_since(23).map(Maker::Pip);
        let maker = self.registered_by.or(pips);
        maker.filter(|_| self.security == Security::TlsAndAuth)
    }
}

impl Federation {
    /// Registers the keys of the SuperNodes, if the plan says so.
    ///
    /// # Panics
    /// If the SuperLink does not take one.
    pub(super) fn register_keys(&self) {
        let Some(maker) = self.plan.registrar() else {
            return;
        };
        let (app, flwr) = (self.app("mean"), self.flwr(maker));
        let place = match maker {
            Maker::Pip(_) => flwr.place(),
            Maker::Ours | Maker::OursWith(_) | Maker::Earlier => &["e2e"],
        };
        for key in &self.keys {
            let public = key.public.to_str().unwrap();
            let words = [&["supernode", "register", public][..], place].concat();
            let _ = flwr.call(&app.path, &words).success();
        }
    }
}
