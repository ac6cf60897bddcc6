//! What stands between SuperNodes, `flwr` and a SuperLink: real proxies, and lines that go silent.

mod envoy;

use std::fs;
use std::path::PathBuf;

use e2e::forwarder::Forwarder;
use e2e::process::wait_for_end;
use e2e::proxy::{BALANCER, Front, Habits, Kind};
use e2e::{Federation, Maker, PATIENCE, Process, Security, ports, until};

use crate::faults::pid_in;

const OURS: Maker = Maker::Ours;

/// A federation of one SuperNode that reaches its SuperLink through a proxy.
fn behind(kind: Kind, habits: Habits) -> (Federation, Process, Front) {
    let front = Front::free();
    let federation = Federation::plan(Security::TlsAndAuth)
        .nodes(1)
        .gateway(front.fleet)
        .start();
    let proxy = front.start(kind, habits, &federation);
    (federation, proxy, front)
}

/// The file that an app waits for, and the run configuration that names it.
fn signal(federation: &Federation, key: &str) -> (PathBuf, String) {
    let file = federation.scratch().path().join("signal");
    let config = format!("{key}=\"wait\" file=\"{}\"", file.display());
    (file, config)
}

fn warnings(process: &Process) -> Vec<String> {
    let lines = process.lines();
    lines
        .into_iter()
        .filter(|line| line.contains("WARN") || line.contains("ERROR"))
        .collect()
}

/// The lines of the proxy's access log that contain `text`.
fn requests(federation: &Federation, text: &str) -> usize {
    let log = federation.scratch().path().join("proxy/access.log");
    let log = fs::read_to_string(log).unwrap_or_default();
    log.lines().filter(|line| line.contains(text)).count()
}

/// A reply that is finished while a proxy answers for the SuperLink arrives when it is back.
#[track_caller]
fn a_finished_reply_outlives_a_proxys_answers(kind: Kind, says: &str) {
    let (mut federation, mut proxy, _) = behind(kind, Habits::default());
    let app = federation.app("trouble");
    let (file, config) = signal(&federation, "client");
    let run = federation.flwr(OURS).start(&app, &config);
    let client = pid_in(federation.node(0), "clientapp");
    federation.superlink().kill();
    fs::write(file, "").unwrap();
    wait_for_end(client);
    // More tries than a message would survive that is refused. After five of them the node tells
    // only one a minute.
    for _ in 0..3 {
        let seen = federation.node(0).lines().len();
        federation.node(0).line_after(seen, says);
    }
    federation.restart_superlink();
    let flwr = federation.flwr(OURS);
    until("the run is finished", || {
        flwr.status(&app, run).starts_with("finished")
    });
    assert_eq!(flwr.status(&app, run), "finished:completed");
    let log = flwr.call(&app.path, &["log", &run.to_string(), "--show", ".", "e2e"]);
    log.must_say(&["reply: 42"]);
    for wrong in ["compression flag", "gave the message up"] {
        assert!(!federation.node(0).has_said(wrong), "{wrong}");
    }
    proxy.kill();
    federation.stop();
}

#[test]
fn a_finished_reply_outlives_an_haproxy_that_answers_503() {
    a_finished_reply_outlives_a_proxys_answers(
        Kind::HaProxy,
        "answered 503 Service Unavailable in place of the SuperLink",
    );
}

#[test]
fn a_finished_reply_outlives_an_nginx_that_answers_502() {
    a_finished_reply_outlives_a_proxys_answers(
        Kind::Nginx,
        "answered 502 Bad Gateway in place of the SuperLink",
    );
}

#[test]
fn pulls_that_a_proxy_cuts_become_shorter_and_are_no_trouble_any_more() {
    for kind in [Kind::Nginx, Kind::HaProxy] {
        let habits = Habits {
            idle_seconds: 3,
            ..Habits::default()
        };
        let (mut federation, mut proxy, _) = behind(kind, habits);
        federation.node(0).line("requests for messages now last");
        let before = warnings(federation.node(0)).len();
        let app = federation.app("trouble");
        for _ in 0..2 {
            let _ = federation.flwr(OURS).run(&app, "").success();
        }
        let after = warnings(federation.node(0));
        assert_eq!(after.len(), before, "{kind:?}: {after:#?}");
        let said = federation.node(0).lines();
        let said = said.iter().filter(|line| line.contains("now last"));
        assert_eq!(said.count(), 1);
        proxy.kill();
        federation.stop();
    }
}

/// A proxy that closes its connection after each few requests (GOAWAY) is no trouble.
#[track_caller]
fn closed_connections_are_no_trouble(kind: Kind) {
    let habits = Habits {
        requests: 4,
        ..Habits::default()
    };
    let (mut federation, mut proxy, _) = behind(kind, habits);
    federation.node(0).line("registered with the SuperLink");
    let before = warnings(federation.node(0)).len();
    let app = federation.app("trouble");
    for _ in 0..2 {
        let _ = federation.flwr(OURS).run(&app, "").success();
    }
    let after = warnings(federation.node(0));
    assert_eq!(after.len(), before, "{after:#?}");
    proxy.kill();
    federation.stop();
}

#[test]
fn a_proxy_that_closes_its_connection_after_each_few_requests_is_no_trouble() {
    closed_connections_are_no_trouble(Kind::Nginx);
}

/// A command follows the log of a silent run, though the proxy ends its calls more than `calls`
/// times.
#[track_caller]
fn a_silent_log_is_followed(kind: Kind, habits: Habits, calls: usize) {
    let (federation, mut proxy, front) = behind(kind, habits);
    let app = federation.app("trouble");
    app.point_at(&federation, front.control);
    let (file, config) = signal(&federation, "server");
    let flwr = federation.flwr(OURS);
    let arguments = ["run", ".", "e2e", "--stream", "--run-config", &config];
    let mut following = flwr.spawn(&app.path, &arguments);
    until("the log is asked for again and again", || {
        requests(&federation, "StreamLogs") > calls
    });
    fs::write(file, "").unwrap();
    let status = following.wait_within(PATIENCE);
    assert!(status.success(), "{}", following.last_words());
    assert!(following.has_said("finished"));
    proxy.kill();
    federation.stop();
}

#[test]
fn the_log_of_a_silent_run_is_followed_through_a_proxy_that_cuts_idle_calls() {
    let habits = Habits {
        idle_seconds: 2,
        ..Habits::default()
    };
    // More cuts than a SuperLink that went away would be tried.
    a_silent_log_is_followed(Kind::Nginx, habits, 12);
}

#[test]
fn commands_name_the_proxy_that_answers_for_the_superlink() {
    let (mut federation, mut proxy, front) = behind(Kind::HaProxy, Habits::default());
    let app = federation.app("trouble");
    app.point_at(&federation, front.control);
    federation.superlink().kill();
    let listed = federation.flwr(OURS).call(&app.path, &["ls", ".", "e2e"]);
    listed.failure(1).must_say(&[&format!(
        "a proxy at {} answered 503 Service Unavailable",
        front.control
    )]);
    proxy.kill();
}

#[test]
fn a_node_whose_connection_has_gone_silent_connects_anew() {
    let fleet = ports::free();
    let forwarder = Forwarder::listen(move || ([127, 0, 0, 1], fleet).into());
    let mut federation = Federation::plan(Security::TlsAndAuth)
        .nodes(1)
        .fleet_port(fleet)
        .gateway(forwarder.address())
        .start();
    federation.node(0).line("registered with the SuperLink");
    let silent = forwarder.accepted();
    forwarder.fall_silent();
    federation.node(0).line("the node connects anew");
    federation.node(0).line("the SuperLink answers again");
    assert!(forwarder.accepted() > silent);
    let app = federation.app("trouble");
    let _ = federation.flwr(OURS).run(&app, "").success();
    federation.stop();
}

/// TLS and client keys are those of the SuperLink, and the address is that of the client.
#[test]
fn a_balancer_that_tells_the_address_of_its_clients_passes_connections_on() {
    let front = Front::free();
    let federation = Federation::plan(Security::TlsAndAuth)
        .nodes(1)
        .gateway(front.fleet)
        .superlink_flags(&["--proxy-protocol-from", BALANCER])
        .start();
    let mut proxy = front.start(Kind::Balancer, Habits::default(), &federation);
    let app = federation.app("trouble");
    let _ = federation.flwr(OURS).run(&app, "").success();
    proxy.kill();
    federation.stop();
}

#[test]
fn a_balancer_that_nobody_named_is_refused_with_the_flag_that_names_it() {
    let (mut federation, mut proxy, _) = behind(Kind::Balancer, Habits::default());
    federation.superlink().line("--proxy-protocol-from");
    proxy.kill();
    federation.stop();
}
