//! Apps of `flwr new`: what they say while nodes are missing, and pip's `flwr` beside them.

use std::fs;
use std::process::Command;

use e2e::{App, Federation, Flwr, Maker, Process, Release, Scratch, Security, document};

use crate::local::User;

/// Each framework of `flwr new`.
const FRAMEWORKS: [&str; 4] = ["numpy", "sklearn", "pytorch", "minimal"];

/// Calls `wait_for_nodes` of an app with a grid of one node, which has a second node after 140 s.
/// Time does not pass: the pauses are added up. The app's model and its packages are left out.
const WAIT: &str = "
import logging, sys, time, types
module = sys.argv[1]
for part in ('task', 'model'):
    sys.modules[module.split('.')[0] + '.' + part] = types.ModuleType(part)
slept = 0
def sleep(seconds):
    global slept
    slept += seconds
time.sleep = sleep
class Grid:
    def get_node_ids(self):
        return [7] if slept < 140 else [7, 8]
logging.getLogger('flwr').setLevel(logging.INFO)
app = __import__(module, fromlist=['app'])
assert app.wait_for_nodes(Grid(), 2) == [7, 8]
print('slept', slept)
";

#[test]
fn missing_nodes_are_told_once_a_minute_with_the_way_out() {
    let scratch = Scratch::new();
    let python = Release::V1_22.bin().join("python");
    let mut apps = Vec::new();
    for framework in FRAMEWORKS {
        let name = format!("{framework}-app");
        let arguments = ["new", &name, "--framework", framework];
        let flwr = Flwr::new(Maker::Ours, &scratch);
        let _ = flwr.call(scratch.path(), &arguments).success();
        apps.push((name, format!("{framework}_app.server_app")));
    }
    let example = "flower-authentication";
    document::copy(
        "examples/flower-authentication",
        &scratch.path().join(example),
    );
    apps.push((example.to_owned(), "digits.server".to_owned()));
    for (app, module) in apps {
        let output = Command::new(&python)
            .args(["-c", WAIT, &module])
            .current_dir(scratch.path().join(&app))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{app}: {said}");
        let told = said.matches("1 of 2 nodes are online, waiting.").count();
        assert_eq!(told, 3, "{app}: {said}");
        assert!(
            said.contains("--run-config \"min-nodes=1\""),
            "{app}: {said}"
        );
    }
}

#[test]
fn an_app_that_waits_for_a_second_node_runs_with_one_if_told_so() {
    let user = User::new();
    let here = user.scratch.path();
    user.does(here, "flwr up --detach --supernodes 1");
    for framework in ["numpy", "minimal"] {
        user.does(here, &format!("flwr new {framework}-app {framework}"));
        let app = here.join(format!("{framework}-app"));
        let mut waiting = Process::start(
            &format!("waiting-{framework}"),
            &mut user.command(&app, "flwr run . --stream"),
            here,
        );
        waiting.line("1 of 2 nodes are online, waiting. Start more SuperNodes");
        let runs = user.asks(here, "flwr ls --format json");
        let run = runs["runs"].as_array().unwrap();
        let run = run.iter().find(|run| run["status"] == "running").unwrap();
        user.does(here, &format!("flwr stop {}", run["run-id"]));
        assert_eq!(waiting.wait().code(), Some(1), "{}", waiting.last_words());
        user.does(&app, "flwr run . --wait --run-config min-nodes=1");
    }
    user.does(here, "flwr down");
}

/// The `flwr` of pip 1.26 and later moves a table of federations out of an app. It stops at an empty
/// one.
#[test]
fn the_flwr_of_pip_runs_an_app_and_leaves_it_as_it_is() {
    let federation = Federation::plan(Security::Insecure).nodes(1).start();
    let ours = federation.flwr(Maker::Ours);
    let made = federation.scratch().folder("made");
    let _ = ours
        .call(&made, &["new", "my-app", "--framework", "minimal"])
        .success();
    let made = made.join("my-app");
    for maker in [
        Maker::Pip(Release::V1_26),
        Maker::Pip(Release::V1_31),
        Maker::Pip(Release::V1_42),
        Maker::Pip(Release::V1_22),
        Maker::Ours,
    ] {
        let app = App::copy(made.to_str().unwrap(), &federation.scratch().folder("apps"));
        if maker.pips_since(26).is_none() {
            app.join(&federation);
        }
        let pyproject = || fs::read_to_string(app.path.join("pyproject.toml")).unwrap();
        let before = pyproject();
        let flwr = federation.flwr(maker);
        let run = flwr.start(&app, "min-nodes=1 num-server-rounds=1");
        flwr.wait_for_status(&app, run, "finished:completed");
        assert_eq!(pyproject(), before, "{maker:?}");
    }
    federation.stop();
}
