//! Bad lines between the parts of a federation, and the logs that are followed over them.

use e2e::forwarder::Forwarder;
use e2e::{App, Federation, Maker, Process, Release, Security, ports};

const OURS: Maker = Maker::Ours;

#[test]
fn models_arrive_whole_over_a_line_that_loses_packets_and_breaks() {
    let fleet = ports::free();
    let line = Forwarder::over_a_bad_line(move || ([127, 0, 0, 1], fleet).into());
    let plan = Federation::plan(Security::TlsAndAuth).nodes(1);
    let federation = plan.fleet_port(fleet).gateway(line.address()).start();
    let app = federation.app("mean");
    let config = "rounds=2 nodes=1 size=20000";
    let outcome = federation.flwr(OURS).run(&app, config).success();
    for round in 1..=2 {
        let mean = format!("round {round}: mean {round}.000 of 1, calls [{round}]");
        outcome.must_say(&[&mean]);
    }
    assert!(line.accepted() > 2, "{} connections", line.accepted());
    federation.stop();
}

/// The rounds of the app `mean` in what a follower printed to its end.
#[track_caller]
fn rounds_in(follower: &mut Process) -> Vec<usize> {
    let status = follower.wait();
    assert!(status.success(), "{}", follower.last_words());
    let lines = follower.all_lines();
    lines.iter().filter_map(|line| round(line)).collect()
}

/// The number in `round 7: mean …`.
fn round(line: &str) -> Option<usize> {
    let (_, rest) = line.split_once("round ")?;
    let (number, _) = rest.split_once(": mean")?;
    number.parse().ok()
}

#[test]
fn a_log_that_is_followed_over_a_line_that_breaks_has_each_line_once() {
    let federation = Federation::plan(Security::TlsAndAuth).nodes(1).start();
    let control = federation.control();
    let line = Forwarder::listen(move || control);
    let (app, flwr) = (federation.app("mean"), federation.flwr(OURS));
    let run = flwr.start(&app, "rounds=1000 nodes=1").to_string();
    let far = App::copy("mean", &federation.scratch().folder("far"));
    far.join(&federation);
    far.point_at(&federation, line.address());
    let mut follower = flwr.spawn(&far.path, &["log", &run, ".", "e2e", "--stream"]);
    follower.line("round 1: mean");
    for _ in 0..4 {
        line.cut();
        let seen = follower.lines().len();
        let _ = follower.line_after(seen, ": mean");
    }
    let _ = flwr.call(&app.path, &["stop", &run, ".", "e2e"]).success();
    let rounds = rounds_in(&mut follower);
    let expected: Vec<_> = (1..=rounds.len()).collect();
    assert_eq!(rounds, expected);
    assert!(line.accepted() >= 5, "{} connections", line.accepted());
    federation.stop();
}

/// `flwr log` of flwr 1.22, which asks for the log anew after 60 s, and here after 0.3 s. It tells
/// how often it has asked.
const IMPATIENT: &str = "
import atexit
import flwr.cli.log as log
from flwr.cli.app import app

stream_logs, asked = log.stream_logs, []

def counted(*args):
    asked.append(args)
    return stream_logs(*args)

log.stream_logs, log.CONN_REFRESH_PERIOD = counted, 0.3
atexit.register(lambda: print('asked', len(asked), 'times', flush=True))
app()";

#[test]
fn pips_follower_that_asks_for_the_log_again_and_again_has_each_line_once() {
    const ROUNDS: usize = 25;
    let federation = Federation::plan(Security::TlsAndAuth).nodes(1).start();
    let (app, flwr) = (federation.app("mean"), federation.flwr(OURS));
    let config = format!("rounds={ROUNDS} nodes=1");
    let run = flwr.start(&app, &config).to_string();
    let mut command = Maker::Pip(Release::V1_22).command("python");
    command.args(["-c", IMPATIENT, "log", &run, ".", "e2e", "--stream"]);
    command.current_dir(&app.path);
    command.env("FLWR_HOME", federation.scratch().folder("home-pip"));
    let mut follower = Process::start("pip-log", &mut command, federation.scratch().path());
    let expected: Vec<_> = (1..=ROUNDS).collect();
    assert_eq!(rounds_in(&mut follower), expected);
    let asked = follower.line("asked ");
    assert_ne!(asked, "asked 1 times");
    federation.stop();
}
