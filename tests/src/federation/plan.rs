//! The plan of a federation: whose programs, which flags, and the start of all of them.

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::{Addresses, Federation, Isolation, Plan, Security, pips};
use crate::keys::{self, NodeKey};
use crate::launcher::{self, Launcher};
use crate::pki::{self, Flaw, Pki};
use crate::process::Process;
use crate::program::{Maker, Release};
use crate::scratch::Scratch;

impl Plan {
    /// Whose SuperLink it is; ours if nothing is said.
    #[must_use]
    pub fn superlink(mut self, maker: Maker) -> Self {
        self.superlink = maker;
        self
    }

    /// How many SuperNodes of ours it has; two if nothing is said.
    #[must_use]
    pub fn nodes(self, count: usize) -> Self {
        self.supernodes(vec![Maker::Ours; count])
    }

    /// Whose SuperNodes it has.
    #[must_use]
    pub fn supernodes(mut self, makers: impl Into<Vec<Maker>>) -> Self {
        self.supernodes = makers.into();
        self
    }

    /// Who starts the apps; the daemons if nothing is said.
    #[must_use]
    pub const fn isolation(mut self, isolation: Isolation) -> Self {
        self.isolation = isolation;
        self
    }

    /// The release of the superexecs that start the apps; 1.22 if nothing is said.
    #[must_use]
    pub const fn superexec(mut self, release: Release) -> Self {
        self.superexec = release;
        self
    }

    /// The superexecs prove that they may start apps, by a secret that they share with the daemons.
    #[must_use]
    pub const fn superexec_secret(mut self) -> Self {
        self.superexec_secret = true;
        self
    }

    /// The keys of the SuperNodes are registered by this `flwr`, in place of a list. If nothing is said
    /// they are on a list, but for SuperLinks that know no list.
    #[must_use]
    pub const fn registered_by(mut self, flwr: Maker) -> Self {
        self.registered_by = Some(flwr);
        self
    }

    /// The flags of the shared secret. Each process has a file of its own: a superexec deletes its
    /// file.
    pub(super) fn secret_flags(&self, scratch: &Scratch, name: &str) -> Vec<OsString> {
        if !self.superexec_secret {
            return Vec::new();
        }
        let file = scratch.folder("secrets").join(name);
        fs::write(&file, "a secret that superexecs and daemons share").unwrap();
        vec!["--superexec-auth-secret-file".into(), file.into()]
    }

    /// What is wrong with the SuperLink's certificate; nothing if nothing is said.
    #[must_use]
    pub const fn flaw(mut self, flaw: Flaw) -> Self {
        self.flaw = flaw;
        self
    }

    /// Further flags for the SuperLink.
    #[must_use]
    pub fn superlink_flags(mut self, flags: &[&str]) -> Self {
        self.superlink_flags = flags.iter().map(|&flag| flag.to_owned()).collect();
        self
    }

    /// Further flags for each SuperNode.
    #[must_use]
    pub fn supernode_flags(mut self, flags: &[&str]) -> Self {
        self.supernode_flags = flags.iter().map(|&flag| flag.to_owned()).collect();
        self
    }

    /// A SuperLink of flwr 1.37 to 1.39 serves users over gRPC too, on a port of their own, as it does on
    /// demand.
    #[must_use]
    pub const fn control_over_grpc(mut self) -> Self {
        self.control_over_grpc = true;
        self
    }

    /// A variable in the environment of each daemon.
    #[must_use]
    pub fn variable(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// Variables in the environment of the SuperLink.
    #[must_use]
    pub fn superlink_variables(mut self, variables: Vec<(String, OsString)>) -> Self {
        self.superlink_variables.extend(variables);
        self
    }

    /// What starts each daemon.
    #[must_use]
    pub fn launcher(mut self, launcher: Launcher) -> Self {
        self.launcher = launcher;
        self
    }

    /// Where SuperNodes look for programs first.
    #[must_use]
    pub fn supernode_programs(mut self, folder: &Path) -> Self {
        self.supernode_programs = Some(folder.to_owned());
        self
    }

    /// The configuration of each SuperNode has its release, for apps that tell of it.
    #[must_use]
    pub const fn supernode_releases(mut self) -> Self {
        self.supernode_releases = true;
        self
    }

    /// The configuration of a SuperNode.
    pub(super) fn node_config(&self, index: usize) -> String {
        let value = format!("value={}.0", index + 1);
        if !self.supernode_releases {
            return value;
        }
        let release = match self.supernodes[index] {
            Maker::Ours | Maker::OursWith(_) => "ours".to_owned(),
            Maker::Earlier => "ours, earlier".to_owned(),
            Maker::Pip(release) => release.number(),
        };
        format!("{value} release=\"{release}\"")
    }

    /// Where SuperNodes connect to, if not to the SuperLink itself: somebody who passes it on.
    #[must_use]
    pub const fn gateway(mut self, address: SocketAddr) -> Self {
        self.gateway = Some(address);
        self
    }

    /// The port of Fleet, if somebody has to know it before.
    #[must_use]
    pub const fn fleet_port(mut self, port: u16) -> Self {
        self.fleet_port = Some(port);
        self
    }

    /// Starts the SuperLink, waits until it listens, and starts the SuperNodes.
    ///
    /// # Panics
    /// If one of them does not start.
    #[must_use]
    pub fn start(self) -> Federation {
        let scratch = Scratch::new();
        let count = self.supernodes.len();
        let mut addresses = Addresses::free(count);
        if let Some(port) = self.fleet_port {
            addresses.fleet.set_port(port);
        }
        addresses.share_port(&self);
        let certificates = scratch.path().join("certificates");
        let pki =
            (self.security != Security::Insecure).then(|| pki::make(&certificates, self.flaw));
        let folder = scratch.path().join("keys");
        let keys: Vec<NodeKey> = match self.security {
            Security::TlsAndAuth => (0..count.max(1))
                .map(|i| NodeKey::make(&folder, &format!("node-{i}")))
                .collect(),
            Security::Insecure | Security::Tls => Vec::new(),
        };
        if !keys.is_empty() {
            keys::write_list(&folder.join("list.csv"), &keys);
        }
        let superlink = start_superlink(&self, &addresses, pki.as_ref(), &scratch);
        let mut federation = Federation {
            plan: self,
            addresses,
            pki,
            keys,
            superexecs: vec![],
            nodes: vec![],
            superlink,
            scratch,
        };
        federation.wait_for_superlink();
        federation.register_keys();
        federation.start_superexec("serverapp", federation.addresses.serverappio);
        for index in 0..count {
            let node = federation.start_node(index);
            federation.nodes.push(node);
            federation.start_superexec("clientapp", federation.addresses.clientappio[index]);
        }
        federation
    }
}

pub(super) fn start_superlink(
    plan: &Plan,
    addresses: &Addresses,
    pki: Option<&Pki>,
    scratch: &Scratch,
) -> Process {
    let mut command = superlink_command(plan, addresses, pki, scratch);
    let mut command = plan.launcher.of(command.env(launcher::DAEMON, "superlink"));
    Process::start("superlink", &mut command, scratch.path())
}

/// The command line of a SuperLink at these addresses.
pub(super) fn superlink_command(
    plan: &Plan,
    addresses: &Addresses,
    pki: Option<&Pki>,
    scratch: &Scratch,
) -> Command {
    let mut command = plan.superlink.command("flower-superlink");
    command
        .current_dir(scratch.path())
        .env("FLWR_HOME", scratch.folder("home-superlink"));
    match pki {
        None => command.arg("--insecure"),
        Some(pki) => command
            .arg("--ssl-ca-certfile")
            .arg(&pki.ca)
            .arg("--ssl-certfile")
            .arg(&pki.certificate)
            .arg("--ssl-keyfile")
            .arg(&pki.key),
    };
    if plan.security == Security::TlsAndAuth {
        match plan.registrar() {
            // Keys are registered when the SuperLink is there.
            Some(_) => command.arg("--enable-supernode-auth"),
            None => command.args(["--auth-list-public-keys", "keys/list.csv"]),
        };
    }
    if plan.superlink.pips_since(40).is_none() {
        command.args(["--fleet-api-address", &addresses.fleet.to_string()]);
    }
    pips::add_superlink_addresses(&mut command, plan, addresses);
    if matches!(plan.superlink, Maker::Ours | Maker::OursWith(_)) {
        // Tests that run at once would compete for the usual one.
        command.args(["--port", "0"]);
    }
    command.args(plan.secret_flags(scratch, "superlink"));
    command
        .args(plan.isolation.flags())
        .args(&plan.superlink_flags)
        .envs(plan.variables.iter().cloned())
        .envs(plan.superlink_variables.iter().cloned());
    command
}
