//! The flags and the ways of pip's daemons that differ between the releases.

use std::net::SocketAddr;
use std::process::Command;

use super::{Addresses, Federation, Security};
use crate::ports;
use crate::program::{Maker, Release};

/// Where a SuperLink listens for users and for app processes.
pub(super) fn add_superlink_addresses(command: &mut Command, maker: Maker, addresses: &Addresses) {
    if maker.pips_since(40).is_some() {
        command.args(host_and_port(addresses.serverappio));
        return;
    }
    let control = match maker {
        Maker::Pip(release) if release <= Release::V1_20 => "--exec-api-address",
        _ => "--control-api-address",
    };
    command.args([control, &addresses.control.to_string()]);
    if maker.pips_since(35).is_some() {
        // Apps speak HTTP from here on, and users from 1.37 on. Users of gRPC are served on demand.
        command.args(host_and_port(addresses.serverappio));
        command.env("FLWR_INTERNAL_GRPC_CONTROL_API", "1");
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

impl Federation {
    /// Where pip's `flwr` of this release reaches the SuperLink.
    pub(super) fn control_of(&self, release: Release) -> SocketAddr {
        let speaks_http = release.is_since(37) && self.plan.superlink.pips_since(37).is_some();
        match speaks_http {
            true => self.addresses.serverappio,
            false => self.addresses.control,
        }
    }

    /// Registers the keys of the SuperNodes, where a list of keys is no longer known.
    ///
    /// # Panics
    /// If the SuperLink does not take one.
    pub(super) fn register_keys(&self) {
        let Some(release) = self.plan.superlink.pips_since(23) else {
            return;
        };
        if self.plan.security != Security::TlsAndAuth {
            return;
        }
        let (app, flwr) = (self.app("mean"), self.flwr(Maker::Pip(release)));
        for key in &self.keys {
            let public = key.public.to_str().unwrap();
            let words = [&["supernode", "register", public][..], flwr.place()].concat();
            let _ = flwr.call(&app.path, &words).success();
        }
    }
}
