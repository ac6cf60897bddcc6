//! `flwr run delete` where people sign in: a run is its owner's and the admins'.

use e2e::Maker;
use e2e::oidc::Person;

use super::Club;

#[test]
fn a_run_is_deleted_by_its_owner_and_by_admins() {
    let club = Club::open("\"any\"");
    let admin = Person {
        groups: vec!["flower-admins".to_owned()],
        ..Person::named("root")
    };
    let alice = club.user(Person::named("alice"), Maker::Ours);
    let bob = club.user(Person::named("bob"), Maker::Ours);
    let admin = club.user(admin, Maker::Ours);
    let stranger = club.user(Person::named("eve"), Maker::Ours);
    for user in [&alice, &bob, &admin] {
        user.log_in();
    }
    let (first, second) = (alice.start_run(), alice.start_run());
    let delete = |run: u64| ["run".to_owned(), "delete".to_owned(), run.to_string()];
    let call = |user: &super::User<'_>, run: u64| {
        let words = delete(run);
        let words = words.iter().map(String::as_str);
        user.flwr(&words.chain([".", "e2e"]).collect::<Vec<_>>())
    };
    call(&alice, first)
        .failure(1)
        .must_say(&[&format!("end it first, with `flwr stop {first}`")]);
    for run in [first, second] {
        let _ = alice.stop(run).success();
    }
    call(&bob, first)
        .failure(1)
        .must_say(&["Run ID does not belong to the user"]);
    call(&stranger, first)
        .failure(2)
        .must_say(&["Please run `flwr login`"]);
    assert_eq!(alice.runs(), {
        let mut runs = [first, second];
        runs.sort_unstable();
        runs
    });

    call(&alice, first).success().must_say(&["deleted"]);
    assert_eq!(alice.runs(), [second]);
    call(&admin, second).success().must_say(&["deleted"]);
    assert_eq!(alice.runs(), [0_u64; 0]);
    call(&alice, first)
        .failure(1)
        .must_say(&["Run ID not found"]);
    club.close();
}
