//! How long a caller waits for its answer: gRPC says so in a header, HTTP does not.

use std::time::Duration;

use http::HeaderMap;

/// Value and unit, such as `20S` (gRPC over HTTP/2, Timeout).
const TIMEOUT_HEADER: &str = "grpc-timeout";
/// What is left for the way back, of a caller's time.
const WAY_BACK: Duration = Duration::from_millis(500);

/// How long a call over HTTP may be held. Its caller names no end: clients of flwr 1.35 and later wait
/// for 30 s, whatever they call (flwr 1.42 wire).
pub(super) const OF_HTTP: Duration = Duration::from_secs(25);

/// How long a call may be held, for the answer to be in time. A caller that names no end waits for
/// ever.
pub(super) fn of(headers: &HeaderMap) -> Duration {
    let header = headers.get(TIMEOUT_HEADER);
    let timeout = header.and_then(|value| read(value.to_str().ok()?));
    // A call that has hardly any time is answered at once.
    timeout.map_or(Duration::MAX, |timeout| timeout.saturating_sub(WAY_BACK))
}

fn read(text: &str) -> Option<Duration> {
    let (value, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    // Eight digits at most, says gRPC.
    let value = u64::from(value.parse::<u32>().ok()?);
    Some(match unit {
        "H" => Duration::from_secs(value * 3600),
        "M" => Duration::from_secs(value * 60),
        "S" => Duration::from_secs(value),
        "m" => Duration::from_millis(value),
        "u" => Duration::from_micros(value),
        "n" => Duration::from_nanos(value),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patience(header: &'static str) -> Duration {
        let mut headers = HeaderMap::new();
        headers.insert(TIMEOUT_HEADER, header.parse().unwrap());
        of(&headers)
    }

    #[test]
    fn a_caller_that_waits_for_a_while_is_held_for_less() {
        assert_eq!(patience("5S"), Duration::from_millis(4500));
        assert_eq!(patience("2M"), Duration::from_millis(119_500));
        assert_eq!(patience("1500m"), Duration::from_secs(1));
        assert_eq!(patience("2500000u"), Duration::from_secs(2));
        assert_eq!(patience("100000n"), Duration::ZERO);
        assert_eq!(patience("99999999H").as_secs(), 99_999_999 * 3600 - 1);
    }

    #[test]
    fn a_caller_without_a_readable_end_waits_for_ever() {
        assert_eq!(of(&HeaderMap::new()), Duration::MAX);
        for odd in ["S", "5", "5d", "-5S", "99999999999S"] {
            assert_eq!(patience(odd), Duration::MAX, "{odd}");
        }
    }
}
