//! In which processes ClientApps run, and what these remember of each other: nothing, unless it
//! was asked for, and nothing of another run in any case.

use std::collections::BTreeSet;
use std::io::Read;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use e2e::{Federation, Maker, PATIENCE, Release, Security, leftovers, ports};

const OURS: Maker = Maker::Ours;
const ROUNDS: usize = 3;

#[track_caller]
fn answers(flags: &[&str]) -> [Vec<(u32, usize)>; 2] {
    answers_of(OURS, flags)
}

/// Two runs on one node of this maker; gives the pid of the process that answered each message, and
/// how many it had answered before.
#[track_caller]
fn answers_of(maker: Maker, flags: &[&str]) -> [Vec<(u32, usize)>; 2] {
    let plan = Federation::plan(Security::TlsAndAuth).supernodes([maker]);
    let mut federation = plan.supernode_flags(flags).start();
    let app = federation.app("mean");
    let config = format!("rounds={ROUNDS} nodes=1");
    for _ in 0..2 {
        let outcome = federation.flwr(OURS).run(&app, &config).success();
        outcome.must_say(&["finished"]);
    }
    let lines = federation.node(0).lines();
    let told: Vec<_> = lines.iter().filter_map(|line| read(line)).collect();
    assert_eq!(told.len(), 2 * ROUNDS, "{lines:?}");
    federation.stop();
    let (first, second) = told.split_at(ROUNDS);
    [first.to_vec(), second.to_vec()]
}

/// Reads `process 7 has answered 0 before`.
fn read(line: &str) -> Option<(u32, usize)> {
    let (pid, before) = line
        .strip_prefix("process ")?
        .split_once(" has answered ")?;
    let before = before.strip_suffix(" before")?;
    Some((pid.parse().ok()?, before.parse().ok()?))
}

#[track_caller]
fn each_message_has_its_own(flags: &[&str]) {
    let answers = answers(flags).concat();
    let pids: BTreeSet<_> = answers.iter().map(|(pid, _)| pid).collect();
    assert_eq!(pids.len(), 2 * ROUNDS, "{answers:?}");
    assert!(
        answers.iter().all(|(_, before)| *before == 0),
        "{answers:?}"
    );
}

#[test]
fn each_message_has_a_process_of_its_own() {
    each_message_has_its_own(&[]);
}

#[test]
fn each_message_has_a_process_from_nothing_if_that_was_asked_for() {
    each_message_has_its_own(&["--clientapp-start", "fresh"]);
}

#[track_caller]
fn all_messages_of_a_run_share_a_process(maker: Maker) {
    let [first, second] = answers_of(maker, &["--clientapp-reuse", "run"]);
    for answers in [&first, &second] {
        let pid = answers[0].0;
        let expected: Vec<_> = (0..ROUNDS).map(|before| (pid, before)).collect();
        assert_eq!(*answers, expected);
    }
    assert_ne!(first[0].0, second[0].0);
}

#[test]
fn all_messages_of_a_run_share_a_process_if_that_was_asked_for_and_no_other_run_does() {
    all_messages_of_a_run_share_a_process(OURS);
}

/// Programs of 1.24 and later set handlers of signals, and have a thread end their process.
#[test]
fn all_messages_of_a_run_share_a_process_of_later_releases() {
    for release in [Release::V1_26, Release::V1_31, Release::V1_34] {
        all_messages_of_a_run_share_a_process(Maker::OursWith(release));
    }
}

#[test]
fn the_processes_of_short_runs_go_soon_after_their_runs() {
    /// The SuperNode, and servers for two runs, each of up to two processes.
    const FEW: usize = 5;
    let federation = Federation::plan(Security::TlsAndAuth).nodes(1).start();
    let app = federation.app("mean");
    for _ in 0..5 {
        let outcome = federation.flwr(OURS).run(&app, "rounds=1 nodes=1");
        outcome.success().must_say(&["finished"]);
    }
    let home = federation.scratch().path().join("home-node-0");
    let deadline = Instant::now() + PATIENCE;
    loop {
        let processes = leftovers::of(&home);
        if processes.len() <= FEW {
            break;
        }
        assert!(Instant::now() < deadline, "{processes:?}");
        thread::sleep(Duration::from_millis(100));
    }
    federation.stop();
}

/// Kills a child when the test ends.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_supernode_whose_output_nobody_reads_goes_on_working() {
    let federation = Federation::plan(Security::Insecure).nodes(0).start();
    let app = federation.app("trouble");
    let clientappio = format!("127.0.0.1:{}", ports::free());
    let mut command = federation.node_command(Maker::Ours, "home-unread");
    command.args(["--insecure", "--superlink", &federation.fleet().to_string()]);
    command.args(["--clientappio-api-address", &clientappio]);
    command.stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut node = Killed(command.spawn().unwrap());
    for _ in 0..2 {
        let outcome = federation.flwr(Maker::Ours).run(&app, "client=\"print\"");
        outcome.success().must_say(&["reply: 42"]);
    }
    // What the pipe has no room for is counted, once there is a reader.
    let mut out = node.0.stdout.take().unwrap();
    let mut text = Vec::new();
    let mut piece = vec![0; 1 << 16];
    while !String::from_utf8_lossy(&text).contains("lines were not written") {
        let count = out.read(&mut piece).unwrap();
        assert!(count > 0, "the SuperNode has ended");
        text.extend_from_slice(&piece[..count]);
    }
    federation.stop();
}
