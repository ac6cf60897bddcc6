//! The login of a person, from the first call to the tokens.

use std::net::IpAddr;
use std::sync::LazyLock;

use flwr_core::cause::chain;
use flwr_core::port::control;
use flwr_core::quiet::Quiet;
use flwr_core::refusal::{Failure, Refusal};
use tracing::{error, info, warn};

use super::logins::Turn;
use super::oidc::Poll;
use super::tokens::usable;
use super::{Account, Accounts, away};

/// Limits the log lines of logins, which anybody may begin.
static QUIET: LazyLock<Quiet<&str>> = LazyLock::new(Quiet::default);

impl Accounts {
    /// Begins a login for somebody at this address.
    ///
    /// # Errors
    /// If the provider does not answer or refuses, or there are too many logins.
    pub async fn begin_login(&self, peer: Option<IpAddr>) -> Result<control::Login, Failure> {
        let _place = self.beginning.acquire().await.map_err(|_| away())?;
        self.logins.lock().take_room(peer, self.clock.now())?;
        let begun = self.provider.begin().await.map_err(|problem| {
            if let Some(more) = QUIET.ask("begin") {
                error!(more, "no login could begin: {}", chain(&problem));
            }
            if problem.may_pass() {
                away()
            } else {
                Refusal::ProviderRefuses.into()
            }
        })?;
        Ok(self.logins.lock().add(begun, self.clock.now()))
    }

    /// The tokens of a login, if it is done.
    ///
    /// # Errors
    /// If it will not be.
    pub async fn poll_login(&self, device_code: &str) -> Result<Option<control::Tokens>, Failure> {
        match self.logins.lock().turn(device_code, self.clock.now()) {
            Turn::Unknown => return Err(Refusal::UnknownLogin.into()),
            Turn::Early => return Ok(None),
            Turn::Ask => {}
        }
        match self.provider.poll(device_code).await {
            Ok(Poll::Pending) => Ok(None),
            Ok(Poll::SlowDown) => {
                self.logins.lock().slow_down(device_code);
                Ok(None)
            }
            Ok(Poll::Denied) => {
                self.logins.lock().end(device_code);
                Err(Refusal::LoginDenied.into())
            }
            Ok(Poll::Expired) => {
                self.logins.lock().end(device_code);
                Err(Refusal::UnknownLogin.into())
            }
            Ok(Poll::Granted(tokens)) => {
                self.logins.lock().end(device_code);
                let (pair, claims) =
                    usable(&self.provider, tokens, None, self.clock.date_time()).await?;
                let admitted = self.listed(&claims, None).map_err(|turned| turned.why)?;
                let Account { id, name, .. } = &admitted.account;
                info!(account = id, name, "logged in");
                Ok(Some(pair))
            }
            Err(problem) if !problem.may_pass() => {
                self.logins.lock().end(device_code);
                if let Some(more) = QUIET.ask("failed") {
                    error!(more, "a login failed: {}", chain(&problem));
                }
                Err(Refusal::ProviderRefuses.into())
            }
            // Whoever asks is told to ask again: a login outlives a provider's restart.
            Err(problem) => {
                if let Some(more) = QUIET.ask("poll") {
                    warn!(more, "a login cannot be asked about: {}", chain(&problem));
                }
                Ok(None)
            }
        }
    }
}
