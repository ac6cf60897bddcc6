//! The value of `--keep-runs`.

use std::time::Duration;

use crate::link::Keep;

/// What may be written, for the error.
const EXPECTED: &str = "a time such as 90d or 12h (at least a minute), a number of runs such as 1000, or `forever` is expected";
/// A run that goes sooner is gone before its user has looked at it.
const SHORTEST: u64 = 60;
/// Seconds of each unit.
const UNITS: [(&str, u64); 5] = [
    ("s", 1),
    ("m", 60),
    ("h", 3_600),
    ("d", 86_400),
    ("w", 7 * 86_400),
];

pub(super) fn keep(text: &str) -> Result<Keep, String> {
    read(text.trim()).ok_or_else(|| EXPECTED.to_owned())
}

fn read(text: &str) -> Option<Keep> {
    if text.eq_ignore_ascii_case("forever") {
        return Some(Keep::Forever);
    }
    let end = text.find(|c: char| !c.is_ascii_digit());
    let (digits, unit) = text.split_at(end.unwrap_or(text.len()));
    let number: u64 = digits.parse().ok().filter(|number| *number > 0)?;
    if unit.is_empty() {
        return Some(Keep::Newest(number));
    }
    let (_, length) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let seconds = number.checked_mul(*length)?;
    // Times that no clock will show are for ever, and said so.
    let seconds =
        Some(seconds).filter(|seconds| (SHORTEST..u64::from(u32::MAX)).contains(seconds))?;
    Some(Keep::For(Duration::from_secs(seconds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_a_number_or_for_ever() {
        let days = |days: u64| Keep::For(Duration::from_secs(days * 86_400));
        for (text, expected, shown) in [
            ("forever", Keep::Forever, "for ever"),
            (
                "1000",
                Keep::Newest(1000),
                "until 1000 later runs are finished",
            ),
            ("90d", days(90), "for 90 days"),
            ("2w", days(14), "for 14 days"),
            ("1d", days(1), "for 1 day"),
            (
                "36h",
                Keep::For(Duration::from_secs(36 * 3600)),
                "for 36 hours",
            ),
            ("90s", Keep::For(Duration::from_secs(90)), "for 90 seconds"),
        ] {
            let found = keep(text).unwrap();
            assert_eq!(
                (found, found.to_string().as_str()),
                (expected, shown),
                "{text}"
            );
        }
        for wrong in [
            "",
            "0",
            "0d",
            "d",
            "-5",
            "30s",
            "90 days",
            "1.5d",
            "99999999w",
            "ever",
        ] {
            assert!(keep(wrong).unwrap_err().contains("is expected"), "{wrong}");
        }
    }
}
