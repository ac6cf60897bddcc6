//! A SuperLink whose state is in PostgreSQL, with objects in a directory or in a bucket: the SuperLink
//! and the server are killed during a run, and nothing of the run is lost or done twice.

use e2e::{Federation, Maker, Release, Scratch, Security};
use flwr_postgres::Server;

use crate::durable::rounds_are_whole;

#[test]
fn a_run_goes_on_when_its_superlink_and_then_its_database_was_killed() {
    let scratch = Scratch::new();
    let storage = scratch.folder("storage");
    kills_cost_nothing(["--storage-dir", storage.to_str().unwrap()]);
}

#[test]
fn a_run_with_objects_in_a_bucket_goes_on_when_its_superlink_and_its_database_was_killed() {
    let bucket = flwr_bucket::Server::of_this_process();
    let name = flwr_bucket::BUCKET;
    let url = format!(
        "s3://{name}/e2e?region=us-east-1&endpoint=http://{}",
        bucket.address()
    );
    kills_cost_nothing(["--storage", &url]);
}

fn kills_cost_nothing(storage: [&str; 2]) {
    let server = Server::start();
    let url = server.url();
    let flags = ["--database", &url, storage[0], storage[1]];
    let keys = [
        ("AWS_ACCESS_KEY_ID", flwr_bucket::KEY_ID),
        ("AWS_SECRET_ACCESS_KEY", flwr_bucket::SECRET),
    ];
    let keys = keys.map(|(name, value)| (name.to_owned(), value.into()));
    let plan = Federation::plan(Security::TlsAndAuth)
        .superlink_flags(&flags)
        .superlink_variables(keys.into());
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
