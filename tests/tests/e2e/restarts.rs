//! Daemons that die or are stopped while a run is going on: both sides find each other again, the
//! run goes on or says why not, and the next run works.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use e2e::process::wait_for_end;
use e2e::{App, Federation, Maker, Process, Security};

use rustix::process::Signal;

use crate::faults::{pid_in, the_next_run_works};

const OURS: Maker = Maker::Ours;

/// A federation of one SuperNode whose ClientApp is at work and will not come to an end.
pub(crate) struct Busy {
    pub(crate) federation: Federation,
    pub(crate) app: App,
    pub(crate) run: u64,
    pub(crate) client: u32,
    pub(crate) server: u32,
}

impl Busy {
    #[track_caller]
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    #[track_caller]
    pub(crate) fn start_with(superlink_flags: &[&str]) -> Self {
        let plan = Federation::plan(Security::TlsAndAuth).nodes(1);
        let plan = plan.supernode_flags(&["--drain", "1"]);
        let mut federation = plan.superlink_flags(superlink_flags).start();
        let app = federation.app("trouble");
        let run = federation.flwr(OURS).start(&app, "client=\"hang\"");
        let client = pid_in(federation.node(0), "clientapp");
        let server = pid_in(federation.superlink(), "serverapp");
        Self {
            federation,
            app,
            run,
            client,
            server,
        }
    }
}

#[test]
fn a_run_in_memory_ends_with_its_superlink() {
    let mut busy = Busy::start_with(&["--database", ":memory:"]);
    busy.federation.superlink().kill();
    wait_for_end(busy.server);
    busy.federation.restart_superlink();
    let flwr = busy.federation.flwr(OURS);
    assert!(flwr.statuses(&busy.app).is_empty());
    // The node hears that the run is gone, and is free for the next one.
    wait_for_end(busy.client);
    the_next_run_works(flwr, &busy.app);
    busy.federation.stop();
}

#[test]
fn a_supernode_that_is_killed_at_work_gets_its_message_again() {
    let mut busy = Busy::start();
    busy.federation.node(0).kill();
    wait_for_end(busy.client);
    busy.federation.restart_node(0);
    let client = pid_in(busy.federation.node(0), "clientapp");
    assert_ne!(client, busy.client);
    assert!(!busy.federation.node(0).has_said("already in use"));

    let flwr = busy.federation.flwr(OURS);
    let _ = flwr
        .call(&busy.app.path, &["stop", &busy.run.to_string(), ".", "e2e"])
        .success();
    wait_for_end(client);
    the_next_run_works(flwr, &busy.app);
    busy.federation.stop();
}

#[test]
fn a_supernode_that_is_stopped_at_work_gets_its_message_again() {
    let mut busy = Busy::start();
    busy.federation.node(0).stop();
    wait_for_end(busy.client);
    assert!(busy.federation.node(0).has_said("is not answered"));
    busy.federation.restart_node(0);
    let client = pid_in(busy.federation.node(0), "clientapp");
    assert_ne!(client, busy.client);
    // Now it leaves for good.
    busy.federation.node(0).stop();
    let flwr = busy.federation.flwr(OURS);
    let outcome = flwr.log(&busy.app, busy.run).success();
    outcome.must_say(&[
        "reply: error ",
        "left the federation",
        "[SuperLink]",
        "finished",
    ]);
    assert_eq!(flwr.status(&busy.app, busy.run), "finished:completed");
    busy.federation.restart_node(0);
    the_next_run_works(busy.federation.flwr(OURS), &busy.app);
    busy.federation.stop();
}

/// Starts a federation of one SuperNode whose ClientApp waits for a file. Gives the file and the run,
/// too.
fn waiting() -> (Federation, App, PathBuf, u64) {
    let mut federation = Federation::plan(Security::TlsAndAuth).nodes(1).start();
    let app = federation.app("trouble");
    let file = federation.scratch().path().join("go");
    let config = format!("client=\"wait\" file=\"{}\"", file.display());
    let run = federation.flwr(OURS).start(&app, &config);
    let _ = pid_in(federation.node(0), "clientapp");
    (federation, app, file, run)
}

#[test]
fn a_supernode_that_is_asked_to_stop_answers_the_message_in_hand() {
    let (mut federation, app, file, run) = waiting();
    federation.node(0).terminate();
    federation.node(0).line("--drain");
    fs::write(file, "").unwrap();
    assert!(federation.node(0).wait().success());
    let flwr = federation.flwr(OURS);
    let outcome = flwr.log(&app, run).success();
    outcome.must_say(&["reply: 42", "finished"]);
    federation.superlink().stop();
}

#[test]
fn a_superlink_that_was_stopped_for_a_while_says_so_in_the_log_of_its_runs() {
    /// More than a machine under load may be late.
    const PAUSE: Duration = Duration::from_secs(8);
    let (mut federation, app, file, run) = waiting();
    federation.superlink().signal(Signal::STOP);
    thread::sleep(PAUSE);
    federation.superlink().signal(Signal::CONT);
    federation.superlink().line("did not run for");
    fs::write(file, "").unwrap();
    let outcome = federation.flwr(OURS).log(&app, run).success();
    outcome.must_say(&[
        "[SuperLink] Note: the SuperLink did not run for",
        "reply: 42",
        "finished",
    ]);
    federation.stop();
}

#[test]
fn an_app_that_was_installed_in_part_is_made_whole() {
    let mut federation = Federation::plan(Security::TlsAndAuth).nodes(1).start();
    let app = federation.app("trouble");
    the_next_run_works(federation.flwr(OURS), &app);
    federation.node(0).kill();
    for home in ["home-node-0", "home-superlink"] {
        let apps = federation.scratch().path().join(home).join("apps");
        let installed = fs::read_dir(apps).unwrap().next().unwrap().unwrap().path();
        fs::remove_file(installed.join("trouble/leave.py")).unwrap();
        for file in ["trouble/client.py", "trouble/server.py"] {
            fs::write(installed.join(file), "").unwrap();
        }
    }
    federation.restart_node(0);
    the_next_run_works(federation.flwr(OURS), &app);
    federation.node(0).line("was installed in part");
    federation.superlink().line("was installed in part");
    federation.stop();
}

#[test]
fn a_supernode_stops_in_order_though_its_superlink_is_gone() {
    let mut busy = Busy::start();
    busy.federation.superlink().kill();
    busy.federation.node(0).stop();
    wait_for_end(busy.client);
}

#[test]
fn nobody_there_ends_a_supernode_that_may_retry_only_so_often() {
    let federation = Federation::plan(Security::Insecure).nodes(0).start();
    let mut command = federation.node_command(OURS, "home-hasty");
    let free = || format!("127.0.0.1:{}", e2e::ports::free());
    let superlink = free();
    command.args(["--insecure", "--max-retries", "1"]);
    command.args(["--superlink", &superlink]);
    command.args(["--clientappio-api-address", &free()]);
    let mut node = Process::start("hasty", &mut command, federation.scratch().path());
    assert_eq!(node.wait().code(), Some(1), "{}", node.last_words());
    node.line("gave up on the SuperLink");
    node.line(&superlink);
    federation.stop();
}
