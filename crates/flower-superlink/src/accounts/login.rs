//! The login of a person, from the first call to the tokens.

use std::net::IpAddr;
use std::sync::LazyLock;

use flwr_core::cause::chain;
use flwr_core::object::ObjectId;
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
        let login = self.logins.lock().add(begun, self.clock.now());
        self.tell_others(&login.device_code).await;
        Ok(login)
    }

    /// Lets other SuperLinks know of a login. Where that fails, this one knows.
    async fn tell_others(&self, device_code: &str) {
        let known = self.logins.lock().known(device_code);
        let (Some(state), Some(login)) = (self.state.get(), known) else {
            return;
        };
        let noted = state.add_login(name_of(device_code), login, self.clock.now());
        if let Err(error) = noted.await {
            warn!(
                error = chain(&error),
                "other SuperLinks do not know of a login"
            );
        }
    }

    /// What is to be done about a question. Its login may have begun at another SuperLink.
    async fn turn(&self, device_code: &str) -> Turn {
        let turn = self.logins.lock().turn(device_code, self.clock.now());
        let (Turn::Unknown, Some(state)) = (&turn, self.state.get()) else {
            return turn;
        };
        match state.login(name_of(device_code)).await {
            Ok(Some(login)) => {
                let now = self.clock.now();
                let mut logins = self.logins.lock();
                logins.take_over(device_code, login, now);
                logins.turn(device_code, now)
            }
            Ok(None) => turn,
            // Whoever asks comes again.
            Err(error) => {
                warn!(error = chain(&error), "a login could not be looked for");
                Turn::Early
            }
        }
    }

    /// The login is over, at all SuperLinks. Best effort: the provider gives no tokens another time.
    async fn end(&self, device_code: &str) {
        self.logins.lock().end(device_code);
        if let Some(state) = self.state.get() {
            let _ = state.end_login(name_of(device_code)).await;
        }
    }

    /// The tokens of a login, if it is done.
    ///
    /// # Errors
    /// If it will not be.
    pub async fn poll_login(&self, device_code: &str) -> Result<Option<control::Tokens>, Failure> {
        match self.turn(device_code).await {
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
                self.end(device_code).await;
                Err(Refusal::LoginDenied.into())
            }
            Ok(Poll::Expired) => {
                self.end(device_code).await;
                Err(Refusal::UnknownLogin.into())
            }
            Ok(Poll::Granted(tokens)) => {
                self.end(device_code).await;
                let (pair, claims) =
                    usable(&self.provider, tokens, None, self.clock.date_time()).await?;
                let admitted = self.listed(&claims, None).map_err(|turned| turned.why)?;
                let Account { id, name, .. } = &admitted.account;
                info!(account = id, name, "logged in");
                Ok(Some(pair))
            }
            Err(problem) if !problem.may_pass() => {
                self.end(device_code).await;
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

/// The name of a login among SuperLinks: nobody who reads the state learns the device code.
fn name_of(device_code: &str) -> ObjectId {
    ObjectId::of(device_code.as_bytes())
}
