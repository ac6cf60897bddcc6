//! Federations of the time before `flwr run`: SuperNodes that run an app of their own, and a
//! ServerApp that somebody starts, both from a folder.

use std::fs;
use std::path::{Path, PathBuf};

use e2e::keys::{self, NodeKey};
use e2e::{App, Federation, Maker, Process, Release, Scratch, ports};

use crate::combination::Protection;
use crate::trial::PATIENCE;

/// Keys of two nodes, their list, and a key of the SuperLink.
pub(crate) struct Keys {
    nodes: [NodeKey; 2],
    superlink: NodeKey,
    list: PathBuf,
    _scratch: Scratch,
}

impl Keys {
    pub(crate) fn make() -> Self {
        let scratch = Scratch::new();
        let make = |name: &str| NodeKey::make(scratch.path(), name);
        let nodes = [make("node-1"), make("node-2")];
        let list = scratch.path().join("list.csv");
        keys::write_list(&list, &nodes);
        Self {
            superlink: make("superlink"),
            nodes,
            list,
            _scratch: scratch,
        }
    }

    pub(crate) fn superlink(&self) -> &str {
        self.superlink.private.to_str().unwrap()
    }

    pub(crate) fn list(&self) -> &str {
        self.list.to_str().unwrap()
    }
}

/// Two nodes and a ServerApp of this version train for two rounds.
pub(crate) fn train(
    federation: &Federation,
    release: Release,
    protection: Protection,
    keys: &Keys,
) -> Result<(), String> {
    let app = folder(federation, release);
    let nodes: Vec<_> = (0..2)
        .map(|index| node(federation, release, protection, keys, &app, index))
        .collect();
    let mut server = server(federation, release, &app);
    let status = server.ended_within(PATIENCE);
    let lines = server.all_lines();
    drop(nodes);
    // The nodes add 1 and 2: 1.5 on average, twice.
    let wanted = "round 2: mean 3.000";
    match status {
        Some(status) if status.success() && lines.iter().any(|line| line.contains(wanted)) => {
            Ok(())
        }
        _ => Err(lines.last().cloned().unwrap_or_default()),
    }
}

/// Apps have a pyproject.toml from 1.11 on.
fn folder(federation: &Federation, release: Release) -> PathBuf {
    let name = if release < Release::V1_12 {
        "oldest"
    } else {
        "average"
    };
    let app = App::copy(name, &federation.scratch().folder("oldest-apps"));
    let project = app.path.join("pyproject.toml");
    if let Ok(text) = fs::read_to_string(&project) {
        fs::write(&project, text.replace("nodes = 1", "nodes = 2")).unwrap();
    }
    app.path
}

fn trust(federation: &Federation) -> Vec<String> {
    match federation.ca() {
        None => vec!["--insecure".to_owned()],
        Some(ca) => vec!["--root-certificates".to_owned(), ca.display().to_string()],
    }
}

fn node(
    federation: &Federation,
    release: Release,
    protection: Protection,
    keys: &Keys,
    app: &Path,
    index: usize,
) -> Process {
    let value = format!("{}.0", index + 1);
    let oldest = release < Release::V1_12;
    let program = if oldest {
        "flower-client-app"
    } else {
        "flower-supernode"
    };
    let mut command = Maker::Pip(release).command(program);
    command.current_dir(app).env("VALUE", &value);
    let home = federation.scratch().folder(&format!("home-oldest-{index}"));
    command.env("FLWR_HOME", home);
    command.arg(if oldest { "client:app" } else { "." });
    command.args(trust(federation));
    command.args(["--server", &federation.fleet().to_string()]);
    if !oldest {
        command.args(["--node-config", &format!("value={value}")]);
        let address = format!("127.0.0.1:{}", ports::free());
        command.args(["--supernode-address", &address]);
    }
    if protection == Protection::TlsAndAuth {
        let NodeKey {
            private, public, ..
        } = &keys.nodes[index];
        command.arg("--auth-supernode-private-key").arg(private);
        command.arg("--auth-supernode-public-key").arg(public);
    }
    let name = format!("oldest-{index}");
    Process::start(&name, &mut command, federation.scratch().path())
}

fn server(federation: &Federation, release: Release, app: &Path) -> Process {
    let mut command = Maker::Pip(release).command("flower-server-app");
    command.current_dir(app);
    command.env(
        "FLWR_HOME",
        federation.scratch().folder("home-oldest-server"),
    );
    command.arg(if release < Release::V1_12 {
        "server:app"
    } else {
        "."
    });
    command.args(trust(federation));
    command.args(["--server", &federation.serverappio().to_string()]);
    Process::start("oldest-server", &mut command, federation.scratch().path())
}
