//! People sign in on Control: pip's `flwr` with our SuperLink and a provider of the test's own.

use std::fs;
use std::path::PathBuf;

use e2e::oidc::{self, Key, Mood, Person, Provider};
use e2e::{App, Federation, Maker, Outcome, Process, Release, Scratch, Security};
use serde_json::{Value, json};

mod delete;
mod elsewhere;
mod later;
mod latest;

/// Whose `flwr` most users have.
const PIP: Maker = Maker::Pip(Release::V1_22);
const DENIED: &str = "Permission denied";
const UNAUTHENTICATED: &str = "Authentication failed";
const LOGGED_IN: &str = "Login successful";

/// A federation whose users sign in, and their provider.
struct Club {
    federation: Federation,
    provider: Provider,
    /// Where the file about accounts is.
    files: Scratch,
}

/// Somebody with a copy of the app, and `flwr` of some version.
struct User<'a> {
    club: &'a Club,
    app: App,
    person: Person,
    maker: Maker,
}

impl Club {
    fn open(allow: &str) -> Self {
        let provider = Provider::start();
        let files = Scratch::new();
        files.file("idp.pem", provider.certificate());
        let file = write(&files, &provider, allow);
        let flags = ["--account-auth-config", file.to_str().unwrap()];
        let federation = Federation::plan(Security::Tls)
            .nodes(0)
            .superlink_flags(&flags)
            .start();
        Self {
            federation,
            provider,
            files,
        }
    }

    /// Somebody who has not logged in.
    fn user(&self, person: Person, maker: Maker) -> User<'_> {
        let apps = self
            .federation
            .scratch()
            .folder(&format!("apps-{}", person.name));
        let app = App::copy("trouble", &apps);
        app.join(&self.federation);
        let project = app.path.join("pyproject.toml");
        let text = fs::read_to_string(&project).unwrap() + "enable-user-auth = true\n";
        fs::write(project, text).unwrap();
        User {
            club: self,
            app,
            person,
            maker,
        }
    }

    fn named(&self, name: &str) -> User<'_> {
        self.user(Person::named(name), PIP)
    }

    /// Ends, having told nobody's secrets.
    #[track_caller]
    fn close(mut self) {
        for line in self.federation.superlink().lines() {
            // JWTs begin so; the others are the provider's.
            let secrets = ["eyJ", "refresh-", "device/"];
            let told = secrets.iter().find(|secret| line.contains(*secret));
            assert_eq!(told, None, "{line}");
        }
        self.federation.stop();
    }
}

/// Writes the file about accounts.
fn write(files: &Scratch, provider: &Provider, allow: &str) -> PathBuf {
    let issuer = provider.issuer();
    let text = format!(
        "issuer = \"{issuer}\"\nclient-id = \"flower\"\nroot-certificates = \"idp.pem\"\n\
         allow = {allow}\nadmins = [\"group:flower-admins\"]\n"
    );
    files.file("accounts.toml", text)
}

impl User<'_> {
    #[track_caller]
    fn flwr(&self, arguments: &[&str]) -> Outcome {
        let flwr = self.club.federation.flwr(self.maker);
        flwr.call(&self.app.path, arguments)
    }

    /// Begins to log in, as far as the address that pip prints.
    fn begin(&self) -> Process {
        let flwr = self.club.federation.flwr(self.maker);
        let process = flwr.spawn(&self.app.path, &["login", ".", "e2e"]);
        let line = process.line("Please login with your user credentials here");
        assert!(line.contains("/activate?user_code=CODE-"), "{line}");
        process
    }

    fn log_in(&self) {
        let mut process = self.begin();
        self.club.provider.approve(&self.person);
        let status = process.wait();
        let text = process.all_lines().join("\n");
        assert!(status.success() && text.contains(LOGGED_IN), "{text}");
    }

    fn start_run(&self) -> u64 {
        let flwr = self.club.federation.flwr(self.maker);
        flwr.start(&self.app, "client=\"fine\"")
    }

    /// The runs that they see.
    fn runs(&self) -> Vec<u64> {
        let flwr = self.club.federation.flwr(self.maker);
        flwr.statuses(&self.app).into_keys().collect()
    }

    #[track_caller]
    fn ls(&self, run: u64) -> Outcome {
        self.flwr(&["ls", ".", "e2e", "--run-id", &run.to_string()])
    }

    #[track_caller]
    fn log(&self, run: u64) -> Outcome {
        self.flwr(&["log", &run.to_string(), ".", "e2e", "--show"])
    }

    #[track_caller]
    fn stop(&self, run: u64) -> Outcome {
        self.flwr(&["stop", &run.to_string(), ".", "e2e"])
    }

    fn file(&self) -> PathBuf {
        self.app.path.join(".flwr/.credentials/e2e.json")
    }

    /// What pip has kept.
    fn kept(&self) -> (String, String) {
        let kept: Value = serde_json::from_slice(&fs::read(self.file()).unwrap()).unwrap();
        let text = |key: &str| kept[key].as_str().unwrap().to_owned();
        assert_eq!(text("auth-type"), "oidc");
        (
            text("flwr-oidc-access-token"),
            text("flwr-oidc-refresh-token"),
        )
    }

    /// Puts other tokens into the file. What else stands there, such as the SuperLink that our
    /// `flwr` has noted, stays.
    fn keep(&self, access: &str, refresh: &str) {
        let kept = fs::read(self.file()).unwrap_or_else(|_| b"{}".to_vec());
        let mut kept: Value = serde_json::from_slice(&kept).unwrap();
        kept["auth-type"] = json!("oidc");
        kept["flwr-oidc-access-token"] = json!(access);
        kept["flwr-oidc-refresh-token"] = json!(refresh);
        fs::create_dir_all(self.file().parent().unwrap()).unwrap();
        fs::write(self.file(), kept.to_string()).unwrap();
    }

    /// Their claims, expired.
    fn expired(&self) -> Value {
        let mut claims = self.club.provider.claims(&self.person);
        claims["exp"] = json!(oidc::now() - 3600);
        claims
    }
}

#[test]
fn a_run_is_its_owners_and_the_admins() {
    let club = Club::open("\"any\"");
    let admin = Person {
        groups: vec!["flower-admins".to_owned()],
        ..Person::named("root")
    };
    let (alice, bob) = (club.named("alice"), club.named("bob"));
    let admin = club.user(admin, PIP);
    for user in [&alice, &bob, &admin] {
        user.log_in();
    }
    let (first, second) = (alice.start_run(), alice.start_run());
    assert_eq!(alice.runs().len(), 2);
    assert_eq!(bob.runs(), [0_u64; 0]);
    assert_eq!(admin.runs().len(), 2);

    let not_his = ["Run ID does not belong to the user"];
    bob.ls(first).must_say(&not_his);
    bob.log(first).failure(1).must_say(&not_his);
    bob.stop(first).must_say(&not_his);
    bob.stop(u64::MAX).must_say(&["Run ID not found"]);

    alice.ls(first).success().must_say(&[&first.to_string()]);
    alice
        .stop(first)
        .success()
        .must_say(&["successfully stopped"]);
    alice.stop(first).must_say(&["is already finished"]);
    alice.log(first).success().must_say(&["serverapp pid="]);
    admin
        .stop(second)
        .success()
        .must_say(&["successfully stopped"]);
    admin.log(second).success().must_say(&["serverapp pid="]);
    bob.log(second).failure(1).must_say(&[DENIED]);
    club.close();
}

#[test]
fn nobody_does_anything_who_has_not_logged_in() {
    let club = Club::open("[\"sub:alice-1\"]");
    let alice = club.named("alice");
    alice
        .flwr(&["ls", ".", "e2e"])
        .must_say(&["Please run `flwr login`"]);
    let claims = alice.club.provider.claims(&alice.person);
    let refresh = || club.provider.refresh_token(&alice.person);
    let stranger = Key::rsa("one");
    for (access, refresh) in [
        ("".to_owned(), refresh()),
        // Expired, and the refresh token is spent.
        (club.provider.sign(&alice.expired()), "spent".to_owned()),
        // Expired, and the refresh token is good: but nobody of the provider's has signed it.
        (stranger.sign(&alice.expired()), refresh()),
        (stranger.sign(&claims), refresh()),
        (
            format!("{}.", oidc::unsigned(&json!({"alg": "none"}), &claims)),
            refresh(),
        ),
    ] {
        alice.keep(&access, &refresh);
        alice.flwr(&["ls", ".", "e2e"]).must_say(&[UNAUTHENTICATED]);
        assert_eq!(alice.kept(), (access, refresh), "nothing new");
    }
    let bob = club.named("bob");
    bob.keep(&club.provider.sign(&club.provider.claims(&bob.person)), "x");
    bob.flwr(&["ls", ".", "e2e"])
        .must_say(&[DENIED, "User not authorized"]);
    club.close();
}

#[test]
fn who_is_put_on_the_list_may_come_in() {
    let mut club = Club::open("[\"sub:alice-1\"]");
    let bob = club.named("bob");
    let mut login = bob.begin();
    club.provider.approve(&bob.person);
    assert_eq!(login.wait().code(), Some(1));
    let told = login.all_lines().join("\n");
    assert!(told.contains("User not authorized"), "{told}");
    write(&club.files, &club.provider, "[\"sub:bob-1\"]");
    club.federation.superlink().reload();
    club.federation
        .superlink()
        .line("--account-auth-config read again");
    let bob = club.named("bob");
    bob.log_in();
    assert_eq!(bob.runs(), [0_u64; 0]);
    club.close();
}

#[track_caller]
fn keeps_refreshed_tokens(maker: Maker) {
    let club = Club::open("\"any\"");
    let alice = club.user(Person::named("alice"), maker);
    alice.log_in();
    let run = alice.start_run();
    // `flwr log --show` prints what is there.
    let flwr = club.federation.flwr(alice.maker);
    let log = ["log", &run.to_string(), ".", "e2e", "--stream"];
    flwr.spawn(&alice.app.path, &log).line("serverapp pid=");
    let calls: [(&dyn Fn() -> Outcome, &str); 3] = [
        (&|| alice.ls(1), "Run ID not found"),
        (&|| alice.log(run), "serverapp pid="),
        (&|| alice.ls(run), "running"),
    ];
    for (call, text) in calls {
        let (_, refresh) = alice.kept();
        let expired = club.provider.sign(&alice.expired());
        alice.keep(&expired, &refresh);
        call().must_say(&[text]);
        let (access, refreshed) = alice.kept();
        assert_ne!(access, expired, "{text}");
        assert_ne!(refreshed, refresh, "{text}");
    }
    alice.stop(run).must_say(&["successfully stopped"]);
    club.close();
}

#[test]
fn pip_keeps_refreshed_tokens_also_when_the_call_is_refused() {
    keeps_refreshed_tokens(PIP);
}

#[test]
fn our_flwr_keeps_refreshed_tokens_also_when_the_call_is_refused() {
    keeps_refreshed_tokens(Maker::Ours);
}

#[test]
fn a_login_that_is_denied_ends_in_one_line() {
    let club = Club::open("\"any\"");
    let alice = club.named("alice");
    let mut login = alice.begin();
    club.provider.deny();
    assert_eq!(login.wait().code(), Some(1));
    let told = login.all_lines().join("\n");
    assert!(
        told.contains(DENIED) && told.contains("the login was denied"),
        "{told}"
    );
    assert!(!told.contains("Traceback"), "{told}");
    assert!(!alice.file().exists());
    // A provider that gives no refresh token does not keep pip asking to the end.
    club.provider.state().mood = Mood::NoRefreshToken;
    alice.log_in();
    assert_eq!(alice.runs(), [0_u64; 0]);
    club.close();
}

#[track_caller]
fn logs_in_and_runs(maker: Maker) {
    let club = Club::open("[\"sub:alice-1\"]");
    let alice = club.user(Person::named("alice"), maker);
    alice.log_in();
    let run = alice.start_run();
    assert_eq!(alice.runs(), [run]);
    alice
        .stop(run)
        .success()
        .must_say(&["successfully stopped"]);
    club.close();
}

#[test]
fn flwr_1_20_logs_in() {
    logs_in_and_runs(Maker::Pip(Release::V1_20));
}

#[test]
fn flwr_1_21_logs_in() {
    logs_in_and_runs(Maker::Pip(Release::V1_21));
}

#[test]
fn our_flwr_logs_in_and_pip_goes_on_with_its_tokens() {
    let club = Club::open("[\"sub:alice-1\"]");
    let mut alice = club.user(Person::named("alice"), Maker::Ours);
    alice.log_in();
    let run = alice.start_run();
    alice.maker = PIP;
    assert_eq!(alice.runs(), [run]);
    alice.stop(run).success().must_say(&["stopped"]);
    club.close();
}

#[test]
fn the_provider_is_part_of_a_checkup() {
    let club = Club::open("\"any\"");
    let check = || {
        let mut command = Maker::Ours.command("flower-superlink");
        let folder = club.federation.scratch().path();
        let output = command
            .current_dir(folder)
            .args(["--check-config", "--isolation", "process"])
            .args(["--ssl-ca-certfile", "certificates/ca.crt"])
            .args(["--ssl-certfile", "certificates/server.pem"])
            .args(["--ssl-keyfile", "certificates/server.key"])
            .args(["--database", ":memory:"])
            .arg("--account-auth-config")
            .arg(club.files.path().join("accounts.toml"))
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let told = check();
    assert!(told.contains("any account and 1 admins"), "{told}");
    assert!(told.contains("it answers, and publishes 1 keys"), "{told}");
    club.provider.state().mood = Mood::NoDevices;
    let told = check();
    let why = "the provider offers no device login";
    assert!(told.contains(why), "{told}");
    club.close();
}
