//! Programs that are replaced while they run, as `apt`, `pip` and `cargo install` replace them: by a
//! rename. The daemons go on as what they are, and so do the processes that they start from now on.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use e2e::launcher::Launcher;
use e2e::{Federation, Maker, Process, Security};
use serde_json::Value;

use crate::faults::{pid_in, the_next_run_works};

const OURS: Maker = Maker::Ours;

/// The daemon is a copy of its program, in its home.
const COPIED: &str = r#"
copy="$FLWR_HOME/$(basename "$1")"
mkdir -p "$FLWR_HOME"
cp "$1" "$copy"
shift
set -- "$copy" "$@""#;
/// What stands in the place of the program afterwards: whoever starts it is noticed.
const OTHER: &str = "#!/bin/sh\necho 'the new program was started' >&2\nexit 9\n";

/// Puts another program in the place of one that runs.
fn replace(program: PathBuf) {
    let new = program.with_extension("new");
    fs::write(&new, OTHER).unwrap();
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(new, program).unwrap();
}

fn is_replaced(daemon: &Process) -> bool {
    let running = fs::read_link(format!("/proc/{}/exe", daemon.id())).unwrap();
    running.to_string_lossy().ends_with(" (deleted)")
}

/// What `flwrd which` tells of a daemon that runs: whether its program was replaced.
#[track_caller]
fn is_told_replaced(daemon: &Process) -> bool {
    let mut which = OURS.command("flwrd");
    let output = which.args(["which", "--format", "json"]).output().unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut running = told["running"].as_array().unwrap().iter();
    let found = running.find(|running| running["process"] == daemon.id());
    let found = found.unwrap_or_else(|| panic!("{}: {told}", daemon.id()));
    assert_eq!(found["version"], env!("CARGO_PKG_VERSION"), "{told}");
    found["replaced"].as_bool().unwrap()
}

#[test]
fn daemons_whose_programs_are_replaced_go_on_and_start_apps() {
    let plan = Federation::plan(Security::TlsAndAuth).nodes(1);
    let mut federation = plan.launcher(Launcher::shell(COPIED)).start();
    let app = federation.app("trouble");
    let go = federation.scratch().path().join("go");
    let config = format!("client=\"wait\" file=\"{}\"", go.display());
    let run = federation.flwr(OURS).start(&app, &config);
    let _ = pid_in(federation.node(0), "clientapp");
    assert!(!is_told_replaced(federation.superlink()) && !is_told_replaced(federation.node(0)));
    for program in [
        "home-superlink/flower-superlink",
        "home-node-0/flower-supernode",
    ] {
        replace(federation.scratch().path().join(program));
    }
    assert!(is_replaced(federation.superlink()) && is_replaced(federation.node(0)));
    assert!(is_told_replaced(federation.superlink()) && is_told_replaced(federation.node(0)));

    // What was at work ends well, over the links of before.
    fs::write(&go, "").unwrap();
    let flwr = federation.flwr(OURS);
    flwr.wait_for_status(&app, run, "finished:completed");
    flwr.log(&app, run)
        .success()
        .must_say(&["reply: 42", "finished"]);
    // Later processes have keepers and fork servers of the same version.
    the_next_run_works(flwr, &app);
    the_next_run_works(flwr, &app);
    for daemon in [
        federation.superlink().last_words(),
        federation.node(0).last_words(),
    ] {
        assert!(!daemon.contains("the new program was started"), "{daemon}");
    }
    federation.stop();
}
