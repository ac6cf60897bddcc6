//! Flower's older commands, as their guides have them, on the ports that they are for.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::sync::PoisonError;

use e2e::federation::wait_for;
use e2e::ports::USUAL;
use e2e::{App, Maker, Process, Scratch, tools};

const EXAMPLE: &str = "../../examples/flower-client-authentication";

const SUPERLINK: &str = "flower-superlink --certificates certificates/ca.crt certificates/server.pem certificates/server.key";
const SUPERLINK_AUTH: &str = "flower-superlink \\
    --certificates certificates/ca.crt certificates/server.pem certificates/server.key \\
    --require-client-authentication keys/client_public_keys.csv keys/server_credentials keys/server_credentials.pub";
const CLIENT: &str =
    "flower-client-app client:app --root-certificates certificates/ca.crt --server 127.0.0.1:9092";
const CLIENT_AUTH: &str = "flower-client-app client:app \\
    --root-certificates certificates/ca.crt --server 127.0.0.1:9092 \\
    --authentication-keys keys/client_credentials_1 keys/client_credentials_1.pub";
const SERVER: &str = "flower-server-app server:app --root-certificates certificates/ca.crt --dir ./ --server 127.0.0.1:9091";

struct Folder {
    scratch: Scratch,
    app: App,
}

impl Folder {
    /// The example, with what `./generate.sh 2` makes in it.
    fn prepared() -> Self {
        let scratch = Scratch::new();
        let app = App::copy(EXAMPLE, scratch.path());
        tools::run(&app.path, "./generate.sh 2");
        Self { scratch, app }
    }

    /// A command of ours as it was typed.
    fn command(&self, line: &str, part: &str) -> Command {
        let mut words = tools::words(line);
        let program = words.remove(0);
        let mut command = Maker::Ours.command(&program);
        command.args(words).current_dir(&self.app.path);
        command.env("FLWR_HOME", self.scratch.folder(&format!("home-{part}")));
        command.env("PART", part);
        command
    }

    fn start(&self, name: &str, line: &str, part: &str) -> Process {
        Process::start(name, &mut self.command(line, part), self.scratch.path())
    }

    fn superlink(&self, line: &str) -> Process {
        let mut superlink = self.start("superlink", line, "link");
        for port in [9091, 9092, 9093] {
            wait_for(SocketAddr::from(([127, 0, 0, 1], port)), &mut superlink);
        }
        superlink
    }
}

/// How often a process has said that it is of another time.
fn deprecations(process: &Process) -> usize {
    let lines = process.lines();
    lines
        .iter()
        .filter(|line| line.contains(" WARN ") && line.contains("deprecated"))
        .count()
}

#[track_caller]
fn trains(superlink: &str, clients: [&str; 2]) {
    let _mine = USUAL.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Folder::prepared();
    let mut superlink = folder.superlink(superlink);
    let mut nodes = [
        folder.start("client-1", clients[0], "1"),
        folder.start("client-2", clients[1], "2"),
    ];
    let mut server = folder.start("server", SERVER, "server");
    let status = server.wait();
    let said = server.all_lines().join("\n");
    assert!(status.success(), "{said}\n{}", superlink.last_words());
    assert_eq!(
        said.matches("accuracy on 360 digits").count(),
        3,
        "three rounds:\n{said}"
    );
    assert!(said.contains("run completed"), "{said}");
    for (process, today) in [
        (&server, "`flwr run ./`"),
        (&nodes[0], "`flower-supernode --root-certificates"),
        (&superlink, "`flower-superlink --ssl-ca-certfile"),
    ] {
        process.line(today);
        assert_eq!(deprecations(process), 1, "{}", process.last_words());
    }
    for node in &mut nodes {
        node.stop();
    }
    superlink.stop();
}

#[test]
fn the_older_commands_train_over_tls() {
    trains(SUPERLINK, [CLIENT, CLIENT]);
}

#[test]
fn the_older_commands_train_with_authentication() {
    let second = CLIENT_AUTH.replace("credentials_1", "credentials_2");
    trains(SUPERLINK_AUTH, [CLIENT_AUTH, &second]);
}

#[test]
fn a_run_that_fails_is_the_server_apps_failure() {
    let _mine = USUAL.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Folder::prepared();
    let mut superlink = folder.superlink(SUPERLINK);
    let app = "from flwr.server import ServerApp\napp = ServerApp()\n\n@app.main()\ndef main(grid, context):\n    raise RuntimeError('it was not to be')\n";
    fs::write(folder.app.path.join("server.py"), app).unwrap();
    let mut server = folder.start("server", SERVER, "server");
    assert_eq!(server.wait().code(), Some(1));
    let said = server.all_lines().join("\n");
    assert!(said.contains("flower-server-app: error: run"), "{said}");
    assert!(said.contains("it was not to be"), "{said}");

    // One that nobody lets finish has failed too, and the SuperLink knows it.
    let app = app.replace(
        "raise RuntimeError('it was not to be')",
        "import time; print('sleeps', flush=True); time.sleep(600)",
    );
    fs::write(folder.app.path.join("server.py"), app).unwrap();
    let mut server = folder.start("server", SERVER, "server");
    server.line("sleeps");
    server.terminate();
    assert_eq!(server.wait().code(), Some(1));
    superlink.line("phase=finished");

    // Whoever is on the machine, and no more is known of, starts no runs.
    let plaintext = "flower-server-app server:app --insecure --server 127.0.0.1:9091";
    let mut server = folder.start("server", plaintext, "server");
    assert_eq!(server.wait().code(), Some(1));
    server.line("Runs are started over TLS here");
    superlink.stop();
}

#[test]
fn what_is_wrong_with_them_is_told() {
    let folder = Folder::prepared();
    for (line, expected) in [
        (
            "flower-server-app server:app --dir ./nowhere --insecure",
            "flower-server-app: error: --dir ./nowhere",
        ),
        (
            "flower-server-app server:app --insecure --server 127.0.0.1:1",
            "127.0.0.1:1: connection refused",
        ),
        (
            "flower-server-app server:app --insecure --simulation",
            "unexpected argument '--simulation'",
        ),
        (
            "flower-client-app client --insecure",
            "`client` names no app",
        ),
        (
            "flower-client-app client:app --authentication-keys keys/server_credentials keys/client_credentials_1.pub --root-certificates certificates/ca.crt",
            "is not the public key of",
        ),
        (
            "flower-superlink --certificates certificates/ca.crt certificates/server.pem",
            "3 values required",
        ),
    ] {
        let mut process = folder.start("wrong", line, "1");
        let status = process.wait();
        let said = process.all_lines().join("\n");
        assert!(
            !status.success() && said.contains(expected),
            "{line}: {said}"
        );
    }
}

#[test]
fn a_small_program_without_the_daemon_beside_it_says_what_it_needs() {
    for (small, daemon) in [
        ("flower-client-app", "flower-supernode"),
        ("flower-server-app", "flower-superlink"),
    ] {
        let scratch = Scratch::new();
        let alone = scratch.path().join(small);
        fs::copy(Maker::Ours.program(small), &alone).unwrap();
        let must_say = |why: &str| {
            let output = Command::new(&alone).arg("--help").output();
            let output = output.unwrap();
            assert_eq!(output.status.code(), Some(1));
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(
                said.starts_with(&format!("{small}: error: "))
                    && said.contains(why)
                    && said.contains(&format!("needs {daemon} in its own folder")),
                "{said}"
            );
        };
        must_say("No such file");
        symlink(&alone, scratch.path().join(daemon)).unwrap();
        must_say("is a link to this program");
    }
}
