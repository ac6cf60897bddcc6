//! Each subcommand of `flwr` 1.42 at our SuperLink: what people do every day works, and what is not
//! offered ends with a sentence.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use e2e::keys::NodeKey;
use e2e::{App, Federation, Security};
use serde_json::{Value, json};

use super::NEWEST;

/// Subcommands that do not call a SuperLink. The prompt of `chat` is asked by itself.
const ELSEWHERE: [&str; 7] = [
    "new",
    "build",
    "install",
    "chat",
    "app publish",
    "app review",
    "config list",
];
/// Subcommands for people's everyday work.
const EVERYDAY: [&str; 8] = [
    "run",
    "list",
    "log",
    "stop",
    "supernode register",
    "supernode unregister",
    "supernode list",
    "federation list",
];
const DEFAULT: &str = "@none/default";
/// What is not offered here, with a part of the sentence.
const NOT_OFFERED: [(&[&str], &str); 13] = [
    (&["federation", "create", "more"], "[code: 1]"),
    (&["federation", "archive", DEFAULT], "[code: 1]"),
    (&["federation", "add-supernode", "7", DEFAULT], "[code: 1]"),
    (
        &["federation", "remove-supernode", "7", DEFAULT],
        "[code: 1]",
    ),
    (
        &["federation", "remove-account", DEFAULT, "bob"],
        "[code: 1]",
    ),
    (
        &["federation", "simulation-config", DEFAULT],
        "simulations are not offered",
    ),
    (&["federation", "invite", "list"], "[code: 1]"),
    (
        &["federation", "invite", "create", "bob", DEFAULT],
        "[code: 1]",
    ),
    (&["federation", "invite", "accept", DEFAULT], "[code: 1]"),
    (&["federation", "invite", "reject", DEFAULT], "[code: 1]"),
    (
        &["federation", "invite", "revoke", "bob", DEFAULT],
        "[code: 1]",
    ),
    (&["pull", "7"], "[code: 20]"),
    (&["login"], "not"),
];

/// What came of calls of subcommands.
struct Said(Value);

impl Said {
    /// Calls subcommands, one after another, in `folder`.
    fn of(federation: &Federation, folder: &Path, calls: &[Vec<&str>]) -> Self {
        // It writes the connection.
        let _ = federation.flwr(NEWEST);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/each_command.py");
        let mut python = NEWEST.command("python");
        let mut python = python
            .arg(script)
            .current_dir(folder)
            .env("FLWR_HOME", federation.scratch().folder("home-flwr"))
            .env("COLUMNS", "200")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = python.stdin.take().unwrap();
        stdin
            .write_all(json!(calls).to_string().as_bytes())
            .unwrap();
        drop(stdin);
        let output = python.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        Self(serde_json::from_slice(&output.stdout).unwrap())
    }

    fn names(&self) -> Vec<&str> {
        let names = self.0["names"].as_array().unwrap().iter();
        names.map(|name| name.as_str().unwrap()).collect()
    }

    /// What each call said, which all ended with this status.
    #[track_caller]
    fn texts(&self, of: &str, code: i32) -> Vec<&str> {
        let outcomes = self.0[of].as_array().unwrap().iter();
        let text = |outcome: &'_ Value| {
            assert_eq!(outcome["escaped"], Value::Null, "{outcome}");
            assert_eq!(outcome["code"], code, "{outcome}");
        };
        outcomes
            .inspect(|outcome| text(outcome))
            .map(|outcome| outcome["said"].as_str().unwrap())
            .collect()
    }
}

/// The call of a subcommand at the test's SuperLink.
fn call<'a>(words: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [words, &["e2e"], more].concat()
}

#[test]
fn what_is_not_offered_ends_each_subcommand_of_1_42_with_a_sentence() {
    let federation = Federation::plan(Security::Tls).nodes(0).start();
    let folder = federation.scratch().path();
    let mut calls: Vec<_> = NOT_OFFERED
        .iter()
        .map(|(words, _)| call(words, &[]))
        .collect();
    // At least one option belongs to it.
    let simulation = &mut calls[5];
    simulation.extend(["--num-supernodes", "2"]);
    let more = [
        (
            call(&["run", "@flwrlabs/quickstart"], &[]),
            "is not fetched",
        ),
        (call(&["list"], &["--run-id", "7"]), "[code: 16]"),
        (call(&["log", "7"], &["--show"]), "[code: 16]"),
        (call(&["log", "7"], &[]), "[code: 16]"),
        (call(&["stop", "7"], &[]), "[code: 16]"),
        (call(&["supernode", "unregister", "7"], &[]), "[code: 24]"),
    ];
    calls.extend(more.iter().map(|(words, _)| words.clone()));
    let said = Said::of(&federation, folder, &calls);

    let expected = NOT_OFFERED.iter().map(|(_, part)| part);
    let expected = expected.chain(more.iter().map(|(_, part)| part));
    for (text, part) in said.texts("outcomes", 1).into_iter().zip(expected) {
        assert!(text.contains(part), "{part}: {text}");
    }
    for text in said.texts("chats", 1) {
        assert!(!text.is_empty());
    }
    // Each subcommand is in one of the lists.
    for name in said.names() {
        let words: Vec<_> = name.split(' ').collect();
        let is_refused = NOT_OFFERED.iter().any(|(call, _)| call.starts_with(&words));
        assert!(
            is_refused || ELSEWHERE.contains(&name) || EVERYDAY.contains(&name),
            "`flwr {name}` is not called by this test"
        );
    }
    federation.stop();
}

#[test]
fn what_people_do_every_day_works_with_the_command_of_1_42() {
    let federation = Federation::plan(Security::Tls).nodes(0).start();
    let app = App::copy("trouble", &federation.scratch().folder("apps"));
    let key = NodeKey::make(&federation.scratch().path().join("more"), "node");
    let public = key.public.to_str().unwrap();
    // The app waits for a SuperNode, and prints a line before.
    let said = Said::of(
        &federation,
        &app.path,
        &[
            call(&["run", "."], &[]),
            call(&["supernode", "register", public], &[]),
        ],
    );
    let ids: Vec<_> = said.texts("outcomes", 0).into_iter().map(id).collect();
    let (run, node) = (ids[0], ids[1]);
    let show = ["--federation", DEFAULT];
    let said = Said::of(
        &federation,
        &app.path,
        &[
            call(&["log", run], &["--show"]),
            call(&["list"], &["--limit", "1"]),
            call(&["list"], &["--run-id", run]),
            call(&["supernode", "list"], &[]),
            call(&["federation", "list"], &[]),
            call(&["federation", "list"], &show),
            call(&["supernode", "unregister", node], &[]),
            call(&["stop", run], &[]),
            call(&["log", run], &[]),
        ],
    );
    let parts = [
        "serverapp pid=",
        run,
        run,
        node,
        DEFAULT,
        "owner",
        "unregistered successfully",
        "successfully stopped",
        "serverapp pid=",
    ];
    for (text, part) in said.texts("outcomes", 0).into_iter().zip(parts) {
        assert!(text.contains(part), "{part}: {text}");
    }
    federation.stop();
}

/// The id in what a command said.
fn id(text: &str) -> &str {
    let mut numbers = text.split(|character: char| !character.is_ascii_digit());
    numbers
        .find(|digits| digits.len() > 10)
        .unwrap_or_else(|| panic!("no id in {text}"))
}
