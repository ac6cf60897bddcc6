//! The refusals of flwr 1.23 to 1.39, each asked of pip's SuperLink and of ours: the status, the
//! number and the text are the same, but for what [`purposes`] lists with its reason.

use std::collections::BTreeSet;
use std::thread;

use e2e::federation::wait_for;
use e2e::{Federation, Isolation, Maker, Release, Security};
use flwr_client::channel::Trust;
use flwr_security::tls::ClientTls;

use self::ask::{Caller, Table};
use self::control::Person;
use self::fleet::Stray;
use self::purposes::Purpose;

mod ask;
mod control;
mod fleet;
mod purposes;
mod reply;
mod runtime;

const OURS: Maker = Maker::Ours;

/// Asks a SuperLink of this maker, as a peer of this release.
type Questions = fn(Maker, Release) -> Table;

fn block_on<T>(future: impl Future<Output = T>) -> T {
    e2e::runtime().block_on(future)
}

/// Compares what pip's SuperLinks of these releases say with what ours does, and tells of all
/// differences that are not listed.
#[track_caller]
fn alike(releases: &[Release], questions: Questions, purposes: &[Purpose]) {
    let mut differences = Vec::new();
    let mut seen = BTreeSet::new();
    for &release in releases {
        let (theirs, ours) = thread::scope(|scope| {
            let theirs = scope.spawn(|| questions(Maker::Pip(release), release));
            let ours = questions(OURS, release);
            (theirs.join().unwrap(), ours)
        });
        let asked = |table: &Table| table.iter().map(|(what, _)| *what).collect::<Vec<_>>();
        assert_eq!(asked(&theirs), asked(&ours));
        for ((what, theirs), (_, ours)) in theirs.iter().zip(&ours) {
            if ours.is_like(theirs) {
                continue;
            }
            let mut listed = purposes.iter().filter(|it| it.what.contains(what));
            if listed.any(|it| it.excuses(theirs, ours)) {
                seen.insert(*what);
                continue;
            }
            let number = release.number();
            differences.push(format!(
                "{number}, {what}\n  theirs {theirs}\n  ours   {ours}"
            ));
        }
    }
    let listed = purposes.iter().flat_map(|purpose| purpose.what);
    let stale = listed.filter(|what| !seen.contains(*what));
    differences.extend(stale.map(|what| format!("{what}: there is no such difference")));
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// Nodes register themselves here.
fn open(maker: Maker, release: Release) -> Table {
    let plan = Federation::plan(Security::Insecure).nodes(0);
    let federation = plan.superlink(maker).start();
    let app = federation.app("trouble");
    block_on(async {
        let mut stray = Stray::new(&federation, &Trust::Plaintext, release);
        stray.prove_nothing().await;
        stray.live_out_of_order().await;
        let whats = [
            "GetRun of an unknown run",
            "GetFab of an unknown run",
            "PushMessages of an unknown run",
            "PushObject of an unknown run",
            "PullObject of an unknown run",
            "ConfirmMessageReceived of an unknown run",
        ];
        stray.ask_about(7, whats).await;
        let run = stray.answer_amiss(&federation, &app).await;
        let stop = ["stop", &run.to_string(), ".", "e2e"];
        let _ = federation.flwr(OURS).call(&app.path, &stop).success();
        let whats = [
            "GetRun of a stopped run",
            "GetFab of a stopped run",
            "PushMessages of a stopped run",
            "PushObject of a stopped run",
            "PullObject of a stopped run",
            "ConfirmMessageReceived of a stopped run",
        ];
        stray.ask_about(run, whats).await;
        stray.end_out_of_order().await;
        stray.table()
    })
}

/// People register nodes here.
fn closed(maker: Maker, release: Release) -> Table {
    let flags = ["--enable-supernode-auth"];
    let plan = Federation::plan(Security::Tls).nodes(0);
    let plan = plan.superlink(maker).superlink_flags(&flags);
    // The questions to Control go over gRPC.
    let federation = plan.control_over_grpc().start();
    block_on(async {
        let trust = Trust::Tls(ClientTls::trusting(federation.ca().unwrap()).unwrap());
        let who = ("flwr CLI", "Control");
        let mut people = Caller::new(federation.control(), &trust, who, release);
        let mut stray = Stray::new(&federation, &trust, release);
        stray.come_unregistered().await;
        stray.be_unregistered(&mut people).await;
        stray.table()
    })
}

/// People ask.
fn people(maker: Maker, release: Release) -> Table {
    let plan = Federation::plan(Security::Insecure).nodes(0);
    let federation = plan.superlink(maker).start();
    let (app, flwr) = (federation.app("trouble"), federation.flwr(OURS));
    let run = flwr.start(&app, "server=\"stay\"");
    let stop = ["stop", &run.to_string(), ".", "e2e"];
    let _ = flwr.call(&app.path, &stop).success();
    block_on(async {
        let mut person = Person::new(&federation, release);
        person.ask_for_runs(run).await;
        person.sign_in().await;
        person.ask_for_nodes().await;
        person.start_in_vain(&federation, &app).await;
        person.ask_for_more().await;
        person.table()
    })
}

/// Nobody starts the app processes but the test.
fn apps(maker: Maker, release: Release) -> Table {
    let plan = Federation::plan(Security::Insecure).supernodes([maker]);
    let plan = plan.isolation(Isolation::Nobody);
    let mut federation = plan.superlink(maker).start();
    wait_for(federation.clientappio(0), federation.node(0));
    let app = federation.app("trouble");
    let run = federation.flwr(OURS).start(&app, "server=\"stay\"");
    let stop = || {
        let stop = ["stop", &run.to_string(), ".", "e2e"];
        let _ = federation.flwr(OURS).call(&app.path, &stop).success();
    };
    block_on(async {
        let mut stray = Stray::new(&federation, &Trust::Plaintext, release);
        stray.join().await;
        let whats = [
            "GetRun of a run that waits",
            "GetFab of a run that waits",
            "PushMessages of a run that waits",
            "PushObject of a run that waits",
            "PullObject of a run that waits",
            "ConfirmMessageReceived of a run that waits",
        ];
        stray.ask_about(run, whats).await;
        let mut serverapp = runtime::App::at_superlink(&federation, release, run);
        let mut clientapp = runtime::App::at_node(&federation, release);
        if release.is_since(30) {
            serverapp.task_without_token().await;
            clientapp.task_without_token().await;
            serverapp.take_task().await;
            serverapp.task_amiss().await;
            stop();
            serverapp.task_after_stop().await;
        } else {
            serverapp.serverapp_without_token().await;
            clientapp.clientapp_without_token().await;
            serverapp.take_token().await;
            serverapp.serverapp_amiss().await;
            stop();
            serverapp.serverapp_after_stop().await;
        }
        [stray.table(), serverapp.table(), clientapp.table()].concat()
    })
}

const RELEASES: [Release; 4] = [
    Release::V1_23,
    Release::V1_31,
    Release::V1_36,
    Release::V1_39,
];

/// One of each family that speaks gRPC.
const FAMILIES: [Release; 5] = [
    Release::V1_23,
    Release::V1_26,
    Release::V1_29,
    Release::V1_31,
    Release::V1_34,
];

#[test]
#[ignore = "takes minutes: cargo xtask test --long"]
fn daemons_refuse_app_processes_as_those_of_later_releases_do() {
    alike(&FAMILIES, apps, purposes::APPS);
}

#[test]
fn control_refuses_as_superlinks_of_later_releases_do() {
    let releases = [
        Release::V1_23,
        Release::V1_26,
        Release::V1_31,
        Release::V1_36,
    ];
    alike(&releases, people, purposes::CONTROL);
}

#[test]
#[ignore = "takes minutes: cargo xtask test --long"]
fn fleet_refuses_as_superlinks_of_later_releases_do() {
    alike(&RELEASES, open, purposes::FLEET);
}

#[test]
fn fleet_refuses_alike_where_people_register_nodes() {
    alike(&RELEASES, closed, purposes::REGISTERED);
}
