//! Names with several addresses, and the ways to write an address.

use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};

use e2e::federation::wait_for;
use e2e::{Federation, Maker, Process, Scratch, Security, ports};

use super::{node_command, outcome, start};
use crate::mutual::Scene;

const OURS: Maker = Maker::Ours;

/// The addresses of `localhost` that this machine has.
fn of_localhost(port: u16) -> Vec<SocketAddr> {
    let mut addresses: Vec<_> = ("localhost", port).to_socket_addrs().unwrap().collect();
    addresses.retain(|at| TcpListener::bind((at.ip(), 0)).is_ok());
    addresses
}

#[test]
fn every_port_of_both_daemons_is_bound_on_each_address_of_a_name() {
    let scratch = Scratch::new();
    let free: [u16; 6] = std::array::from_fn(|_| ports::free());
    let localhost = |port: u16| format!("localhost:{port}");
    let mut command = OURS.command("flower-superlink");
    command
        .current_dir(scratch.path())
        .env("FLWR_HOME", scratch.path());
    command.args(["--insecure", "--database", ":memory:"]);
    for (flag, port) in [
        ("--fleet-api-address", free[0]),
        ("--control-api-address", free[1]),
        ("--serverappio-api-address", free[2]),
        ("--health-server-address", free[3]),
    ] {
        command.args([flag, &localhost(port)]);
    }
    let mut superlink = Process::start("superlink", &mut command, scratch.path());
    let mut command = OURS.command("flower-supernode");
    command
        .current_dir(scratch.path())
        .env("FLWR_HOME", scratch.path());
    command.args(["--insecure", "--superlink", &localhost(free[0])]);
    command.args(["--clientappio-api-address", &localhost(free[4])]);
    command.args(["--health-server-address", &localhost(free[5])]);
    let mut node = Process::start("node", &mut command, scratch.path());
    for (index, port) in free.into_iter().enumerate() {
        let daemon = if index < 4 { &mut superlink } else { &mut node };
        for address in of_localhost(port) {
            wait_for(address, daemon);
        }
    }
    let line = superlink.line("listening for Fleet on");
    for address in of_localhost(free[0]) {
        assert!(line.contains(&address.to_string()), "{line}");
    }
    node.stop();
    superlink.stop();
}

#[test]
fn a_port_that_is_taken_on_one_address_of_a_name_is_an_error_with_its_flag() {
    let scratch = Scratch::new();
    let addresses = of_localhost(0);
    let taken = TcpListener::bind(addresses.last().unwrap()).unwrap();
    let taken = (taken.local_addr().unwrap(), taken);
    let name = format!("localhost:{}", taken.0.port());
    let mut command = OURS.command("flower-superlink");
    command
        .current_dir(scratch.path())
        .env("FLWR_HOME", scratch.path());
    command.args([
        "--insecure",
        "--database",
        ":memory:",
        "--fleet-api-address",
        &name,
    ]);
    for flag in ["--control-api-address", "--serverappio-api-address"] {
        command.args([flag, &format!("127.0.0.1:{}", ports::free())]);
    }
    let expected = format!(
        "Port in server address {name} is already in use ({})",
        taken.0
    );
    let told = outcome(&mut command).failure(1);
    told.must_say(&[&expected, "--fleet-api-address"]);
    let told = outcome(command.arg("--check-config"));
    told.must_say(&[&format!("{name}: {}: Address already in use", taken.0)]);
}

#[test]
fn targets_are_dialled_as_grpc_writes_them() {
    let federation = Federation::plan(Security::TlsAndAuth).nodes(0).start();
    let (fleet, control) = (federation.fleet().port(), federation.control().port());
    for target in [
        format!("dns:///localhost:{fleet}"),
        format!("dns:localhost:{fleet}"),
        format!("ipv4:127.0.0.1:{fleet}"),
    ] {
        let mut command = node_command(&federation, OURS, &target);
        outcome(command.arg("--check")).success().must_say(&[]);
    }
    let app = federation.app("mean");
    let target = format!("address=\"dns:///localhost:{control}\"");
    let list = ["ls", ".", "e2e", "--federation-config", &target];
    federation
        .flwr(OURS)
        .call(&app.path, &list)
        .success()
        .must_say(&[]);

    for (target, expected) in [
        (
            format!("https://localhost:{fleet}"),
            "leave out https:// and give HOST:PORT",
        ),
        (
            "unix:/run/superlink.sock".to_owned(),
            "cannot be used: give HOST:PORT, dns:///",
        ),
        (
            format!("dns://8.8.8.8/localhost:{fleet}"),
            "without a DNS server",
        ),
    ] {
        let told = outcome(&mut node_command(&federation, OURS, &target)).failure(2);
        told.must_say(&["--superlink: Address (", expected]);
    }
    let all = format!("0.0.0.0:{fleet}");
    let node = start(&federation, &mut node_command(&federation, OURS, &all));
    node.line(&format!("connect to 127.0.0.1:{fleet} on the same machine"));
    federation.stop();
}

#[test]
fn a_node_without_the_certificate_that_is_asked_for_tells_the_same_at_each_try() {
    const REASON: &str = "it asks for a client certificate: give --client-certificate";
    const TRIES: u64 = 4;
    let scene = Scene::from_flwr_cert();
    let _superlink = scene.asking(&[]);
    let node = scene.node(".", &["--root-certificates", "certificates/ca.crt"]);
    // Two tries that come close together make one line.
    let number = |line: &str| line.split_once("(try ")?.1.split(';').next()?.parse().ok();
    node.line_where("a later try", |line| {
        number(line).is_some_and(|n: u64| n >= TRIES)
    });
    let lines = node.lines();
    for line in lines.iter().filter(|line| number(line).is_some()) {
        assert!(line.contains(REASON), "{line}");
    }
    assert!(!node.has_said("cancel"), "{}", node.last_words());
    TcpStream::connect(scene.fleet).unwrap();
}
