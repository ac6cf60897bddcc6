//! Join tokens in the session of a person.

use std::ops::RangeInclusive;
use std::time::Duration;

use flwr_core::address::Address;
use flwr_core::port::joining::{IssuedJoinToken, JoinTokenInfo, JoinTokenList, NewJoinToken};
use flwr_core::port::{JoinTokens, Result};
use flwr_core::refusal::{JoinRefusal, Refusal};
use flwr_security::joining::{JoinToken, MAX_ADDRESS, Pin};
use flwr_security::tls::ServerTls;

use super::{ControlSession, for_changes};
use crate::error::Error;
use crate::link::TokenTerms;
use crate::link::state::KnownToken;

/// How long nodes may join with a token: a second to 30 days.
const TTL: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(30 * 86_400);
/// How many nodes may join with a token.
const USES: RangeInclusive<u32> = 1..=10_000;
/// Bytes of a name. Lists show it in a column.
const MOST_NAME: usize = 255;

impl ControlSession {
    /// The TLS at which nodes join.
    fn join_tls(&self) -> Result<&ServerTls> {
        if !self.policy.enrolls() {
            return Err(JoinRefusal::NotOffered.into());
        }
        let tls = self.joining.tls.as_ref().ok_or(JoinRefusal::NotOffered)?;
        let missing = self.joining.missing().filter(|_| tls.asks_clients());
        if let Some(missing) = missing {
            return Err(JoinRefusal::NeedsFlags(missing).into());
        }
        Ok(tls)
    }

    /// Where a node joins, and whom it trusts there.
    fn join_address(&self, new: &NewJoinToken) -> Result<(Address, Pin)> {
        let tls = self.join_tls()?;
        let address = new.address.clone().unwrap_or_else(|| Address {
            host: new.host.clone(),
            port: self.joining.port(),
        });
        if address.to_string().len() > MAX_ADDRESS || address.host.is_empty() {
            return Err(Refusal::field("address", "must have 1 to 255 letters").into());
        }
        if address.port == 0 {
            return Err(Refusal::field("address", "has port 0, to which nobody connects").into());
        }
        if !tls.is_for(&address.host) {
            let names = tls.certificate().names.join(", ");
            let host = address.host;
            return Err(JoinRefusal::Host { host, names }.into());
        }
        let pin = tls.authority_pin().ok_or(JoinRefusal::NoAuthority)?;
        Ok((address, pin))
    }
}

fn check(new: &NewJoinToken) -> std::result::Result<(), Refusal> {
    if !TTL.contains(&new.ttl) {
        return Err(Refusal::field("ttl", "must be a second to 30 days"));
    }
    if !USES.contains(&new.uses) {
        return Err(Refusal::field("uses", "must be 1 to 10000"));
    }
    if new.name.as_ref().is_some_and(|name| name.len() > MOST_NAME) {
        return Err(Refusal::field("name", "must have at most 255 letters"));
    }
    if new.uses > 1 && new.name.is_some() {
        let problem = "is for a token of one use: several nodes would have the same";
        return Err(Refusal::field("name", problem));
    }
    Ok(())
}

fn shown(token: KnownToken) -> JoinTokenInfo {
    JoinTokenInfo {
        id: token.id.to_string(),
        uses_left: token.uses_left(),
        owner: token.owner,
        name: token.name,
        address: token.address,
        issued_at: token.issued_at,
        expires_at: token.expires_at,
        uses: token.uses,
        revoked_at: token.revoked_at,
        nodes: token.used.into_iter().map(|used| used.node).collect(),
    }
}

impl JoinTokens for ControlSession {
    async fn issue_join_token(&self, new: NewJoinToken) -> Result<IssuedJoinToken> {
        let (address, pin) = self.join_address(&new)?;
        check(&new)?;
        let token = JoinToken::issue(pin, address.clone()).map_err(|_| Error::Random)?;
        let terms = TokenTerms {
            id: token.id,
            secret: token.secret.hash(),
            name: new.name,
            address: address.to_string(),
            ttl: new.ttl.as_secs_f64(),
            uses: new.uses,
        };
        let kept = self.link.add_join_token(terms, &self.principal).await;
        Ok(IssuedJoinToken {
            token: token.reveal().to_string(),
            about: shown(kept.map_err(for_changes)?),
        })
    }

    async fn join_tokens(&self) -> Result<JoinTokenList> {
        let tokens = self.link.join_tokens(&self.principal).await?;
        Ok(JoinTokenList {
            tokens: tokens.into_iter().map(shown).collect(),
            now: self.link.now(),
        })
    }

    async fn revoke_join_token(&self, id: &str) -> Result<()> {
        let revoked = self.link.revoke_join_token(id, &self.principal).await;
        revoked.map_err(for_changes)
    }
}
