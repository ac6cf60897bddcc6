//! The way to the SuperLink, and who the node is there. Flags win over what the node remembers of its
//! enrolment, each by itself.

use std::env;
use std::fmt;

use flwr_client::channel::{Proxies, Route, Traffic, Trust};
use flwr_client::joined::Joined;
use flwr_client::retry::Persistence;
use flwr_core::address::Address;
use rustls_pki_types::ServerName;
use time::OffsetDateTime;

use super::key::NodeKey;
use super::trust::Loaded;
use super::{Error, persistence, trust};
use crate::args::Args;
use crate::enrolment::Enrolment;

/// Where SuperLinks of flwr 1.39 and earlier listen for SuperNodes, unless they are told otherwise.
const SUPERLINK: &str = "127.0.0.1:9092";
/// The port on which later SuperLinks do.
const HTTP_PORT: u16 = 8000;

/// The way to the SuperLink.
#[derive(Debug)]
pub struct Way {
    /// The SuperLink's Fleet address.
    pub superlink: Address,
    /// The port that is tried while nothing listens at the address.
    pub other_port: Option<u16>,
    /// Whom to trust there.
    pub trust: Trust,
    /// Where the trust comes from, for the log.
    pub trust_origin: String,
    /// The way there.
    pub route: Route,
    /// What the operator should know of the way.
    pub warnings: Vec<String>,
    /// The key that signs requests.
    pub key: NodeKey,
    /// What the node remembers of its enrolment, and uses.
    pub remembered: Option<Remembered>,
}

/// The way by which a node joins.
#[derive(Debug)]
pub struct JoinWay {
    /// Where the SuperLink registers nodes.
    pub address: Address,
    /// The name in its certificate, if it is not that of the address.
    pub server_name: Option<ServerName<'static>>,
    /// The way there.
    pub route: Route,
    /// When to give up.
    pub persistence: Persistence,
}

impl JoinWay {
    /// Reads only the flags of the way.
    ///
    /// # Errors
    /// If a flag cannot be used.
    pub fn of(args: &Args, enrolment: &Enrolment) -> Result<Self, Error> {
        let address = superlink(args, enrolment)?;
        let (route, _) = route(args, &address)?;
        Ok(Self {
            address,
            server_name: trust::name_of(args)?,
            route,
            persistence: persistence(args)?,
        })
    }
}

/// What a node remembers of its enrolment, and which parts are in use.
#[derive(Clone, Debug)]
pub struct Remembered {
    /// The enrolment.
    pub joined: Joined,
    /// The address is in use.
    pub address: bool,
    /// The authorities are in use.
    pub trust: bool,
    /// The key is in use.
    pub key: bool,
    /// The client certificate is in use. `false` too where the SuperLink issued none.
    pub certificate: bool,
}

impl Way {
    /// Reads only the flags of the way and of the key.
    ///
    /// # Errors
    /// If a flag or a file cannot be used.
    pub fn of(args: &Args, enrolment: &Enrolment) -> Result<Self, Error> {
        Self::new(args, enrolment, trust::load(args, enrolment)?)
    }

    pub(super) fn new(args: &Args, enrolment: &Enrolment, loaded: Loaded) -> Result<Self, Error> {
        let key = NodeKey::load(args, enrolment)?;
        let superlink = superlink(args, enrolment)?;
        let (route, mut warnings) = route(args, &superlink)?;
        warnings.extend(expired(&loaded));
        let remembered = enrolment.joined().map(|joined| Remembered {
            joined: joined.clone(),
            address: args.superlink.is_none(),
            trust: loaded.is_remembered,
            key: key.path.as_ref() == Some(&joined.key_file()),
            certificate: loaded.is_certified,
        });
        let is_default = args.superlink.is_none() && matches!(enrolment, Enrolment::None);
        Ok(Self {
            superlink,
            other_port: is_default.then_some(HTTP_PORT),
            trust: loaded.trust,
            trust_origin: loaded.origin,
            route,
            warnings,
            key,
            remembered,
        })
    }
}

/// What a node can do whose client certificate expired while the node was away: Fleet refuses it.
fn expired(loaded: &Loaded) -> Option<String> {
    let Trust::Tls(tls) = &loaded.trust else {
        return None;
    };
    let certificate = tls.certificate().filter(|_| loaded.is_certified)?;
    let until = certificate.not_after;
    (until < OffsetDateTime::now_utc()).then(|| {
        let until = until.date();
        format!("the client certificate that the SuperLink issued expired on {until}: make a token with `flwr supernode join-token new`, and join again with --join TOKEN --rejoin")
    })
}

/// The SuperLink's address: that of the flag, of the enrolment or of the token, or Flower's.
fn superlink(args: &Args, enrolment: &Enrolment) -> Result<Address, Error> {
    match (&args.superlink, enrolment) {
        (Some(text), _) => parse(text),
        (None, Enrolment::Joined(joined)) => Ok(joined.superlink.clone()),
        (None, Enrolment::Joining(join)) => Ok(join.token.address.clone()),
        (None, Enrolment::None) => parse(SUPERLINK),
    }
}

/// The way to an address, and what the operator should know of it.
fn route(args: &Args, superlink: &Address) -> Result<(Route, Vec<String>), Error> {
    let proxies = Proxies::new(args.proxy.as_ref(), Traffic::Grpc, |name| {
        env::var(name).ok()
    })?;
    let advice = superlink.advice();
    let advice = advice.map(|advice| format!("--superlink {superlink}: {advice}"));
    let warning = proxies.warning(&superlink.host, superlink.port);
    let warnings = advice.into_iter().chain(warning.map(ToString::to_string));
    let route = proxies.route(&superlink.host, superlink.port);
    Ok((route, warnings.collect()))
}

fn parse(text: &str) -> Result<Address, Error> {
    let address = Address::from_target(text).map_err(|source| Error::Address {
        flag: "--superlink",
        source,
    })?;
    if address.port == 0 {
        Err(Error::PortZero(address))
    } else {
        Ok(address)
    }
}

impl fmt::Display for Remembered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Joined {
            superlink,
            token,
            node,
            ..
        } = &self.joined;
        let dir = self.joined.dir().display();
        write!(f, "node {node} of {superlink}, joined with token {token}; ")?;
        let mut parts = vec![
            (self.address, "address"),
            (self.trust, "trust"),
            (self.key, "key"),
        ];
        if self.certificate {
            parts.push((true, "client certificate"));
        }
        let names = |in_use: bool| {
            let named = parts.iter().filter(|(used, _)| *used == in_use);
            named.map(|(_, name)| *name).collect::<Vec<_>>().join(", ")
        };
        match (names(true), names(false)) {
            (used, by_flags) if by_flags.is_empty() => write!(f, "{used} from {dir}"),
            (used, by_flags) if used.is_empty() => write!(f, "{by_flags} by flags, not from {dir}"),
            (used, by_flags) => write!(f, "{used} from {dir}; {by_flags} by flags"),
        }
    }
}
