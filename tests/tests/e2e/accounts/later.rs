//! Accounts for commands of releases that keep federations and tokens in Flower's home directory.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use e2e::keys::NodeKey;
use e2e::oidc::Person;
use e2e::{App, Maker, Outcome, Process, Release};
use serde_json::Value;

use super::{Club, LOGGED_IN, UNAUTHENTICATED, oidc};

/// Somebody with a home directory of their own.
struct Member<'a> {
    club: &'a Club,
    release: Release,
    person: Person,
    app: App,
    home: PathBuf,
}

impl<'a> Member<'a> {
    fn new(club: &'a Club, release: Release, name: &str) -> Self {
        let scratch = club.federation.scratch();
        let app = App::copy("trouble", &scratch.folder(&format!("apps-{name}")));
        let home = scratch.folder(&format!("home-{name}"));
        let text = format!(
            "[superlink]\ndefault = \"e2e\"\n\n[superlink.e2e]\naddress = \"{}\"\nroot-certificates = \"{}\"\n",
            club.federation.control(),
            club.federation.ca().unwrap().display()
        );
        fs::write(home.join("config.toml"), text).unwrap();
        Self {
            club,
            release,
            person: Person::named(name),
            app,
            home,
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Maker::Pip(self.release).command("flwr");
        command
            .args(arguments)
            .current_dir(&self.app.path)
            .env("FLWR_HOME", &self.home)
            // The test is the browser.
            .env("BROWSER", "true")
            .env("NO_COLOR", "1")
            .env("COLUMNS", "200");
        command
    }

    #[track_caller]
    fn types(&self, arguments: &[&str]) -> Outcome {
        Outcome::from(self.command(arguments).output().unwrap())
    }

    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Value {
        let all = [arguments, &["--format", "json"]].concat();
        let output = self.command(&all).output().unwrap();
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{all:?}: {error}: {output:?}"))
    }

    #[track_caller]
    fn logs_in(&self) {
        let scratch = self.club.federation.scratch().path();
        let mut login = Process::start("login", &mut self.command(&["login", "e2e"]), scratch);
        login.line("/activate?user_code=CODE-");
        self.club.provider.approve(&self.person);
        let status = login.wait();
        let said = login.all_lines().join("\n");
        assert!(status.success() && said.contains(LOGGED_IN), "{said}");
    }

    /// The token under this name in what the command keeps, and the file's lines without it.
    fn kept(&self, name: &str) -> (String, Vec<String>) {
        let text = fs::read_to_string(self.home.join("credentials.yaml")).unwrap();
        let key = format!(".{name}: ");
        let is_wanted = |line: &&str| line.contains(&key);
        let (wanted, others): (Vec<_>, Vec<_>) = text.lines().partition(is_wanted);
        let [line] = wanted[..] else {
            panic!("no {name} in {text}");
        };
        let others = others.into_iter().map(str::to_owned).collect();
        (line.to_owned(), others)
    }

    /// The access token that the command keeps.
    fn access_token(&self) -> String {
        let (line, _) = self.kept("oidc-access-token");
        let encoded = line.rsplit(' ').next().unwrap();
        String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap()
    }

    /// Puts another access token in its place.
    fn keep(&self, token: &str) {
        let (line, mut lines) = self.kept("oidc-access-token");
        let (key, _) = line.rsplit_once(' ').unwrap();
        lines.push(format!("{key} {}", STANDARD.encode(token)));
        let text = lines.join("\n") + "\n";
        fs::write(self.home.join("credentials.yaml"), text).unwrap();
    }
}

/// A member logs in, starts a run, and owns the SuperNode that they register.
fn logs_in_runs_and_registers(member: &Member<'_>, without: &str) {
    member.types(&["ls", "e2e"]).failure(1).must_say(&[without]);
    member.logs_in();
    member
        .types(&["run", ".", "e2e", "--run-config", "client=\"fine\""])
        .success()
        .must_say(&["Successfully started run"]);
    member
        .types(&["ls", "e2e"])
        .success()
        .must_say(&["tests/trouble"]);
    let folder = member.club.federation.scratch().path().join("more");
    let key = NodeKey::make(&folder, "node");
    member
        .types(&["supernode", "register", key.public.to_str().unwrap(), "e2e"])
        .success()
        .must_say(&["registered successfully"]);
    let listed = member.json(&["supernode", "list", "e2e"]);
    let node = &listed["nodes"][0];
    let is_hers = node["owner-aid"] == "alice-1" || node["owner-name"] == "alice";
    assert!(is_hers, "{listed}");
}

#[test]
fn a_user_of_flwr_1_31_logs_in_runs_and_owns_what_they_register() {
    let club = Club::open("\"any\"");
    let alice = Member::new(&club, Release::V1_31, "alice");
    logs_in_runs_and_registers(&alice, UNAUTHENTICATED);
    club.close();
}

#[test]
fn a_user_of_flwr_1_42_logs_in_over_http_and_owns_their_runs() {
    let club = Club::open("\"any\"");
    let alice = Member::new(&club, Release::V1_42, "alice");
    logs_in_runs_and_registers(&alice, "[code: 36]");
    let listed = alice.json(&["ls", "e2e"]);
    let run = listed["runs"][0]["run-id"].as_str().unwrap().to_owned();
    assert_eq!(listed["runs"].as_array().unwrap().len(), 1, "{listed}");

    let bob = Member::new(&club, Release::V1_42, "bob");
    bob.logs_in();
    assert_eq!(bob.json(&["ls", "e2e"])["runs"], Value::Array(Vec::new()));
    bob.types(&["stop", &run, "e2e"])
        .failure(1)
        .must_say(&["[code: 31]"]);

    // A token that has expired is renewed by itself.
    let mut claims = club.provider.claims(&alice.person);
    claims["exp"] = (oidc::now() - 3600).into();
    let expired = club.provider.sign(&claims);
    alice.keep(&expired);
    alice
        .types(&["log", &run, "e2e", "--show"])
        .success()
        .must_say(&["serverapp pid="]);
    assert_ne!(alice.access_token(), expired);
    alice
        .types(&["stop", &run, "e2e"])
        .success()
        .must_say(&["successfully stopped"]);
    club.close();
}
