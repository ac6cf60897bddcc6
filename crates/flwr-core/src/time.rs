//! When: a moment as the wire tells it. Nothing here reads a clock.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Add;

use ::time::OffsetDateTime;
use ::time::format_description::well_known::Rfc3339;

/// A moment: Unix time in seconds, as an IEEE double, since that is what the wire carries.
/// Totally ordered, so that it can be compared and sorted.
#[derive(Debug, Clone, Copy)]
pub struct Timestamp(f64);

impl Timestamp {
    /// Before everything.
    pub const ZERO: Self = Self(0.0);
    /// After everything: a deadline that never comes.
    pub const NEVER: Self = Self(f64::INFINITY);

    /// The moment `seconds` after 1970-01-01 00:00:00 UTC.
    #[must_use]
    pub const fn from_secs(seconds: f64) -> Self {
        Self(seconds)
    }

    /// Seconds since 1970-01-01 00:00:00 UTC.
    #[must_use]
    pub const fn as_secs(self) -> f64 {
        self.0
    }

    /// Seconds from `earlier` to this moment; negative if this one is earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> f64 {
        self.0 - earlier.0
    }

    /// ISO 8601 in UTC with microseconds and `+00:00`, the form of the times in `Run`
    /// (flwr 1.22 wire). Empty for a moment outside the years 0 to 9999.
    #[must_use]
    pub fn iso8601(self) -> String {
        let Some(moment) = self.to_date_time() else {
            return String::new();
        };
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}+00:00",
            moment.year(),
            u8::from(moment.month()),
            moment.day(),
            moment.hour(),
            moment.minute(),
            moment.second(),
            moment.microsecond()
        )
    }

    /// The moment of an ISO 8601 text with a date, a time and a UTC offset.
    #[must_use]
    pub fn from_iso8601(text: &str) -> Option<Self> {
        let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        // Doubles hold the microseconds of all years that a calendar here can name.
        let micros = moment.unix_timestamp_nanos() / 1000;
        Some(Self(micros as f64 / 1e6))
    }

    /// This moment as a calendar date and time in UTC, rounded to microseconds; `None` outside
    /// the years that a calendar here can name.
    #[must_use]
    pub fn to_date_time(self) -> Option<OffsetDateTime> {
        if !self.0.is_finite() {
            return None;
        }
        // The cast saturates, and the conversion refuses what is out of range.
        let micros = (self.0 * 1e6).round() as i128;
        let moment = OffsetDateTime::from_unix_timestamp_nanos(micros.checked_mul(1000)?).ok()?;
        (0..=9999).contains(&moment.year()).then_some(moment)
    }
}

impl Add<f64> for Timestamp {
    type Output = Self;

    fn add(self, seconds: f64) -> Self {
        Self(self.0 + seconds)
    }
}

impl PartialEq for Timestamp {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Timestamp {}

impl PartialOrd for Timestamp {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timestamp {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iso8601())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iso8601_is_what_python_prints() {
        let moment = Timestamp::from_secs(1_758_003_200.25);
        assert_eq!(moment.iso8601(), "2025-09-16T06:13:20.250000+00:00");
    }

    #[test]
    fn iso8601_is_read_back_to_the_microsecond() {
        for text in [
            "2025-09-16T06:13:20.250000+00:00",
            "2026-11-26T04:41:54.123457+00:00",
            "1969-12-31T23:59:59.999999+00:00",
        ] {
            let moment = Timestamp::from_iso8601(text).unwrap();
            assert_eq!(moment.iso8601(), text);
        }
        let moved = Timestamp::from_iso8601("2025-09-16T08:13:20+02:00").unwrap();
        assert_eq!(moved.iso8601(), "2025-09-16T06:13:20.000000+00:00");
        for text in ["", "2025-09-16", "2025-09-16T06:13:20", "now"] {
            assert_eq!(Timestamp::from_iso8601(text), None, "{text}");
        }
    }

    #[test]
    fn moments_without_a_date_have_no_text() {
        for seconds in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e300] {
            assert_eq!(Timestamp::from_secs(seconds).iso8601(), "", "{seconds}");
        }
    }
}
