//! Exempts the daemon's address from the proxy that the environment of an app names.
//!
//! gRPC asks the first of `grpc_proxy`, `https_proxy` and `http_proxy` for every address that
//! `no_grpc_proxy`, or else `no_proxy`, does not exempt: for 127.0.0.1 as well. Python's own
//! clients know the names in capitals, too, and prefer the small ones.

use std::env;
use std::ffi::{OsStr, OsString};

const PROXIES: [&str; 8] = [
    "grpc_proxy",
    "https_proxy",
    "http_proxy",
    "all_proxy",
    "GRPC_PROXY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "ALL_PROXY",
];
/// The variables that exempt addresses, each with the variable that counts if the first is not set.
const EXEMPTIONS: [[&str; 2]; 3] = [
    ["no_grpc_proxy", "no_proxy"],
    ["no_proxy", "NO_PROXY"],
    ["NO_PROXY", "no_proxy"],
];
/// Exempts every address. Python's clients accept this value only if it stands alone.
const ALL: &str = "*";

/// The variables for an app: they exempt the daemon's address and all that is exempted now. Empty
/// if no proxy is set.
#[must_use]
pub(super) fn exemptions(address: &str) -> Vec<(OsString, OsString)> {
    exemptions_in(address, |name| {
        env::var_os(name).filter(|value| !value.is_empty())
    })
}

fn exemptions_in(
    address: &str,
    value: impl Fn(&str) -> Option<OsString>,
) -> Vec<(OsString, OsString)> {
    if PROXIES.iter().all(|name| value(name).is_none()) {
        return Vec::new();
    }
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let with_host = |[name, otherwise]: [&str; 2]| {
        let now = value(name).or_else(|| value(otherwise)).unwrap_or_default();
        (name.into(), added(now, host, name != "no_grpc_proxy"))
    };
    EXEMPTIONS.map(with_host).into()
}

/// Appends the host to the list, unless the list has it.
fn added(mut list: OsString, host: &str, knows_all: bool) -> OsString {
    let text = list.to_string_lossy();
    let is_exempted = text.split(',').any(|entry| entry.trim() == host);
    if is_exempted || knows_all && text.trim() == ALL {
        return list;
    }
    if !list.is_empty() {
        list.push(OsStr::new(","));
    }
    list.push(host);
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exemptions of an app in an environment: `no_grpc_proxy`, `no_proxy` and `NO_PROXY`.
    fn exempted(address: &str, environment: &[(&str, &str)]) -> Vec<String> {
        let value = |name: &str| {
            let set = environment.iter().find(|(set, _)| *set == name)?;
            Some(OsString::from(set.1))
        };
        let found = exemptions_in(address, value);
        let names: Vec<_> = found.iter().map(|(name, _)| name.clone()).collect();
        assert!(found.is_empty() || names == ["no_grpc_proxy", "no_proxy", "NO_PROXY"]);
        let values = found.into_iter().map(|(_, value)| value);
        values.map(|value| value.into_string().unwrap()).collect()
    }

    #[test]
    fn without_a_proxy_nothing_is_set() {
        assert!(exempted("127.0.0.1:9091", &[("no_proxy", "corp")]).is_empty());
    }

    #[test]
    fn every_proxy_variable_counts() {
        for name in PROXIES {
            let found = exempted("127.0.0.1:9091", &[(name, "http://proxy:3128")]);
            assert_eq!(found, ["127.0.0.1"; 3], "{name}");
        }
    }

    #[test]
    fn what_is_exempted_stays_so_and_nothing_else_is_added() {
        let proxy = ("http_proxy", "http://proxy:3128");
        for (environment, expected) in [
            (vec![("no_proxy", "corp")], ["corp,::1"; 3]),
            (vec![("NO_PROXY", "corp")], ["::1", "corp,::1", "corp,::1"]),
            (
                vec![("no_grpc_proxy", "a"), ("no_proxy", "b"), ("NO_PROXY", "c")],
                ["a,::1", "b,::1", "c,::1"],
            ),
            (vec![("no_proxy", "corp, ::1")], ["corp, ::1"; 3]),
            (vec![("no_proxy", "*")], ["*,::1", "*", "*"]),
        ] {
            let environment = [environment, vec![proxy]].concat();
            assert_eq!(exempted("[::1]:9091", &environment), expected);
        }
    }
}
