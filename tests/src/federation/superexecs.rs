//! What starts the apps in the daemons' place: pip's `flower-superexec`, one beside each daemon.

use std::net::SocketAddr;
use std::path::Path;

use super::{Federation, Isolation};
use crate::{Maker, Process, Release};

impl Federation {
    /// Starts what starts the apps of this release: for the SuperLink, and for each SuperNode.
    /// `first`: a folder of programs that are found before the release's own.
    #[must_use]
    pub fn superexecs(&self, release: Release, first: Option<&Path>) -> Vec<Process> {
        let clientapps = self.addresses.clientappio.iter();
        std::iter::once(("serverapp", self.addresses.serverappio))
            .chain(clientapps.map(|address| ("clientapp", *address)))
            .map(|(kind, address)| self.superexec(release, first, kind, address))
            .collect()
    }

    /// Starts the superexec of the plan for the apps of one daemon.
    pub(super) fn start_superexec(&mut self, kind: &str, address: SocketAddr) {
        if self.plan.isolation == Isolation::Process {
            let superexec = self.superexec(self.plan.superexec, None, kind, address);
            self.superexecs.push(superexec);
        }
    }

    fn superexec(
        &self,
        release: Release,
        first: Option<&Path>,
        kind: &str,
        address: SocketAddr,
    ) -> Process {
        let maker = Maker::Pip(release);
        let name = format!("superexec-{kind}-{}-{}", release.number(), address.port());
        let mut command = maker.command("flower-superexec");
        let home = self.scratch.folder(&format!("home-{name}"));
        command.env("FLWR_HOME", home);
        command.env("FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION", "1");
        if let Some(first) = first {
            let path = maker.path();
            let folders = std::iter::once(first.to_owned()).chain(std::env::split_paths(&path));
            command.env("PATH", std::env::join_paths(folders).unwrap());
        }
        command.arg("--insecure");
        if !release.is_since(38) {
            command.args(["--plugin-type", kind]);
        }
        let api = match release.is_since(36) {
            true => "--runtime-api-address",
            false => "--appio-api-address",
        };
        command.args([api, &address.to_string()]);
        command.args(self.plan.secret_flags(&self.scratch, &name));
        Process::start(&name, &mut command, self.scratch.path())
    }
}
