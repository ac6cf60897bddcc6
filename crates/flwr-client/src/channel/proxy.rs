//! HTTP proxies: which proxy leads to a host, and the way through it.
//!
//! - `url` the URL of a proxy, with its login
//! - `exceptions` the hosts of `no_proxy`
//! - `rules` the order of flag and environment variables
//! - `tunnel` HTTP CONNECT
//!
//! Own code: hyper-util's `Matcher` has no place for gRPC's variables, takes a URL that it cannot
//! use for none, and knows no port in `no_proxy`; its `Tunnel` drops the status of a refusal, which
//! is what a user needs to know. hyper speaks HTTP with the proxy.

mod exceptions;
mod rules;
mod tunnel;
mod url;

pub use rules::{Proxies, Traffic, Warning};
pub use tunnel::{ProxyProblem, Tunnel};
pub use url::{InvalidProxy, Proxy};

use std::fmt;

/// The way to a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Route {
    /// Without a proxy.
    #[default]
    Direct,
    /// Through a proxy, which resolves the host's name.
    Through(Proxy),
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct => f.write_str("directly"),
            Self::Through(proxy) => write!(f, "through {proxy}"),
        }
    }
}
