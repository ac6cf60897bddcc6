//! Which of our programs work with which of pip's, tried: one of each combination is ours, the other of
//! some version from PyPI, and the rest of the federation is of the side that is in question least.
//!
//! `cargo xtask interop` tries all, and keeps what came of it in a file; `cargo xtask interop --quick`
//! tries eight releases in all of their roles. The environment says more:
//!
//! | variable | |
//! | --- | --- |
//! | `FLOWER_INTEROP_RECORD` | the file that outcomes are kept in |
//! | `FLOWER_INTEROP_TRIED` | the commit and the day, for the file |
//! | `FLOWER_INTEROP_ONLY` | only combinations whose title contains this |
//! | `FLOWER_INTEROP_RELEASE` | only this release, which may be one that is not in `releases` |
//! | `FLOWER_INTEROP_AT_ONCE` | how many federations there are at once; one if nothing is said |
//! | `FLOWER_EARLIER` | a folder with our programs of before flwr 1.23 was served: these are tried too |

#![expect(
    clippy::disallowed_methods,
    reason = "tests start peers that end with the test, and wait with deadlines"
)]
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test, and its report"
)]

mod behaviour;
mod combination;
mod known;
mod mixed;
mod oldest;
mod quick;
mod record;
mod releases;
mod trial;

use std::env;
use std::sync::Mutex;
use std::thread;

use e2e::Release;

use crate::combination::Combination;
use crate::record::Record;

#[test]
#[ignore = "some minutes: `cargo xtask interop --quick` runs it"]
fn quick() {
    let wrong = at_once(quick::RELEASES.into(), quick::run);
    assert!(wrong.is_empty(), "not as it should be: {wrong:#?}");
}

#[test]
#[ignore = "ten minutes: `cargo xtask interop` runs it"]
fn nodes_of_many_releases_train_in_one_federation() {
    mixed::train(20);
}

#[test]
#[ignore = "hours: `cargo xtask interop` runs it"]
fn all_pairs() {
    let only = env::var("FLOWER_INTEROP_ONLY").unwrap_or_default();
    let release = env::var("FLOWER_INTEROP_RELEASE").ok();
    let releases = match release.as_deref().map(Release::parse) {
        None => releases::ALL.to_vec(),
        Some(release) => vec![release.expect("a release is named as 1.42.0")],
    };
    let mut combinations: Vec<_> = releases.into_iter().flat_map(Combination::all).collect();
    if env::var_os("FLOWER_EARLIER").is_some() {
        combinations.extend(Combination::with_earlier());
    }
    combinations.retain(|combination| combination.title().contains(&only));
    assert!(
        !combinations.is_empty(),
        "nothing has {only:?} in its title"
    );
    let record = env::var_os("FLOWER_INTEROP_RECORD").expect("FLOWER_INTEROP_RECORD names a file");
    let tried = env::var("FLOWER_INTEROP_TRIED").unwrap_or_default();
    let record = Mutex::new(Record::new(record.into(), tried));
    let surprises = at_once(combinations, |combination| try_all(combination, &record));
    assert!(surprises.is_empty(), "not as known: {surprises:#?}");
}

/// Tries a combination in all ways to speak, keeps what comes of it, and says what is not as is known.
fn try_all(combination: Combination, record: &Mutex<Record>) -> Option<String> {
    let mut verdicts = Vec::new();
    let mut surprises = Vec::new();
    for protection in combination.protections() {
        let verdict = trial::run(combination, *protection);
        let title = format!("{}, {}", combination.title(), protection.title());
        println!("{title}: {verdict}");
        let surprise = verdict.surprise(combination);
        surprises.extend(surprise.map(|surprise| format!("{title}: {surprise}")));
        verdicts.push((*protection, verdict));
    }
    record.lock().unwrap().keep(combination, &verdicts);
    (!surprises.is_empty()).then(|| surprises.join("; "))
}

/// Does this with each, a few at once, and gives what was said.
fn at_once<T: Send>(all: Vec<T>, work: impl Fn(T) -> Option<String> + Sync) -> Vec<String> {
    let lanes = env::var("FLOWER_INTEROP_AT_ONCE").ok();
    let lanes = lanes.and_then(|lanes| lanes.parse().ok()).unwrap_or(1);
    let waiting = Mutex::new(all.into_iter());
    let said = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..lanes {
            scope.spawn(|| {
                loop {
                    let next = waiting.lock().unwrap().next();
                    let Some(next) = next else { break };
                    let told = work(next);
                    said.lock().unwrap().extend(told);
                }
            });
        }
    });
    said.into_inner().unwrap()
}
