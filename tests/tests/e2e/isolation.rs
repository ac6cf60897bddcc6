//! App processes that somebody else starts: pip's `flower-superexec`, one beside each daemon.

use e2e::{Federation, Isolation, Maker, Release, Security};

#[test]
fn an_app_trains_with_superexecs_beside_the_daemons() {
    let plan = Federation::plan(Security::TlsAndAuth).isolation(Isolation::Process);
    let mut federation = plan.start();
    let (app, flwr) = (federation.app("mean"), federation.flwr(Maker::Ours));
    let outcome = flwr.run(&app, "rounds=2").success();
    outcome.must_say(&["round 2: mean 3.000 of 2, calls [2, 2]", "finished"]);
    let statuses = flwr.statuses(&app);
    assert_eq!(
        statuses.values().collect::<Vec<_>>(),
        ["finished:completed"]
    );
    // The apps' output is on the superexecs' side: the daemons have started nothing.
    assert!(!federation.superlink().has_said("greeting"));
    federation.stop();
}

#[test]
fn superexecs_that_hold_the_secret_start_apps() {
    let plan = Federation::plan(Security::TlsAndAuth).isolation(Isolation::Process);
    let plan = plan.superexec(Release::V1_31).superexec_secret();
    let federation = plan.start();
    let (app, flwr) = (federation.app("mean"), federation.flwr(Maker::Ours));
    let outcome = flwr.run(&app, "rounds=2").success();
    outcome.must_say(&["round 2: mean 3.000 of 2, calls [2, 2]", "finished"]);
    federation.stop();
}

#[test]
fn a_run_waits_until_somebody_starts_its_server_app() {
    let federation = Federation::plan(Security::Insecure)
        .nodes(0)
        .isolation(Isolation::Nobody)
        .start();
    let (app, flwr) = (federation.app("mean"), federation.flwr(Maker::Ours));
    let run = flwr.start(&app, "rounds=1");
    assert_eq!(flwr.status(&app, run), "pending");
    federation.stop();
}

#[test]
fn an_address_alone_does_not_open_the_api_of_apps_to_other_machines() {
    for (daemon, flag) in [
        ("flower-superlink", "--serverappio-api-address"),
        ("flower-supernode", "--clientappio-api-address"),
    ] {
        let line = ["--insecure", "--isolation", "process", flag, "0.0.0.0:0"];
        let output = Maker::Ours.command(daemon).args(line).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{daemon}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        for told in [flag, "0.0.0.0:0", "--allow-plaintext-appio"] {
            assert!(said.contains(told), "{said}");
        }
    }
}
