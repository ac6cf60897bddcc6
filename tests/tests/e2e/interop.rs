//! Our programs with those of flwr 1.20, 1.21 and 1.22 from PyPI, over TLS with authentication.

use e2e::{Federation, Maker, Release, Security};

const OURS: Maker = Maker::Ours;
const ROUNDS: [&str; 3] = [
    "round 1: mean 1.500 of 2, calls [1, 1]",
    "round 2: mean 3.000 of 2, calls [2, 2]",
    "finished",
];

/// Whose programs they are, from the coordinator to the user.
struct Cast {
    superlink: Maker,
    supernodes: [Maker; 2],
    flwr: Maker,
}

#[track_caller]
fn trains(cast: &Cast) {
    let plan = Federation::plan(Security::TlsAndAuth);
    let federation = plan
        .superlink(cast.superlink)
        .supernodes(cast.supernodes)
        .start();
    let (app, flwr) = (federation.app("mean"), federation.flwr(cast.flwr));
    flwr.run(&app, "rounds=2").must_say(&ROUNDS);
    let statuses = flwr.statuses(&app);
    assert_eq!(
        statuses.values().collect::<Vec<_>>(),
        ["finished:completed"]
    );
    federation.stop();
}

#[test]
fn our_supernodes_work_for_a_1_22_superlink() {
    let superlink = Maker::Pip(Release::V1_22);
    trains(&Cast {
        superlink,
        supernodes: [OURS, OURS],
        flwr: superlink,
    });
}

#[test]
fn our_flwr_works_with_a_1_22_superlink() {
    let pip = Maker::Pip(Release::V1_22);
    trains(&Cast {
        superlink: pip,
        supernodes: [pip, OURS],
        flwr: OURS,
    });
}

#[test]
fn supernodes_of_1_20_work_for_our_superlink() {
    let node = Maker::Pip(Release::V1_20);
    trains(&Cast {
        superlink: OURS,
        supernodes: [node, node],
        flwr: OURS,
    });
}

#[test]
fn supernodes_of_1_21_work_for_our_superlink() {
    let node = Maker::Pip(Release::V1_21);
    trains(&Cast {
        superlink: OURS,
        supernodes: [node, node],
        flwr: OURS,
    });
}

#[test]
fn supernodes_of_1_22_work_for_our_superlink_beside_ours() {
    let node = Maker::Pip(Release::V1_22);
    trains(&Cast {
        superlink: OURS,
        supernodes: [node, OURS],
        flwr: OURS,
    });
}

#[track_caller]
fn flwr_commands_work(release: Release) {
    let mut federation = Federation::plan(Security::TlsAndAuth).nodes(1).start();
    let (mean, trouble) = (federation.app("mean"), federation.app("trouble"));
    let flwr = federation.flwr(Maker::Pip(release));
    let outcome = flwr.run(&mean, "rounds=1 nodes=1").success();
    outcome.must_say(&[
        "Successfully started run",
        "round 1: mean 1.000 of 1",
        "finished",
    ]);

    let run = flwr.start(&trouble, "client=\"hang\"");
    federation.node(0).line("will hang");
    let flwr = federation.flwr(Maker::Pip(release));
    flwr.wait_for_status(&trouble, run, "running");
    let stop = flwr
        .call(&trouble.path, &["stop", &run.to_string(), ".", "e2e"])
        .success();
    stop.must_say(&["successfully stopped"]);
    assert_eq!(flwr.status(&trouble, run), "finished:stopped");
    flwr.log(&trouble, run)
        .success()
        .must_say(&["serverapp pid="]);
    federation.stop();
}

#[test]
fn flwr_1_20_runs_lists_logs_and_stops_on_our_superlink() {
    flwr_commands_work(Release::V1_20);
}

#[test]
fn flwr_1_22_runs_lists_logs_and_stops_on_our_superlink() {
    flwr_commands_work(Release::V1_22);
}

#[test]
fn everything_of_1_22_trains_in_this_harness() {
    let pip = Maker::Pip(Release::V1_22);
    trains(&Cast {
        superlink: pip,
        supernodes: [pip, pip],
        flwr: pip,
    });
}

#[test]
#[ignore = "takes minutes: cargo xtask test --long"]
fn everything_of_later_releases_trains_in_this_harness() {
    for release in [Release::V1_26, Release::V1_31] {
        let pip = Maker::Pip(release);
        trains(&Cast {
            superlink: pip,
            supernodes: [pip, pip],
            flwr: pip,
        });
    }
}
