//! Envoy. It answers gRPC calls with gRPC statuses of its own, and ends a call after 15 s unless its
//! route says otherwise.

use super::*;

const SHORT_IDLE: Habits = Habits {
    idle_seconds: 3,
    requests: 1000,
    call_seconds: 0,
};
const SHORT_CALLS: Habits = Habits {
    idle_seconds: 60,
    requests: 1000,
    call_seconds: 3,
};

#[test]
fn calls_that_envoy_ends_become_shorter_and_are_no_trouble_any_more() {
    for habits in [SHORT_IDLE, SHORT_CALLS] {
        let (mut federation, mut proxy, _) = behind(Kind::Envoy, habits);
        federation.node(0).line("requests for messages now last");
        let before = warnings(federation.node(0)).len();
        let app = federation.app("trouble");
        let _ = federation.flwr(OURS).run(&app, "").success();
        let after = warnings(federation.node(0));
        assert_eq!(after.len(), before, "{habits:?}: {after:#?}");
        proxy.kill();
        federation.stop();
    }
}

#[test]
fn an_envoy_that_closes_its_connection_after_each_few_requests_is_no_trouble() {
    closed_connections_are_no_trouble(Kind::Envoy);
}

#[test]
fn the_log_of_a_silent_run_is_followed_through_an_envoy_that_ends_calls() {
    a_silent_log_is_followed(Kind::Envoy, SHORT_CALLS, 2);
}

#[test]
fn an_envoy_without_a_superlink_is_named() {
    let (mut federation, mut proxy, front) = behind(Kind::Envoy, Habits::default());
    let app = federation.app("trouble");
    app.point_at(&federation, front.control);
    federation.node(0).line("registered with the SuperLink");
    federation.superlink().kill();
    let answered = "answered 503 Service Unavailable in place of the SuperLink";
    let listed = federation.flwr(OURS).call(&app.path, &["ls", ".", "e2e"]);
    let address = front.control;
    let expected = format!("a proxy at {address} {answered}: upstream connect error");
    listed.failure(1).must_say(&[&expected]);
    federation.node(0).line(answered);
    proxy.kill();
}
