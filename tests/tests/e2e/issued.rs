//! Certificates and keys as people make them: with `flwr cert new` and `flwr key new`, and the
//! flags of the documentation, the deprecated ones among them.

use std::process::Command;

use e2e::federation::wait_for;
use e2e::pki::SERVER_FLAGS;
use e2e::{App, Flwr, Maker, Process, Scratch};

const OURS: Maker = Maker::Ours;
const NODES: usize = 2;

/// Where everybody listens, on 127.0.0.1.
struct Addresses {
    fleet: String,
    exec: String,
    serverappio: String,
}

fn free() -> String {
    format!("127.0.0.1:{}", e2e::ports::free())
}

/// A daemon's command line, in the test's folder.
fn command(scratch: &Scratch, program: &str, home: &str) -> Command {
    let mut command = OURS.command(program);
    command
        .current_dir(scratch.path())
        .env("FLWR_HOME", scratch.folder(home));
    command
}

fn superlink(scratch: &Scratch, addresses: &Addresses) -> Process {
    let mut command = command(scratch, "flower-superlink", "home-superlink");
    command.args(SERVER_FLAGS);
    command.args([
        "--auth-list-public-keys",
        "keys/client_public_keys.csv",
        "--auth-superlink-private-key",
        "keys/server_credentials",
        "--auth-superlink-public-key",
        "keys/server_credentials.pub",
    ]);
    command.args(["--fleet-api-address", &addresses.fleet]);
    command.args(["--exec-api-address", &addresses.exec]);
    command.args(["--serverappio-api-address", &addresses.serverappio]);
    Process::start("superlink", &mut command, scratch.path())
}

fn supernode(scratch: &Scratch, addresses: &Addresses, number: usize) -> Process {
    let mut command = command(scratch, "flower-supernode", &format!("home-{number}"));
    let private = format!("keys/client_credentials_{number}");
    command.args(["--root-certificates", "certificates/ca.crt"]);
    command.args(["--auth-supernode-private-key", &private]);
    command.args(["--auth-supernode-public-key", &format!("{private}.pub")]);
    // `--superlink` by a name: the certificate is for localhost too.
    let fleet = addresses.fleet.replace("127.0.0.1", "localhost");
    command.args(["--superlink", &fleet]);
    command.args(["--node-config", &format!("value={number}.0")]);
    command.arg(format!("--clientappio-api-address={}", free()));
    Process::start(&format!("node-{number}"), &mut command, scratch.path())
}

#[test]
fn what_our_commands_make_is_what_our_daemons_need() {
    let scratch = Scratch::new();
    let flwr = Flwr::new(OURS, &scratch);
    let _ = flwr.call(scratch.path(), &["cert", "new"]).success();
    let count = NODES.to_string();
    let _ = flwr
        .call(scratch.path(), &["key", "new", "--count", &count])
        .success();

    let addresses = Addresses {
        fleet: free(),
        exec: free(),
        serverappio: free(),
    };
    let mut superlink = superlink(&scratch, &addresses);
    // `flwr key new` makes none for the SuperLink, whose line may still name one.
    superlink.line("--auth-superlink-private-key is not used");
    wait_for(addresses.exec.parse().unwrap(), &mut superlink);
    let mut nodes: Vec<_> = (1..=NODES)
        .map(|number| supernode(&scratch, &addresses, number))
        .collect();

    let app = App::copy("mean", scratch.path());
    let federation = format!(
        "\n[tool.flwr.federations.e2e]\naddress = \"{}\"\n\
         root-certificates = \"../certificates/ca.crt\"\n",
        addresses.exec
    );
    let project = app.path.join("pyproject.toml");
    let text = std::fs::read_to_string(&project).unwrap() + &federation;
    std::fs::write(&project, text).unwrap();
    // From elsewhere: the root certificates' path is relative to the project, not to the caller.
    let elsewhere = scratch.folder("elsewhere");
    let path = app.path.to_str().unwrap();
    let outcome = flwr.call(&elsewhere, &["run", path, "e2e", "--stream"]);
    outcome
        .success()
        .must_say(&["round 2: mean 3.000 of 2, calls [2, 2]", "finished"]);

    for node in &mut nodes {
        node.stop();
    }
    superlink.stop();
}
