//! What the programs say about their flags and files, before they do anything.

use std::fs;
use std::path::Path;

use e2e::keys::{self, NodeKey};
use e2e::pki::{self, Flaw, Pki};
use e2e::{App, Flwr, Maker, Release, Scratch};

/// The files that the cases below are about.
struct Files {
    scratch: Scratch,
    pki: Pki,
    other: Pki,
    key: NodeKey,
}

impl Files {
    fn make() -> Self {
        let scratch = Scratch::new();
        let folder = |name: &str| scratch.path().join(name);
        let pki = pki::make(&folder("certificates"), Flaw::None);
        let other = pki::make(&folder("other"), Flaw::None);
        let key = NodeKey::make(&folder("keys"), "node");
        let stranger = NodeKey::make(&folder("keys"), "stranger");
        keys::write_list(&folder("keys/list.csv"), &[stranger]);
        scratch.file("empty", "");
        scratch.file("nonsense", "this is no certificate and no key\n");
        Self {
            scratch,
            pki,
            other,
            key,
        }
    }

    /// Starts a daemon with these flags, which it must refuse in one line that says all of `words`.
    #[track_caller]
    fn refused(&self, program: &str, flags: &str, words: &[&str]) {
        let mut command = Maker::Ours.command(program);
        let output = command
            .current_dir(self.scratch.path())
            .args(flags.split_whitespace())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{program} {flags}: {said}");
        assert_eq!(
            said.trim_end().lines().count(),
            1,
            "{program} {flags}: {said}"
        );
        for word in words {
            assert!(
                said.contains(word),
                "{program} {flags}: {word:?} is not in {said:?}"
            );
        }
    }
}

const TLS: &str = "--ssl-ca-certfile certificates/ca.crt --ssl-certfile certificates/server.pem \
                   --ssl-keyfile certificates/server.key";

#[test]
fn a_superlink_without_its_certificates_does_not_start() {
    let files = Files::make();
    for (flags, words) in [
        ("", &["--ssl-certfile", "--insecure"][..]),
        ("--ssl-certfile certificates/server.pem", &["--ssl-keyfile"]),
        (
            "--ssl-certfile certificates/server.pem --ssl-keyfile certificates/server.key",
            &["--ssl-ca-certfile"],
        ),
        (
            "--insecure --auth-list-public-keys keys/list.csv",
            &["--auth-list-public-keys", "--insecure"],
        ),
    ] {
        files.refused("flower-superlink", flags, words);
    }
}

#[test]
fn a_superlink_names_the_flag_and_file_that_is_wrong() {
    let files = Files::make();
    for (good, bad, words) in [
        (
            "--ssl-keyfile certificates/server.key",
            "--ssl-keyfile other/server.key",
            &["--ssl-keyfile", "other/server.key"][..],
        ),
        (
            "--ssl-keyfile certificates/server.key",
            "--ssl-keyfile missing.key",
            &["--ssl-keyfile", "missing.key"],
        ),
        (
            "--ssl-keyfile certificates/server.key",
            "--ssl-keyfile empty",
            &["--ssl-keyfile", "empty"],
        ),
        (
            "--ssl-keyfile certificates/server.key",
            "--ssl-keyfile nonsense",
            &["--ssl-keyfile", "nonsense"],
        ),
        (
            "--ssl-certfile certificates/server.pem",
            "--ssl-certfile empty",
            &["--ssl-certfile", "empty"],
        ),
        (
            "--ssl-certfile certificates/server.pem",
            "--ssl-certfile certificates",
            &["--ssl-certfile", "certificates"],
        ),
        (
            "--ssl-ca-certfile certificates/ca.crt",
            "--ssl-ca-certfile nonsense",
            &["--ssl-ca-certfile", "nonsense"],
        ),
    ] {
        assert!(TLS.contains(good));
        files.refused("flower-superlink", &TLS.replace(good, bad), words);
    }
    for list in ["missing.csv", "empty", "nonsense"] {
        let flags = format!("{TLS} --auth-list-public-keys {list}");
        files.refused(
            "flower-superlink",
            &flags,
            &["--auth-list-public-keys", list],
        );
    }
    files
        .scratch
        .file("accounts.toml", "isuer = \"https://idp.example.org\"\n");
    files.refused(
        "flower-superlink",
        &format!("{TLS} --account-auth-config accounts.toml"),
        &[
            "--account-auth-config",
            "accounts.toml",
            "did you mean `issuer`?",
        ],
    );
    // They exist, so the cases above fail for the reason they name.
    assert!(files.pki.key.is_file() && files.other.key.is_file());
}

#[test]
fn a_supernode_names_the_flag_and_file_that_is_wrong() {
    let files = Files::make();
    let ca = "--root-certificates certificates/ca.crt";
    let key = "--auth-supernode-private-key keys/node";
    let public = "--auth-supernode-public-key keys/node.pub";
    let with = |flags: &[&str]| flags.join(" ");
    for (flags, words) in [
        (
            with(&["--root-certificates missing.crt"]),
            &["--root-certificates", "missing.crt"][..],
        ),
        (
            with(&["--root-certificates empty"]),
            &["--root-certificates", "empty"],
        ),
        (
            with(&["--insecure", ca]),
            &["--insecure", "--root-certificates"],
        ),
        (
            with(&["--insecure", key, public]),
            &["--auth-supernode-private-key", "--insecure"],
        ),
        (with(&[ca, public]), &["--auth-supernode-private-key"]),
        (
            with(&[ca, "--auth-supernode-private-key empty", public]),
            &["--auth-supernode-private-key", "empty"],
        ),
        (
            with(&[ca, key, "--auth-supernode-public-key keys/stranger.pub"]),
            &["--auth-supernode-public-key", "keys/stranger.pub"],
        ),
        (
            with(&["--insecure", "--superlink nowhere"]),
            &["--superlink", "nowhere"],
        ),
        (
            with(&["--insecure", "--node-config a=b"]),
            &["--node-config"],
        ),
    ] {
        files.refused("flower-supernode", &flags, words);
    }
    assert!(files.key.private.is_file());
}

#[test]
fn what_a_supernode_keeps_is_checked_and_mended_by_its_key_alone() {
    let Files { scratch, key, .. } = &Files::make();
    let check = |flags: &[&str]| {
        let output = Maker::Ours
            .command("flower-supernode")
            .arg("--auth-supernode-private-key")
            .arg(&key.private)
            .arg("--auth-supernode-public-key")
            .arg(&key.public)
            .args(flags)
            .env("FLWR_HOME", scratch.folder("home"))
            .output()
            .unwrap();
        let text =
            String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        (output.status.code(), text.into_owned())
    };
    let (code, text) = check(&["--check-state"]);
    assert_eq!(code, Some(0), "{text}");
    let outbox = text
        .lines()
        .find_map(|line| line.strip_prefix("no finished replies in "));
    let outbox = Path::new(outbox.unwrap());
    assert!(outbox.starts_with(scratch.folder("home")), "{text}");
    fs::create_dir_all(outbox).unwrap();
    let damaged = outbox.join("7".repeat(64));
    fs::write(&damaged, b"FLWRNODE\x01\0\0\0").unwrap();
    let told = format!("problem: {}: it is damaged", damaged.display());
    let (code, text) = check(&["--check-state"]);
    assert!(code == Some(1) && text.contains(&told), "{text}");
    let (code, text) = check(&["--check-state", "--repair"]);
    assert!(code == Some(0) && text.contains("mended: "), "{text}");
    assert!(!damaged.exists());
    let (code, text) = check(&["--repair"]);
    assert!(code == Some(2) && text.contains("--check-state"), "{text}");
}

#[test]
fn ports_that_are_taken_are_named() {
    let scratch = Scratch::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = Maker::Ours.command("flower-superlink");
    command.args(["--insecure", "--fleet-api-address", &address]);
    for flag in ["--control-api-address", "--serverappio-api-address"] {
        command.args([flag, &format!("127.0.0.1:{}", e2e::ports::free())]);
    }
    command.env("FLWR_HOME", scratch.folder("home"));
    let output = command.current_dir(scratch.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains(&format!(
            "Port in server address {address} is already in use"
        )),
        "{said}"
    );
}

/// Builds the app and gives the bundle's name and bytes.
#[track_caller]
fn build(maker: Maker, scratch: &Scratch, app: &App) -> (String, Vec<u8>) {
    let name = if maker == Maker::Ours { "ours" } else { "pip" };
    let out = scratch.folder(name);
    let path = app.path.to_str().unwrap();
    let _ = Flwr::new(maker, scratch)
        .call(&out, &["build", "--app", path])
        .success();
    let bundle = fs::read_dir(&out)
        .unwrap()
        .next()
        .expect("a bundle")
        .unwrap()
        .path();
    (
        bundle.file_name().unwrap().to_str().unwrap().to_owned(),
        fs::read(bundle).unwrap(),
    )
}

#[test]
fn bundles_are_those_of_flower_byte_for_byte() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/flower-authentication");
    for from in ["mean", "trouble", example.to_str().unwrap()] {
        let scratch = Scratch::new();
        let app = App::copy(from, &scratch.folder("apps"));
        // None of these belongs into a bundle.
        fs::write(app.path.join("secret.key"), "x").unwrap();
        fs::write(app.path.join(".gitignore"), "ignored/\n").unwrap();
        fs::create_dir(app.path.join("ignored")).unwrap();
        fs::write(app.path.join("ignored/notes.md"), "x").unwrap();
        let (our_name, our_bytes) = build(Maker::Ours, &scratch, &app);
        let (name, bytes) = build(Maker::Pip(Release::V1_22), &scratch, &app);
        assert_eq!(our_name, name);
        assert!(our_bytes == bytes, "{name}: same name, other bytes");
    }
}

/// An app in a directory `build`, which this `.gitignore` may mean.
fn in_build(scratch: &Scratch, gitignore: &str) -> App {
    let app = App::copy("mean", &scratch.folder("build"));
    fs::write(app.path.join(".gitignore"), gitignore).unwrap();
    app
}

#[test]
fn a_bundle_without_the_apps_modules_is_refused_where_flower_makes_one() {
    let scratch = Scratch::new();
    let app = in_build(&scratch, "build/\n");
    let project = app.path.join("pyproject.toml");
    let text = fs::read_to_string(&project).unwrap()
        + "\n[tool.flwr.federations.far]\naddress = \"127.0.0.1:1\"\ninsecure = true\n";
    fs::write(&project, text).unwrap();
    let path = app.path.to_str().unwrap();
    let here = scratch.folder("here");
    for command in [&["build", "--app", path][..], &["run", path, "far"]] {
        let told = Flwr::new(Maker::Ours, &scratch).call(&here, command);
        told.failure(2).must_say(&[
            "the bundle would lack mean/",
            "the pattern `build/` (line 1 of .gitignore) matches",
        ]);
    }
    assert!(fs::read_dir(&here).unwrap().next().is_none());
    // pip's has no file of the app.
    let (_, bytes) = build(Maker::Pip(Release::V1_22), &scratch, &app);
    assert!(!bytes.windows(5).any(|name| name == b"mean/"));
}

#[test]
fn a_module_taken_back_from_a_pattern_is_in_the_bundle_of_flower_too() {
    let scratch = Scratch::new();
    let app = in_build(&scratch, "build/\r\n!mean/\r\n");
    let (our_name, our_bytes) = build(Maker::Ours, &scratch, &app);
    let (name, bytes) = build(Maker::Pip(Release::V1_22), &scratch, &app);
    assert_eq!(our_name, name);
    assert!(our_bytes == bytes, "{name}: same name, other bytes");
    assert!(bytes.windows(5).any(|name| name == b"mean/"));
}
