//! A SuperLink whose state is in PostgreSQL: the SuperLink and the server are killed during a run, and
//! nothing of the run is lost or done twice.

use e2e::{Federation, Maker, Release, Scratch, Security};
use flwr_postgres::Server;

use crate::durable::rounds_are_whole;

#[test]
fn a_run_goes_on_when_its_superlink_and_then_its_database_was_killed() {
    let (server, scratch) = (Server::start(), Scratch::new());
    let (url, storage) = (server.url(), scratch.folder("storage"));
    let flags = [
        "--database",
        &url,
        "--storage-dir",
        storage.to_str().unwrap(),
    ];
    let plan = Federation::plan(Security::TlsAndAuth).superlink_flags(&flags);
    let plan = plan.supernodes(vec![Maker::Pip(Release::V1_22), Maker::Ours]);
    let mut federation = plan.start();
    let app = federation.app("mean");
    let run = federation.flwr(Maker::Ours).start(&app, "rounds=6");
    federation.superlink().line("round 2:");
    federation.superlink().kill();
    federation.restart_superlink();
    federation.superlink().line("taken over");
    federation.superlink().line("round 4:");
    server.kill();
    rounds_are_whole(&federation, &app, run, 6);
    federation.stop();
}
