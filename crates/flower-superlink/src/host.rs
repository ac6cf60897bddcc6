//! The SuperLink behind the doors of its ports: from a proof to a session, and from a session to
//! the domain. The only room that knows both the wire and the link.

use std::mem::Discriminant;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use flwr_core::port::Result;
use flwr_core::quiet::Quiet;
use flwr_core::refusal::{Failure, Refusal};
use flwr_core::time::Timestamp;
use flwr_daemon::appio::{Holders, Launchers};
use flwr_daemon::completion::Completion;
use flwr_metrics::Calls;
use flwr_security::client_list::ClientList;
use flwr_security::from_file::FromFile;
use flwr_security::key::PrivateKey;
use flwr_security::peer::Peer;
use flwr_security::signature::Verifier;
use flwr_wire::InFlight;
use flwr_wire::host::uncounted_calls;
use futures::future::BoxFuture;

use crate::accounts::Accounts;
use crate::auth::{self, People, Policy};
use crate::link::Link;

mod admission;
mod allowances;
mod certificates;
mod control;
mod failure;
mod fleet;
mod jobs;
mod joining;
mod launch;
mod newcomers;
mod runtime;

use joining::Tries;
use newcomers::Newcomers;

pub use control::{ControlSession, LogSession, SignInSession};
pub use fleet::FleetSession;
pub use jobs::JobsSession;
pub use joining::{JoinPlace, JoinSession};
pub use launch::LaunchSession;
pub use runtime::RuntimeSession;

/// Calls under way at the same time, without those that are held.
const UNDER_WAY: usize = 4096;

/// The SuperLink, as its doors see it.
#[derive(Debug, Clone)]
pub struct Host(Arc<Inner>);

/// What a host stands on.
#[derive(Debug)]
pub struct Parts {
    /// The domain.
    pub link: Arc<Link>,
    /// Which keys may speak on Fleet.
    pub policy: Policy,
    /// The SuperLink's own key, for nodes that share secrets with it. `None`: such nodes are not
    /// served where keys are asked for.
    pub own_key: Option<PrivateKey>,
    /// Which clients with a certificate may call. `None`: all of them.
    pub clients: Option<Arc<FromFile<ClientList>>>,
    /// Which of them may call on the ports for people.
    pub people: People,
    /// Where nodes join by tokens.
    pub joining: JoinPlace,
    /// Who may call Control, where people sign in.
    pub accounts: Option<Arc<Accounts>>,
    /// Who starts the processes of ServerApps.
    pub apps: Apps,
    /// Who may start them, where that is somebody else.
    pub launchers: Launchers,
    /// Whether everything is spoken in plaintext here.
    pub is_insecure: bool,
    /// The budget for the bytes of requests.
    pub in_flight: InFlight,
}

/// Who starts the processes of ServerApps, and how they are admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Apps {
    /// This SuperLink, with a token each.
    WithTokens,
    /// This SuperLink, without tokens: their release (flwr 1.20 and before) knows none.
    Tokenless,
    /// Somebody else, who asks here for the token of each.
    OfStrangers,
}

#[derive(Debug)]
struct Inner {
    parts: Parts,
    verifier: Verifier,
    completion: Completion,
    /// The connections of ServerApps.
    holders: Holders,
    /// Limits the log lines of refused Fleet requests.
    quiet: Quiet<(Discriminant<Refusal>, Option<IpAddr>)>,
    newcomers: Newcomers,
    /// Once somebody reads the counts.
    calls: OnceLock<Calls>,
    /// The wrong tries of nodes that join.
    tries: Tries,
}

impl Host {
    /// A host of these parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        // Where people register keys too, the state knows who may come in.
        let allowed = match &parts.policy {
            Policy::Listed(keys) => Some(Arc::clone(keys)),
            Policy::AnyKey | Policy::Enrolled | Policy::ListedOrEnrolled(_) => None,
        };
        let verifier = Verifier::new(allowed);
        Self(Arc::new(Inner {
            parts,
            verifier,
            completion: Completion::new(UNDER_WAY),
            holders: Holders::default(),
            quiet: Quiet::default(),
            newcomers: Newcomers::default(),
            calls: OnceLock::new(),
            tries: Tries::default(),
        }))
    }

    /// Waits until all changes under way are done. Called once no peer can begin another.
    pub(crate) async fn settled(&self) {
        self.0.completion.settled().await;
    }

    /// Counts the calls of peers from now on.
    pub(crate) fn count_calls(&self) -> &Calls {
        self.0.calls.get_or_init(uncounted_calls)
    }

    /// The domain behind the doors.
    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.0.parts.link
    }
}

impl flwr_wire::host::Host for Host {
    async fn complete<T: Send + 'static>(&self, work: BoxFuture<'static, Result<T>>) -> Result<T> {
        let done = self.0.completion.of(work).await;
        done.unwrap_or_else(|| Err(Failure::from(crate::error::Error::Stopping)))
    }

    fn accept(&self, peer: Option<&Peer>) -> Result<()> {
        match &self.0.parts.clients {
            None => Ok(()),
            Some(list) => {
                let flag = "--ssl-client-allow-list";
                Ok(auth::require_listed(flag, &list.now(), peer)?)
            }
        }
    }

    fn accept_person(&self, peer: Option<&Peer>) -> Result<()> {
        let Parts {
            link,
            clients,
            people,
            ..
        } = &self.0.parts;
        Ok(people.require(link, clients.as_deref(), peer)?)
    }

    fn now(&self) -> Timestamp {
        self.link().now()
    }

    fn in_flight(&self) -> &InFlight {
        &self.0.parts.in_flight
    }

    fn calls(&self) -> Option<&Calls> {
        self.0.calls.get()
    }
}

#[cfg(test)]
mod tests;
