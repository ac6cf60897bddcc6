//! Dates of all files: who tells them, before a peer meets them.

use std::process::{Command, Output};

use super::look::{MADE, OURS, check, start};

fn said(mut command: Command) -> (bool, String) {
    command.env("FLWR_HOME", MADE.folder("home"));
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let text = String::from_utf8_lossy(&stdout) + String::from_utf8_lossy(&stderr);
    (status.success(), text.into_owned())
}

fn check_config(name: &str) -> (bool, String) {
    let folder = MADE.path().join(name);
    let mut command = OURS.command("flower-superlink");
    command.args(["--check-config", "--isolation", "process"]);
    command.args(["--database", ":memory:"]);
    for (flag, file) in [
        ("--ssl-ca-certfile", "ca.crt"),
        ("--ssl-certfile", "server.pem"),
        ("--ssl-keyfile", "server.key"),
    ] {
        command.arg(flag).arg(folder.join(file));
    }
    said(command)
}

#[test]
fn check_config_tells_the_dates_of_cas_too() {
    for (name, told) in [
        (
            "expired-root",
            "the CA certificate O=T, CN=root expired on 2021-01-01",
        ),
        (
            "expired-intermediate",
            "the CA certificate O=T, CN=sub in the chain expired on 2021-01-01",
        ),
    ] {
        let (good, text) = check_config(name);
        assert!(!good && text.contains(told), "{name}: {text}");
    }
    let (_, text) = check_config("expired-root-and-successor");
    assert!(!text.contains("expired on"), "{text}");
}

#[test]
fn doctor_and_the_supernodes_check_tell_an_expired_root() {
    const TOLD: &str = "the CA certificate O=T, CN=root expired on 2021-01-01";
    const REFUSED: &str = "the certificate of its CA O=T, CN=root has expired on 2021-01-01";
    let folder = MADE.path().join("expired-root");
    let [ca, certificate, key] =
        ["ca.crt", "server.pem", "server.key"].map(|file| folder.join(file));
    let mut started = start("expired-root-doctor", &ca, &certificate, &key);
    started.process.line(TOLD);
    let (good, text) = check(&ca, &started.address);
    assert!(
        !good && text.contains(TOLD) && text.contains(REFUSED),
        "{text}"
    );
    let home = MADE.folder("home-doctor");
    let mut add = OURS.command("flwr");
    add.args([
        "federation",
        "add",
        "it",
        "--address",
        &started.address,
        "--default",
    ]);
    add.arg("--root-certificates")
        .arg(&ca)
        .env("FLWR_HOME", &home);
    assert!(add.output().unwrap().status.success());
    let mut doctor = OURS.command("flwr");
    doctor
        .args(["doctor", "it"])
        .env("FLWR_HOME", &home)
        .current_dir(&home);
    let output = doctor.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains(TOLD) && text.contains(REFUSED), "{text}");
    started.process.stop();
}
