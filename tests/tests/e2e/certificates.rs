//! Certificates and keys as people have them, made by openssl: what our programs say of each, and
//! what gRPC of pip's flwr makes of the same files. Each test prints its part of the table
//! (`cargo xtask test -p e2e -- certificates --nocapture`).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use e2e::{Maker, Process, Release, Scratch, ports, tools};

mod dates;

const OURS: Maker = Maker::Ours;

/// What becomes of a set of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ours {
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
enum Pip {
    Ready,
    Refused,
    NoServer,
    /// There is no SuperLink to connect to.
    Nothing,
}

/// A line of the table: the folder's name, what we make of it, what the SuperLink says at its start,
/// and how pip's client gets on with our SuperLink and with a server of pip's own.
type Line = (&'static str, Ours, &'static str, Pip, Pip);

/// All folders. The openssl of the machine makes them once for all tests.
static MADE: LazyLock<Scratch> = LazyLock::new(|| {
    let scratch = Scratch::new();
    let script = scratch.file("make.sh", include_str!("certificates/make.sh"));
    tools::run(scratch.path(), &format!("sh {}", script.display()));
    scratch.file("probe.py", include_str!("certificates/probe.py"));
    scratch
});

/// A SuperLink with the files of a folder, and what it said until it listened or ended.
struct Started {
    process: Process,
    address: String,
    listens: bool,
}

fn start(name: &str, ca: &Path, certificate: &Path, key: &Path) -> Started {
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
fn check(roots: &Path, address: &str) -> (bool, String) {
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
fn table(title: &str, lines: &[Line]) {
    println!("\n{title:<40} ours       pip with ours  pip alone");
    let mut wrong = Vec::new();
    for line in lines {
        let found = look(line.0);
        println!(
            "{:<40} {:<10} {:<14} {}",
            line.0,
            found.ours,
            format!("{:?}", found.pip.0),
            format!("{:?}", found.pip.1)
        );
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

#[test]
fn chains_of_every_kind() {
    table(
        "chain",
        &[
            ("plain", Connects, "", Pip::Ready, Pip::Ready),
            ("self-signed-ca", Connects, "", Pip::Ready, Pip::Ready),
            (
                "self-signed-certsign-only",
                Refused("keyUsage without digitalSignature"),
                "keyUsage without digitalSignature",
                Pip::Refused,
                Pip::NoServer,
            ),
            (
                "self-signed-expired",
                Refused("has expired on 2021-01-01"),
                "it expired on 2021-01-01",
                Pip::Refused,
                Pip::Refused,
            ),
            (
                "self-signed-other-name",
                Refused("not for 127.0.0.1, but for elsewhere"),
                "",
                Pip::Refused,
                Pip::Refused,
            ),
            ("leaf-is-the-root", Connects, "", Pip::Ready, Pip::Ready),
            (
                "address-as-dns-name",
                Connects,
                "it names 127.0.0.1 as a DNS name",
                Pip::Ready,
                Pip::Ready,
            ),
            // A CA that may sign for no address would sign for this one.
            (
                "address-as-dns-name-constrained",
                Refused("names 127.0.0.1 as a DNS name, and one of its CAs limits names"),
                "one of its CAs limits names",
                Pip::Ready,
                Pip::Ready,
            ),
            (
                "other-name",
                Refused("not for 127.0.0.1, but for elsewhere"),
                "",
                Pip::Refused,
                Pip::Refused,
            ),
            ("intermediate", Connects, "", Pip::Ready, Pip::Ready),
            (
                "intermediate-first",
                Connects,
                "the certificate of the key is not the first in the file",
                Pip::Ready,
                Pip::NoServer,
            ),
            (
                "intermediate-missing",
                Refused("signed by a CA that is not trusted here"),
                "O=T, CN=sub is neither in the root certificate file nor in the file with the certificate",
                Pip::Refused,
                Pip::Refused,
            ),
            (
                "expired",
                Refused("its certificate has expired on 2021-01-01"),
                "it expired on 2021-01-01",
                Pip::Refused,
                Pip::Refused,
            ),
            (
                "expired-root",
                Refused("the certificate of its CA O=T, CN=root has expired on 2021-01-01"),
                "the CA certificate O=T, CN=root expired on 2021-01-01",
                Pip::Refused,
                Pip::Refused,
            ),
            // The same key with later dates: pip's takes the first, and does not look further.
            (
                "expired-root-and-renewed",
                Connects,
                "",
                Pip::Refused,
                Pip::Refused,
            ),
            (
                "expired-root-and-successor",
                Connects,
                "",
                Pip::Ready,
                Pip::Ready,
            ),
            (
                "expired-intermediate",
                Refused("the certificate of its CA O=T, CN=sub has expired on 2021-01-01"),
                "the CA certificate O=T, CN=sub in the chain expired on 2021-01-01",
                Pip::Refused,
                Pip::Refused,
            ),
            (
                "intermediate-no-ca",
                Refused("CA O=T, CN=sub is not a CA's"),
                "CA O=T, CN=sub is not a CA's",
                Pip::Refused,
                Pip::Refused,
            ),
            ("root-no-ca", Connects, "", Pip::Ready, Pip::Ready),
            (
                "intermediate-no-certsign",
                Refused("keyUsage without keyCertSign"),
                "keyUsage without keyCertSign",
                Pip::Refused,
                Pip::Refused,
            ),
            (
                "path-length",
                Refused("CA O=T, CN=sub allows 0 CAs below it"),
                "CN=sub allows 0 CAs below it",
                Pip::Refused,
                Pip::Refused,
            ),
            ("path-length-of-root", Connects, "", Pip::Ready, Pip::Ready),
            (
                "names-violated",
                Refused("CA O=T, CN=sub allows it to sign only for example.org"),
                "only for example.org",
                Pip::Refused,
                Pip::Refused,
            ),
            // pip's TLS library evaluates no limits for addresses, and refuses them all.
            ("names-kept", Connects, "", Pip::Refused, Pip::Refused),
            // SHA-1 can be forged, and RSA of 1024 bits broken: ours stay with their no.
            (
                "sha-1",
                Refused("its certificate is signed with SHA-1"),
                "is signed with SHA-1",
                Pip::Ready,
                Pip::Ready,
            ),
            (
                "sha-1-intermediate",
                Refused("CA O=T, CN=sub is signed with SHA-1"),
                "is signed with SHA-1",
                Pip::Ready,
                Pip::Ready,
            ),
            (
                "weak-root-key",
                Refused("has an RSA key of 1024 bits"),
                "has an RSA key of 1024 bits",
                Pip::Ready,
                Pip::Ready,
            ),
            (
                "for-clients-only",
                Refused("extendedKeyUsage without serverAuth"),
                "extendedKeyUsage without serverAuth",
                Pip::Refused,
                Pip::Refused,
            ),
            (
                "intermediate-for-clients-only",
                Refused("CN=sub has an extendedKeyUsage without serverAuth"),
                "without serverAuth",
                Pip::Refused,
                Pip::Refused,
            ),
            (
                "key-usage-without-signing",
                Connects,
                "keyUsage without digitalSignature",
                Pip::Refused,
                Pip::NoServer,
            ),
            (
                "critical-extension",
                Refused("a critical extension that is not known here (1.2.3.4.5)"),
                "(1.2.3.4.5)",
                Pip::Refused,
                Pip::Refused,
            ),
            ("seven-intermediates", Connects, "", Pip::Ready, Pip::Ready),
            (
                "seven-intermediates-one-limits-names",
                Refused("more than six CAs above it, one of which limits names"),
                "more than six CAs above it",
                Pip::Refused,
                Pip::Refused,
            ),
            (
                "seven-intermediates-one-too-many",
                Refused("CN=sub2 allows 3 CAs below it"),
                "CN=sub2 allows 3 CAs below it",
                Pip::Refused,
                Pip::Refused,
            ),
        ],
    );
}

#[test]
fn keys_of_every_kind() {
    table(
        "key",
        &[
            ("rsa-2048", Connects, "", Pip::Ready, Pip::Ready),
            (
                "rsa-1024",
                Unusable("not a key that TLS can use"),
                "",
                Pip::Nothing,
                Pip::Ready,
            ),
            ("p-384", Connects, "", Pip::Ready, Pip::Ready),
            (
                "p-521",
                Connects,
                "its key is of kind EC P-521",
                Pip::Refused,
                Pip::Refused,
            ),
            (
                "ed25519",
                Connects,
                "its key is of kind Ed25519",
                Pip::Refused,
                Pip::Refused,
            ),
            ("ed25519-root", Connects, "", Pip::Ready, Pip::Ready),
            ("second-key", Connects, "", Pip::Ready, Pip::NoServer),
            ("parameters-first", Connects, "", Pip::Ready, Pip::Ready),
            (
                "other-key",
                Unusable("it is not the key of the certificate"),
                "",
                Pip::Nothing,
                Pip::NoServer,
            ),
            (
                "encrypted-key",
                Unusable("openssl pkey -in"),
                "",
                Pip::Nothing,
                Pip::NoServer,
            ),
            (
                "key-in-pkcs12",
                Unusable("openssl pkcs12 -in"),
                "",
                Pip::Nothing,
                Pip::NoServer,
            ),
            (
                "key-in-der",
                Unusable("openssl pkey -inform DER -in"),
                "",
                Pip::Nothing,
                Pip::NoServer,
            ),
            (
                "key-of-openssh",
                Unusable("ssh-keygen -p -m PEM"),
                "",
                Pip::Nothing,
                Pip::NoServer,
            ),
            (
                "certificate-for-key",
                Unusable("it holds a certificate, and PEM text of a private key is expected"),
                "",
                Pip::Nothing,
                Pip::NoServer,
            ),
        ],
    );
}

#[test]
fn encodings_of_every_kind() {
    table(
        "encoding",
        &[
            ("byte-order-mark", Connects, "", Pip::Refused, Pip::Refused),
            ("indented", Connects, "", Pip::Refused, Pip::Refused),
            ("windows-lines", Connects, "", Pip::Ready, Pip::Ready),
            ("utf-16", Connects, "", Pip::Refused, Pip::Refused),
            ("text-before", Connects, "", Pip::Ready, Pip::Ready),
            ("trusted", Connects, "", Pip::Ready, Pip::Ready),
            (
                "trusted-not-for-servers",
                Unusable("exclude this use"),
                "",
                Pip::Nothing,
                Pip::Refused,
            ),
            (
                "pkcs7",
                Unusable("it holds PKCS#7"),
                "",
                Pip::Nothing,
                Pip::Refused,
            ),
            (
                "pkcs7-der",
                Unusable("it holds PKCS#7"),
                "",
                Pip::Nothing,
                Pip::Refused,
            ),
            (
                "der",
                Unusable("it holds a certificate in DER"),
                "",
                Pip::Nothing,
                Pip::Refused,
            ),
            (
                "pkcs12",
                Unusable("it holds PKCS#12"),
                "",
                Pip::Nothing,
                Pip::Refused,
            ),
            (
                "request",
                Unusable("a certificate request, which no CA has signed"),
                "",
                Pip::Nothing,
                Pip::Refused,
            ),
        ],
    );
}

/// The command that an error gives, between the last backticks.
fn way_out(text: &str) -> String {
    let mut parts = text.rsplit('`');
    parts.next();
    parts.next().expect("a command").to_owned()
}

#[test]
fn the_command_that_an_error_gives_makes_the_file_usable() {
    for (name, file) in [
        ("pkcs7", "ca.crt"),
        ("pkcs7-der", "ca.crt"),
        ("der", "ca.crt"),
        ("pkcs12", "ca.crt"),
        ("key-in-pkcs12", "server.key"),
        ("key-in-der", "server.key"),
    ] {
        let folder = MADE.path().join(name);
        let path = |wanted: &str| -> PathBuf { folder.join(wanted) };
        let (ca, certificate, key) = (path("ca.crt"), path("server.pem"), path("server.key"));
        let mut refused = start(&format!("{name}-before"), &ca, &certificate, &key);
        assert!(!refused.listens, "{name}");
        let said = refused.process.all_lines().join("\n");
        let mut command = way_out(&said);
        // openssl asks people.
        if command.contains("pkcs12") {
            command += " -passin pass:x";
        }
        tools::run(&folder, &command);
        let made = folder.join(format!("{file}.pem"));
        assert!(fs::metadata(&made).is_ok(), "{command}");
        let or = |usual: &Path, wanted: &str| {
            if file == wanted {
                made.clone()
            } else {
                usual.to_owned()
            }
        };
        let mut started = start(
            &format!("{name}-after"),
            &or(&ca, "ca.crt"),
            &certificate,
            &or(&key, "server.key"),
        );
        let (works, text) = check(&or(&ca, "ca.crt"), &started.address);
        assert!(works, "{name}: {command}\n{text}");
        started.process.stop();
    }
}
