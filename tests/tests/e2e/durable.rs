//! A SuperLink that is killed or stopped during a run and comes back over the same files: the run
//! goes on, begins again, or says why it cannot.

use std::process::Command;

use e2e::process::wait_for_end;
use e2e::{App, Federation, Isolation, Maker, Security};
use rustix::process::{Pid, Signal, kill_process};

use crate::faults::{pid_in, the_next_run_works};
use crate::restarts::Busy;

const OURS: Maker = Maker::Ours;

/// Rounds of the app `mean` on two nodes: what each prints, once.
pub(crate) fn rounds_are_whole(federation: &Federation, app: &App, run: u64, rounds: u32) {
    let flwr = federation.flwr(OURS);
    flwr.wait_for_status(app, run, "finished:completed");
    let log = flwr.log(app, run).success();
    for round in 1..=rounds {
        let mean = 1.5 * f64::from(round);
        let line = format!("round {round}: mean {mean:.3} of 2, calls [{round}, {round}]");
        log.must_say(&[&line]);
        assert_eq!(log.text.matches(&line).count(), 1, "{line}");
    }
}

fn kill(pid: u32) {
    let process = Pid::from_raw(pid.cast_signed()).unwrap();
    kill_process(process, Signal::KILL).unwrap();
    wait_for_end(pid);
}

#[test]
fn a_run_goes_on_when_its_superlink_was_killed() {
    let mut federation = Federation::plan(Security::TlsAndAuth).start();
    let app = federation.app("mean");
    let run = federation.flwr(OURS).start(&app, "rounds=5");
    federation.superlink().line("round 2:");
    federation.superlink().kill();
    federation.restart_superlink();
    federation.superlink().line("taken over");
    rounds_are_whole(&federation, &app, run, 5);
    federation.stop();
}

#[test]
fn a_run_of_superexecs_goes_on_when_its_superlink_was_killed() {
    let plan = Federation::plan(Security::Insecure).isolation(Isolation::Process);
    let mut federation = plan.start();
    let app = federation.app("mean");
    let run = federation.flwr(OURS).start(&app, "rounds=4");
    let log = federation.flwr(OURS).spawn(
        &app.path,
        &["log", &run.to_string(), ".", "e2e", "--stream"],
    );
    log.line("round 1:");
    federation.superlink().kill();
    drop(log);
    federation.restart_superlink();
    rounds_are_whole(&federation, &app, run, 4);
    federation.stop();
}

#[test]
fn pips_supernodes_go_on_when_the_superlink_was_killed() {
    let pip = Maker::Pip(e2e::Release::V1_22);
    let plan = Federation::plan(Security::TlsAndAuth).supernodes(vec![pip, OURS]);
    let mut federation = plan.start();
    let app = federation.app("mean");
    let run = federation.flwr(OURS).start(&app, "rounds=3");
    federation.superlink().line("round 1:");
    federation.superlink().kill();
    federation.restart_superlink();
    rounds_are_whole(&federation, &app, run, 3);
    federation.stop();
}

#[test]
fn a_run_taken_over_can_be_stopped() {
    let mut busy = Busy::start();
    busy.federation.superlink().kill();
    busy.federation.restart_superlink();
    busy.federation.superlink().line("taken over");
    let flwr = busy.federation.flwr(OURS);
    assert_eq!(flwr.status(&busy.app, busy.run), "running");
    let stop = ["stop", &busy.run.to_string(), ".", "e2e"];
    let _ = flwr.call(&busy.app.path, &stop).success();
    wait_for_end(busy.server);
    wait_for_end(busy.client);
    the_next_run_works(flwr, &busy.app);
    busy.federation.stop();
}

#[test]
fn a_run_whose_serverapp_died_too_has_failed() {
    let mut busy = Busy::start();
    busy.federation.superlink().kill();
    kill(busy.server);
    busy.federation.restart_superlink();
    let flwr = busy.federation.flwr(OURS);
    flwr.wait_for_status(&busy.app, busy.run, "finished:failed");
    let log = flwr.log(&busy.app, busy.run);
    log.must_say(&["The ServerApp process ended while the SuperLink was down."]);
    wait_for_end(busy.client);
    the_next_run_works(flwr, &busy.app);
    busy.federation.stop();
}

#[test]
fn a_run_begins_again_once_when_it_is_to_be_resumed() {
    let mut busy = Busy::start_with(&["--resume-runs"]);
    busy.federation.superlink().kill();
    kill(busy.server);
    busy.federation.restart_superlink();
    busy.federation.superlink().line("the run begins again");
    let again = pid_in(busy.federation.superlink(), "serverapp");
    assert_ne!(again, busy.server);
    assert_eq!(
        busy.federation.flwr(OURS).status(&busy.app, busy.run),
        "running"
    );

    busy.federation.superlink().kill();
    kill(again);
    busy.federation.restart_superlink();
    let flwr = busy.federation.flwr(OURS);
    flwr.wait_for_status(&busy.app, busy.run, "finished:failed");
    let log = flwr.log(&busy.app, busy.run);
    log.must_say(&["The run begins again from its beginning.", "serverapp pid="]);
    busy.federation.stop();
}

#[test]
fn a_stopped_superlink_begins_its_runs_again_when_it_is_to() {
    let plan = Federation::plan(Security::TlsAndAuth);
    let mut federation = plan.superlink_flags(&["--resume-runs"]).start();
    let app = federation.app("mean");
    let run = federation.flwr(OURS).start(&app, "rounds=3");
    federation.superlink().line("round 1:");
    federation.superlink().stop();
    federation.restart_superlink();
    let flwr = federation.flwr(OURS);
    flwr.wait_for_status(&app, run, "finished:completed");
    let log = flwr.log(&app, run).success();
    log.must_say(&[
        "The SuperLink was stopped while the run was going on.",
        "round 3:",
    ]);
    federation.stop();
}

#[test]
fn a_stopped_superlink_fails_its_runs_and_says_why() {
    let mut busy = Busy::start();
    busy.federation.superlink().stop();
    wait_for_end(busy.server);
    busy.federation.restart_superlink();
    let flwr = busy.federation.flwr(OURS);
    assert_eq!(flwr.status(&busy.app, busy.run), "finished:failed");
    let log = flwr.log(&busy.app, busy.run);
    log.must_say(&["The SuperLink was stopped while the run was going on."]);
    wait_for_end(busy.client);
    busy.federation.stop();
}

#[test]
fn a_second_superlink_on_the_same_files_is_refused() {
    let mut federation = Federation::plan(Security::Insecure).nodes(0).start();
    let mut second = Maker::Ours.command("flower-superlink");
    let home = federation.scratch().folder("home-superlink");
    let refused = |command: &mut Command| {
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let _ = second.env("FLWR_HOME", &home).arg("--insecure");
    let pid = federation.superlink().id();
    let expected = format!("superlink/state.db` is in use by another flower-superlink (pid {pid})");
    let text = refused(&mut second);
    assert!(text.contains(&expected), "{text}");
    let text = refused(second.arg("--check-state"));
    assert!(text.contains(&expected), "{text}");
    federation.stop();
    let output = second.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(text.contains("everything is there and whole"), "{text}");
}
