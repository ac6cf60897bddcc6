//! Nodes that join by a token: what they prove, and how often an address may be wrong.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use flwr_core::address::Address;
use flwr_core::monotonic;
use flwr_core::port::joining::{JoinAttempt, Joined, KeyRenewal, RenewedKey};
use flwr_core::port::{Joining, NodeTrust, Result};
use flwr_core::quiet::Quiet;
use flwr_core::refusal::{Code, Failure, JoinRefusal, Refusal};
use flwr_security::joining::{JoinSecret, JoinTokenId, join_statement, renew_key_statement};
use flwr_security::key::PublicKey;
use flwr_security::peer::{Binding, Peer, counted};
use flwr_security::pki::NodeAuthority;
use flwr_security::tls::ServerTls;
use flwr_wire::host::{Head, JoinHost};
use tracing::warn;

use super::allowances::Allowances;
use super::{FleetSession, Host};
use crate::auth;
use crate::link::state::KnownToken;

/// Wrong tries of one address at once.
const AT_ONCE: f64 = 10.0;
/// And so many a second from then on: ten a minute.
const A_SECOND: f64 = 10.0 / 60.0;

/// Where nodes join.
#[derive(Debug, Clone, Default)]
pub struct JoinPlace {
    /// The SuperLink's TLS. `None`: everything is spoken in plaintext here, and nobody joins.
    pub tls: Option<ServerTls>,
    /// The port of Fleet.
    pub fleet: u16,
    /// The port where nodes join that have no client certificate. `None`: they join at Fleet.
    pub own: Option<u16>,
    /// Issues client certificates to nodes. `None`: they get none.
    pub authority: Option<Arc<NodeAuthority>>,
}

impl JoinPlace {
    /// The port at which nodes join.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.own.unwrap_or(self.fleet)
    }

    /// The flags that are missing for nodes to join, if Fleet asks for client certificates.
    #[must_use]
    pub const fn missing(&self) -> Option<&'static str> {
        match (&self.authority, self.own) {
            (None, _) => Some("--join-api-address, --node-ca-certfile and --node-ca-keyfile"),
            (Some(_), None) => Some("--join-api-address"),
            (Some(_), Some(_)) => None,
        }
    }

    /// Where a node finds Fleet that has joined at this address.
    fn superlink(&self, joined_at: String) -> String {
        match (self.own, joined_at.parse::<Address>()) {
            (Some(_), Ok(address)) => {
                let port = self.fleet;
                Address { port, ..address }.to_string()
            }
            _ => joined_at,
        }
    }
}

/// The wrong tries of each address, and how often the log has them. A stranger is limited by the
/// address alone, so that nobody else is kept out by it.
#[derive(Debug)]
pub(super) struct Tries {
    wrong: Allowances,
    quiet: Quiet<(Code, Option<IpAddr>)>,
}

impl Default for Tries {
    fn default() -> Self {
        Self {
            wrong: Allowances::new(AT_ONCE, A_SECOND),
            quiet: Quiet::default(),
        }
    }
}

impl Tries {
    /// # Errors
    /// If too many wrong tries came from the address. That passes.
    fn require_room(&self, address: Option<IpAddr>) -> Result<()> {
        let wait = address.and_then(|at| self.wrong.wait(counted(at), monotonic::now()));
        wait.map_or(Ok(()), |wait| {
            let seconds = wait.as_secs_f64().ceil();
            Err(Failure::TryAgain(format!(
                "too many wrong tries to join came from this address: try again in {seconds} s"
            )))
        })
    }

    fn note_wrong(&self, address: Option<IpAddr>) {
        if let Some(at) = address {
            self.wrong.take(counted(at), monotonic::now());
        }
    }
}

/// What a node asks over one connection before it has a session.
#[derive(Debug, Clone)]
pub struct JoinSession {
    host: Host,
    /// The other end of the connection.
    peer: Option<Peer>,
}

impl JoinSession {
    fn address(&self) -> Option<IpAddr> {
        self.peer.as_ref().map(|peer| peer.address.ip())
    }

    /// What binds proofs to this connection.
    fn binding(&self) -> Result<Binding> {
        let binding = self.peer.as_ref().and_then(|peer| peer.binding);
        Ok(binding.ok_or(JoinRefusal::NeedsTls13)?)
    }

    /// Tells the log of a refusal, and counts the wrong tries of the address.
    fn refused(&self, failure: &Failure, what: &str) {
        let Failure::Refused(refusal) = failure else {
            return;
        };
        let address = self.address();
        if is_wrong_try(refusal) {
            self.host.0.tries.note_wrong(address);
        }
        if let Some(more) = self.host.0.tries.quiet.ask((refusal.code(), address)) {
            let address = address.map(tracing::field::display);
            warn!(%refusal, address, more, "{what} refused");
        }
    }

    async fn try_to_join(&self, attempt: JoinAttempt) -> Result<Joined> {
        if !self.host.0.parts.policy.enrolls() {
            return Err(JoinRefusal::NotOffered.into());
        }
        let binding = self.binding()?;
        let id = JoinTokenId::from_bytes(&attempt.token);
        let id = id.ok_or_else(|| Refusal::field("token_id", "is not 8 bytes long"))?;
        let secret = JoinSecret::from_bytes(&attempt.secret);
        let secret = secret.ok_or_else(|| Refusal::field("secret", "is not 32 bytes long"))?;
        let key = key(&attempt.key)?;
        check_proof(&key, &join_statement(&binding.0, id, &key), &attempt.proof)?;
        let place = &self.host.0.parts.joining;
        // A token is used up by a node that gets all it needs.
        place.check_request(&attempt.signing_request, &key)?;
        let link = self.host.link();
        let token: KnownToken = link.join_token(id, &secret).await?;
        self.require_owner(&token)?;
        let node = link.join(&token, &key).await?;
        if let Some(peer) = &self.peer {
            peer.standing.admit();
        }
        Ok(Joined {
            node,
            superlink: place.superlink(token.address),
            certificate: place.certify(attempt.signing_request, key, node).await?,
            name: token.name,
        })
    }

    /// A token ends with its account: who takes an account off the list means its tokens too.
    fn require_owner(&self, token: &KnownToken) -> Result<()> {
        let accounts = self.host.0.parts.accounts.as_ref();
        let is_listed = accounts.is_none_or(|accounts| {
            token.owner.is_empty() || accounts.still_list(&token.owner, token.issued_at)
        });
        match is_listed {
            true => Ok(()),
            false => Err(JoinRefusal::OwnerNotListed.into()),
        }
    }

    async fn try_to_renew_key(&self, renewal: KeyRenewal) -> Result<RenewedKey> {
        let binding = self.binding()?;
        let (old, new) = (key(&renewal.old_key)?, key(&renewal.new_key)?);
        let statement = renew_key_statement(&binding.0, &old, &new);
        check_proof(&old, &statement, &renewal.old_proof)?;
        check_proof(&new, &statement, &renewal.new_proof)?;
        let (policy, link) = (&self.host.0.parts.policy, self.host.link());
        if policy.lists(&old) {
            return Err(JoinRefusal::ListedKey(new.to_openssh()).into());
        }
        let node = link.node_of_key(&old).await?;
        let node = node.ok_or(Refusal::NotRegistered)?;
        auth::require_own(link, self.peer.as_ref(), Some(node))?;
        let is_enrolled = link.is_enrolled(node).await?;
        if !policy.admits(Some(&old), is_enrolled) {
            return Err(Refusal::NotRegistered.into());
        }
        let (place, request) = (&self.host.0.parts.joining, renewal.signing_request);
        // The certificate of another CA is renewed there. Lists and revocations of that CA would not
        // concern the one that is issued here.
        let is_issued = auth::is_issued_to(self.peer.as_ref(), node);
        let place = Some(place).filter(|_| is_issued && !request.is_empty());
        if let Some(place) = place {
            place.check_request(&request, &new)?;
        }
        let node = link.note_next_key(&old, &new).await?;
        let certificate = match place {
            Some(place) => place.certify(request, new, node).await?,
            None => Bytes::new(),
        };
        if let Some(peer) = &self.peer {
            peer.standing.admit();
        }
        Ok(RenewedKey { node, certificate })
    }
}

/// Whether whoever tries this may be guessing.
const fn is_wrong_try(refusal: &Refusal) -> bool {
    matches!(
        refusal,
        Refusal::Joining(JoinRefusal::UnknownToken | JoinRefusal::Proof)
            | Refusal::Field { .. }
            | Refusal::KeyNotValid(_)
            | Refusal::NotRegistered
    )
}

fn key(spki: &[u8]) -> Result<PublicKey> {
    let key = PublicKey::from_spki(spki);
    Ok(key.map_err(|problem| Refusal::KeyNotValid(problem.to_string()))?)
}

fn check_proof(key: &PublicKey, statement: &[u8], proof: &[u8]) -> Result<()> {
    let verified = key.verify(statement, proof);
    Ok(verified.map_err(|_| JoinRefusal::Proof)?)
}

impl Joining for JoinSession {
    async fn join(&self, attempt: JoinAttempt) -> Result<Joined> {
        self.host.0.tries.require_room(self.address())?;
        let joined = self.try_to_join(attempt).await;
        joined.inspect_err(|failure| self.refused(failure, "a SuperNode that joins was"))
    }

    async fn renew_key(&self, renewal: KeyRenewal) -> Result<RenewedKey> {
        self.host.0.tries.require_room(self.address())?;
        let renewed = self.try_to_renew_key(renewal).await;
        renewed.inspect_err(|failure| self.refused(failure, "another key for a SuperNode was"))
    }
}

impl NodeTrust for FleetSession {
    async fn renew_certificate(&self, request: Bytes) -> Result<Bytes> {
        let place = &self.host().0.parts.joining;
        if place.authority.is_none() {
            return Err(JoinRefusal::NoCertificates.into());
        }
        let (key, node) = self.identity().ok_or(Refusal::NotRegistered)?;
        if !auth::is_issued_to(self.peer(), node) {
            return Err(JoinRefusal::OtherAuthority.into());
        }
        place.check_request(&request, &key)?;
        place.certify(request, key, node).await
    }

    async fn trust(&self) -> Result<Vec<Bytes>> {
        let tls = self.host().0.parts.joining.tls.as_ref();
        let authorities = tls.map(ServerTls::authorities).unwrap_or_default();
        Ok(authorities.into_iter().map(Bytes::from).collect())
    }
}

impl JoinHost for Host {
    type Joining = JoinSession;

    fn joining(&self, head: &Head) -> JoinSession {
        JoinSession {
            host: self.clone(),
            peer: head.peer.clone(),
        }
    }
}
