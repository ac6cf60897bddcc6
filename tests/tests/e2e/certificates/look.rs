//! Starts our programs and pip's gRPC with a set of files, and compares what they make of it with
//! the table.

use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use e2e::{Maker, Process, Release, Scratch, ports, tools};

pub(super) const OURS: Maker = Maker::Ours;

/// What becomes of a set of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ours {
    /// A SuperNode connects to a SuperLink.
    Connects,
    /// The SuperNode refuses, and says this.
    Refused(&'static str),
    /// The SuperLink does not start, and says this.
    Unusable(&'static str),
}
use Ours::{Connects, Refused, Unusable};

/// How pip's gRPC gets on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pip {
    Ready,
    Refused,
    NoServer,
    /// There is no SuperLink to connect to.
    Nothing,
}

/// A line of the table: the folder's name, what we make of it, what the SuperLink says at its start,
/// and how pip's client gets on with our SuperLink and with a server of pip's own.
pub(super) type Line = (&'static str, Ours, &'static str, Pip, Pip);

/// All folders. The openssl of the machine makes them once for all tests.
pub(super) static MADE: LazyLock<Scratch> = LazyLock::new(|| {
    let scratch = Scratch::new();
    let script = scratch.file("make.sh", include_str!("make.sh"));
    tools::run(scratch.path(), &format!("sh {}", script.display()));
    scratch.file("probe.py", include_str!("probe.py"));
    scratch
});

/// A SuperLink with the files of a folder, and what it said until it listened or ended.
pub(super) struct Started {
    pub(super) process: Process,
    pub(super) address: String,
    pub(super) listens: bool,
}

pub(super) fn start(name: &str, ca: &Path, certificate: &Path, key: &Path) -> Started {
    let address = format!("127.0.0.1:{}", ports::free());
    let mut command = OURS.command("flower-superlink");
    command.args(["--isolation", "process", "--database", ":memory:"]);
    command.args(["--fleet-api-address", &address]);
    command.args(["--control-api-address", "127.0.0.1:0"]);
    command.args(["--serverappio-api-address", "127.0.0.1:0"]);
    command.arg("--ssl-ca-certfile").arg(ca);
    command.arg("--ssl-certfile").arg(certificate);
    command.arg("--ssl-keyfile").arg(key);
    command.env("FLWR_HOME", MADE.folder("home"));
    let process = Process::start(&format!("{name}-link"), &mut command, MADE.path());
    let said = process.line_where("whether it starts", |line| {
        line.contains("listening for Fleet") || line.contains("error: ")
    });
    Started {
        process,
        address,
        listens: said.contains("listening"),
    }
}

/// What a SuperNode says that would come to this address, and whether it would work.
pub(super) fn check(roots: &Path, address: &str) -> (bool, String) {
    let mut command = OURS.command("flower-supernode");
    command.args(["--isolation", "process", "--check", "--superlink", address]);
    command.args(["--clientappio-api-address", "127.0.0.1:0"]);
    command.arg("--root-certificates").arg(roots);
    command.env("FLWR_HOME", MADE.folder("home"));
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text.into_owned())
}

fn pip(folder: &Path, address: Option<&str>) -> (Pip, Pip) {
    let mut command = Command::new(Release::V1_22.bin().join("python"));
    command.arg(MADE.path().join("probe.py"));
    command.args(["ca.crt", "server.pem", "server.key"].map(|file| folder.join(file)));
    command.args(address).env("GRPC_VERBOSITY", "NONE");
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let words: Vec<_> = text.trim().split(',').map(word).collect();
    match words[..] {
        [running, own] => (running, own),
        _ => panic!("{text}{}", String::from_utf8_lossy(&output.stderr)),
    }
}

fn word(text: &str) -> Pip {
    match text {
        "ready" => Pip::Ready,
        "refused" => Pip::Refused,
        "no server" => Pip::NoServer,
        "-" => Pip::Nothing,
        other => panic!("{other}"),
    }
}

/// What the programs made of a folder.
struct Found {
    ours: &'static str,
    /// What they said of the files.
    said: Vec<String>,
    pip: (Pip, Pip),
}

fn look(name: &str) -> Found {
    let folder = MADE.path().join(name);
    let [ca, certificate, key] =
        ["ca.crt", "server.pem", "server.key"].map(|file| folder.join(file));
    let mut started = start(name, &ca, &certificate, &key);
    let about = |line: &String| {
        ["WARN", "ERROR", "error: "]
            .iter()
            .any(|word| line.contains(word))
    };
    if !started.listens {
        let said = started.process.all_lines().into_iter().filter(about);
        return Found {
            ours: "unusable",
            said: said.collect(),
            pip: pip(&folder, None),
        };
    }
    let (works, text) = check(&ca, &started.address);
    let pip = pip(&folder, Some(&started.address));
    started.process.stop();
    let lines = started.process.lines().into_iter().filter(about);
    let findings = text.lines().map(str::to_owned);
    let findings = findings.filter(|line| line.starts_with(['✗', '!']));
    Found {
        ours: if works { "connects" } else { "refused" },
        said: lines.chain(findings).collect(),
        pip,
    }
}

impl Found {
    fn has_said(&self, text: &str) -> bool {
        self.said.iter().any(|line| line.contains(text))
    }

    /// What is not as the line of the table has it.
    fn differs(&self, (name, ours, link, with_ours, alone): Line) -> Option<String> {
        let (outcome, text) = match ours {
            Connects => ("connects", ""),
            Refused(text) => ("refused", text),
            Unusable(text) => ("unusable", text),
        };
        let said = [text, link]
            .iter()
            .all(|text| text.is_empty() || self.has_said(text));
        let same = self.ours == outcome && said && self.pip == (with_ours, alone);
        (!same).then(|| {
            format!(
                "{name}: {}, pip {:?}\n  {}\n  expected: {ours:?} {link:?} {with_ours:?} {alone:?}",
                self.ours,
                self.pip,
                self.said.join("\n  ")
            )
        })
    }
}

/// Prints the table, and fails with all lines that are not as they should be.
#[track_caller]
#[expect(clippy::print_stdout, reason = "the table is what it is for")]
pub(super) fn table(title: &str, lines: &[Line]) {
    println!("\n{title:<40} ours       pip with ours  pip alone");
    let mut wrong = Vec::new();
    for line in lines {
        let found = look(line.0);
        let [with_ours, alone] = [found.pip.0, found.pip.1].map(|pip| format!("{pip:?}"));
        println!("{:<40} {:<10} {with_ours:<14} {alone}", line.0, found.ours);
        let folder = MADE.path().display().to_string();
        for said in &found.said {
            let said = said.replace(&folder, "");
            let text = said
                .split_once(" WARN ")
                .map_or(&said[..], |(_, text)| text);
            println!("    {text}");
        }
        wrong.extend(found.differs(*line));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
