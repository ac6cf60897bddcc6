//! Accounts for commands of releases that keep federations and tokens in Flower's home directory.

use std::fs;
use std::path::Path;
use std::process::Command;

use e2e::keys::NodeKey;
use e2e::oidc::Person;
use e2e::{App, Maker, Outcome, Process, Release};
use serde_json::Value;

use super::{Club, LOGGED_IN, UNAUTHENTICATED};

#[test]
fn a_user_of_flwr_1_31_logs_in_runs_and_owns_what_they_register() {
    let club = Club::open("\"any\"");
    let scratch = club.federation.scratch();
    let app = App::copy("trouble", &scratch.folder("apps-later"));
    let home = scratch.folder("home-later");
    let text = format!(
        "[superlink]\ndefault = \"e2e\"\n\n[superlink.e2e]\naddress = \"{}\"\nroot-certificates = \"{}\"\n",
        club.federation.control(),
        club.federation.ca().unwrap().display()
    );
    fs::write(Path::new(&home).join("config.toml"), text).unwrap();
    let command = |arguments: &[&str]| -> Command {
        let mut command = Maker::Pip(Release::V1_31).command("flwr");
        command
            .args(arguments)
            .current_dir(&app.path)
            .env("FLWR_HOME", &home)
            .env("NO_COLOR", "1")
            .env("COLUMNS", "200");
        command
    };
    let types = |arguments: &[&str]| Outcome::from(command(arguments).output().unwrap());
    types(&["ls", "e2e"])
        .failure(1)
        .must_say(&[UNAUTHENTICATED]);
    let mut login = Process::start("login", &mut command(&["login", "e2e"]), scratch.path());
    login.line("/activate?user_code=CODE-");
    club.provider.approve(&Person::named("alice"));
    let status = login.wait();
    let said = login.all_lines().join("\n");
    assert!(status.success() && said.contains(LOGGED_IN), "{said}");
    types(&["run", ".", "e2e", "--run-config", "client=\"fine\""])
        .success()
        .must_say(&["Successfully started run"]);
    types(&["ls", "e2e"]).success().must_say(&["tests/trouble"]);
    let key = NodeKey::make(&scratch.path().join("more"), "node");
    types(&["supernode", "register", key.public.to_str().unwrap(), "e2e"])
        .success()
        .must_say(&["registered successfully"]);
    let listed = command(&["supernode", "list", "e2e", "--format", "json"])
        .output()
        .unwrap();
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed["nodes"][0]["owner-aid"], "alice-1", "{listed}");
    club.close();
}
