//! Networks as sites have them: an HTTP proxy as the only way out, names with several addresses,
//! addresses written as gRPC writes them, and the keys that people have.

mod addresses;
mod keys;
mod proxies;

use std::process::Command;

use e2e::pki::Flaw;
use e2e::{Federation, Maker, Outcome, Process, Security};

/// The name of the SuperLink, by its certificate. Only a proxy knows where it leads.
const NAME: &str = "superlink.example.org";

/// The environment without the proxies of the machine that tests.
fn without_proxies(command: &mut Command) -> &mut Command {
    for name in [
        "grpc_proxy",
        "https_proxy",
        "http_proxy",
        "no_grpc_proxy",
        "no_proxy",
    ] {
        command.env_remove(name).env_remove(name.to_uppercase());
    }
    command
}

/// A SuperLink of ours that is known by its name alone.
fn far_away() -> Federation {
    let plan = Federation::plan(Security::TlsAndAuth).nodes(0);
    plan.flaw(Flaw::OtherName).start()
}

/// The command line of the federation's SuperNode, which connects to `superlink`.
fn node_command(federation: &Federation, maker: Maker, superlink: &str) -> Command {
    let mut command = federation.node_command(maker, "home-node");
    without_proxies(&mut command);
    let key = &federation.keys()[0];
    command
        .arg("--root-certificates")
        .arg(federation.ca().unwrap());
    command
        .arg("--auth-supernode-private-key")
        .arg(&key.private);
    command.arg("--auth-supernode-public-key").arg(&key.public);
    command.args(["--superlink", superlink]);
    let port = e2e::ports::free();
    command.args(["--clientappio-api-address", &format!("127.0.0.1:{port}")]);
    command.args(["--node-config", "value=1.0"]);
    command
}

fn start(federation: &Federation, command: &mut Command) -> Process {
    Process::start("node", command, federation.scratch().path())
}

fn outcome(command: &mut Command) -> Outcome {
    command.output().unwrap().into()
}
