//! Flower's home directory, in which programs keep what is theirs.

use std::env;
use std::path::PathBuf;

/// `$FLWR_HOME`, else `.flwr` in `$XDG_DATA_HOME` or in the user's home (flwr 1.22). `None` where
/// none of these is set.
#[must_use]
pub fn flwr_home() -> Option<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty());
    if let Some(home) = set("FLWR_HOME") {
        return Some(home.into());
    }
    let parent = set("XDG_DATA_HOME").or_else(|| set("HOME"))?;
    Some(PathBuf::from(parent).join(".flwr"))
}
