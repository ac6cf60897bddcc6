//! `HOST:PORT` as flags and `pyproject.toml` write it.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// Where a server listens or is reached: a host name or IP address, and a TCP port.
///
/// The text is split at its last colon and brackets around the host are dropped, so `[::1]:9092`
/// and `::1:9092` are the same address; [`fmt::Display`] writes IPv6 literals with brackets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// Host name, IPv4 or IPv6 literal; never empty, without brackets.
    pub host: String,
    /// TCP port. 0 is accepted: a listener then takes any free port.
    pub port: u16,
}

/// Why a text is not an [`Address`]. Each names the text, as Flower's own message does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// There is no colon, or nothing in front of it.
    #[error("Address ({0}) cannot be parsed: expected HOST:PORT, such as 127.0.0.1:9092")]
    NotHostPort(String),
    /// What follows the last colon is not a port.
    #[error("Address ({0}) cannot be parsed: the port must be a number from 0 to 65535")]
    Port(String),
    /// The host has characters that no host has, such as a scheme or a path.
    #[error(
        "Address ({0}) cannot be parsed: give HOST:PORT alone, without http:// and without a path"
    )]
    Host(String),
}

impl Address {
    /// The host as an IP address, if it is one.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// Whether only this machine can reach it: `localhost`, `127.0.0.0/8` or `::1`.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.host.eq_ignore_ascii_case("localhost") || self.ip().is_some_and(|ip| ip.is_loopback())
    }

    /// Whether it stands for "every interface": `0.0.0.0` or `::`.
    #[must_use]
    pub fn is_unspecified(&self) -> bool {
        self.ip().is_some_and(|ip| ip.is_unspecified())
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some((host, port)) = text.rsplit_once(':') else {
            return Err(AddressError::NotHostPort(text.into()));
        };
        let host = unbracket(host);
        if host.is_empty() {
            return Err(AddressError::NotHostPort(text.into()));
        }
        if host.contains(|c: char| "/[]?#@".contains(c) || c.is_whitespace() || c.is_control()) {
            return Err(AddressError::Host(text.into()));
        }
        // u16's own parser would take "+80".
        if !port.bytes().all(|b| b.is_ascii_digit()) {
            return Err(AddressError::Port(text.into()));
        }
        let port = port.parse().map_err(|_| AddressError::Port(text.into()))?;
        Ok(Self {
            host: host.into(),
            port,
        })
    }
}

fn unbracket(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|h| h.strip_suffix(']'))
        .unwrap_or(host)
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(text: &str) -> Address {
        text.parse().unwrap()
    }

    #[test]
    fn host_and_port_are_split_at_the_last_colon() {
        assert_eq!(
            parsed("127.0.0.1:9092"),
            Address {
                host: "127.0.0.1".into(),
                port: 9092
            }
        );
        assert_eq!(parsed("superlink.example:1").host, "superlink.example");
        assert_eq!(parsed("[::1]:9092"), parsed("::1:9092"));
        assert_eq!(parsed("::1:9092").to_string(), "[::1]:9092");
        assert_eq!(parsed("localhost:0").to_string(), "localhost:0");
    }

    #[test]
    fn loopback_and_unspecified_are_told_apart() {
        for text in ["127.0.0.1:1", "127.8.8.8:1", "[::1]:1", "LocalHost:1"] {
            assert!(parsed(text).is_loopback(), "{text}");
            assert!(!parsed(text).is_unspecified(), "{text}");
        }
        for text in ["0.0.0.0:1", "[::]:1"] {
            assert!(parsed(text).is_unspecified(), "{text}");
            assert!(!parsed(text).is_loopback(), "{text}");
        }
        assert!(!parsed("example.org:1").is_loopback());
    }

    #[test]
    fn what_is_not_an_address_says_why() {
        let refused = |text: &str| text.parse::<Address>().unwrap_err();
        for text in ["", "9092", "localhost", ":9092", "[]:1"] {
            assert_eq!(refused(text), AddressError::NotHostPort(text.into()));
        }
        for text in ["h:", "h:65536", "h:-1", "h:+1", "h:1.0", "h:http"] {
            let expected = AddressError::Port(text.into());
            if text == "h:" {
                assert!(matches!(refused(text), AddressError::Port(_)));
            }
            assert_eq!(refused(text), expected);
        }
        for text in ["http://h:1", "h /x:1", "[::1:1", "a b:1"] {
            assert_eq!(refused(text), AddressError::Host(text.into()));
        }
        assert!(
            refused("nope")
                .to_string()
                .contains("Address (nope) cannot be parsed")
        );
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused_and_what_is_parsed_reads_back(text in ".*") {
            if let Ok(address) = text.parse::<Address>() {
                prop_assert_eq!(address.to_string().parse::<Address>().unwrap(), address);
            }
        }
    }
}
