//! A federation for each of a few releases, in which the release has all of its roles at ours: a
//! SuperNode, app processes under both of our daemons, and `flwr`.

use std::time::Instant;

use e2e::{Federation, Maker, Release, Security};

use crate::combination::{Combination, Protection};
use crate::trial::{self, PATIENCE, Verdict};

/// One of each wire.
pub(crate) const RELEASES: [Release; 8] = [
    Release::V1_42,
    Release::V1_36,
    Release::V1_31,
    Release::V1_26,
    Release::V1_22,
    Release::V1_20,
    Release::V1_17,
    Release::V1_10,
];

/// Tries a release over TLS with keys, and says what is wrong, if anything.
pub(crate) fn run(release: Release) -> Option<String> {
    let began = Instant::now();
    let verdict = if release < Release::V1_15 {
        // Its federations are those of the time before `flwr run`.
        let combination = Combination::all(release)[0];
        trial::run(combination, Protection::TlsAndAuth)
    } else {
        three_roles(release)
    };
    let seconds = began.elapsed().as_secs();
    println!("flwr {}: {verdict}, after {seconds} s", release.number());
    let failed = !matches!(verdict, Verdict::Works);
    failed.then(|| format!("flwr {}: {verdict}", release.number()))
}

fn three_roles(release: Release) -> Verdict {
    let pip = Maker::Pip(release);
    let with_apps = Maker::OursWith(release);
    // Our SuperNode does not start ClientApps of before 1.20.
    let node = match release.is_since(20) {
        true => with_apps,
        false => Maker::Ours,
    };
    trial::judged(None, || {
        let plan = Federation::plan(Security::TlsAndAuth);
        let plan = plan.superlink(with_apps).supernodes([pip, node]);
        let plan = match release.is_since(23) {
            true => plan.registered_by(pip),
            false => plan,
        };
        let federation = plan.start();
        let (app, flwr) = (federation.app("average"), federation.flwr(pip));
        let outcome = trial::train(flwr, &app, PATIENCE);
        let outcome = outcome.and_then(|()| trial::runs_are_told(flwr, &app));
        outcome.map_err(|said| trial::keep(trial::explained(&said, &federation)))
    })
}
