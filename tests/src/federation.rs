//! A SuperLink and its SuperNodes.

use std::ffi::OsString;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::app::App;
use crate::flwr::Flwr;
use crate::keys::NodeKey;
use crate::launcher::{self, Launcher};
use crate::pki::{Flaw, Pki};
use crate::process::Process;
use crate::program::{Maker, Release};
use crate::scratch::Scratch;
use crate::{PATIENCE, ports};

/// How long a daemon has to end before it is killed.
const STOP_GRACE: Duration = Duration::from_secs(10);

mod beside;
mod pips;
mod plan;
mod superexecs;

pub use beside::{Balancer, Beside};

use plan::start_superlink;

/// How the parts of a federation speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// In plaintext.
    Insecure,
    /// Over TLS; any SuperNode may come.
    Tls,
    /// Over TLS; only SuperNodes with a listed key may come.
    TlsAndAuth,
}

/// Who starts the apps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// The daemons.
    Subprocess,
    /// pip's `flower-superexec`, one for each daemon, which the harness starts.
    Process,
    /// Nobody, until the test does.
    Nobody,
}

/// What a federation will be.
#[derive(Debug)]
pub struct Plan {
    security: Security,
    isolation: Isolation,
    superexec: Release,
    superexec_secret: bool,
    registered_by: Option<Maker>,
    superlink: Maker,
    supernodes: Vec<Maker>,
    superlink_flags: Vec<String>,
    supernode_flags: Vec<String>,
    variables: Vec<(String, OsString)>,
    superlink_variables: Vec<(String, OsString)>,
    launcher: Launcher,
    supernode_programs: Option<PathBuf>,
    supernode_releases: bool,
    flaw: Flaw,
    gateway: Option<SocketAddr>,
    fleet_port: Option<u16>,
    control_over_grpc: bool,
}

/// A running federation. All of it ends when it is dropped.
#[derive(Debug)]
pub struct Federation {
    plan: Plan,
    addresses: Addresses,
    pki: Option<Pki>,
    keys: Vec<NodeKey>,
    superexecs: Vec<Process>,
    nodes: Vec<Process>,
    superlink: Process,
    scratch: Scratch,
}

#[derive(Clone, Debug)]
struct Addresses {
    fleet: SocketAddr,
    control: SocketAddr,
    serverappio: SocketAddr,
    clientappio: Vec<SocketAddr>,
}

impl Federation {
    /// A federation with a SuperLink and two SuperNodes of ours, unless the plan says otherwise.
    #[must_use]
    pub fn plan(security: Security) -> Plan {
        Plan {
            security,
            isolation: Isolation::Subprocess,
            superexec: Release::V1_22,
            superexec_secret: false,
            registered_by: None,
            superlink: Maker::Ours,
            supernodes: vec![Maker::Ours; 2],
            superlink_flags: Vec::new(),
            supernode_flags: Vec::new(),
            variables: Vec::new(),
            superlink_variables: Vec::new(),
            launcher: Launcher::default(),
            supernode_programs: None,
            supernode_releases: false,
            flaw: Flaw::None,
            gateway: None,
            fleet_port: None,
            control_over_grpc: false,
        }
    }

    /// The folder that everything is in.
    #[must_use]
    pub const fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// The address that SuperNodes connect to.
    #[must_use]
    pub const fn fleet(&self) -> SocketAddr {
        self.addresses.fleet
    }

    /// The address that `flwr` connects to.
    #[must_use]
    pub const fn control(&self) -> SocketAddr {
        self.addresses.control
    }

    /// The address that ServerApps connect to.
    #[must_use]
    pub const fn serverappio(&self) -> SocketAddr {
        self.addresses.serverappio
    }

    /// The address that the ClientApps of a node connect to.
    #[must_use]
    pub fn clientappio(&self, node: usize) -> SocketAddr {
        self.addresses.clientappio[node]
    }

    /// What clients trust, if there is TLS.
    #[must_use]
    pub fn ca(&self) -> Option<&Path> {
        self.pki.as_ref().map(|pki| pki.ca.as_path())
    }

    /// The SuperLink's certificate and key.
    ///
    /// # Panics
    /// If there is no TLS.
    #[must_use]
    pub fn server_files(&self) -> (&Path, &Path) {
        let pki = self.pki.as_ref().expect("the federation has TLS");
        (&pki.certificate, &pki.key)
    }

    /// The keys that are on the list.
    #[must_use]
    pub fn keys(&self) -> &[NodeKey] {
        &self.keys
    }

    /// The SuperLink.
    pub const fn superlink(&mut self) -> &mut Process {
        &mut self.superlink
    }

    /// How many SuperNodes it has.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.nodes.len()
    }

    /// One of the SuperNodes.
    pub fn node(&mut self, index: usize) -> &mut Process {
        &mut self.nodes[index]
    }

    /// Starts the SuperLink again, on the same addresses.
    pub fn restart_superlink(&mut self) {
        self.superlink = start_superlink(
            &self.plan,
            &self.addresses,
            self.pki.as_ref(),
            &self.scratch,
        );
        self.wait_for_superlink();
    }

    /// Starts a SuperLink of this maker in place of the one before, on the same addresses and state.
    pub fn replace_superlink(&mut self, maker: Maker) {
        self.plan.superlink = maker;
        self.restart_superlink();
    }

    /// Starts a SuperNode again, with the same key and addresses.
    pub fn restart_node(&mut self, index: usize) {
        self.nodes[index] = self.start_node(index);
    }

    /// Stops a SuperNode as a service manager does, and starts one of this maker with the same key and
    /// addresses.
    ///
    /// # Panics
    /// If it does not start.
    #[track_caller]
    pub fn replace_node(&mut self, index: usize, maker: Maker) {
        let node = &mut self.nodes[index];
        node.terminate();
        // A SuperNode of flwr 1.20 that has just got a message may not end by itself (seen once).
        if node.ended_within(STOP_GRACE).is_none() {
            node.kill();
        }
        self.plan.supernodes[index] = maker;
        self.restart_node(index);
    }

    /// A copy of an app that knows this federation.
    #[must_use]
    pub fn app(&self, name: &str) -> App {
        let app = App::copy(name, &self.scratch.folder("apps"));
        app.join(self);
        app
    }

    /// `flwr`, of whom you like.
    #[must_use]
    pub fn flwr(&self, maker: Maker) -> Flwr<'_> {
        let flwr = Flwr::new(maker, &self.scratch);
        if maker.pips_since(26).is_some() {
            flwr.connect(self.addresses.control, self.ca());
        }
        flwr
    }

    /// The command line of a SuperNode of this federation, without key and addresses.
    #[must_use]
    pub fn node_command(&self, maker: Maker, home: &str) -> Command {
        let mut command = maker.command("flower-supernode");
        command.current_dir(self.scratch.path());
        command.env("FLWR_HOME", self.scratch.folder(home));
        command
    }

    /// Stops everything in order and looks at how it ends.
    ///
    /// # Panics
    /// If something does not end well.
    #[track_caller]
    pub fn stop(mut self) {
        self.stop_all();
    }

    /// The same. What was written stays until the federation is dropped.
    ///
    /// # Panics
    /// If something does not end well.
    #[track_caller]
    pub fn stop_all(&mut self) {
        self.superexecs.clear();
        for node in &mut self.nodes {
            node.stop();
        }
        if self.plan.superlink.pips_since(35).is_some() {
            // Its web server ends, and then raises the signal once more.
            self.superlink.terminate();
            let _ = self.superlink.wait();
        } else {
            self.superlink.stop();
        }
    }

    fn start_node(&self, index: usize) -> Process {
        let mut command =
            self.node_command(self.plan.supernodes[index], &format!("home-node-{index}"));
        if let Some(folder) = &self.plan.supernode_programs {
            command.env("PATH", self.plan.supernodes[index].path_after(folder));
        }
        match &self.pki {
            None => command.arg("--insecure"),
            Some(pki) => command.arg("--root-certificates").arg(&pki.ca),
        };
        if let Some(key) = self.keys.get(index) {
            command
                .arg("--auth-supernode-private-key")
                .arg(&key.private);
            command.arg("--auth-supernode-public-key").arg(&key.public);
        }
        let superlink = self.plan.gateway.unwrap_or(self.addresses.fleet);
        command.args(["--superlink", &superlink.to_string()]);
        command.args(pips::clientappio_flags(
            self.plan.supernodes[index],
            self.addresses.clientappio[index],
        ));
        command.args(
            self.plan
                .secret_flags(&self.scratch, &format!("node-{index}")),
        );
        command.args(["--node-config", &self.plan.node_config(index)]);
        command
            .args(self.plan.isolation.flags())
            .args(&self.plan.supernode_flags)
            .envs(self.plan.variables.iter().cloned());
        let name = format!("node-{index}");
        let mut command = self.plan.launcher.of(command.env(launcher::DAEMON, &name));
        Process::start(&name, &mut command, self.scratch.path())
    }

    fn wait_for_superlink(&mut self) {
        self.addresses.wait(&mut self.superlink);
    }
}

impl Isolation {
    const fn flags(self) -> [&'static str; 2] {
        match self {
            Self::Subprocess => ["--isolation", "subprocess"],
            Self::Process | Self::Nobody => ["--isolation", "process"],
        }
    }
}

impl Addresses {
    fn free(nodes: usize) -> Self {
        let free = || SocketAddr::from(([127, 0, 0, 1], ports::free()));
        let clientappio = (0..nodes).map(|_| free()).collect();
        Self {
            fleet: free(),
            control: free(),
            serverappio: free(),
            clientappio,
        }
    }

    /// Waits until the SuperLink accepts connections.
    #[track_caller]
    fn wait(&self, superlink: &mut Process) {
        for address in [self.fleet, self.control, self.serverappio] {
            wait_for(address, superlink);
        }
    }
}

/// Waits until a daemon accepts connections.
///
/// # Panics
/// If it does not.
#[track_caller]
pub fn wait_for(address: SocketAddr, daemon: &mut Process) {
    const TRY: Duration = Duration::from_millis(50);
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect_timeout(&address, TRY).is_err() {
        assert!(
            Instant::now() < deadline,
            "nobody listens on {address}:\n{}",
            daemon.last_words()
        );
        thread::sleep(TRY);
    }
}
