//! Hosts to which no proxy leads, as `no_proxy` and `no_grpc_proxy` list them: domains with all
//! below them, IP addresses, networks (`10.0.0.0/8`), and `*`; each with a port or without.
//!
//! gRPC compares the end of the name alone, so that `example.org` stands for `badexample.org` too.
//! curl, Python and this module do not.

use std::net::IpAddr;

/// A list of hosts.
#[derive(Clone, Debug, Default)]
pub(super) struct Exceptions(Vec<Exception>);

#[derive(Clone, Debug)]
struct Exception {
    hosts: Hosts,
    port: Option<u16>,
}

#[derive(Clone, Debug)]
enum Hosts {
    All,
    /// A domain, and all below it.
    Domain(String),
    /// Addresses whose first bits are those of an address.
    Network(IpAddr, u32),
}

impl Exceptions {
    pub(super) fn parse(list: &str) -> Self {
        let entries = list.split(|c: char| c == ',' || c.is_whitespace());
        Self(entries.filter_map(Exception::parse).collect())
    }

    pub(super) fn contain(&self, host: &str, port: u16) -> bool {
        let host = normal(host);
        self.0.iter().any(|exception| {
            exception.port.is_none_or(|wanted| wanted == port) && exception.hosts.contain(&host)
        })
    }
}

impl Exception {
    fn parse(entry: &str) -> Option<Self> {
        let entry = entry.to_ascii_lowercase();
        if let Some(hosts) = Hosts::parse(&entry) {
            return Some(Self { hosts, port: None });
        }
        let (host, port) = entry.rsplit_once(':')?;
        Some(Self {
            hosts: Hosts::parse(host)?,
            port: Some(port.parse().ok()?),
        })
    }
}

impl Hosts {
    fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::All);
        }
        if let Some((address, bits)) = text.split_once('/') {
            let address: IpAddr = bare(address).parse().ok()?;
            let bits = bits.parse().ok()?;
            return (bits <= width(address)).then_some(Self::Network(address, bits));
        }
        if let Ok(address) = bare(text).parse::<IpAddr>() {
            return Some(Self::Network(address, width(address)));
        }
        let domain = text.trim_start_matches("*.").trim_matches('.');
        let is_name = !domain.is_empty() && !domain.contains([':', '[', ']']);
        is_name.then(|| Self::Domain(domain.to_owned()))
    }

    fn contain(&self, host: &str) -> bool {
        match self {
            Self::All => true,
            Self::Domain(domain) => host
                .strip_suffix(&domain[..])
                .is_some_and(|above| above.is_empty() || above.ends_with('.')),
            Self::Network(network, bits) => host
                .parse()
                .is_ok_and(|address| is_within(address, *network, *bits)),
        }
    }
}

/// A host as it is compared: names do not differ by case, or by a dot at their end.
fn normal(host: &str) -> String {
    bare(host).trim_end_matches('.').to_ascii_lowercase()
}

fn bare(address: &str) -> &str {
    address
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(address)
}

const fn width(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(_) => u32::BITS,
        IpAddr::V6(_) => u128::BITS,
    }
}

/// Whether the first bits of both addresses are the same.
fn is_within(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    let differ = match (address.to_canonical(), network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            u32::from(address).checked_shr(u32::BITS - bits)
                != u32::from(network).checked_shr(u32::BITS - bits)
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            u128::from(address).checked_shr(u128::BITS - bits)
                != u128::from(network).checked_shr(u128::BITS - bits)
        }
        _ => true,
    };
    !differ
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_excepted(list: &str, host: &str) -> bool {
        Exceptions::parse(list).contain(host, 9092)
    }

    #[test]
    fn domains_stand_for_all_below_them() {
        for list in [
            "example.org",
            ".example.org",
            "*.example.org",
            "a, EXAMPLE.org.  b",
        ] {
            assert!(is_excepted(list, "superlink.example.org"), "{list}");
            assert!(is_excepted(list, "Example.ORG."), "{list}");
            assert!(!is_excepted(list, "badexample.org"), "{list}");
            assert!(!is_excepted(list, "example.org.evil"), "{list}");
        }
        assert!(is_excepted("*", "superlink.example"));
        assert!(!is_excepted("", "superlink.example"));
        assert!(!is_excepted(" , ,", "superlink.example"));
    }

    #[test]
    fn networks_are_told_by_their_first_bits() {
        for (list, inside, outside) in [
            ("10.0.0.5", "10.0.0.5", "10.0.0.50"),
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("10.0.0.128/25", "10.0.0.129", "10.0.0.127"),
            ("0.0.0.0/0", "192.0.2.1", "2001:db8::1"),
            ("2001:db8::/32", "2001:db8:1::1", "2001:db9::1"),
            ("::1", "[::1]", "::2"),
            ("10.0.0.0/8", "::ffff:10.0.0.1", "::ffff:11.0.0.1"),
        ] {
            assert!(is_excepted(list, inside), "{list}");
            assert!(!is_excepted(list, outside), "{list}");
        }
        assert!(!is_excepted("10.0.0.0/33", "10.0.0.1"));
        assert!(!is_excepted("10.0.0.0/8", "ten.example"));
    }

    #[test]
    fn an_entry_may_name_a_port() {
        let list = Exceptions::parse("superlink.example:9092,[2001:db8::1]:9093,*:9095");
        assert!(list.contain("superlink.example", 9092));
        assert!(!list.contain("superlink.example", 9093));
        assert!(list.contain("2001:db8::1", 9093));
        assert!(list.contain("other.example", 9095));
    }

    proptest! {
        #[test]
        fn no_list_makes_the_reader_panic(list in ".*", host in ".*") {
            let _ = is_excepted(&list, &host);
        }
    }
}
