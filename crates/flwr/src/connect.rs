//! The connection to a SuperLink.

use std::env;
use std::path::Path;

use flwr_client::channel::{self, Proxies, Traffic, Trust};
use flwr_client::find::{self, Found, FoundControl};
use flwr_client::line::{Line, SuperLinkLine};
use flwr_core::port::Control as _;
use flwr_core::port::control::{NodeStatus, Tokens};
use flwr_core::project::Federation;
use flwr_core::proxy::ProxySetting;
use flwr_security::tls::{ClientFiles, ClientTls, Identity};
use rustls_pki_types::ServerName;

use crate::account::{Account, Audience};
use crate::error::{Error, Result};
use crate::resolved::ResolvedFederation;

/// The command that needs no account yet.
pub(crate) const LOGIN: &str = "login";

/// A connection to a SuperLink for one user.
pub(crate) struct SuperLink<L = SuperLinkLine<Account>> {
    /// What the user asks of the SuperLink.
    pub(crate) control: FoundControl<L>,
    /// What is known of the SuperLink.
    found: Found,
    /// The user's account.
    account: Account,
}

impl SuperLink {
    /// Prepares the connection. The first call opens it.
    pub(crate) fn connect(chosen: &ResolvedFederation, command: &'static str) -> Result<Self> {
        let federation = &chosen.federation;
        let Some(address) = &federation.address else {
            return Err(Error::NoAddress {
                command,
                federation: federation.name.clone(),
            });
        };
        if federation.enable_user_auth && federation.insecure {
            return Err(Error::AccountOverPlaintext);
        }
        let trust = trust(&chosen.base, federation)?;
        let at = || (chosen.credentials(), Audience::new(address, &trust));
        let account = match (federation.enable_user_auth, command) {
            (false, LOGIN) if chosen.may_have_login() => Account::to_come(at()),
            (false, _) if chosen.may_have_login() => Account::if_logged_in(at())?,
            (false, _) => Account::nobody(),
            (true, LOGIN) => Account::to_come(at()),
            (true, _) => Account::of(at())?,
        };
        let route = proxies(federation.proxy.as_ref())?.route(&address.host, address.port);
        let channel = channel::channel((&address.host, address.port), &trust, &route);
        Ok(Self::over(
            SuperLinkLine::new(channel, account.clone()),
            account,
        ))
    }
}

impl<L: Line> SuperLink<L> {
    /// Wraps a line.
    fn over(line: L, account: Account) -> Self {
        let (control, found) = find::control(line);
        Self {
            control,
            found,
            account,
        }
    }

    /// Stores the tokens of a login at this SuperLink.
    pub(crate) fn keep(&self, tokens: &Tokens) -> Result<()> {
        self.account.keep(tokens)
    }

    /// The account id of this user's runs; `None` without login.
    pub(crate) fn account_id(&self) -> Option<String> {
        self.account.id()
    }

    /// Whether the SuperLink serves `Exec`: flwr 1.20 and earlier.
    pub(crate) fn is_exec(&self) -> bool {
        self.found.is_exec()
    }

    /// How many SuperNodes are online.
    pub(crate) async fn nodes_online(&self) -> Result<usize> {
        let nodes = self.control.nodes().await?.nodes;
        let online = nodes
            .iter()
            .filter(|node| node.status == NodeStatus::Online);
        Ok(online.count())
    }
}

/// The proxies on the way to a SuperLink, from the configuration or the environment.
pub(crate) fn proxies(setting: Option<&ProxySetting>) -> Result<Proxies> {
    let variable = |name: &str| env::var(name).ok();
    Proxies::new(setting, Traffic::Grpc, variable).map_err(Error::Proxy)
}

/// The trusted roots: those that the federation names, or the system's. Plaintext only on request.
pub(crate) fn trust(base: &Path, federation: &Federation) -> Result<Trust> {
    if federation.insecure {
        return Ok(Trust::Plaintext);
    }
    let at = |path: &String| base.join(path);
    let identity = federation.identity.as_ref();
    let tls = ClientTls::load(ClientFiles {
        roots: federation.root_certificates.as_ref().map(at),
        identity: identity.map(|(certificate, key)| Identity {
            certificate: at(certificate),
            key: at(key),
        }),
        server_name: federation
            .server_name
            .as_deref()
            .map(server_name)
            .transpose()?,
        legacy: federation.legacy_certificates,
        ..ClientFiles::default()
    });
    let tls = tls.map_err(|error| Error::Tls {
        federation: federation.name.clone(),
        source: error.into(),
    })?;
    Ok(Trust::Tls(tls))
}

fn server_name(name: &str) -> Result<ServerName<'static>> {
    let unusable = |_| Error::ServerName(name.to_owned());
    ServerName::try_from(name.to_owned()).map_err(unusable)
}

#[cfg(test)]
pub(crate) mod testing;
