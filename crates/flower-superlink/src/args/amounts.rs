//! The values of flags that are times and numbers of bytes.

use std::time::Duration;

use flwr_core::size::Size;
use flwr_wire::InFlight;

/// No call is held longer: whoever made it may be long gone.
const LONGEST_HOLD: f64 = 300.0;

/// Seconds for which a call is held.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .filter(|seconds| (0.0..=LONGEST_HOLD).contains(seconds))
        .map(Duration::from_secs_f64)
        .ok_or_else(|| format!("seconds from 0 to {LONGEST_HOLD} are expected"))
}

/// Milliseconds up to three seconds.
pub(super) fn milliseconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .filter(|milliseconds| *milliseconds <= 3000)
        .map(Duration::from_millis)
        .ok_or_else(|| "milliseconds from 0 to 3000 are expected".to_owned())
}

/// What requests under way may take.
pub(super) fn in_flight(text: &str) -> Result<u64, String> {
    let given = bytes(text)?;
    if given < InFlight::LEAST {
        return Err(format!("at least {} are needed", Size(InFlight::LEAST)));
    }
    Ok(given)
}

/// A number of bytes, with a unit of 1024, 1024² … or without.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.find(|c: char| !c.is_ascii_digit()) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let shift = match unit.to_ascii_uppercase().as_str() {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => {
            return Err("a number of bytes is expected, such as 500000000, 500M or 20G".to_owned());
        }
    };
    let number: u64 = digits
        .parse()
        .map_err(|_| "a number of bytes is expected, such as 500000000, 500M or 20G".to_owned())?;
    number
        .checked_mul(1 << shift)
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| format!("{text} is out of range"))
}
