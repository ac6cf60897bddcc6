//! What a user says of a proxy.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// The URL of a proxy, or `none`, as a flag or file has it. There may be a password in it, so that
/// it is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxySetting {
    text: String,
    origin: String,
}

impl ProxySetting {
    /// What stands at `origin`, a flag or the key of a file.
    #[must_use]
    pub fn new(text: impl Into<String>, origin: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            origin: origin.into(),
        }
    }

    /// The text, with its password.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// The flag or key that it stands at.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Whether connections are to be made without a proxy.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.text.trim().eq_ignore_ascii_case("none")
    }
}

impl FromStr for ProxySetting {
    type Err = Infallible;

    /// What was typed after `--proxy`.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::new(text, "--proxy"))
    }
}

impl fmt::Debug for ProxySetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProxySetting({})", self.origin)
    }
}
