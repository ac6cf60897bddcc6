//! What a request says before its body.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use flwr_security::peer::Peer;

/// A release of Flower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release {
    /// The first number.
    pub major: u32,
    /// The second number. The wire changes with this number, and not with the third one.
    pub minor: u32,
}

impl Release {
    /// A release by its first two numbers.
    #[must_use]
    pub const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }

    /// Reads a version: `1.36.0`, `1.43.0.dev20261026`. `None` for another text.
    #[must_use]
    pub fn read(version: &str) -> Option<Self> {
        let mut numbers = version.split('.').map(str::parse);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor))) => Some(Self { major, minor }),
            _ => None,
        }
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// What a request says before its body, whatever carries it.
#[derive(Debug, Clone)]
pub struct Head {
    /// How long the caller waits for its answer, less the time of the answer's way back.
    pub patience: Duration,
    /// The other end of the connection, where the listener has told it.
    pub peer: Option<Peer>,
    /// The caller's release of Flower. Programs of flwr 1.29 and earlier do not tell theirs.
    pub release: Option<Release>,
}

impl Head {
    /// The address of the other end, for the limits of what one address may do.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.peer.as_ref().map(|peer| peer.address.ip())
    }

    /// The caller was admitted: the connection does not count among those of strangers any more.
    pub(crate) fn admitted(&self) {
        if let Some(peer) = &self.peer {
            peer.standing.admit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_read_from_a_version() {
        for (version, release) in [
            ("1.36.0", Some(Release::new(1, 36))),
            ("1.43.0.dev20261026", Some(Release::new(1, 43))),
            ("2.0", Some(Release::new(2, 0))),
            ("1", None),
            ("", None),
            ("1.x.0", None),
            ("-1.3", None),
            ("99999999999.1", None),
        ] {
            assert_eq!(Release::read(version), release, "{version}");
        }
        assert!(Release::new(1, 9) < Release::new(1, 30));
    }
}
