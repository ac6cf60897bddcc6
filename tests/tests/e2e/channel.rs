//! The native channel of app processes: the same digits as over TCP, bodies of any size, and processes
//! that fork, close what they have, raise, or die in the middle of a body.

use e2e::{Federation, Maker, Outcome, Release, Security, until};

const OURS: Maker = Maker::Ours;
const NATIVE: [&str; 2] = ["--app-channel", "native"];
const TCP: [&str; 2] = ["--app-channel", "tcp"];
/// One of each family of calls: no token for ServerApps, tokens in the body, by two names of the calls,
/// tasks, and HTTP.
const RELEASES: [Release; 6] = [
    Release::V1_20,
    Release::V1_22,
    Release::V1_26,
    Release::V1_31,
    Release::V1_36,
    Release::V1_42,
];

fn federation(release: Release, flags: &[&str], nodes: usize) -> Federation {
    let maker = Maker::OursWith(release);
    let plan = Federation::plan(Security::Insecure)
        .superlink(maker)
        .supernodes(vec![maker; nodes]);
    plan.superlink_flags(flags).supernode_flags(flags).start()
}

fn run(federation: &Federation, config: &str) -> Outcome {
    let app = federation.app("channel");
    federation.flwr(OURS).run(&app, config)
}

/// The lines with the hash of each round.
fn rounds(outcome: &Outcome) -> Vec<String> {
    let lines = outcome
        .text
        .lines()
        .filter(|line| line.contains("answers, "));
    lines.map(str::to_owned).collect()
}

/// How many connections the processes have of which the lines tell.
fn connections(lines: &[String]) -> Vec<&str> {
    let counts = lines.iter().filter_map(|line| {
        let (_, rest) = line.split_once("app has ")?;
        rest.strip_suffix(" connections")
    });
    counts.collect()
}

#[test]
fn both_channels_give_the_same_digits_in_each_release() {
    for release in RELEASES {
        let mut digits = Vec::new();
        for (flags, has_none) in [(NATIVE, true), (TCP, false)] {
            let mut federation = federation(release, &flags, 2);
            let sizes = "nodes=2 rounds=2 sizes=\"0 1 70000 3000000\"";
            let outcome = run(&federation, sizes).success();
            outcome.must_say(&["round 2: 2 answers", "finished"]);
            let server: Vec<_> = outcome.text.lines().map(str::to_owned).collect();
            let mut lines = connections(&server);
            let node = federation.node(0).lines();
            lines.extend(connections(&node));
            assert_eq!(lines.len(), 3, "{lines:?}");
            // HTTP connects anew for each call, or keeps a few connections.
            let none = lines.iter().all(|count| *count == "0");
            assert_eq!(none, has_none, "{release:?} {flags:?}: {lines:?}");
            digits.push(rounds(&outcome));
            federation.stop();
        }
        assert_eq!(digits[0].len(), 2, "{digits:?}");
        assert_eq!(digits[0], digits[1], "{release:?}");
    }
}

#[test]
fn bodies_around_the_size_of_a_chunk_arrive() {
    const CHUNK: usize = 20 << 20;
    for release in [Release::V1_22, Release::V1_42] {
        let mut digits = Vec::new();
        for flags in [NATIVE, TCP] {
            let federation = federation(release, &flags, 1);
            // The header of an array in NumPy's format has 128 bytes.
            let sizes = [CHUNK - 129, CHUNK - 128, CHUNK - 127].map(|size| size.to_string());
            let config = format!("rounds=1 sizes=\"{}\"", sizes.join(" "));
            let outcome = run(&federation, &config).success();
            outcome.must_say(&["round 1: 1 answers", "finished"]);
            digits.push(rounds(&outcome));
            federation.stop();
        }
        assert_eq!(digits[0], digits[1], "{release:?}");
    }
}

#[test]
fn a_clientapp_that_forks_or_closes_every_descriptor_still_answers() {
    for release in [Release::V1_22, Release::V1_31, Release::V1_42] {
        let federation = federation(release, &NATIVE, 1);
        for trouble in ["fork", "close"] {
            let config = format!("sizes=\"100000\" trouble=\"{trouble}\"");
            let outcome = run(&federation, &config).success();
            outcome.must_say(&["round 2: 1 answers", "finished"]);
        }
        federation.stop();
    }
}

#[test]
fn a_clientapp_that_raises_or_dies_in_mid_transfer_is_told() {
    for release in [Release::V1_22, Release::V1_42] {
        let federation = federation(release, &NATIVE, 1);
        let outcome = run(&federation, "rounds=1 sizes=\"3000000\" trouble=\"raise\"").success();
        outcome.must_say(&["this client has trouble", "round 1: 0 answers", "finished"]);
        let outcome = run(&federation, "rounds=1 sizes=\"3000000\" trouble=\"die\"").success();
        outcome.must_say(&["SIGKILL", "round 1: 0 answers", "finished"]);
        let outcome = run(&federation, "rounds=1 sizes=\"3000000\"").success();
        outcome.must_say(&["round 1: 1 answers", "finished"]);
        federation.stop();
    }
}

/// A ServerApp outlives its SuperLink. Its channel does not: it goes on over the port.
#[test]
fn a_serverapp_goes_on_over_tcp_when_its_superlink_comes_back() {
    for release in [Release::V1_22, Release::V1_31, Release::V1_42] {
        let mut federation = federation(release, &NATIVE, 1);
        let go = federation.scratch().path().join("go-on");
        let app = federation.app("channel");
        let config = format!("rounds=2 sizes=\"100000\" pause=\"{}\"", go.display());
        let run = federation.flwr(OURS).start(&app, &config).to_string();
        let arguments = ["log", &run, ".", "e2e", "--stream"];
        let mut log = federation.flwr(OURS).spawn(&app.path, &arguments);
        log.line("round 1: 1 answers");
        log.kill();
        federation.superlink().kill();
        federation.restart_superlink();
        std::fs::write(&go, "").unwrap();
        let log = federation.flwr(OURS).call(&app.path, &arguments).success();
        log.must_say(&["round 2: 1 answers", "finished"]);
        federation.stop();
    }
}

/// What a message took is given back, in the daemons and by their descriptors.
#[test]
fn shared_memory_is_given_back_after_each_run() {
    let mut federation = federation(Release::V1_22, &NATIVE, 1);
    for _ in 0..2 {
        let outcome = run(&federation, "rounds=2 sizes=\"22000000\"").success();
        outcome.must_say(&["round 2: 1 answers", "finished"]);
        for daemon in [federation.superlink().id(), federation.node(0).id()] {
            until("the daemon keeps no body in memory", || {
                shared_bodies(daemon) == 0
            });
        }
    }
    federation.stop();
}

/// How many bodies a process has open or mapped.
fn shared_bodies(pid: u32) -> usize {
    let files = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let links = files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
    let open = links.filter(|link| link.to_string_lossy().contains("flwr-body"));
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    open.count() + maps.matches("flwr-body").count()
}
