//! Faults while a federation works: nothing may be lost, and nothing may be done twice.
//!
//! Real processes: our SuperLink and four SuperNodes, TLS and SuperNode authentication, the app
//! processes of pip's flwr 1.22, and the app `steady`, of which every digit of every round is
//! known beforehand. While it runs daemons are killed, stopped and frozen, connections cut and
//! stalled, disks filled, clocks set, keys taken off the list and stored objects damaged, at random
//! moments; the run must end well, with each round once, and with the same
//! digits as if nothing had happened. Runs follow each other in the same federation until there
//! were as many faults as wanted.
//!
//! A federation of several SuperLinks has one PostgreSQL database and one bucket, and SuperNodes of ours
//! and of pip's behind a balancer. One SuperLink is killed at random there, or all are in turn, or one
//! stands still; database and bucket fail. Nothing may be left of its runs in either.
//!
//! `cargo xtask faults` plays each kind in a federation of its own and prints what it counted.
//! `cargo xtask test` plays a sample of all kinds in one federation. The environment says more:
//!
//! | variable | |
//! | --- | --- |
//! | `FLOWER_FAULTS` | how many faults in all; without it, the sample |
//! | `FLOWER_FAULTS_SEED` | the seed that a failed test printed: the same faults in the same order. Moments are the same too, as far as the machine's load lets them be |
//! | `FLOWER_EARLIER` | the folder with the programs of an earlier commit, for the kind `upgrade` |
//! | `FLOWER_INSTALLED` | the folder with installations of both, which are then replaced instead |
//! | `FLOWER_FAULTS_ONLY` | one kind: `superlink`, `supernode`, `both`, `cut`, `stall`, `disk`, `restart`, `freeze`, `clock`, `list`, `damage`, `print`, `mixed` or `upgrade`; of several SuperLinks `one-of-three`, `all-in-turn`, `stutter`, `pause`, `postgres`, `failover`, `listen-cut`, `s3` or `mixed-of-three` |
//! | `FLOWER_SUPERLINKS` | how many SuperLinks: the kinds of a federation of several |
//! | `FLOWER_UPGRADE_TO`, `FLOWER_UPGRADE_SERVERAPP` | the releases of `cargo xtask upgrade` |
//!
//! What is counted: a *message* is an instruction with its reply. It is *lost* if its round ended
//! without the reply, or with an error in its place, and *doubled* if the ServerApp was given the
//! reply more than once, or if a ClientApp worked on it more than once. It is *executed again* if a
//! kill of its node ended the ClientApp that worked on it. Only damage of stored objects may fail a
//! run: with an error for the message, and with the right digits until then.
//!
//! A kind that this machine does not allow fails the test.

#![expect(
    clippy::disallowed_methods,
    reason = "tests start peers that end with the test, and wait with deadlines"
)]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test, and its report"
)]

mod clock;
mod cluster;
mod event_log;
mod executions;
mod inject;
mod installed;
mod kind;
mod line;
mod proxy;
mod random;
mod report;
mod resume;
mod run_in_progress;
mod scenario;
mod settings;
mod state;
mod totals;
mod upgrade;

use std::env;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Mutex, MutexGuard, PoisonError};

use e2e::Release;

use crate::kind::Kind;
use crate::scenario::Scenario;
use crate::settings::Settings;
use crate::totals::Totals;
use crate::upgrade::Upgrade;

/// One federation at a time: each keeps a small machine busy.
fn alone() -> MutexGuard<'static, ()> {
    static STAGE: Mutex<()> = Mutex::new(());
    STAGE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn no_fault_loses_or_doubles_a_message() {
    let _alone = alone();
    play_all(&Settings::read());
}

#[test]
fn no_fault_among_three_superlinks_loses_or_doubles_a_message() {
    let _alone = alone();
    play_all(&Settings::sample_of_three());
}

fn play_all(settings: &Settings) {
    println!("seed {}", settings.seed);
    let kinds = settings.scenarios.iter().map(|(kind, _)| *kind);
    let obstacles = kinds.filter_map(|kind| Some((kind.name(), kind.obstacle()?)));
    let obstacles: Vec<_> = obstacles.collect();
    assert!(obstacles.is_empty(), "cannot be played: {obstacles:?}");
    let outcomes: Vec<_> = settings
        .scenarios
        .iter()
        .map(|&(kind, faults)| play(kind, faults, settings))
        .collect();
    println!("\n{}", totals::table(&outcomes));
    let failed: Vec<&str> = outcomes
        .iter()
        .filter(|totals| totals.failed)
        .map(|totals| totals.kind.name())
        .collect();
    assert!(failed.is_empty(), "{failed:?} failed, see above");
}

/// One kind, to its end or its failure. The others are played all the same.
fn play(kind: Kind, faults: usize, settings: &Settings) -> Totals {
    println!("{}: {faults} faults", kind.name());
    let mut totals = Totals::new(kind);
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
        Scenario::start(kind, settings).play(faults, &mut totals);
    }));
    totals.failed = outcome.is_err();
    totals.stop_clock();
    println!("{}", totals.line());
    totals
}

#[test]
#[ignore = "some minutes: `cargo xtask upgrade` runs it"]
fn supernodes_are_upgraded_while_rounds_go_on() {
    let _alone = alone();
    let release = |variable: &str, otherwise| match env::var(variable) {
        Ok(number) => Release::parse(&number).expect("a release is named as 1.42.0"),
        Err(_) => otherwise,
    };
    let upgrade = Upgrade {
        to: release("FLOWER_UPGRADE_TO", Release::V1_42),
        serverapp: release("FLOWER_UPGRADE_SERVERAPP", Release::V1_31),
    };
    upgrade.play();
}
