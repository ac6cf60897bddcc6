//! Chance that can be repeated: splitmix64, from a seed that is printed.

use std::ops::Range;
use std::time::Duration;

/// A sequence of numbers that its seed determines.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number of this range; a range as small as those here makes the bias too small to see.
    pub(crate) fn number(&mut self, range: Range<u64>) -> u64 {
        range.start + self.next() % (range.end - range.start)
    }

    /// True once in `count` times.
    pub(crate) fn once_in(&mut self, count: u64) -> bool {
        self.number(0..count) == 0
    }

    /// One of these.
    pub(crate) fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        let count = u64::try_from(choices.len()).unwrap();
        choices[usize::try_from(self.number(0..count)).unwrap()]
    }

    /// A time of so many milliseconds.
    pub(crate) fn millis(&mut self, range: Range<u64>) -> Duration {
        Duration::from_millis(self.number(range))
    }
}

#[test]
fn the_same_seed_gives_the_same_numbers() {
    let draw = || {
        let mut random = Random::new(7);
        (0..5).map(|_| random.number(0..100)).collect::<Vec<_>>()
    };
    assert_eq!(draw(), draw());
    assert_ne!(draw(), [draw()[0]; 5]);
}
