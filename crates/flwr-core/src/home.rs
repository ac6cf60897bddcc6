//! Flower's home directory, in which programs keep what is theirs.

use std::ffi::OsString;
use std::path::PathBuf;

/// `$FLWR_HOME`, else `.flwr` in `$XDG_DATA_HOME` or in the user's home (flwr 1.22), of an
/// environment such as [`std::env::var_os`]. `None` where none of these is set.
#[must_use]
pub fn flwr_home(environment: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let set = |name| environment(name).filter(|value| !value.is_empty());
    if let Some(home) = set("FLWR_HOME") {
        return Some(home.into());
    }
    let parent = set("XDG_DATA_HOME").or_else(|| set("HOME"))?;
    Some(PathBuf::from(parent).join(".flwr"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(set: &[(&str, &str)]) -> Option<PathBuf> {
        flwr_home(|name| {
            let found = set.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| value.into())
        })
    }

    #[test]
    fn the_first_that_is_set_wins() {
        let all = [("FLWR_HOME", "/f"), ("XDG_DATA_HOME", "/x"), ("HOME", "/h")];
        assert_eq!(home(&all), Some("/f".into()));
        assert_eq!(home(&all[1..]), Some("/x/.flwr".into()));
        assert_eq!(home(&all[2..]), Some("/h/.flwr".into()));
        assert_eq!(
            home(&[("FLWR_HOME", ""), ("HOME", "/h")]),
            Some("/h/.flwr".into())
        );
        assert_eq!(home(&[]), None);
    }
}
