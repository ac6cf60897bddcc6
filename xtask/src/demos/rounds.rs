//! What the example's ServerApp prints about its rounds, read back.

/// One round of training, as the ServerApp told it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Round {
    pub(crate) number: u32,
    pub(crate) of: u32,
    /// The share of digits read correctly, 0 to 1.
    pub(crate) accuracy: f64,
    pub(crate) seconds: f64,
}

impl Round {
    /// Reads `round 2/5: accuracy 0.9011, loss 0.5321, 0.4 s`; other lines are none.
    pub(crate) fn read(line: &str) -> Option<Self> {
        let (count, facts) = line.trim().strip_prefix("round ")?.split_once(": ")?;
        let (number, of) = count.split_once('/')?;
        let mut facts = facts.split(", ");
        let accuracy = facts.next()?.strip_prefix("accuracy ")?;
        let _loss = facts.next()?.strip_prefix("loss ")?;
        let seconds = facts.next()?.strip_suffix(" s")?;
        Some(Self {
            number: number.parse().ok()?,
            of: of.parse().ok()?,
            accuracy: accuracy.parse().ok()?,
            seconds: seconds.parse().ok()?,
        })
    }
}

/// Why these are not the rounds of a run that went well, or nothing.
pub(crate) fn complaint(rounds: &[Round]) -> Option<String> {
    let (Some(first), Some(last)) = (rounds.first(), rounds.last()) else {
        return Some("the ServerApp told of no round".to_owned());
    };
    let numbers: Vec<u32> = rounds.iter().map(|round| round.number).collect();
    let expected: Vec<u32> = (1..=last.of).collect();
    if numbers != expected {
        return Some(format!(
            "the log tells of rounds {numbers:?}, expected {expected:?}"
        ));
    }
    if last.accuracy <= first.accuracy {
        let (from, to) = (first.accuracy, last.accuracy);
        return Some(format!(
            "accuracy did not rise: {from} in the first round, {to} in the last"
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Round, complaint};

    fn round(number: u32, of: u32, accuracy: f64) -> Round {
        Round {
            number,
            of,
            accuracy,
            seconds: 0.5,
        }
    }

    #[test]
    fn a_line_about_a_round_is_read() {
        let line = "round 2/5: accuracy 0.9011, loss 0.5321, 0.4 s";
        let expected = Round {
            number: 2,
            of: 5,
            accuracy: 0.9011,
            seconds: 0.4,
        };
        assert_eq!(Round::read(line), Some(expected));
    }

    #[test]
    fn other_lines_are_no_rounds() {
        for line in [
            "",
            "round",
            "round 1/x: accuracy 1, loss 1, 1 s",
            "2 nodes will train",
        ] {
            assert_eq!(Round::read(line), None, "{line}");
        }
    }

    #[test]
    fn all_rounds_with_rising_accuracy_are_fine() {
        assert_eq!(complaint(&[round(1, 2, 0.5), round(2, 2, 0.9)]), None);
    }

    #[test]
    fn a_missing_round_is_told() {
        let complaint = complaint(&[round(1, 3, 0.5), round(3, 3, 0.9)]).unwrap();
        assert!(complaint.contains("[1, 3]"), "{complaint}");
    }

    #[test]
    fn accuracy_that_stays_is_told() {
        let complaint = complaint(&[round(1, 2, 0.5), round(2, 2, 0.5)]).unwrap();
        assert!(complaint.contains("did not rise"), "{complaint}");
    }
}
