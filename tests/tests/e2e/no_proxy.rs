//! Machines with a proxy in the environment, for pip and conda, which does not serve loopback.

use std::net::TcpListener;

use e2e::{Federation, Maker, Security};

/// Runs an app with a proxy that answers nobody.
#[track_caller]
fn an_app_runs(flags: &[&str]) {
    // Nobody accepts: whoever asked this proxy would wait.
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", proxy.local_addr().unwrap());
    let mut plan = Federation::plan(Security::Insecure).supernode_flags(flags);
    for name in ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"] {
        plan = plan.variable(name, &url);
    }
    for name in ["no_proxy", "NO_PROXY"] {
        plan = plan.variable(name, "superlink.example");
    }
    let federation = plan.start();
    let (app, flwr) = (federation.app("mean"), federation.flwr(Maker::Ours));
    let outcome = flwr.run(&app, "rounds=2").success();
    outcome.must_say(&["round 2: mean 3.000 of 2", "finished"]);
    proxy.set_nonblocking(true).unwrap();
    assert!(proxy.accept().is_err(), "somebody asked the proxy");
    federation.stop();
}

#[test]
fn apps_that_were_prepared_reach_their_daemons() {
    an_app_runs(&[]);
}

#[test]
fn apps_that_start_from_nothing_reach_their_daemons() {
    an_app_runs(&["--clientapp-start", "fresh"]);
}
