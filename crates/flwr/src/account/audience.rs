//! The SuperLink that tokens are for. A name of a federation says nothing about that: the directory
//! that `flwr` is typed in may give the name another address, or another certificate to trust.

use std::collections::BTreeSet;

use flwr_client::channel::Trust;
use flwr_core::address::Address;
use serde::{Deserialize, Serialize};

/// A SuperLink, by its address and by whose certificates are trusted to be the SuperLink's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Audience {
    /// `HOST:PORT`
    pub(crate) address: String,
    /// The name in the certificate, if it is not the address's host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    server_name: Option<String>,
    /// SHA-256 of the root certificates' public keys. `None`: the roots of the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    root_keys: Option<BTreeSet<String>>,
}

impl Audience {
    /// The SuperLink that a connection reaches.
    pub(crate) fn new(address: &Address, trust: &Trust) -> Self {
        let tls = match trust {
            Trust::Plaintext => None,
            Trust::Tls(tls) => Some(tls),
        };
        let name = tls.and_then(|tls| tls.server_name());
        Self {
            address: format!("{}:{}", address.host.to_ascii_lowercase(), address.port),
            server_name: name.map(|name| name.to_str().to_ascii_lowercase()),
            root_keys: tls.and_then(|tls| tls.root_keys()),
        }
    }

    /// Whether tokens for `self` may be sent to `now`. `now` may trust fewer roots: an old root is
    /// removed after a change of roots. A root that `self` does not have needs a new login.
    pub(super) fn includes(&self, now: &Self) -> bool {
        let are_roots_known = match (&self.root_keys, &now.root_keys) {
            (None, None) => true,
            (Some(known), Some(now)) => now.is_subset(known),
            _ => false,
        };
        self.address == now.address && self.server_name == now.server_name && are_roots_known
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn audience(address: &str, roots: Option<&[&str]>) -> Audience {
        Audience {
            address: address.to_owned(),
            server_name: None,
            root_keys: roots.map(|keys| keys.iter().map(|key| (*key).to_owned()).collect()),
        }
    }

    #[test]
    fn tokens_are_for_one_address_one_name_and_no_new_root() {
        let lab = audience("lab:9093", Some(&["a", "b"]));
        assert!(lab.includes(&lab));
        assert!(lab.includes(&audience("lab:9093", Some(&["a"]))));
        let named = Audience {
            server_name: Some("other".to_owned()),
            ..lab.clone()
        };
        for other in [
            audience("evil:9093", Some(&["a", "b"])),
            audience("lab:9094", Some(&["a", "b"])),
            audience("lab:9093", Some(&["a", "c"])),
            audience("lab:9093", None),
            named.clone(),
        ] {
            assert!(!lab.includes(&other), "{other:?}");
        }
        assert!(!named.includes(&lab));
        let public = audience("lab:9093", None);
        assert!(public.includes(&public));
        assert!(!public.includes(&audience("lab:9093", Some(&["a"]))));
    }
}
