//! A script that people have: the same lines with pip's `flwr` and with ours.

use std::path::Path;
use std::process::Command;

use e2e::{App, Federation, Maker, Release, Security};
use serde_json::Value;

/// Starts a run, waits for its end as its list tells it, reads its log, and stops another.
const SCRIPT: &str = r#"
set -eu
field() { python -c 'import json, sys; print(json.load(sys.stdin)'"$1"')'; }
status() { flwr ls . e2e --run-id "$1" --format json | field '["runs"][0]["status"]'; }

flwr run . e2e --run-config rounds=1 --format json > run.json
run=$(field '["run-id"]' < run.json)
tries=0
until [ "$(status "$run")" = finished:completed ]; do
    tries=$((tries + 1))
    [ $tries -lt 60 ] || exit 9
    sleep 0.5
done
flwr log "$run" . e2e --show > log.txt 2> /dev/null
flwr ls . e2e --format json > ls.json
other=$(flwr run . e2e --run-config rounds=1000000 --format json | field '["run-id"]')
flwr stop "$other" . e2e --format json > stop.json
status "$other" > stopped.txt
flwr stop 1 . e2e --format json > refused.json || true
"#;

/// What the script leaves behind.
struct Left {
    run: Value,
    list: Value,
    stop: Value,
    refused: Value,
    stopped: String,
    log: String,
}

fn plays(maker: Maker, app: &App) -> Left {
    let program = maker.command("flwr");
    let mut command = Command::new("sh");
    // PATH and the rest, as for the program itself.
    let variables = program
        .get_envs()
        .filter_map(|(name, value)| Some((name, value?)));
    command
        .args(["-c", SCRIPT])
        .current_dir(&app.path)
        .envs(variables)
        .env("FLWR_HOME", app.path.join("home"));
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{maker:?}: {said}");
    let text = |name: &str| std::fs::read_to_string(app.path.join(name)).unwrap();
    let json = |name: &str| serde_json::from_str(&text(name)).unwrap();
    Left {
        run: json("run.json"),
        list: json("ls.json"),
        stop: json("stop.json"),
        refused: json("refused.json"),
        stopped: text("stopped.txt"),
        log: text("log.txt"),
    }
}

/// The names in an object, in their order, each with the kind of its value. Two are
/// only ours: the id as text, beside the number, and what a run waits for.
fn shape(value: &Value) -> Vec<(String, &'static str)> {
    let kind = |value: &Value| match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    };
    let fields = value.as_object().unwrap().iter();
    fields
        // Ours, or of later releases.
        .filter(|(name, _)| {
            !["run-id-text", "status-details", "network-traffic"].contains(&name.as_str())
        })
        .map(|(name, value)| (name.clone(), kind(value)))
        .collect()
}

#[test]
fn a_script_does_not_see_whose_flwr_it_calls() {
    let federation = Federation::plan(Security::Insecure).start();
    let pip = plays(Maker::Pip(Release::V1_22), &federation.app("mean"));
    let ours = plays(Maker::Ours, &federation.app("mean"));
    assert_eq!(shape(&ours.run), shape(&pip.run));
    assert_eq!(shape(&ours.list), shape(&pip.list));
    assert_eq!(shape(&ours.list["runs"][0]), shape(&pip.list["runs"][0]));
    assert_eq!(shape(&ours.stop), shape(&pip.stop));
    for answer in [&ours.run, &ours.list["runs"][0], &ours.stop] {
        let number = answer["run-id"].as_u64().unwrap();
        assert_eq!(answer["run-id-text"], number.to_string(), "{answer}");
    }
    for left in [&ours, &pip] {
        assert_eq!(left.refused["success"], false, "{}", left.refused);
        assert_eq!(left.stopped.trim(), "finished:stopped");
        assert!(left.log.contains("round 1: mean"), "{}", left.log);
        assert!(
            Path::new(left.run["fab-filename"].as_str().unwrap())
                .extension()
                .is_some()
        );
    }
    federation.stop();
}

#[test]
fn the_latest_run_is_the_newest_that_is_not_finished() {
    let federation = Federation::plan(Security::Insecure).start();
    let app = federation.app("mean");
    let flwr = federation.flwr(Maker::Ours);
    let types = |line: &str| flwr.call(&app.path, &line.split(' ').collect::<Vec<_>>());
    types("log latest . e2e")
        .failure(1)
        .must_say(&["no run is unfinished", "`flwr run` starts one"]);
    let first = flwr.start(&app, "rounds=1000000").to_string();
    let second = flwr.start(&app, "rounds=1000000").to_string();
    let title = format!("Printing logstream for run_id `{second}`");
    types("log latest . e2e --show")
        .success()
        .must_say(&[&title]);
    // An app may wait for more nodes than there are.
    let nodes = "online; an app that needs more waits (`flwr supernode list`)";
    types("ls . e2e").success().must_say(&[nodes]);
    // Nobody logs in here, and nobody is at a terminal.
    let hint = format!("name it, `flwr stop {second}`, or use --yes");
    types("stop latest . e2e").failure(2).must_say(&[&hint]);
    // Who is at a terminal is asked.
    let asked = |answer| flwr.at_terminal(&app.path, &["stop", "latest", ".", "e2e"], answer);
    let question = format!("Stop run {second} (");
    for no in ["n\n", "\n"] {
        let told = asked(no).failure(1);
        told.must_say(&[&question, &format!("Run {second} goes on.")]);
    }
    let stopped = |run: &str| format!("Run {run} successfully stopped");
    asked("y\n")
        .success()
        .must_say(&[&question, &stopped(&second)]);
    let told = types("stop latest . e2e --yes").success();
    told.must_say(&[&stopped(&first)]);
    let hint = format!("`flwr log {second}`");
    types("stop latest . e2e --yes")
        .failure(1)
        .must_say(&["no run is unfinished", &hint]);
    federation.stop();
}

#[test]
fn nothing_is_said_of_success_before_an_error() {
    let federation = Federation::plan(Security::Insecure).start();
    let app = federation.app("mean");
    let flwr = federation.flwr(Maker::Ours);
    for (line, error) in [
        ("log 1 . e2e", "Run ID not found."),
        ("log 1 . e2e --show", "Run ID not found."),
        ("log 1 . e2e --tail 3", "Run ID not found."),
        ("ls . e2e --run-id 1", "Run ID not found."),
        ("stop 1 . e2e", "Run ID not found."),
        ("pull . e2e --run-id 1", "artifacts"),
        ("run . e2e --run-config nope=1", "Key 'nope' is not present"),
        ("ls . nope", "There is no `nope` federation"),
    ] {
        let told = flwr.call(&app.path, &line.split(' ').collect::<Vec<_>>());
        assert_ne!(told.code, Some(0), "{line}");
        assert!(told.text.starts_with('❌'), "{line}: {}", told.text);
        told.must_say(&[error]);
    }
    // What pip's `flwr` prints on the way is there when nothing fails.
    let listed = flwr.call(&app.path, &["ls", ".", "e2e"]).success();
    listed.must_say(&[
        "Loading project configuration",
        "Success",
        "Listing all runs",
        "hint: there are no runs",
    ]);
    federation.stop();
}
