//! What the environment says; see the top of `main.rs`.

use std::env;
use std::io::{self, Write};
use std::process;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::kind::Kind;

/// How many faults there are if nothing is said: a sample of all kinds, in one federation.
const SAMPLE: usize = 36;
/// The same for a federation of several SuperLinks, whose app processes are pip's and start slowly.
const SAMPLE_OF_THREE: usize = 5;
/// SuperLinks of such a federation, if nothing is said.
const SUPERLINKS: usize = 3;

/// What to play.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) seed: u64,
    /// SuperLinks of a federation that has several.
    pub(crate) superlinks: usize,
    /// Whether there is time for what takes a minute.
    pub(crate) is_patient: bool,
    /// Each kind with the number of its faults.
    pub(crate) scenarios: Vec<(Kind, usize)>,
}

impl Settings {
    pub(crate) fn read() -> Self {
        let only = read("FLOWER_FAULTS_ONLY").map(|name| Kind::named(&name));
        let count = number("FLOWER_FAULTS");
        let superlinks = number("FLOWER_SUPERLINKS");
        let kinds: &[Kind] = match superlinks {
            None => &Kind::PURE,
            Some(_) => &Kind::OF_THREE,
        };
        Self {
            superlinks: superlinks.unwrap_or(SUPERLINKS),
            is_patient: count.is_some(),
            scenarios: scenarios(only, count, kinds),
            ..Self::of_seed()
        }
    }

    /// A few faults in a federation of several SuperLinks.
    pub(crate) fn sample_of_three() -> Self {
        Self {
            scenarios: vec![(Kind::MixedOfThree, SAMPLE_OF_THREE)],
            ..Self::of_seed()
        }
    }

    /// Nothing to play, with the seed that is given, or another each time.
    fn of_seed() -> Self {
        let seed = read("FLOWER_FAULTS_SEED").map(|text| text.parse().expect("FLOWER_FAULTS_SEED"));
        Self {
            seed: seed.unwrap_or_else(fresh),
            superlinks: SUPERLINKS,
            is_patient: false,
            scenarios: Vec::new(),
        }
    }
}

fn scenarios(only: Option<Kind>, count: Option<usize>, kinds: &[Kind]) -> Vec<(Kind, usize)> {
    match (only, count) {
        (Some(kind), count) => vec![(kind, count.unwrap_or(SAMPLE))],
        (None, None) => sample(),
        (None, Some(count)) => Kind::share_out(kinds, count),
    }
}

fn number(name: &'static str) -> Option<usize> {
    read(name).map(|text| text.parse().expect(name))
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
