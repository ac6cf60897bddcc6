//! `flwr log latest` and `flwr stop latest` where people sign in: the newest run is the caller's own.

use e2e::Maker;
use e2e::oidc::Person;

use super::Club;

#[test]
fn the_latest_run_is_the_callers_own_and_is_stopped_without_a_question() {
    let club = Club::open("\"any\"");
    let admin = Person {
        groups: vec!["flower-admins".to_owned()],
        ..Person::named("root")
    };
    let alice = club.user(Person::named("alice"), Maker::Ours);
    let admin = club.user(admin, Maker::Ours);
    for user in [&alice, &admin] {
        user.log_in();
    }
    let (first, second) = (alice.start_run(), alice.start_run());
    // The admin sees both runs, and neither is the admin's.
    assert_eq!(admin.runs().len(), 2);
    let unfinished = ["no run is unfinished", "`flwr run` starts one"];
    for command in ["log", "stop"] {
        let told = admin.flwr(&[command, "latest", ".", "e2e"]);
        told.failure(1).must_say(&unfinished);
    }
    for run in [second, first] {
        let shown = alice.flwr(&["log", "latest", ".", "e2e", "--show"]);
        shown.success().must_say(&[&format!("run_id `{run}`")]);
        let stopped = alice.flwr(&["stop", "latest", ".", "e2e"]);
        stopped
            .success()
            .must_say(&[&format!("Run {run} successfully stopped")]);
    }
    let told = alice.flwr(&["stop", "latest", ".", "e2e"]);
    told.failure(1).must_say(&[&format!("`flwr log {second}`")]);
    club.close();
}
