//! Apps as the documentation of today's Flower writes them, under our daemons, with app processes of
//! flwr 1.22 and of the release that `flwr up` installs.

use e2e::{Federation, Maker, Release, Security};

/// Runs an app under both releases. Its log must have these words.
#[track_caller]
fn says(name: &str, nodes: usize, wanted: &[&str]) {
    for release in [Release::V1_22, Release::INSTALLED] {
        let maker = Maker::OursWith(release);
        let plan = Federation::plan(Security::Insecure).superlink(maker);
        let federation = plan.supernodes(vec![maker; nodes]).start();
        let app = federation.app(name);
        let run = ["run", ".", "e2e", "--stream"];
        let outcome = federation.flwr(Maker::Ours).call(&app.path, &run);
        outcome.success().must_say(wanted);
        federation.stop();
    }
}

#[test]
fn numpy_and_federated_averaging() {
    let words = ["slope 3.00, height 1.00, after 3 rounds", "the error fell"];
    says("line", 2, &words);
}

#[test]
fn scikit_learn() {
    says(
        "digits",
        2,
        &["round 1: accuracy 0.9", "round 2: accuracy 0.9"],
    );
}

#[test]
fn the_message_api() {
    let words = [
        "2 of 2 replies are right",
        "2 of 2 nodes tell of an error",
        "from True",
        "the first node has value ",
    ];
    says("talk", 2, &words);
}

#[test]
fn secure_aggregation() {
    // The nodes add 1, 2 and 3; quantization costs less than a hundredth.
    let words = [
        "Secure aggregation completed",
        "round 1: mean 2.00",
        "round 2: mean 4.00",
    ];
    says("masked", 3, &words);
}

#[test]
fn mods_for_differential_privacy() {
    // Each round may change the model by 0.5 in the direction (3, 4).
    says("private", 2, &["clipped to 0.600, 0.800"]);
}

#[test]
fn state_in_the_context_over_rounds() {
    let words = [
        "round 1: [([1], [1.0, 1.0]), ([1], [2.0, 2.0])]",
        "round 3: [([1, 2, 3], [3.0, 3.0]), ([1, 2, 3], [6.0, 6.0])]",
    ];
    says("remembers", 2, &words);
}
