//! Bad lines between the parts of a federation, and the logs that are followed over them.

use e2e::forwarder::Forwarder;
use e2e::{Federation, Maker, Process, Release, Security, ports};

const OURS: Maker = Maker::Ours;

#[test]
fn models_arrive_whole_over_a_line_that_loses_packets_and_breaks() {
    let fleet = ports::free();
    let line = Forwarder::over_a_bad_line(move || ([127, 0, 0, 1], fleet).into());
    let plan = Federation::plan(Security::TlsAndAuth).nodes(1);
    let federation = plan.fleet_port(fleet).gateway(line.address()).start();
    let app = federation.app("mean");
    let config = "rounds=3 nodes=1 size=60000";
    let outcome = federation.flwr(OURS).run(&app, config).success();
    for round in 1..=3 {
        let mean = format!("round {round}: mean {round}.000 of 1, calls [{round}]");
        outcome.must_say(&[&mean]);
    }
    assert!(line.accepted() > 3, "{} connections", line.accepted());
    federation.stop();
}

/// Each round of the app `mean` is in what the follower printed, once.
#[track_caller]
fn has_each_round_once(follower: &mut Process, rounds: usize) {
    let status = follower.wait();
    assert!(status.success(), "{}", follower.last_words());
    let text = follower.all_lines().join("\n");
    for round in 1..=rounds {
        let line = format!("round {round}: mean");
        assert_eq!(text.matches(&line).count(), 1, "{line}:\n{text}");
    }
}

#[test]
fn a_log_that_is_followed_over_a_line_that_breaks_has_each_line_once() {
    const ROUNDS: usize = 12;
    let federation = Federation::plan(Security::TlsAndAuth).nodes(1).start();
    let control = federation.control();
    let line = Forwarder::listen(move || control);
    let (app, flwr) = (federation.app("mean"), federation.flwr(OURS));
    app.point_at(&federation, line.address());
    let config = format!("rounds={ROUNDS} nodes=1");
    let run = flwr.start(&app, &config).to_string();
    let mut follower = flwr.spawn(&app.path, &["log", &run, ".", "e2e", "--stream"]);
    for round in [1, 4, 7, 10] {
        follower.line(&format!("round {round}: mean"));
        line.cut();
    }
    has_each_round_once(&mut follower, ROUNDS);
    assert!(line.accepted() > 5, "{} connections", line.accepted());
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
    const ROUNDS: usize = 40;
    let federation = Federation::plan(Security::TlsAndAuth).nodes(1).start();
    let (app, flwr) = (federation.app("mean"), federation.flwr(OURS));
    let config = format!("rounds={ROUNDS} nodes=1");
    let run = flwr.start(&app, &config).to_string();
    let mut command = Maker::Pip(Release::V1_22).command("python");
    command.args(["-c", IMPATIENT, "log", &run, ".", "e2e", "--stream"]);
    command.current_dir(&app.path);
    command.env("FLWR_HOME", federation.scratch().folder("home-pip"));
    let mut follower = Process::start("pip-log", &mut command, federation.scratch().path());
    has_each_round_once(&mut follower, ROUNDS);
    let asked = follower.line("asked ");
    assert_ne!(asked, "asked 1 times");
    federation.stop();
}
