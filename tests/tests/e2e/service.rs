//! Daemons under a service manager: what systemd is told, and the units and variables by which it
//! starts them.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;

use e2e::{Maker, PATIENCE, Process, Scratch, ports};

/// Listens as systemd does.
struct Manager {
    socket: UnixDatagram,
    scratch: Scratch,
}

impl Manager {
    fn new() -> Self {
        let scratch = Scratch::new();
        let socket = UnixDatagram::bind(scratch.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, scratch }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Maker::Ours.command(program);
        command
            .current_dir(self.scratch.path())
            .env("NOTIFY_SOCKET", self.scratch.path().join("notify"))
            .env("FLWR_HOME", self.scratch.path());
        command
    }

    #[track_caller]
    fn hears(&self, expected: &str) {
        let mut message = [0; 1024];
        let length = self.socket.recv(&mut message).unwrap();
        let said = String::from_utf8_lossy(&message[..length]).into_owned();
        assert!(said.lines().any(|line| line == expected), "{said}");
    }

    /// A life with a reload, as systemd follows it.
    fn follows(&self, name: &str, command: &mut Command) {
        let mut daemon = Process::start(name, command, self.scratch.path());
        self.hears("READY=1");
        daemon.reload();
        self.hears("RELOADING=1");
        self.hears("READY=1");
        daemon.terminate();
        self.hears("STOPPING=1");
        assert_eq!(daemon.wait().code(), Some(0), "{}", daemon.last_words());
    }
}

fn here(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

#[test]
fn the_service_manager_is_told_of_start_reload_and_end() {
    let manager = Manager::new();
    let [serverappio, fleet, control] = [0; 3].map(|_| here(ports::free()));
    // All flags by variables, as in a unit.
    let mut superlink = manager.command("flower-superlink");
    superlink
        .env("FLOWER_SUPERLINK_INSECURE", "true")
        .env("FLOWER_SUPERLINK_DATABASE", ":memory:")
        .env("FLOWER_SUPERLINK_SERVERAPPIO_API_ADDRESS", serverappio)
        .env("FLOWER_SUPERLINK_FLEET_API_ADDRESS", &fleet)
        .env("FLOWER_SUPERLINK_CONTROL_API_ADDRESS", control);
    manager.follows("superlink", &mut superlink);
    let mut supernode = manager.command("flower-supernode");
    supernode
        .env("FLOWER_SUPERNODE_INSECURE", "1")
        .env("FLOWER_SUPERNODE_SUPERLINK", fleet)
        .env(
            "FLOWER_SUPERNODE_CLIENTAPPIO_API_ADDRESS",
            here(ports::free()),
        );
    manager.follows("supernode", &mut supernode);
}

#[test]
fn the_units_in_the_examples_set_flags_that_there_are() {
    for (unit, daemon) in [
        ("superlink", "superlink"),
        ("supernode", "supernode"),
        ("supernode-joined", "supernode"),
    ] {
        let unit = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(format!("../examples/systemd/flower-{unit}.service"));
        let unit = fs::read_to_string(unit).unwrap();
        let output = Maker::Ours
            .command(&format!("flower-{daemon}"))
            .arg("--help")
            .output()
            .unwrap();
        let help = String::from_utf8(output.stdout).unwrap();
        let prefix = format!("Environment=FLOWER_{}_", daemon.to_uppercase());
        let set: Vec<_> = unit
            .lines()
            .filter_map(|line| line.strip_prefix(&prefix)?.split('=').next())
            .collect();
        assert!(set.len() > 1, "{set:?}");
        for variable in set {
            let flag = format!("--{} ", variable.to_lowercase().replace('_', "-"));
            assert!(help.contains(&flag), "{variable}: {flag}");
        }
    }
}

#[test]
fn a_daemon_ends_with_whoever_started_it_where_that_is_asked_for() {
    let scratch = Scratch::new();
    let mut command = Maker::Ours.command("flower-superlink");
    command
        .args([
            "--insecure",
            "--database",
            ":memory:",
            "--until-stdin-closes",
        ])
        .args(["--serverappio-api-address", &here(ports::free())])
        .args(["--fleet-api-address", &here(ports::free())])
        .args(["--control-api-address", &here(ports::free())])
        .env("FLWR_HOME", scratch.path())
        .stdin(std::process::Stdio::piped());
    let mut superlink = command.spawn().unwrap();
    assert!(superlink.try_wait().unwrap().is_none());
    drop(superlink.stdin.take());
    assert_eq!(superlink.wait().unwrap().code(), Some(0));
    let no_pipe = Maker::Ours
        .command("flower-superlink")
        .args([
            "--insecure",
            "--database",
            ":memory:",
            "--until-stdin-closes",
        ])
        .env("FLWR_HOME", scratch.path())
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert_eq!(no_pipe.status.code(), Some(1));
    let said = String::from_utf8_lossy(&no_pipe.stderr).into_owned();
    assert!(said.contains("--until-stdin-closes"), "{said}");
}
