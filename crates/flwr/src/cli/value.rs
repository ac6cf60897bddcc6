//! Parsers for numbers and run ids. Their errors name the expected values; the errors of Rust's own
//! parsers do not.

use std::ops::RangeInclusive;

/// The run of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunName {
    /// The user's newest run that is not finished.
    Latest,
    /// The run with this id.
    Id(u64),
}

/// The word for [`RunName::Latest`].
const LATEST: &str = "latest";

/// Parses a run id.
pub(super) fn run_id(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| {
        format!(
            "expected the id of a run, as `flwr ls` lists it: a whole number up to {}",
            u64::MAX
        )
    })
}

/// Parses a run id, or the word `latest`.
pub(super) fn run_name(text: &str) -> Result<RunName, String> {
    if text == LATEST {
        return Ok(RunName::Latest);
    }
    run_id(text)
        .map(RunName::Id)
        .map_err(|error| format!("{error}, or `{LATEST}`"))
}

/// Parses a node id.
pub(super) fn node_id(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| {
        format!(
            "expected the id of a SuperNode, as `flwr supernode list` has it: a whole number up to {}",
            u64::MAX
        )
    })
}

/// Checks a place: degrees of latitude and longitude.
pub(super) fn location(text: &str) -> Result<String, String> {
    let degrees = |text: &str, most: f64| {
        let number: Option<f64> = text.trim().parse().ok();
        number.is_some_and(|degrees| (-most..=most).contains(&degrees))
    };
    match text.split_once(',') {
        Some((latitude, longitude)) if degrees(latitude, 90.0) && degrees(longitude, 180.0) => {
            Ok(format!("{},{}", latitude.trim(), longitude.trim()))
        }
        _ => Err("expected degrees of latitude (-90 to 90) and longitude (-180 to 180), as in 53.55,9.99".to_owned()),
    }
}

/// Parses a whole number within bounds.
pub(super) fn whole(
    bounds: RangeInclusive<u32>,
) -> impl Fn(&str) -> Result<u32, String> + Clone + Send + Sync + 'static {
    move |text| {
        let number = text.parse().ok().filter(|number| bounds.contains(number));
        number.ok_or_else(|| {
            format!(
                "expected a whole number from {} to {}",
                bounds.start(),
                bounds.end()
            )
        })
    }
}

/// Parses a number of lines.
pub(super) fn lines(text: &str) -> Result<usize, String> {
    text.parse()
        .map_err(|_| "expected how many lines: a whole number".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_an_id_or_the_latest() {
        assert_eq!(run_name("latest"), Ok(RunName::Latest));
        assert_eq!(run_name("18446744073709551615"), Ok(RunName::Id(u64::MAX)));
        for text in ["", "abc", "-1", "1.0", "18446744073709551616", "Latest "] {
            let error = run_name(text).unwrap_err();
            assert!(error.starts_with("expected the id of a run"), "{error}");
            assert!(error.ends_with("or `latest`"), "{error}");
        }
        assert!(run_id("latest").is_err());
    }

    #[test]
    fn a_number_keeps_its_bounds() {
        let count = whole(1..=10);
        assert_eq!((count("1"), count("10")), (Ok(1), Ok(10)));
        for text in ["0", "11", "x", "-1", "", "99999999999999999999"] {
            assert_eq!(
                count(text).unwrap_err(),
                "expected a whole number from 1 to 10",
                "{text}"
            );
        }
    }

    #[test]
    fn a_place_has_two_numbers_of_degrees() {
        assert_eq!(location("-33.86, 151.2").unwrap(), "-33.86,151.2");
        for text in ["53.55", "north,9", "91,0", "0,181", "nan,0", ""] {
            assert!(location(text).is_err(), "{text}");
        }
    }
}
