//! Where the API of app processes listens. Whoever reads the network there sees tokens and models,
//! since app processes of flwr 1.20 to 1.22 speak plaintext only: the API leaves the machine where
//! the operator has said so, and not since an address was typed.

use std::net::{Ipv4Addr, Ipv6Addr, ToSocketAddrs};

use flwr_core::address::Address;
use thiserror::Error;

use super::Launchers;

/// What was asked for.
#[derive(Debug)]
pub struct Wanted {
    /// The API, e.g. "ServerAppIo".
    pub api: &'static str,
    /// The flag that sets its address.
    pub flag: &'static str,
    /// The address, where one was typed.
    pub given: Option<Address>,
    /// The port, where no address was typed.
    pub port: u16,
    /// Whether the daemon starts the processes itself.
    pub is_own: bool,
    /// The flag by which the API speaks TLS with other machines, if there is one.
    pub tls_flag: Option<&'static str>,
    /// Whether it speaks TLS with other machines.
    pub tls: bool,
    /// `--allow-plaintext-appio`
    pub plaintext: bool,
    /// The flag by which strangers are kept out elsewhere.
    pub guard: Option<&'static str>,
}

/// Where the API listens.
#[derive(Debug, PartialEq, Eq)]
pub struct Place {
    /// The address.
    pub address: Address,
    /// What the operator should know of it.
    pub warnings: Vec<String>,
}

/// Why the API cannot listen there.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PlaceError {
    /// Other machines would reach it in plaintext.
    #[error(
        "{flag} {address}: other machines reach {api} there, and whoever reads the network could take the tokens of apps and speak for their runs. Give {}--allow-plaintext-appio if only machines and networks that you trust reach it, or an address of 127.0.0.1", tls_first(*tls_flag)
    )]
    Plaintext {
        /// The flag of the address.
        flag: &'static str,
        /// The address.
        address: Address,
        /// The API.
        api: &'static str,
        /// The flag for TLS.
        tls_flag: Option<&'static str>,
    },
    /// Strangers would start the processes of apps.
    #[error(
        "{flag} {address}: other machines reach {api} there, and {guard} keeps strangers out. Say who may start apps: --superexec-auth-secret-file FILE (flower-superexec of flwr 1.29 and later), or --appio-allow-from CIDR (earlier ones)"
    )]
    Strangers {
        /// The flag of the address.
        flag: &'static str,
        /// The address.
        address: Address,
        /// The API.
        api: &'static str,
        /// The flag that keeps strangers out.
        guard: &'static str,
    },
}

fn tls_first(flag: Option<&str>) -> String {
    flag.map_or_else(String::new, |flag| format!("{flag}, or "))
}

impl Wanted {
    /// Where the API listens, if these may start the processes of apps.
    ///
    /// # Errors
    /// If it would be open to others than the operator has allowed.
    pub fn place(self, launchers: &Launchers) -> Result<Place, PlaceError> {
        let mut place = self.listen(launchers.are_named())?;
        let idle = launchers.idle_warning(self.is_own);
        place.warnings.splice(0..0, idle);
        Ok(place)
    }

    /// Where the API listens. `names_launchers`: it is said who may start apps.
    fn listen(&self, names_launchers: bool) -> Result<Place, PlaceError> {
        let may_leave = self.tls || self.plaintext;
        let address = self.given.clone().unwrap_or_else(|| Address {
            host: if self.is_own || !may_leave {
                "127.0.0.1"
            } else {
                "0.0.0.0"
            }
            .to_owned(),
            port: self.port,
        });
        if is_local(&address) {
            let warnings = Vec::new();
            return Ok(Place { address, warnings });
        }
        match (may_leave, self.is_own, self.guard) {
            (false, true, _) => Ok(self.brought_home(&address)),
            (false, false, _) => Err(PlaceError::Plaintext {
                flag: self.flag,
                address,
                api: self.api,
                tls_flag: self.tls_flag,
            }),
            (true, false, Some(guard)) if !names_launchers => Err(PlaceError::Strangers {
                flag: self.flag,
                address,
                api: self.api,
                guard,
            }),
            (true, ..) => {
                let warnings = self.dangers(&address, names_launchers);
                Ok(Place { address, warnings })
            }
        }
    }

    /// The loopback address in the place of a typed one, which only processes of this machine need.
    fn brought_home(&self, typed: &Address) -> Place {
        let is_v6 = typed
            .ip()
            .is_some_and(|ip| ip.is_ipv6() && !ip.is_unspecified());
        let host = if is_v6 {
            Ipv6Addr::LOCALHOST.to_string()
        } else {
            Ipv4Addr::LOCALHOST.to_string()
        };
        let address = Address {
            host,
            port: typed.port,
        };
        let warning = format!(
            "{} {typed}: {} listens on {address}, since with --isolation subprocess only processes of this machine call it",
            self.flag, self.api
        );
        let warnings = vec![warning];
        Place { address, warnings }
    }

    /// What others can do who reach the API, or read the network.
    fn dangers(&self, address: &Address, names_launchers: bool) -> Vec<String> {
        let mut warnings = Vec::new();
        if !self.tls {
            warnings.push(format!(
                "--allow-plaintext-appio: whoever reads the network between {address} and the apps can take their tokens, read their models and speak for their runs"
            ));
        }
        if !self.is_own && !names_launchers {
            warnings.push(format!(
                "{}: apps are started from this machine only, by its loopback address: give --superexec-auth-secret-file or --appio-allow-from for a flower-superexec elsewhere",
                self.api
            ));
        }
        warnings
    }
}

/// Whether only this machine reaches the address. A name that means nothing is told of when its port
/// is opened.
fn is_local(address: &Address) -> bool {
    let resolved = || (address.host.as_str(), address.port).to_socket_addrs();
    address.is_loopback()
        || resolved().map_or(true, |mut all| {
            all.all(|one| one.ip().to_canonical().is_loopback())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAG: &str = "--serverappio-api-address";

    fn wanted(given: &str, is_own: bool) -> Wanted {
        Wanted {
            api: "ServerAppIo",
            flag: FLAG,
            given: (!given.is_empty()).then(|| given.parse().unwrap()),
            port: 9091,
            is_own,
            tls_flag: Some("--serverappio-tls"),
            tls: false,
            plaintext: false,
            guard: None,
        }
    }

    /// The address, and the number of warnings.
    fn placed(wanted: &Wanted, names_launchers: bool) -> (String, usize) {
        let Place { address, warnings } = wanted.listen(names_launchers).unwrap();
        (address.to_string(), warnings.len())
    }

    #[test]
    fn processes_of_the_daemon_are_served_on_loopback_with_the_typed_port() {
        for (given, address, warnings) in [
            ("", "127.0.0.1:9091", 0),
            ("127.0.0.1:7", "127.0.0.1:7", 0),
            ("localhost:7", "localhost:7", 0),
            ("[::1]:7", "[::1]:7", 0),
            ("0.0.0.0:7", "127.0.0.1:7", 1),
            ("[::]:7", "127.0.0.1:7", 1),
            ("192.0.2.1:7", "127.0.0.1:7", 1),
            ("[2001:db8::1]:7", "[::1]:7", 1),
        ] {
            let found = placed(&wanted(given, true), false);
            assert_eq!(found, (address.to_owned(), warnings), "{given}");
        }
    }

    #[test]
    fn a_typed_address_alone_does_not_open_the_api_to_other_machines() {
        let home = placed(&wanted("", false), false);
        assert_eq!(home, ("127.0.0.1:9091".to_owned(), 0));
        assert_eq!(placed(&wanted("127.0.0.1:7", false), false).1, 0);
        for given in ["0.0.0.0:7", "[::]:7", "192.0.2.1:7"] {
            let refused = wanted(given, false).listen(false);
            let refused = refused.unwrap_err().to_string();
            for told in [FLAG, given, "--allow-plaintext-appio", "--serverappio-tls"] {
                assert!(refused.contains(told), "{refused}");
            }
        }
    }

    #[test]
    fn with_leave_it_listens_as_typed_and_says_what_others_can_do() {
        let mut plaintext = wanted("", false);
        plaintext.plaintext = true;
        let Place { address, warnings } = plaintext.listen(false).unwrap();
        assert_eq!(address.to_string(), "0.0.0.0:9091");
        assert!(
            warnings[0].contains("whoever reads the network"),
            "{warnings:?}"
        );
        assert!(warnings[1].contains("--appio-allow-from"), "{warnings:?}");
        for is_own in [true, false] {
            let tls = Wanted {
                tls: true,
                ..wanted("192.0.2.1:7", is_own)
            };
            assert_eq!(placed(&tls, true), ("192.0.2.1:7".to_owned(), 0));
        }
    }

    #[test]
    fn where_strangers_are_kept_out_it_is_said_who_starts_apps() {
        let guarded = Wanted {
            plaintext: true,
            guard: Some("--auth-list-public-keys"),
            ..wanted("0.0.0.0:7", false)
        };
        let refused = guarded.listen(false).unwrap_err().to_string();
        for told in [
            "--auth-list-public-keys",
            "--superexec-auth-secret-file",
            "--appio-allow-from",
        ] {
            assert!(refused.contains(told), "{refused}");
        }
        assert_eq!(placed(&guarded, true), ("0.0.0.0:7".to_owned(), 1));
    }
}
