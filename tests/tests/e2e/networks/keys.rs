//! SuperNodes whose keys are on P-521, as `ssh-keygen -t ecdsa -b 521` makes them.

use e2e::keys::{self, NodeKey};
use e2e::{Federation, Maker, Process, Release, Scratch, Security};

const OURS: Maker = Maker::Ours;
const PIP: Maker = Maker::Pip(Release::V1_22);

#[track_caller]
fn a_node_with_a_key_on_p521_works(superlink: Maker, supernode: Maker) {
    let files = Scratch::new();
    let key = NodeKey::make_p521(files.path(), "node");
    let list = files.path().join("list.csv");
    keys::write_list(&list, &[key]);
    let federation = Federation::plan(Security::TlsAndAuth)
        .nodes(0)
        .superlink(superlink)
        .superlink_flags(&["--auth-list-public-keys", list.to_str().unwrap()])
        .start();
    let mut command = federation.node_command(supernode, "home-node");
    command
        .arg("--root-certificates")
        .arg(federation.ca().unwrap());
    command
        .arg("--auth-supernode-private-key")
        .arg(files.path().join("node"));
    command
        .arg("--auth-supernode-public-key")
        .arg(files.path().join("node.pub"));
    command.args(["--superlink", &federation.fleet().to_string()]);
    let port = e2e::ports::free();
    command.args(["--clientappio-api-address", &format!("127.0.0.1:{port}")]);
    command.args(["--node-config", "value=1.0"]);
    let node = Process::start("node", &mut command, federation.scratch().path());
    let app = federation.app("mean");
    let told = federation
        .flwr(OURS)
        .run(&app, "rounds=1 nodes=1")
        .success();
    told.must_say(&["round 1: mean 1.000 of 1"]);
    drop(node);
}

#[test]
fn of_ours_with_our_superlink() {
    a_node_with_a_key_on_p521_works(OURS, OURS);
}

#[test]
fn of_ours_with_pips_superlink() {
    a_node_with_a_key_on_p521_works(PIP, OURS);
}

#[test]
fn of_pips_with_our_superlink() {
    a_node_with_a_key_on_p521_works(OURS, PIP);
}
