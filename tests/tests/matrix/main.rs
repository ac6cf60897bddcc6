//! Which of our programs work with which of pip's, tried: one of each combination is ours, the other of
//! some version from PyPI, and the rest of the federation is of the side that is in question least.
//!
//! `cargo xtask test` tries versions 1.20 and 1.22, with our SuperLink one of each earlier
//! generation, and with our daemons one of each later family of app processes; all of which must
//! work but for what `known` says.
//! `cargo xtask interop` tries all, prints the table, and writes it. The environment says more:
//!
//! | variable | |
//! | --- | --- |
//! | `FLOWER_INTEROP_TABLE` | the file that the table is written to |
//! | `FLOWER_INTEROP_ONLY` | only combinations whose line of the table contains this; their lines of the file are renewed |
//! | `FLOWER_EARLIER` | a folder with our programs of before flwr 1.23 was served: these are tried too |

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test, and its report"
)]

mod behaviour;
mod combination;
mod mixed;
mod oldest;
mod table;
mod trial;

use std::env;
use std::fs;
use std::sync::{Mutex, MutexGuard, PoisonError};

use e2e::Release;

use crate::combination::{Combination, Kind, Protection};
use crate::table::Table;
use crate::trial::{Extent, Verdict};

/// One federation at a time: each keeps a small machine busy.
fn alone() -> MutexGuard<'static, ()> {
    static STAGE: Mutex<()> = Mutex::new(());
    STAGE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What works is said to work, and what does not is not.
#[track_caller]
fn as_known(release: Release, kinds: &[Kind]) {
    let _alone = alone();
    let combinations = Combination::all(release).into_iter();
    for combination in combinations.filter(|combination| kinds.contains(&combination.kind)) {
        let protection = combination.protections().last().copied().unwrap();
        let verdict = trial::run(combination, protection, Extent::Sample);
        println!("{}: {verdict}", combination.title());
        match (&verdict, combination.known()) {
            (Verdict::Works, None) | (Verdict::Fails(_), Some(_)) => {}
            (Verdict::Works, Some(why)) => panic!("{} works, though: {why}", combination.title()),
            (Verdict::Fails(evidence), None) => panic!("{}: {evidence}", combination.title()),
        }
    }
}

#[test]
fn programs_of_1_20_work_with_ours() {
    as_known(Release::V1_20, &Kind::ALL);
}

#[test]
fn programs_of_1_22_work_with_ours() {
    as_known(Release::V1_22, &Kind::ALL);
}

#[test]
fn earlier_generations_work_with_our_superlink() {
    for release in [Release::V1_10, Release::V1_14, Release::V1_17] {
        as_known(release, &Kind::OF_THE_SUPERLINK);
    }
}

#[test]
fn app_processes_of_later_families_work_with_our_daemons() {
    for release in [Release::V1_26, Release::V1_31, Release::V1_34] {
        as_known(release, &[Kind::DaemonsAndApps]);
    }
}

#[test]
fn superexecs_of_later_families_work_with_our_daemons() {
    for release in [Release::V1_29, Release::V1_31] {
        as_known(release, &[Kind::DaemonsAndSuperexec]);
    }
}

#[test]
fn supernodes_of_1_31_work_with_our_superlink() {
    as_known(Release::V1_31, &[Kind::SuperLinkAndSuperNode]);
}

#[test]
fn nodes_of_many_releases_train_in_one_federation() {
    let _alone = alone();
    mixed::train(2);
}

#[test]
#[ignore = "ten minutes: `cargo xtask interop` runs it"]
fn all_pairs_in_one_federation() {
    let _alone = alone();
    mixed::train(20);
}

#[test]
#[ignore = "two hours: `cargo xtask interop` runs it"]
fn all_pairs() {
    let _alone = alone();
    let only = env::var("FLOWER_INTEROP_ONLY").unwrap_or_default();
    let mut table = Table::default();
    let releases = [
        Release::V1_8,
        Release::V1_10,
        Release::V1_12,
        Release::V1_13,
        Release::V1_14,
        Release::V1_15,
        Release::V1_16,
        Release::V1_17,
        Release::V1_18,
        Release::V1_19,
        Release::V1_20,
        Release::V1_21,
        Release::V1_22,
        Release::V1_23,
        Release::V1_25,
        Release::V1_26,
        Release::V1_28,
        Release::V1_29,
        Release::V1_31,
        Release::V1_33,
        Release::V1_34,
        Release::V1_36,
        Release::V1_39,
    ];
    let mut combinations: Vec<_> = releases.into_iter().flat_map(Combination::all).collect();
    if env::var_os("FLOWER_EARLIER").is_some() {
        combinations.extend(Combination::with_earlier());
    }
    combinations.retain(|combination| combination.title().contains(&only));
    for combination in combinations {
        for protection in combination.protections() {
            let verdict = trial::run(combination, *protection, Extent::Whole);
            println!("{}, {}: {verdict}", combination.title(), protection.title());
            table.add(combination, *protection, verdict);
        }
    }
    let text = table.to_markdown();
    println!("{text}");
    if let Ok(path) = env::var("FLOWER_INTEROP_TABLE") {
        let written = if only.is_empty() {
            text
        } else {
            table.renew(&fs::read_to_string(&path).unwrap())
        };
        fs::write(path, written).unwrap();
    }
    let unexpected = table.unexpected();
    assert!(unexpected.is_empty(), "not as known: {unexpected:?}");
}

impl Protection {
    const fn title(self) -> &'static str {
        match self {
            Self::Insecure => "insecure",
            Self::Tls => "TLS",
            Self::TlsAndAuth => "TLS + authentication",
            Self::Token => "token",
        }
    }
}
