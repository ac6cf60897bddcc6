//! The time in a signature, as Python's `datetime` writes and reads it.

use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset};

/// As `isoformat` writes a time in UTC: no fraction where there is none.
pub(super) fn write(now: OffsetDateTime) -> String {
    let now = now.to_offset(UtcOffset::UTC);
    let fraction = match now.microsecond() {
        0 => String::new(),
        micros => format!(".{micros:06}"),
    };
    let (date, hour, minute, second) = (now.date(), now.hour(), now.minute(), now.second());
    format!("{date}T{hour:02}:{minute:02}:{second:02}{fraction}+00:00")
}

/// What `fromisoformat` of Python 3.11 reads of the extended form: `YYYY-MM-DD`, any character,
/// `HH:MM:SS` with or without a fraction, and an offset, which must be there: `Z`, `+HH`, `+HHMM`
/// or `+HH:MM`, with seconds or without.
pub(super) fn read(text: &str) -> Option<OffsetDateTime> {
    let (date, rest) = (text.get(..10)?, text.get(10..)?);
    let mut rest = rest.chars();
    rest.next()?;
    let rest = rest.as_str();
    let (clock, offset) = rest.split_at(rest.find(['Z', '+', '-'])?);
    let moment = PrimitiveDateTime::new(read_date(date)?, read_time(clock)?);
    Some(moment.assume_offset(read_offset(offset)?))
}

fn read_date(text: &str) -> Option<Date> {
    let [year, month, day] = text.split('-').collect::<Vec<_>>()[..] else {
        return None;
    };
    let month = Month::try_from(u8::try_from(digits(month, 2)?).ok()?).ok()?;
    let year = i32::try_from(digits(year, 4)?).ok()?;
    Date::from_calendar_date(year, month, u8::try_from(digits(day, 2)?).ok()?).ok()
}

fn read_time(text: &str) -> Option<Time> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let [hour, minute, second] = clock.split(':').collect::<Vec<_>>()[..] else {
        return None;
    };
    let two = |text| u8::try_from(digits(text, 2)?).ok();
    // Python counts microseconds, and drops what is finer.
    let is_fraction = (1..=9).contains(&fraction.len());
    let micros = is_fraction.then(|| format!("{:0<6}", &fraction[..fraction.len().min(6)]));
    let micros = digits(&micros?, 6).filter(|_| fraction.bytes().all(|b| b.is_ascii_digit()))?;
    Time::from_hms_micro(two(hour)?, two(minute)?, two(second)?, micros).ok()
}

fn read_offset(text: &str) -> Option<UtcOffset> {
    if text == "Z" {
        return Some(UtcOffset::UTC);
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let parts = parts(text.get(1..)?)?;
    let at = |index: usize| i8::try_from(parts.get(index).copied().unwrap_or(0)).ok();
    let (hours, minutes, seconds) = (at(0)?, at(1)?, at(2)?);
    if hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    UtcOffset::from_hms(sign * hours, sign * minutes, sign * seconds).ok()
}

/// One to three numbers of two digits, with colons between them or without.
fn parts(text: &str) -> Option<Vec<u32>> {
    if !text.is_ascii() {
        return None;
    }
    let parts: Vec<_> = if text.contains(':') {
        text.split(':').map(|part| digits(part, 2)).collect()
    } else {
        let pairs = text.as_bytes().chunks(2);
        pairs
            .map(|pair| digits(str::from_utf8(pair).ok()?, 2))
            .collect()
    };
    let parts: Option<Vec<_>> = parts.into_iter().collect();
    parts.filter(|parts| (1..=3).contains(&parts.len()))
}

/// A number of exactly so many digits.
fn digits(text: &str, length: usize) -> Option<u32> {
    let plain = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn the_time_is_written_as_python_writes_it() {
        let whole = datetime!(2025-09-16 08:13:20 +2);
        assert_eq!(write(whole), "2025-09-16T06:13:20+00:00");
        let fraction = datetime!(2025-09-16 06:13:20.25 UTC);
        assert_eq!(write(fraction), "2025-09-16T06:13:20.250000+00:00");
    }

    #[test]
    fn every_form_of_the_offset_is_read() {
        let moment = datetime!(2025-09-16 06:13:20.25 UTC);
        for text in [
            "2025-09-16T06:13:20.250000+00:00",
            "2025-09-16 06:13:20.25Z",
            "2025-09-16T06:13:20.250+00",
            "2025-09-16T08:13:20.250000000+0200",
            "2025-09-16T01:13:20.25-05:00",
            "2025-09-16T06:13:21.25+00:00:01",
        ] {
            assert_eq!(read(text), Some(moment), "{text}");
        }
    }

    #[test]
    fn what_has_no_offset_or_is_no_time_is_not_read() {
        for text in [
            "",
            "now",
            "2025-09-16",
            "2025-09-16T06:13:20",
            "2025-09-16T06:13:20.+00:00",
            "2025-13-16T06:13:20+00:00",
            "2025-09-16T25:13:20+00:00",
            "2025-09-16T06:13:20+",
            "2025-09-16T06:13:20+99",
            "2025-09-16T06:13:20+00:00:00:00",
            "2025-09-16T06:13:20+0é",
            "+2025-9-1T06:13:20Z",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC*", tail in "[0-9TZ:.+é-]{0,30}") {
            let _ = read(&text);
            let _ = read(&format!("2025-09-16T{tail}"));
        }

        #[test]
        fn what_is_written_is_read(micros in 0_i64..4_000_000_000_000_000) {
            let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000).unwrap();
            prop_assert_eq!(read(&write(moment)), Some(moment));
        }
    }
}
