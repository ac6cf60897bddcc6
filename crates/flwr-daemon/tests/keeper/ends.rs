//! How apps end, and what they leave behind: nothing, whatever ended them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use flwr_daemon::apps::{AppCommand, AppProcess, Watchers};
use libtest_mimic::Trial;
use rustix::process::{Pid, Signal, kill_process};

use crate::place::{LEAVES, Place, living, until};
use crate::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("the_keeper_ends_as_the_app_did", as_the_app_did),
        trial("an_app_that_ends_leaves_nothing", ended),
        trial("an_app_that_is_dropped_leaves_nothing", dropped),
        trial(
            "an_app_that_is_asked_to_end_says_bye_and_leaves_nothing",
            asked,
        ),
        trial("an_app_that_does_not_listen_leaves_nothing", deaf),
        trial("only_what_is_of_the_app_ends", only_its_own),
        trial("an_app_goes_with_its_killed_keeper", killed_keeper),
        trial(
            "what_a_killed_keeper_leaves_ends_whatever_session_it_has",
            killed_keeper_leaves,
        ),
        trial("processes_that_fork_and_end_at_once_end", fork_chains),
        trial("a_program_that_cannot_start_is_told", not_started),
        trial(
            "a_lasting_app_prints_into_a_pipe_and_its_last_words_arrive",
            prints_into_a_pipe,
        ),
        trial("an_app_hears_the_signals_that_its_keeper_hears", signals),
    ]
}

/// Waits for the end, with the files of [`LEAVES`] written.
const UNTIL_GO: &str = "while [ ! -e go ]; do sleep 0.01; done";
/// Does not hear SIGTERM.
const DEAF: &str = "trap '' TERM; echo > ready; while :; do sleep 0.05; done";
/// Forks itself and ends, for ever.
const FORK_CHAIN: &str = r#"
import os, sys
with open(sys.argv[1], "w") as file:
    file.write("begun\n")
while True:
    if os.fork():
        os._exit(0)
"#;

async fn as_the_app_did(place: Place) {
    for (script, end) in [
        ("exit 0", "exited with status 0"),
        ("exit 3", "exited with status 3"),
        ("exit 255", "exited with status 255"),
        (
            "kill -9 $$",
            "was killed by signal 9 (SIGKILL; out of memory?)",
        ),
        ("kill -11 $$", "was killed by signal 11 (SIGSEGV)"),
        ("kill -15 $$", "was killed by signal 15 (SIGTERM)"),
        ("kill -USR1 $$", "was killed by signal 10"),
    ] {
        let exit = place.spawn(&format!("echo last; {script}")).wait().await;
        assert_eq!(exit.to_string(), end, "{script}");
        assert_eq!(exit.tail, ["last"], "{script}");
    }
}

async fn ended(place: Place) {
    let app = place.spawn(&format!("{LEAVES}{UNTIL_GO}; exit 4"));
    let left = place.left().await;
    assert_eq!(living(&left), [true; 5]);
    place.touch("go");
    let exit = app.wait().await;
    assert_eq!(exit.to_string(), "exited with status 4");
    assert_eq!(living(&left), [false; 5]);
}

async fn dropped(place: Place) {
    let app = place.spawn(&format!("{LEAVES}echo $$ > app; {DEAF}"));
    let (mut all, keeper) = (place.left().await, app.identity());
    all.push(place.process("app").await);
    drop(app);
    until("all is gone", || living(&all) == [false; 6]).await;
    until("the keeper goes", || !keeper.is_alive()).await;
}

async fn asked(place: Place) {
    let script = format!("trap 'echo bye; exit 5' TERM; {LEAVES} while :; do sleep 0.05; done");
    let app = place.spawn(&script);
    let left = place.left().await;
    let exit = app.terminate(Duration::from_secs(30)).await;
    assert_eq!(exit.to_string(), "exited with status 5");
    assert_eq!(exit.tail.last().unwrap(), "bye");
    assert_eq!(living(&left), [false; 5]);
}

async fn deaf(place: Place) {
    let app = place.spawn(&format!("{LEAVES}{DEAF}"));
    let left = place.left().await;
    place.line("ready").await;
    let exit = app.terminate(Duration::from_millis(50)).await;
    assert!(exit.to_string().contains("signal 9"), "{exit}");
    assert_eq!(living(&left), [false; 5]);
}

async fn only_its_own(place: Place) {
    let other = Place::new();
    let script = format!("{LEAVES}{UNTIL_GO}");
    let (app, others_app) = (place.spawn(&script), other.spawn(&script));
    let (left, others) = (place.left().await, other.left().await);
    place.touch("go");
    app.wait().await;
    assert_eq!(living(&left), [false; 5]);
    assert_eq!(living(&others), [true; 5]);
    others_app.kill();
    others_app.wait().await;
    assert_eq!(living(&others), [false; 5]);
}

async fn killed_keeper(place: Place) {
    let app = place.spawn(&format!("echo $$ > app; {DEAF}"));
    let process = place.process("app").await;
    let keeper = Pid::from_raw(app.id().try_into().unwrap()).unwrap();
    assert_ne!(process.pid, app.id());
    kill_process(keeper, Signal::KILL).unwrap();
    let exit = app.wait().await;
    assert!(exit.to_string().contains("signal 9"), "{exit}");
    until("the app goes", || !process.is_alive()).await;
}

async fn killed_keeper_leaves(place: Place) {
    let app = place.spawn(&format!("{LEAVES}echo $$ > app; {DEAF}"));
    let mut all = place.left().await;
    all.push(place.process("app").await);
    let keeper = Pid::from_raw(app.id().try_into().unwrap()).unwrap();
    kill_process(keeper, Signal::KILL).unwrap();
    app.wait().await;
    assert_eq!(living(&all), [false; 6]);
}

async fn fork_chains(place: Place) {
    fs::write(place.path("chain.py"), FORK_CHAIN).unwrap();
    let script = format!(
        "python3 chain.py group & for n in 1 2 3 4; do setsid python3 -S chain.py session$n & done; {UNTIL_GO}; exit 4"
    );
    let app = place.spawn(&script);
    place.line("group").await;
    for number in 1..=4 {
        place.line(&format!("session{number}")).await;
    }
    place.touch("go");
    let exit = app.wait().await;
    assert_eq!(exit.to_string(), "exited with status 4");
    assert_eq!(exit.output(), "", "the keeper did not give up");
    until("all is gone", || !place.has_processes()).await;
}

async fn not_started(place: Place) {
    let missing = AppCommand {
        program: place.path("missing"),
        ..place.shell("")
    };
    let error = AppProcess::spawn(&missing, &Watchers::new())
        .unwrap_err()
        .to_string();
    let named = format!("could not start `{}`", missing.program.display());
    assert_eq!(error, named);
    let script = AppCommand {
        program: place.path("script"),
        ..place.shell("")
    };
    fs::write(&script.program, "#!/no/python3\n").unwrap();
    fs::set_permissions(&script.program, fs::Permissions::from_mode(0o755)).unwrap();
    let exit = AppProcess::spawn(&script, &Watchers::new())
        .unwrap()
        .wait()
        .await;
    assert_eq!(exit.to_string(), "exited with status 127");
    let said = exit.output();
    let named = format!(
        "could not start `{}`: No such file",
        script.program.display()
    );
    assert!(said.starts_with(&named), "{said}");
}

async fn prints_into_a_pipe(place: Place) {
    let script = "out=$(readlink /proc/$$/fd/1); echo \"$out\" > stdout
        err=$(readlink /proc/$$/fd/2); echo \"$err\" > stderr
        head -c 30000000 /dev/zero | tr '\\0' x; echo; echo last words; exit 3";
    let output = place.path("output");
    let watchers = Watchers::new();
    let app = AppProcess::spawn_lasting(&place.shell(script), &output, &watchers).unwrap();
    let exit = app.wait().await;
    assert_eq!(exit.to_string(), "exited with status 3");
    assert_eq!(exit.tail.last().map(String::as_str), Some("last words"));
    for name in ["stdout", "stderr"] {
        let target = place.line(name).await;
        assert!(target.starts_with("pipe:"), "{name} is {target}");
    }
    let length = fs::metadata(output).unwrap().len();
    assert!(length < 6 << 20, "{length} bytes are kept of 30 MB");
}

async fn signals(place: Place) {
    let script =
        "exec 2> err; for signal in HUP INT USR1; do sh -c \"kill -$signal \\$\\$\"; echo $?; done";
    let exit = place.spawn(script).wait().await;
    // 128 and the signal's number: handled by nobody, ignored by nobody.
    assert_eq!(exit.tail, ["129", "130", "138"]);
}
