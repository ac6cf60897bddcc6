//! The guides to the letter: each command line is read from its document, and typed on a machine
//! that has what `cargo xtask install` installs, with Flower's usual ports.

use std::fs;
use std::path::Path;

use e2e::{Document, Machine, Process, Release, document, tools};
use flwr_core::flower::RELEASE;

use crate::mutual::OPENSSL;

mod today;

/// What goes on until it is stopped.
const DAEMONS: [&str; 3] = ["flower-superlink", "flower-supernode", "flower-client-app"];

/// Somebody who follows a guide in one folder.
struct Reader {
    machine: Machine,
    /// What was left running, in its order.
    daemons: Vec<Process>,
    /// Typed where a question stands.
    answers: &'static str,
}

impl Reader {
    fn new() -> Self {
        Self::on(Machine::new())
    }

    fn on(machine: Machine) -> Self {
        Self {
            machine,
            daemons: Vec::new(),
            answers: "",
        }
    }

    fn here(&self) -> &Path {
        self.machine.scratch.path()
    }

    /// Types each line. The words of the last that ended.
    #[track_caller]
    fn types(&mut self, folder: &Path, lines: &[String]) -> String {
        let mut said = String::new();
        for line in lines {
            if is_daemon(line) {
                self.starts(folder, line);
            } else if self.answers.is_empty() {
                said = self.machine.types(folder, line);
            } else {
                said = self.machine.answers(folder, line, self.answers);
            }
        }
        said
    }

    /// Starts a daemon, and waits until it is where others can meet it: people type more slowly.
    #[track_caller]
    fn starts(&mut self, folder: &Path, line: &str) {
        let name = format!("daemon-{}", self.daemons.len());
        let daemon = self.machine.leaves_running(&name, folder, line);
        let ready = if line.contains("flower-superlink") {
            "Starting Flower SuperLink"
        } else {
            "registered with the SuperLink"
        };
        daemon.line(ready);
        self.daemons.push(daemon);
    }

    /// Stops the daemons, the last one first. Each must end well.
    #[track_caller]
    fn stops(&mut self) {
        while let Some(mut daemon) = self.daemons.pop() {
            daemon.stop();
        }
    }
}

/// By the first word that is neither a variable nor an argument.
fn is_daemon(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let program = words.find(|word| !word.contains('='));
    program.is_some_and(|program| DAEMONS.contains(&program))
}

#[test]
fn documents_install_the_release_that_apps_get() {
    assert_eq!(Release::INSTALLED.number(), RELEASE);
    for path in [
        "README.md",
        "examples/flower-authentication/README.md",
        "examples/flower-client-authentication/README.md",
        "examples/systemd/flower-supernode.service",
    ] {
        let text = document::text(path);
        let releases: Vec<_> = text.split("flwr==").skip(1).collect();
        assert!(!releases.is_empty(), "{path}");
        for release in releases {
            assert!(release.starts_with(RELEASE), "{path}: {release}");
        }
    }
}

#[test]
fn from_nothing_to_a_finished_run() {
    let readme = Document::read("README.md");
    let lines = readme.typed("$ flwr up --detach");
    assert!(lines.len() > 5, "{lines:?}");
    let reader = Reader::new();
    let mut folder = reader.here().to_owned();
    let mut said = String::new();
    for line in &lines {
        match line.strip_prefix("cd ") {
            Some(into) => folder.push(into),
            None => said += &reader.machine.types(&folder, line),
        }
    }
    for wanted in [
        "Round 3: accuracy",
        "finished:completed",
        "✓ permission",
        "The local federation is stopped.",
    ] {
        assert!(said.contains(wanted), "{wanted:?}: {said}");
    }
}

/// Pasted whole: nobody waits between the lines.
#[test]
fn the_daemons_by_hand() {
    let reader = Reader::new();
    let app = reader.machine.scratch.folder("path/to");
    reader.machine.types(&app, "flwr new app --framework numpy");
    let readme = Document::read("README.md");
    let pasted = readme.block("flwr key new");
    // What was started ends with the shell.
    let script = format!(
        "trap 'jobs -p > pids; kill $(cat pids); wait' EXIT\ntrap 'exit 1' TERM\nset -e\n{pasted}"
    );
    fs::write(reader.here().join("pasted"), script).unwrap();
    let said = reader.machine.types(reader.here(), "timeout 180 sh pasted");
    assert!(said.contains("Round 3: accuracy"), "{said}");
}

#[test]
fn digits_with_authentication() {
    digits(Release::INSTALLED);
}

#[test]
fn digits_with_authentication_under_flwr_1_22() {
    digits(Release::V1_22);
}

#[track_caller]
fn digits(release: Release) {
    let mut reader = Reader::on(Machine::with(release));
    let folder = reader.here().join("flower-authentication");
    document::copy("examples/flower-authentication", &folder);
    let guide = Document::read("examples/flower-authentication/README.md");
    let prepare = guide.lines("pip install").join("\n");
    let own = prepare.replace(RELEASE, &release.number());
    reader.types(&folder, &own.lines().map(str::to_owned).collect::<Vec<_>>());
    for block in ["flower-superlink", "digits_part_1", "digits_part_2"] {
        reader.types(&folder, &guide.lines(block));
    }
    let said = reader.types(&folder, &guide.lines("flwr run . my-federation --stream\n"));
    assert!(said.contains("finished: accuracy 0.9"), "{said}");
    let said = reader.types(&folder, &guide.lines("num-rounds=10"));
    assert!(said.contains("round 10/10: accuracy 0.9"), "{said}");
    reader.stops();
}

#[test]
fn digits_without_authentication() {
    let mut reader = Reader::new();
    let folder = reader.here().join("flower-authentication");
    document::copy("examples/flower-authentication", &folder);
    let guide = Document::read("examples/flower-authentication/README.md");
    reader.types(&folder, &guide.lines("pip install"));
    let flag = "--auth-list-public-keys keys/client_public_keys.csv";
    let superlink = &guide.lines("flower-superlink")[0];
    assert!(superlink.contains(flag), "{superlink}");
    reader.types(&folder, &[superlink.replace(flag, "")]);
    let first = &guide.lines("num-partitions=2")[0];
    let second = first.replace("partition-id=0", "partition-id=1");
    let second = second.replace("0.0.0.0:9094", "0.0.0.0:9095");
    assert_ne!(*first, second);
    reader.types(&folder, &[first.clone(), second]);
    let said = reader.types(&folder, &guide.lines("flwr run . my-federation --stream\n"));
    assert!(said.contains("finished: accuracy 0.9"), "{said}");
    reader.stops();
}

#[test]
fn client_authentication_with_the_older_commands() {
    let mut reader = Reader::new();
    let folder = reader.here().join("flower-client-authentication");
    document::copy("examples/flower-client-authentication", &folder);
    let guide = Document::read("examples/flower-client-authentication/README.md");
    for block in ["pip install", "flower-superlink", "PART=1", "PART=2"] {
        reader.types(&folder, &guide.lines(block));
    }
    let said = reader.types(&folder, &guide.lines("flower-server-app"));
    assert_eq!(
        said.matches("that nobody trained on: 0.").count(),
        3,
        "{said}"
    );
    reader.stops();
}

#[test]
fn certificates_for_both_sides() {
    let mut reader = Reader::new();
    let here = reader.here().to_owned();
    let has_hosts = reader.machine.has_hosts();
    let reachable = |line: &str| match has_hosts {
        true => line.to_owned(),
        false => [":9092", ":9093"]
            .iter()
            .fold(line.to_owned(), |line, port| {
                let named = format!("127.0.0.1{port} --server-name superlink.example");
                line.replace(&format!("superlink.example{port}"), &named)
            }),
    };
    reader.answers = "a passphrase\na passphrase\n";
    let lines = Document::read("README.md").lines("flwr cert ca --encrypt");
    let lines: Vec<_> = lines.iter().map(|line| reachable(line)).collect();
    reader.types(&here, &lines);
    reader.daemons[0].line("subject=\"O=Flower, CN=node-1\"");
    // A user with a certificate, and a run on the one node.
    let add = "flwr federation add hospital --address superlink.example:9093 --default \
               --root-certificates certificates/ca.crt --client-certificate alice.crt --client-key alice.key";
    for line in [add, "flwr new my-app minimal"] {
        reader.machine.types(&here, &reachable(line));
    }
    let run = "flwr run my-app --stream --run-config min-nodes=1";
    let said = reader.machine.types(&here, run);
    assert!(said.contains("Round 3 of 3: the mean of 1"), "{said}");
    reader.stops();
}

/// The README's block and the two of a guide for mutual TLS, which are Python dictionaries. The
/// certificates are made as that guide makes them.
#[test]
fn a_connection_with_mutual_tls_in_a_file() {
    let mut reader = Reader::new();
    let made = reader.machine.scratch.folder("data/certificates");
    for line in OPENSSL {
        tools::run(&made, line);
    }
    let here = reader.here().to_owned();
    let from_readme = Document::read("README.md")
        .block("use_secure_connection")
        .to_owned();
    let short = "{
    \"use_secure_connection\": True,
    \"ssl_private_key\": \"data/certificates/client.key\",
    \"ssl_cert\": \"data/certificates/client.crt\",
    \"ssl_root_cert\": \"data/certificates/rootCA.pem\"
}
";
    let options = ",\n    \"options\": [[\"grpc.ssl_target_name_override\", \"localhost\"]]\n}";
    let long = short.replace("\n}", options);
    fs::write(
        here.join("server.json"),
        "{\"use_secure_connection\": True}",
    )
    .unwrap();
    let line = "flower-superlink --config server.json --database :memory:".to_owned();
    reader.types(&here, &[line]);
    for content in [&from_readme, short, &long] {
        fs::write(here.join("client.json"), content).unwrap();
        reader.starts(&here, "flower-supernode --config client.json");
        assert!(!reader.daemons[1].has_said("WARN"), "{content}");
        reader.daemons.pop().unwrap().stop();
    }
    if reader.machine.has_hosts() {
        // The certificate is for localhost, and the file names its own root.
        fs::write(here.join("client.json"), short).unwrap();
        let line = "flower-supernode --config client.json --superlink superlink.example:9092";
        reader.starts(&here, line);
        let warned = reader.daemons[1].line("--server-name localhost");
        assert!(warned.contains("WARN"), "{warned}");
    }
    reader.stops();
}
