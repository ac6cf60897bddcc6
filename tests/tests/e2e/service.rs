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
fn a_daemon_says_whether_the_daemon_of_its_variables_serves() {
    let manager = Manager::new();
    let [serverappio, fleet, control] = [0; 3].map(|_| here(ports::free()));
    for (program, flags) in [
        (
            "flower-superlink",
            &[
                ("INSECURE", "true"),
                ("DATABASE", ":memory:"),
                ("SERVERAPPIO_API_ADDRESS", &serverappio),
                ("FLEET_API_ADDRESS", &fleet),
                ("CONTROL_API_ADDRESS", &control),
            ][..],
        ),
        (
            "flower-supernode",
            &[
                ("INSECURE", "true"),
                ("SUPERLINK", &fleet),
                ("CLIENTAPPIO_API_ADDRESS", &here(ports::free())),
            ],
        ),
    ] {
        // The daemon listens everywhere, and is asked on loopback.
        let port = ports::free();
        let everywhere = format!("0.0.0.0:{port}");
        let prefix = program.to_uppercase().replace('-', "_");
        let with_variables = || {
            let mut command = manager.command(program);
            command.env(format!("{prefix}_HEALTH_SERVER_ADDRESS"), &everywhere);
            command.envs(
                flags
                    .iter()
                    .map(|(name, value)| (format!("{prefix}_{name}"), value)),
            );
            command
        };
        let asked = || {
            let output = with_variables().arg("--health").output().unwrap();
            let said = [output.stdout, output.stderr].concat();
            (output.status.code(), String::from_utf8(said).unwrap())
        };
        let (code, said) = asked();
        assert_eq!((code, said.lines().count()), (Some(1), 1), "{said}");
        assert!(said.contains(&format!("no health service answers at {}", here(port))));
        let mut daemon = Process::start(program, &mut with_variables(), manager.scratch.path());
        manager.hears("READY=1");
        let serving = format!("{} is serving\n", here(port));
        assert_eq!(asked(), (Some(0), serving), "{}", daemon.last_words());
        daemon.terminate();
        assert_eq!(daemon.wait().code(), Some(0), "{}", daemon.last_words());
        manager.hears("STOPPING=1");
        assert_eq!(asked().0, Some(1));
        let nowhere = manager.command(program).arg("--health").output().unwrap();
        assert_eq!(nowhere.status.code(), Some(2));
    }
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
