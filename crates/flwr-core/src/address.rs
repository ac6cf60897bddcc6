//! `HOST:PORT` as flags and `pyproject.toml` write it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
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
    /// The host has characters that no host has, such as a path.
    #[error("Address ({0}) cannot be parsed: give HOST:PORT alone, without a path")]
    Host(String),
    /// A URL.
    #[error(
        "Address ({text}) cannot be parsed: leave out {scheme}:// and give HOST:PORT; TLS is used unless `insecure` turns it off"
    )]
    Url {
        /// The text.
        text: String,
        /// What stands before `://`.
        scheme: String,
    },
    /// A target of gRPC's in a form that is not supported here.
    #[error(
        "Address ({0}) cannot be used: give HOST:PORT, dns:///HOST:PORT, ipv4:IP:PORT or ipv6:[IP]:PORT, with one address and without a DNS server"
    )]
    Target(String),
}

/// Schemes of gRPC targets that name something else than a host.
const OTHER_SCHEMES: [&str; 5] = ["unix", "unix-abstract", "vsock", "xds", "google-c2p"];

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

    /// Where to connect to, as gRPC writes targets: `HOST:PORT`, `dns:///HOST:PORT`, `dns:HOST:PORT`,
    /// `ipv4:IP:PORT` or `ipv6:[IP]:PORT`.
    ///
    /// # Errors
    /// If it is none of these.
    pub fn from_target(text: &str) -> Result<Self, AddressError> {
        let refused = || AddressError::Target(text.into());
        let Some((scheme, rest)) = text.split_once(':') else {
            return text.parse();
        };
        // A host may be called `dns`, and then a port follows.
        if rest.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse();
        }
        let scheme = scheme.to_ascii_lowercase();
        let path = match rest.strip_prefix("//") {
            None => Some(rest),
            // What stands between the slashes is a DNS server.
            Some(rest) => rest.strip_prefix('/'),
        };
        let address = |path: Option<&str>| {
            let address = path.ok_or_else(refused)?.parse::<Self>();
            address.map_err(|error| match error {
                AddressError::Port(_) => AddressError::Port(text.into()),
                AddressError::NotHostPort(_) => AddressError::NotHostPort(text.into()),
                _ => refused(),
            })
        };
        match &scheme[..] {
            "dns" => address(path),
            "ipv4" | "ipv6" => {
                let address = address(path)?;
                match address.ip() {
                    Some(ip) if ip.is_ipv6() == (scheme == "ipv6") => Ok(address),
                    _ => Err(refused()),
                }
            }
            scheme if OTHER_SCHEMES.contains(&scheme) => Err(refused()),
            _ => text.parse(),
        }
    }

    /// What to dial instead, if this is an address to listen on only.
    #[must_use]
    pub fn advice(&self) -> Option<String> {
        let here: IpAddr = match self.ip().filter(IpAddr::is_unspecified)? {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        };
        let here = Self {
            host: here.to_string(),
            port: self.port,
        };
        Some(format!(
            "{} stands for every interface of a machine that listens: connect to {here} on the same machine, and to its name or IP address from another",
            self.host
        ))
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
        if let Some((scheme, _)) = text.split_once("://") {
            return Err(AddressError::Url {
                text: text.into(),
                scheme: scheme.into(),
            });
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
        for text in ["h /x:1", "[::1:1", "a b:1", "h:1/x:2"] {
            assert_eq!(refused(text), AddressError::Host(text.into()));
        }
        let url = refused("https://h:1").to_string();
        assert!(url.contains("leave out https://"), "{url}");
        assert!(
            refused("nope")
                .to_string()
                .contains("Address (nope) cannot be parsed")
        );
    }

    #[test]
    fn targets_are_read_as_grpc_writes_them() {
        let target = |text: &str| Address::from_target(text).map(|at| at.to_string());
        for (text, address) in [
            ("superlink.example:9092", "superlink.example:9092"),
            ("dns:///superlink.example:9092", "superlink.example:9092"),
            ("DNS:superlink.example:9092", "superlink.example:9092"),
            ("dns:9092", "dns:9092"),
            ("dns:///[::1]:9092", "[::1]:9092"),
            ("ipv4:10.0.0.5:9092", "10.0.0.5:9092"),
            ("ipv4:///10.0.0.5:9092", "10.0.0.5:9092"),
            ("ipv6:[2001:db8::1]:9092", "[2001:db8::1]:9092"),
            ("[::1]:9092", "[::1]:9092"),
            ("::1:9092", "[::1]:9092"),
        ] {
            assert_eq!(target(text).as_deref(), Ok(address), "{text}");
        }
        for text in [
            "dns://8.8.8.8/superlink.example:9092",
            "ipv4:superlink.example:9092",
            "ipv4:[::1]:9092",
            "ipv6:10.0.0.5:9092",
            "ipv4:10.0.0.5:1,10.0.0.6:1",
            "unix:/run/flower.sock",
            "xds:///superlink",
            "dns:///h/x:1",
        ] {
            assert_eq!(target(text), Err(AddressError::Target(text.into())));
        }
        for text in ["dns:///h", "dns:h"] {
            assert_eq!(target(text), Err(AddressError::NotHostPort(text.into())));
        }
        let port = "dns:///h:http";
        assert_eq!(target(port), Err(AddressError::Port(port.into())));
        assert!(matches!(
            target("https://h:1"),
            Err(AddressError::Url { .. })
        ));
    }

    #[test]
    fn whoever_dials_every_interface_is_told_what_to_dial() {
        let advice = parsed("0.0.0.0:9092").advice().unwrap();
        assert!(advice.contains("connect to 127.0.0.1:9092"), "{advice}");
        let advice = parsed("[::]:9092").advice().unwrap();
        assert!(advice.contains("connect to [::1]:9092"), "{advice}");
        assert_eq!(parsed("127.0.0.1:9092").advice(), None);
        assert_eq!(parsed("superlink.example:9092").advice(), None);
    }

    proptest! {
        #[test]
        fn any_text_is_a_target_or_not(text in ".*") {
            if let Ok(address) = Address::from_target(&text) {
                prop_assert_eq!(address.to_string().parse::<Address>().unwrap(), address);
            }
        }

        #[test]
        fn any_text_is_parsed_or_refused_and_what_is_parsed_reads_back(text in ".*") {
            if let Ok(address) = text.parse::<Address>() {
                prop_assert_eq!(address.to_string().parse::<Address>().unwrap(), address);
            }
        }
    }
}
