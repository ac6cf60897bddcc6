//! Apps of `flwr new`: what they say while nodes are missing, and pip's `flwr` beside them.

use std::process::Command;

use e2e::{Flwr, Maker, Process, Release, Scratch, document};

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

#[test]
fn the_flwr_of_pip_names_the_federation_that_an_app_lacks() {
    let scratch = Scratch::new();
    for framework in FRAMEWORKS {
        let name = format!("{framework}-app");
        let ours = Flwr::new(Maker::Ours, &scratch);
        let _ = ours
            .call(scratch.path(), &["new", &name, "--framework", framework])
            .success();
        let pip = Flwr::new(Maker::Pip(Release::V1_22), &scratch);
        // flwr 1.22 leaves with 0 here.
        for (arguments, wanted) in [
            (
                &["ls", &name, "local"][..],
                "There is no `local` federation declared",
            ),
            (&["ls", &name], "No federation name was provided"),
        ] {
            let outcome = pip.call(scratch.path(), arguments);
            outcome.must_say(&[wanted]);
            assert!(!outcome.text.contains("'federations'"), "{}", outcome.text);
        }
    }
}
