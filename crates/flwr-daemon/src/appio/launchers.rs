//! Who may start the processes of apps in the daemon's place. Whoever may gets the tokens of the
//! apps, and with them all that the apps may do.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use flwr_core::refusal::Refusal;
use flwr_core::time::Timestamp;
use flwr_security::peer::Peer;
use flwr_security::superexec::{SecretError, SuperexecHeaders, SuperexecSecret};
use thiserror::Error;

use crate::network::Network;

/// The file of the secret cannot be used.
#[derive(Debug, Error)]
#[error("--superexec-auth-secret-file")]
pub struct LaunchersError(#[source] SecretError);

/// Who may start the processes of apps.
#[derive(Debug, Clone, Default)]
pub struct Launchers {
    secret: Option<Arc<SuperexecSecret>>,
    networks: Vec<Network>,
}

impl Launchers {
    /// Whoever holds the secret in the file, or calls from one of the networks. Without both: the
    /// processes of this machine, by its loopback interface.
    ///
    /// # Errors
    /// If the secret cannot be used.
    pub fn load(secret: Option<&Path>, networks: Vec<Network>) -> Result<Self, LaunchersError> {
        let secret = secret.map(SuperexecSecret::from_file).transpose();
        Ok(Self {
            secret: secret.map_err(LaunchersError)?.map(Arc::new),
            networks,
        })
    }

    /// Whether others than the processes of this machine may start apps.
    #[must_use]
    pub fn are_named(&self) -> bool {
        self.secret.is_some() || !self.networks.is_empty()
    }

    /// What the operator should know where the daemon starts all apps itself.
    #[must_use]
    pub fn idle_warning(&self, starts_apps_itself: bool) -> Option<String> {
        let flag = match (&self.secret, &self.networks[..]) {
            (Some(_), _) => "--superexec-auth-secret-file",
            (None, [_, ..]) => "--appio-allow-from",
            (None, []) => return None,
        };
        starts_apps_itself.then(|| {
            format!("{flag} is of use with --isolation process only, where others start apps")
        })
    }

    /// Checks a call of `method`, a path, with this body. The address of a connection that may be
    /// forwarded proves nothing, so such a caller needs the secret.
    ///
    /// # Errors
    /// If the caller may not start apps.
    pub fn admit(
        &self,
        headers: Option<&SuperexecHeaders>,
        (method, body): (&str, &[u8]),
        peer: Option<&Peer>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let ip = peer.map(|peer| peer.address.ip().to_canonical());
        let may_be_forwarded = peer.is_some_and(|peer| peer.may_be_forwarded);
        let is_within = |network: &Network| ip.is_some_and(|ip| network.contains(ip));
        if !may_be_forwarded && self.networks.iter().any(is_within) {
            return Ok(());
        }
        match (&self.secret, headers) {
            (Some(secret), Some(headers)) => secret.verify(headers, method, body, now),
            (Some(_), None) => Err(Refusal::LauncherNotProven("it shows no secret")),
            (None, _) if may_be_forwarded => Err(Refusal::LauncherNotProven(
                "on the port of all services a secret is needed",
            )),
            (None, _) if self.networks.is_empty() && ip.is_some_and(|ip| ip.is_loopback()) => {
                Ok(())
            }
            (None, _) => {
                let ip = ip.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
                Err(Refusal::LauncherNotAllowed(ip))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_750_000_000.0);
    const CALL: (&str, &[u8]) = ("/flwr.proto.ServerAppIo/ListAppsToLaunch", b"");

    fn peer(ip: &str) -> Peer {
        let address = (ip.parse::<IpAddr>().unwrap(), 50_000).into();
        Peer::plaintext(address, (Ipv4Addr::LOCALHOST, 9091).into())
    }

    fn called(launchers: &Launchers, ip: &str) -> Result<(), Refusal> {
        launchers.admit(None, CALL, Some(&peer(ip)), NOW)
    }

    #[test]
    fn without_a_secret_and_networks_only_this_machine_starts_apps() {
        let launchers = Launchers::default();
        for ip in ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(called(&launchers, ip), Ok(()), "{ip}");
        }
        for ip in ["10.1.2.3", "fe80::1"] {
            let refused = Refusal::LauncherNotAllowed(ip.parse().unwrap());
            assert_eq!(called(&launchers, ip), Err(refused));
        }
        assert!(launchers.admit(None, CALL, None, NOW).is_err());
        assert!(!launchers.are_named());
    }

    #[test]
    fn only_the_named_networks_start_apps() {
        let networks = ["10.0.0.0/8", "192.0.2.7"].map(|text| text.parse().unwrap());
        let launchers = Launchers::load(None, networks.into()).unwrap();
        assert!(launchers.are_named());
        for ip in ["10.1.2.3", "::ffff:10.1.2.3", "192.0.2.7"] {
            assert_eq!(called(&launchers, ip), Ok(()), "{ip}");
        }
        for ip in ["11.1.2.3", "192.0.2.8", "127.0.0.1"] {
            assert!(called(&launchers, ip).is_err(), "{ip}");
        }
    }

    #[test]
    fn whoever_holds_the_secret_starts_apps_from_everywhere() {
        const SECRET: &[u8] = b"a secret that is long enough";
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        std::fs::write(&path, SECRET).unwrap();
        let networks = vec!["192.0.2.7".parse().unwrap()];
        let launchers = Launchers::load(Some(&path), networks).unwrap();
        let call = |secret, digit: char, ip| {
            let nonce = digit.to_string().repeat(32);
            let headers =
                flwr_security::superexec::sign(secret, CALL.0, CALL.1, 1_750_000_000, &nonce);
            let headers = SuperexecHeaders::read(&headers).unwrap();
            launchers.admit(Some(&headers), CALL, Some(&peer(ip)), NOW)
        };
        assert_eq!(call(SECRET, '1', "10.1.2.3"), Ok(()));
        assert!(call(SECRET, '1', "10.1.2.3").is_err(), "it came before");
        assert!(call(b"another secret", '2', "127.0.0.1").is_err());
        assert!(
            called(&launchers, "127.0.0.1").is_err(),
            "it shows no secret"
        );
        assert_eq!(called(&launchers, "192.0.2.7"), Ok(()));
        let forwarded = Peer {
            may_be_forwarded: true,
            ..peer("192.0.2.7")
        };
        let refused = Refusal::LauncherNotProven("it shows no secret");
        let answer = launchers.admit(None, CALL, Some(&forwarded), NOW);
        assert_eq!(answer, Err(refused), "the network is the proxy's");
    }

    #[test]
    fn the_address_of_a_connection_that_may_be_forwarded_lets_nobody_start_apps() {
        for networks in [&[][..], &["127.0.0.0/8"], &["0.0.0.0/0", "::/0"]] {
            let networks = networks.iter().map(|text| text.parse().unwrap());
            let launchers = Launchers::load(None, networks.collect()).unwrap();
            for ip in ["127.0.0.1", "::ffff:127.0.0.1", "::1"] {
                let forwarded = Peer {
                    may_be_forwarded: true,
                    ..peer(ip)
                };
                let answer = launchers.admit(None, CALL, Some(&forwarded), NOW);
                assert!(
                    matches!(answer, Err(Refusal::LauncherNotProven(_))),
                    "{ip}: {answer:?}"
                );
            }
        }
    }
}
