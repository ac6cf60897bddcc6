//! What the environment says; see the top of `main.rs`.

use std::env;
use std::io::{self, Write};
use std::process;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::kind::Kind;

/// How many faults there are if nothing is said: a sample of all kinds, in one federation.
const SAMPLE: usize = 36;

/// What to play.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) seed: u64,
    /// Each kind with the number of its faults.
    pub(crate) scenarios: Vec<(Kind, usize)>,
}

impl Settings {
    pub(crate) fn read() -> Self {
        let only = read("FLOWER_FAULTS_ONLY").map(|name| Kind::named(&name));
        let count = read("FLOWER_FAULTS").map(|text| text.parse().expect("FLOWER_FAULTS"));
        let seed = read("FLOWER_FAULTS_SEED").map(|text| text.parse().expect("FLOWER_FAULTS_SEED"));
        Self {
            seed: seed.unwrap_or_else(fresh),
            scenarios: scenarios(only, count),
        }
    }
}

fn scenarios(only: Option<Kind>, count: Option<usize>) -> Vec<(Kind, usize)> {
    match (only, count) {
        (Some(kind), count) => vec![(kind, count.unwrap_or(SAMPLE))],
        (None, None) => sample(),
        (None, Some(count)) => Kind::shared(count),
    }
}

/// The tests play a sample wherever they run. What a machine does not allow is left out aloud there;
/// `cargo xtask faults` fails.
fn sample() -> Vec<(Kind, usize)> {
    let Some(obstacle) = Kind::Mixed.obstacle() else {
        return vec![(Kind::Mixed, SAMPLE)];
    };
    // Past the tests' capture of what is printed.
    let told = format!("SKIPPED: faults of the disk are not played: {obstacle}\n");
    let _ = io::stderr().write_all(told.as_bytes());
    let share = SAMPLE / 3;
    vec![
        (Kind::Both, share),
        (Kind::Cut, share),
        (Kind::Stall, share),
    ]
}

fn read(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// A seed that is short enough to be typed.
#[expect(
    clippy::disallowed_methods,
    reason = "the real programs that are tested run by the system's time"
)]
fn fresh() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::from(now.subsec_nanos()) ^ (u64::from(process::id()) << 8)
}
