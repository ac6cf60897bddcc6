//! Mutates inputs: changes, cuts, repeats or splices bytes.

/// Numbers that a seed determines: splitmix64.
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`, or 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let number = self.next() % u64::try_from(end.max(1)).unwrap();
        usize::try_from(number).unwrap()
    }
}

/// Bytes at which parsers change their mind: signs, lengths, varints, quotes and brackets.
const TELLING: &[u8] = b"\0\x01\x7f\x80\xff\n\r\"'=,:;.#-/\\{}[]()<> 0";
/// Bytes of the longest input.
const LONGEST: usize = 64 << 10;

/// An input like one of these.
pub(crate) fn mutated(inputs: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut input = inputs[random.below(inputs.len())].clone();
    for _ in 0..=random.below(4) {
        change(&mut input, inputs, random);
    }
    input.truncate(LONGEST);
    input
}

fn change(input: &mut Vec<u8>, inputs: &[Vec<u8>], random: &mut Random) {
    let at = random.below(input.len());
    let longest = 1 << random.below(7);
    let length = random.below(longest);
    let end = (at + length).min(input.len());
    match random.below(8) {
        0 if !input.is_empty() => input[at] ^= 1 << random.below(8),
        1 if !input.is_empty() => input[at] = TELLING[random.below(TELLING.len())],
        2 => input.insert(at, TELLING[random.below(TELLING.len())]),
        3 => drop(input.drain(at..end)),
        4 => input.truncate(at),
        5 => {
            let again = input[at..end].to_vec();
            input.splice(at..at, again);
        }
        6 => {
            let number = [0, 1, u64::MAX, 1 << 31, 1 << 63, 1 << 20][random.below(6)];
            let bytes = number.to_le_bytes();
            let count = bytes.len().min(input.len() - at);
            input[at..at + count].copy_from_slice(&bytes[..count]);
        }
        _ => {
            let other = &inputs[random.below(inputs.len())];
            let from = random.below(other.len());
            let to = (from + 1 + random.below(200)).min(other.len());
            input.splice(at..end, other[from..to].iter().copied());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_inputs_and_most_differ() {
        let inputs = [b"a first input".to_vec(), Vec::new(), b"another".to_vec()];
        let draw = |seed| {
            let mut random = Random(seed);
            let drawn = (0..100).map(|_| mutated(&inputs, &mut random));
            drawn.collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        let changed = draw(7).into_iter().filter(|drawn| !inputs.contains(drawn));
        assert!(changed.count() > 50);
    }
}
