//! Further SuperLinks of a federation, which work with the state of the first.

use std::net::{IpAddr, SocketAddr};
use std::process::Command;
use std::sync::{Arc, Mutex};

use super::plan::superlink_command;
use super::{Addresses, Federation};
use crate::app::App;
use crate::flwr::Outcome;
use crate::forwarder::Forwarder;
use crate::process::Process;

/// A SuperLink beside the first.
#[derive(Debug)]
pub struct Beside {
    /// Its process.
    pub process: Process,
    name: String,
    addresses: Addresses,
}

impl Beside {
    /// The address that SuperNodes connect to.
    #[must_use]
    pub const fn fleet(&self) -> SocketAddr {
        self.addresses.fleet
    }

    /// The address that ServerApps connect to.
    #[must_use]
    pub const fn serverappio(&self) -> SocketAddr {
        self.addresses.serverappio
    }

    /// The address that `flwr` connects to.
    #[must_use]
    pub const fn control(&self) -> SocketAddr {
        self.addresses.control
    }

    /// The name of its log in the folder of the federation, without `.log`.
    #[must_use]
    pub fn log(&self) -> String {
        log_of(&self.name)
    }
}

fn log_of(superlink: &str) -> String {
    format!("superlink-{superlink}")
}

impl Federation {
    /// A copy of an app of the tests that reaches this SuperLink.
    ///
    /// # Panics
    /// If there is no such app, or the disk fails.
    #[must_use]
    pub fn app_at(&self, name: &str, beside: &Beside) -> App {
        let folder = format!("apps-{}", beside.control().port());
        let app = App::copy(name, &self.scratch.folder(&folder));
        app.join(self);
        app.point_at(self, beside.control());
        app
    }
}

/// A TCP balancer before one of the ports of several SuperLinks: each connection goes to the next.
#[derive(Debug)]
pub struct Balancer {
    forwarder: Forwarder,
    targets: Arc<Mutex<(usize, Vec<SocketAddr>)>>,
}

impl Balancer {
    /// Listens, and sends connections to the first of these ports of this machine.
    ///
    /// # Panics
    /// If it cannot listen.
    #[must_use]
    pub fn listen(port: u16) -> Self {
        let first = SocketAddr::new(IpAddr::from([127, 0, 0, 1]), port);
        let targets = Arc::new(Mutex::new((0, vec![first])));
        let of_forwarder = Arc::clone(&targets);
        let forwarder = Forwarder::listen(move || {
            let (next, targets) = &mut *of_forwarder.lock().unwrap();
            *next += 1;
            targets[*next % targets.len()]
        });
        Self { forwarder, targets }
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.forwarder.address()
    }

    /// Connections go to these addresses in turn, and to no other.
    ///
    /// # Panics
    /// If another thread has panicked.
    pub fn lead_to(&self, targets: Vec<SocketAddr>) {
        self.targets.lock().unwrap().1 = targets;
    }

    /// Connections go to this address in turn, too.
    ///
    /// # Panics
    /// If another thread has panicked.
    pub fn add(&self, target: SocketAddr) {
        self.targets.lock().unwrap().1.push(target);
    }
}

impl Federation {
    /// Starts a SuperLink of this name that works with the same database and bucket. The first has a name
    /// too (`--superlink-name`).
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn superlink_beside(&self, name: &str) -> Beside {
        self.superlink_beside_with(name, &[])
    }

    /// The same with more flags.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn superlink_beside_with(&self, name: &str, flags: &[&str]) -> Beside {
        let addresses = Addresses::free(0);
        let mut process = self.start_beside(name, &addresses, flags);
        addresses.wait(&mut process);
        Beside {
            process,
            name: name.to_owned(),
            addresses,
        }
    }

    /// Starts a SuperLink again that was killed, with its name and on its addresses.
    ///
    /// # Panics
    /// If it does not start.
    pub fn restart_beside(&self, beside: &mut Beside) {
        beside.process = self.start_beside(&beside.name, &beside.addresses, &[]);
        beside.addresses.wait(&mut beside.process);
    }

    fn start_beside(&self, name: &str, addresses: &Addresses, flags: &[&str]) -> Process {
        let mut command = self.command_beside(name, addresses);
        command.args(flags);
        Process::start(&log_of(name), &mut command, self.scratch.path())
    }

    /// `flower-superlink --check-state` of the state that the SuperLinks worked with.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn check_state(&self) -> Outcome {
        let mut command = self.command_beside("check", &Addresses::free(0));
        command.arg("--check-state").output().unwrap().into()
    }

    /// Gives the first SuperLink other flags at its next start.
    pub fn give_superlink_flags(&mut self, flags: &[&str]) {
        self.plan.superlink_flags = flags.iter().map(|&flag| flag.to_owned()).collect();
    }

    /// Starts a SuperLink of this name that must end at once, and gives its status and what it says.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn superlink_that_ends(&self, name: &str) -> (Option<i32>, String) {
        let ended = self.command_beside(name, &Addresses::free(0)).output();
        let ended = ended.unwrap();
        let said = [ended.stdout, ended.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        (ended.status.code(), said)
    }

    fn command_beside(&self, name: &str, addresses: &Addresses) -> Command {
        let pki = self.pki.as_ref();
        let mut command = superlink_command(&self.plan, addresses, pki, &self.scratch);
        // The last of a flag counts.
        command.args(["--superlink-name", name]);
        let serverappio = addresses.serverappio.to_string();
        command.args(["--serverappio-api-address", &serverappio]);
        command
    }
}
