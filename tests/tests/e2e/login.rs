//! `flwr login` of ours at a SuperLink with accounts: the interceptor of flwr 1.22 itself, with
//! plugins of ours behind it (`tests/peers/account_superlink.py`).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::pki::{self, Flaw};
use e2e::{Maker, Outcome, Process, Release, Scratch};

/// Somebody with a federation of which the users log in.
struct User {
    superlink: Process,
    address: String,
    /// The root certificate.
    ca: String,
    scratch: Scratch,
}

impl User {
    fn of(mode: &str) -> Self {
        let scratch = Scratch::new();
        let pki = pki::make(&scratch.path().join("certificates"), Flaw::None);
        let peer = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/account_superlink.py");
        let mut command = Command::new(Release::V1_22.bin().join("python"));
        command
            .arg(peer)
            .args([&pki.certificate, &pki.key])
            .arg(mode)
            // So that it is found, and ended, if the test fails.
            .env("FLWR_HOME", scratch.path());
        let superlink = Process::start("superlink", &mut command, scratch.path());
        let port = superlink.line("port ").replace("port ", "");
        let user = Self {
            superlink,
            address: format!("127.0.0.1:{port}"),
            ca: pki.ca.display().to_string(),
            scratch,
        };
        let added = user.types(&[
            "federation",
            "add",
            "lab",
            "--default",
            "--address",
            &user.address,
            "--root-certificates",
            &user.ca,
            "--enable-user-auth",
        ]);
        assert_eq!(added.code, Some(0), "{}", added.text);
        user
    }

    fn types(&self, arguments: &[&str]) -> Outcome {
        Maker::Ours
            .command("flwr")
            .args(arguments)
            .current_dir(self.scratch.path())
            .env("FLWR_HOME", self.scratch.path().join("home"))
            .output()
            .unwrap()
            .into()
    }

    fn logs_in(&self) {
        let login = self.types(&["login"]);
        assert_eq!(login.code, Some(0), "{}", login.text);
        let place = "Please login with your user credentials here: https://idp.invalid/login";
        assert!(login.text.contains(place), "{}", login.text);
        assert!(
            login.text.contains("✅ Login successful."),
            "{}",
            login.text
        );
    }

    fn file(&self) -> PathBuf {
        self.scratch.path().join("home/.credentials/lab.json")
    }
}

#[test]
fn a_user_logs_in_is_known_and_logs_out() {
    let user = User::of("good");
    let before = user.types(&["ls"]);
    assert_eq!(before.code, Some(2), "{}", before.text);
    assert!(
        before.text.contains("Please run `flwr login`"),
        "{}",
        before.text
    );
    user.logs_in();
    assert_eq!(
        user.file().metadata().unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(user.types(&["ls"]).code, Some(0));
    user.superlink.line("shown A1");
    let doctor = user.types(&["doctor"]);
    assert!(doctor.text.contains("✓ authentication"), "{}", doctor.text);
    let logout = user.types(&["logout"]);
    assert_eq!(logout.code, Some(0), "{}", logout.text);
    assert!(!user.file().exists());
    assert_eq!(user.types(&["ls"]).code, Some(2));
}

#[test]
fn tokens_that_were_refreshed_are_kept_also_beside_an_error() {
    let user = User::of("stale");
    user.logs_in();
    let missing = user.types(&["ls", "--run-id", "5"]);
    assert_eq!(missing.code, Some(1), "{}", missing.text);
    assert!(
        missing.text.contains("Run ID not found"),
        "{}",
        missing.text
    );
    let kept = fs::read_to_string(user.file()).unwrap();
    assert!(kept.contains("\"A2\"") && kept.contains("\"R2\""), "{kept}");
    assert_eq!(user.types(&["ls"]).code, Some(0));
    user.superlink.line("shown A2");
}

#[test]
fn who_may_not_come_in_is_told_so() {
    let user = User::of("denied");
    user.logs_in();
    let denied = user.types(&["ls"]);
    assert_eq!(denied.code, Some(1), "{}", denied.text);
    assert!(
        denied.text.contains("Permission denied."),
        "{}",
        denied.text
    );
    let doctor = user.types(&["doctor"]);
    assert_eq!(doctor.code, Some(1));
    assert!(doctor.text.contains("✗ permission"), "{}", doctor.text);
}

#[test]
fn tokens_go_to_no_other_superlink_of_the_same_name() {
    let user = User::of("good");
    user.logs_in();
    let stranger = User::of("good");
    let changed = |address: &str, ca: &str| {
        let added = user.types(&[
            "federation",
            "add",
            "lab",
            "--force",
            "--default",
            "--address",
            address,
            "--root-certificates",
            ca,
            "--enable-user-auth",
        ]);
        assert_eq!(added.code, Some(0), "{}", added.text);
        let list = user.types(&["ls"]);
        assert_eq!(list.code, Some(2), "{}", list.text);
        assert!(list.text.contains("were not sent"), "{}", list.text);
        assert!(
            list.text.contains("log in again with `flwr login`"),
            "{}",
            list.text
        );
    };
    changed(&stranger.address, &stranger.ca);
    changed(&stranger.address, &user.ca);
    changed(&user.address, &stranger.ca);
    let shown = |superlink: &Process| superlink.lines().iter().any(|line| line.contains("shown"));
    assert!(!shown(&stranger.superlink) && !shown(&user.superlink));
}
