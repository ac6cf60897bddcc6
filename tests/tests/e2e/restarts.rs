//! Daemons that die or are stopped while a run is going on: both sides find each other again, the
//! run goes on or says why not, and the next run works.

use e2e::process::wait_for_end;
use e2e::{App, Federation, Maker, Process, Security};

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
fn a_supernode_that_leaves_at_work_is_answered_for() {
    let mut busy = Busy::start();
    busy.federation.node(0).stop();
    wait_for_end(busy.client);
    let flwr = busy.federation.flwr(OURS);
    let outcome = flwr.log(&busy.app, busy.run).success();
    outcome.must_say(&["reply: error ", "finished"]);
    assert_eq!(flwr.status(&busy.app, busy.run), "finished:completed");
    busy.federation.restart_node(0);
    the_next_run_works(busy.federation.flwr(OURS), &busy.app);
    busy.federation.stop();
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
