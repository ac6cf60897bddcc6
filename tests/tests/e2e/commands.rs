//! The `flwr` command of flwr 1.23 to 1.36 at our SuperLink.

use std::fs;
use std::path::Path;

use e2e::keys::NodeKey;
use e2e::{App, Federation, Maker, Outcome, Release, Security};
use serde_json::Value;

/// Somebody with a copy of an app, and `flwr` of a release.
struct Person<'a> {
    federation: &'a Federation,
    release: Release,
    app: App,
}

impl<'a> Person<'a> {
    fn of(federation: &'a Federation, release: Release) -> Self {
        let number = release.number();
        let folder = federation.scratch().folder(&format!("apps-{number}"));
        let app = App::copy("mean", &folder);
        let person = Self {
            federation,
            release,
            app,
        };
        if person.has_connections() {
            person.describe();
        } else {
            person.app.join(federation);
        }
        person
    }

    /// Whether the release finds federations in `config.toml`, not in the app.
    fn has_connections(&self) -> bool {
        self.release >= Release::V1_26
    }

    fn home(&self) -> String {
        format!("home-flwr-{}", self.release.number())
    }

    fn describe(&self) {
        let trust = match self.federation.ca() {
            None => "insecure = true".to_owned(),
            Some(ca) => format!("root-certificates = \"{}\"", ca.display()),
        };
        let address = self.federation.control();
        let text = format!(
            "[superlink]\ndefault = \"e2e\"\n\n[superlink.e2e]\naddress = \"{address}\"\n{trust}\n"
        );
        let home = self.federation.scratch().folder(&self.home());
        fs::write(Path::new(&home).join("config.toml"), text).unwrap();
    }

    /// The arguments of a command but `run`, with the place of the SuperLink behind them.
    fn at(&self, arguments: &[&str]) -> Vec<String> {
        let mut all: Vec<String> = arguments.iter().map(|it| (*it).to_owned()).collect();
        let place: &[&str] = if self.has_connections() {
            &["e2e"]
        } else {
            &[".", "e2e"]
        };
        all.extend(place.iter().map(|it| (*it).to_owned()));
        all
    }

    fn output(&self, arguments: &[String]) -> std::process::Output {
        let mut command = Maker::Pip(self.release).command("flwr");
        command
            .args(arguments)
            .current_dir(&self.app.path)
            .env("FLWR_HOME", self.federation.scratch().folder(&self.home()))
            .env("NO_COLOR", "1")
            .env("COLUMNS", "200");
        command.output().unwrap()
    }

    fn types(&self, arguments: &[&str]) -> Outcome {
        self.output(&self.at(arguments)).into()
    }

    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Value {
        let mut all = self.at(arguments);
        all.extend(["--format".to_owned(), "json".to_owned()]);
        let output = self.output(&all);
        let text = String::from_utf8_lossy(&output.stdout);
        serde_json::from_str(&text).unwrap_or_else(|error| {
            let said = Outcome::from(output.clone()).text;
            panic!(
                "flwr {all:?} of {} ({error}): {said}",
                self.release.number()
            )
        })
    }

    fn run(&self, run_config: &str, more: &[&str]) -> Outcome {
        let mut all = vec!["run", ".", "e2e", "--run-config", run_config];
        all.extend(more);
        let all: Vec<String> = all.into_iter().map(str::to_owned).collect();
        self.output(&all).into()
    }

    /// The id and status of each run.
    #[track_caller]
    fn runs(&self) -> Vec<(String, String)> {
        let listed = self.json(&["ls"]);
        let text = |value: &Value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        };
        let runs = listed["runs"]
            .as_array()
            .unwrap_or_else(|| panic!("{listed}"));
        runs.iter()
            .map(|run| (text(&run["run-id"]), text(&run["status"])))
            .collect()
    }

    /// A sentence is said, and no traceback; early releases end with 0 all the same.
    #[track_caller]
    fn is_told(&self, arguments: &[&str], sentence: &str) {
        let outcome = self.types(arguments);
        let number = self.release.number();
        assert!(
            outcome.text.contains(sentence),
            "{number} {arguments:?}: {}",
            outcome.text
        );
        assert!(
            !outcome.text.contains("Traceback"),
            "{number} {arguments:?}: {}",
            outcome.text
        );
    }

    fn runs_lists_and_stops(&self) {
        self.run("rounds=1", &["--stream"])
            .must_say(&["round 1: mean", "finished"]);
        let runs = self.runs();
        let [(first, status)] = &runs[..] else {
            panic!("{runs:?}");
        };
        assert_eq!(status, "finished:completed");
        let log = if self.has_connections() {
            self.types(&["log", first, "--show"])
        } else {
            self.types(&["log", "--show", first])
        };
        log.must_say(&["round 1: mean"]);
        self.run("nodes=9", &[])
            .must_say(&["Successfully started run"]);
        let runs = self.runs();
        let second = runs.iter().find(|(id, _)| id != first).unwrap().0.clone();
        self.types(&["stop", &second]).must_say(&["stopped"]);
        let runs = self.runs();
        assert!(
            runs.contains(&(second.clone(), "finished:stopped".to_owned())),
            "{runs:?}"
        );
        self.is_told(&["stop", &second], "already finished");
        self.is_told(&["stop", "7"], self.unknown_run());
        if self.release >= Release::V1_28 {
            let newest = self.json(&["ls", "--limit", "1"]);
            let newest = newest["runs"].as_array().unwrap();
            assert_eq!(newest.len(), 1, "{newest:?}");
            assert_eq!(newest[0]["run-id"].as_str(), Some(second.as_str()));
        }
        if self.has_connections() {
            self.is_told(&["pull", first], self.no_artifacts());
        }
    }

    fn unknown_run(&self) -> &'static str {
        match self.release >= Release::V1_31 {
            true => "there is no run 7",
            false => "Run ID not found",
        }
    }

    fn no_artifacts(&self) -> &'static str {
        match self.release >= Release::V1_31 {
            true => "artifacts are not offered here",
            false => "The SuperLink does not support `flwr pull` command.",
        }
    }

    fn registers_and_unregisters(&self) {
        let key = NodeKey::make(&self.app.path.join("keys"), "node");
        let key = key.public.to_str().unwrap().to_owned();
        let registered = self.json(&["supernode", "register", &key]);
        let id = registered["node-id"].to_string().replace('"', "");
        assert_ne!(id, "0", "{registered}");
        self.is_told(&["supernode", "register", &key], "already in use");
        // The command of 1.23 alone reads the list in another layout.
        if self.release > Release::V1_23 {
            assert_eq!(self.status_of(&id).as_deref(), Some("registered"));
            self.types(&["supernode", "list"])
                .must_say(&["online", "registered"]);
        }
        self.types(&["supernode", "unregister", &id])
            .must_say(&["unregistered successfully"]);
        if self.release > Release::V1_23 {
            assert_eq!(self.status_of(&id).as_deref(), Some("unregistered"));
        }
        let gone = match self.release >= Release::V1_31 {
            true => format!("this account has no node {id}"),
            false => "Node ID not found for this account.".to_owned(),
        };
        self.is_told(&["supernode", "unregister", &id], &gone);
        let again = self.json(&["supernode", "register", &key]);
        assert_ne!(again["node-id"], registered["node-id"], "a new id");
    }

    fn status_of(&self, id: &str) -> Option<String> {
        let listed = self.json(&["supernode", "list"]);
        let nodes = listed["nodes"]
            .as_array()
            .unwrap_or_else(|| panic!("{listed}"));
        let node = nodes
            .iter()
            .find(|node| node["node-id"].as_str() == Some(id))?;
        node["status"].as_str().map(str::to_owned)
    }

    fn knows_its_federation(&self) {
        self.types(&["federation", "list"])
            .must_say(&["@none/default"]);
        if self.release >= Release::V1_28 {
            let shown = self.json(&["federation", "list", "--federation", "@none/default"]);
            let federation = &shown["federation"];
            assert_eq!(federation["members"][0]["member_id"], "none", "{shown}");
            assert!(
                !federation["runs"].as_array().unwrap().is_empty(),
                "{shown}"
            );
            let nodes = federation["nodes"].as_array().unwrap().iter();
            let online = nodes.filter(|node| node["status"] == "online");
            assert_eq!(online.count(), 2, "{shown}");
        }
        let unknown = ["federation", "list", "--federation", "@none/other"];
        self.is_told(&unknown, "does not exist");
    }

    fn is_told_what_is_not_offered(&self) {
        let run = |more: &[&str], sentence: &str| {
            let outcome = self.run("rounds=1", more);
            assert!(
                outcome.text.contains(sentence),
                "{more:?}: {}",
                outcome.text
            );
            assert!(
                !outcome.text.contains("Traceback"),
                "{more:?}: {}",
                outcome.text
            );
        };
        run(&["--federation", "@none/other"], "does not exist");
        if self.release < Release::V1_28 {
            return;
        }
        let sentence =
            "federations beside @none/default, their members and invitations are not offered";
        self.is_told(&["federation", "create", "more"], sentence);
        self.is_told(&["federation", "archive", "@none/default"], sentence);
        self.is_told(
            &["federation", "add-supernode", "7", "@none/default"],
            sentence,
        );
        self.is_told(
            &["federation", "remove-supernode", "7", "@none/default"],
            sentence,
        );
        self.is_told(&["federation", "invite", "list"], sentence);
        self.is_told(
            &[
                "federation",
                "simulation-config",
                "@none/default",
                "--num-supernodes",
                "3",
            ],
            "simulations are not offered here",
        );
    }
}

fn works(security: Security, release: Release) {
    let federation = Federation::plan(security).start();
    let person = Person::of(&federation, release);
    person.runs_lists_and_stops();
    person.registers_and_unregisters();
    if person.has_connections() {
        person.knows_its_federation();
        person.is_told_what_is_not_offered();
    }
    federation.stop();
}

#[test]
#[ignore = "takes minutes: cargo xtask test --long"]
fn a_command_of_flwr_1_23_is_served_in_plaintext() {
    works(Security::Insecure, Release::V1_23);
}

#[test]
#[ignore = "takes minutes: cargo xtask test --long"]
fn a_command_of_flwr_1_26_is_served_in_plaintext() {
    works(Security::Insecure, Release::V1_26);
}

#[test]
fn a_command_of_flwr_1_28_is_served_over_tls() {
    works(Security::Tls, Release::V1_28);
}

#[test]
#[ignore = "takes minutes: cargo xtask test --long"]
fn a_command_of_flwr_1_31_is_served_over_tls() {
    works(Security::Tls, Release::V1_31);
}

#[test]
fn a_command_of_flwr_1_36_is_served_in_plaintext() {
    works(Security::Insecure, Release::V1_36);
}

#[test]
fn where_a_list_of_keys_decides_a_command_is_told_which() {
    let federation = Federation::plan(Security::TlsAndAuth).nodes(0).start();
    let key = NodeKey::make(&federation.scratch().path().join("more"), "node");
    let key = key.public.to_str().unwrap();
    for release in [Release::V1_26, Release::V1_36] {
        let person = Person::of(&federation, release);
        for command in [
            ["supernode", "register", key],
            ["supernode", "unregister", "7"],
        ] {
            person.is_told(
                &command,
                "the list of keys decides (keys/list.csv, --auth-list-public-keys)",
            );
        }
    }
    federation.stop();
}
