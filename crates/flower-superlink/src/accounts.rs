//! The accounts of people on Control: who they are is proven by tokens of an OpenID provider, and
//! whether they may come in is said by a file of the operator's.
//!
//! A call carries an access token. A good one is checked with the provider's keys alone; one that
//! has expired, and has nothing else against it, is refreshed. The new tokens are for the caller,
//! also when the call itself is refused: a provider may have made the old ones void.
//!
//! Tokens and device codes are not logged.

use std::error::Error as StdError;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, UNIX_EPOCH};

use flwr_client::channel::{Proxies, Route};
use flwr_core::cause::chain;
use flwr_core::port::control;
use flwr_core::refusal::{Failure, Refusal};
use flwr_core::time::Timestamp;
use flwr_daemon::clock::Clock;
use flwr_daemon::renew::Renewable;
use flwr_daemon::stop::Stopper;
use flwr_security::from_file::FromFile;
use flwr_security::private_files;
use flwr_security::tls::ClientTls;
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tracing::{info, warn};

#[cfg(test)]
#[path = "../../../tests/src/oidc.rs"]
#[expect(
    unreachable_pub,
    reason = "the provider is shared by the tests of other crates"
)]
pub(crate) mod fake;
mod file;
mod list;
mod login;
mod logins;
pub mod oidc;
mod owners;

mod refreshes;
mod settings;
#[cfg(test)]
pub(crate) mod tests;
mod tokens;

pub use file::{AccountsFile, FileError, Settings};
pub use list::{Account, List};

use crate::link::state::LinkState;

use logins::Logins;
use oidc::{CheckError, Claims, Provider, Verdict};
use owners::Owners;
use refreshes::Refreshes;

/// How often the provider is asked for what it publishes.
const AGAIN: Duration = Duration::from_secs(15 * 60);
/// The same, while it does not answer.
const AWAY: Duration = Duration::from_secs(30);
/// Logins that begin at the same time; who comes later waits. Anybody may begin one, and each
/// costs a request to the provider.
const BEGINNING: usize = 16;

/// Somebody whose call may go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// Who it is.
    pub account: Account,
    /// New tokens to give them.
    pub fresh: Option<control::Tokens>,
}

/// Somebody whose call may not.
#[derive(Debug, Clone, PartialEq)]
pub struct Turned {
    /// Why.
    pub why: Failure,
    /// New tokens to give them all the same.
    pub fresh: Option<control::Tokens>,
}

/// Who may speak on Control, and how they log in.
#[derive(Debug)]
pub struct Accounts {
    provider: Provider,
    file: FromFile<AccountsFile>,
    clock: Arc<dyn Clock>,
    logins: Mutex<Logins>,
    beginning: Semaphore,
    refreshes: Refreshes,
    owners: Owners,
    /// Where other SuperLinks find what began here.
    state: OnceLock<Arc<dyn LinkState>>,
}

impl Accounts {
    /// The accounts that a file tells of; `proxies` lead to their provider.
    ///
    /// # Errors
    /// If the file, or one that it names, cannot be used.
    pub fn load(file: &Path, proxies: Proxies, clock: Arc<dyn Clock>) -> Result<Self, FileError> {
        let file: FromFile<AccountsFile> = FromFile::load(file)?;
        let changed = fs::metadata(file.path()).and_then(|file| file.modified());
        let since_1970 = changed
            .ok()
            .and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let changed = since_1970.map_or_else(
            || clock.now(),
            |since| Timestamp::from_secs(since.as_secs_f64()),
        );
        Ok(Self {
            provider: file.now().settings.provider(file.path(), proxies)?,
            file,
            clock,
            logins: Mutex::default(),
            beginning: Semaphore::new(BEGINNING),
            refreshes: Refreshes::default(),
            owners: Owners::new(changed),
            state: OnceLock::new(),
        })
    }

    /// From now on, logins that begin here are known at all SuperLinks that work with this state.
    pub fn share(&self, state: Arc<dyn LinkState>) {
        // A SuperLink opens one state.
        let _ = self.state.set(state);
    }

    /// Whose certificates are trusted to be the provider's.
    #[must_use]
    pub fn trust(&self) -> &ClientTls {
        self.provider.trust()
    }

    /// The way to the provider.
    #[must_use]
    pub fn route(&self) -> Route {
        self.provider.route()
    }

    /// What the operator should know of the way to the provider.
    #[must_use]
    pub fn proxy_warning(&self) -> Option<String> {
        self.provider.proxy_warning()
    }

    /// The warning about a client secret that other users can read.
    #[must_use]
    pub fn secret_warning(&self) -> Option<String> {
        let accounts = self.file.now();
        private_files::exposed(accounts.settings.client_secret_file.as_deref()?)
    }

    /// The provider's issuer, and who is let in, for people.
    #[must_use]
    pub fn shown(&self) -> String {
        format!("{} of {}", self.file.now().list, self.provider.issuer())
    }

    /// Whether an account is still on the list, on which it was at `since`. If that cannot be known
    /// before the account calls, the answer is no.
    #[must_use]
    pub fn still_list(&self, account: &str, since: Timestamp) -> bool {
        self.owners
            .are_listed(&self.file.now().list, account, since)
    }

    /// Asks the provider now and then for what it publishes, until it is time to stop.
    pub async fn run(self: Arc<Self>, stopper: Stopper) {
        stopper.run_until_stopped(self.keep_up()).await;
    }

    /// Asks the provider for what it publishes, and says how many keys it has.
    ///
    /// # Errors
    /// If it does not answer as it should, or nobody could log in there.
    pub async fn ask_provider(&self) -> Result<usize, oidc::Error> {
        self.provider.fetch().await
    }

    async fn keep_up(&self) {
        let mut away = false;
        loop {
            let pause = match self.ask_provider().await {
                Ok(keys) => {
                    info!(
                        issuer = self.provider.issuer(),
                        keys, "login provider asked"
                    );
                    away = false;
                    AGAIN
                }
                Err(problem) => {
                    if !away {
                        warn!(
                            issuer = self.provider.issuer(),
                            "login provider, asked again each {} s: {}",
                            AWAY.as_secs(),
                            chain(&problem)
                        );
                    }
                    away = true;
                    AWAY
                }
            };
            sleep(pause).await;
        }
    }

    /// Whose call it is that shows these tokens.
    ///
    /// # Errors
    /// If it is nobody's who may come in.
    pub async fn admit(
        &self,
        access: Option<&str>,
        refresh: Option<&str>,
    ) -> Result<Admitted, Turned> {
        let turned = |why: Failure| Turned { why, fresh: None };
        let access = access.ok_or_else(|| turned(Refusal::NotSignedIn.into()))?;
        match self.provider.check(access, self.clock.date_time()).await {
            Ok(Verdict::Good(claims)) => self.listed(&claims, None),
            Ok(Verdict::Expired(claims)) => {
                let renewed = self.refresh(&claims, refresh).await;
                let (pair, claims) = renewed.map_err(turned)?;
                self.listed(&claims, Some(pair))
            }
            Err(CheckError::Refused(reason)) => {
                warn!(%reason, "Control request refused: its access token");
                Err(turned(Refusal::NotSignedIn.into()))
            }
            Err(CheckError::Provider(problem)) => {
                warn!("Control request refused: {}", chain(&problem));
                Err(turned(away()))
            }
        }
    }

    /// New tokens for a person who asks for them.
    ///
    /// # Errors
    /// If the provider gives none for this token, or the account is not on the list.
    pub async fn renew_login(&self, refresh: &str) -> Result<control::Tokens, Failure> {
        let (pair, claims) = self.renewed(Some(refresh)).await?;
        self.listed(&claims, None).map_err(|turned| turned.why)?;
        Ok(pair)
    }

    /// What the provider gives for this token.
    async fn renewed(&self, refresh: Option<&str>) -> Result<(control::Tokens, Claims), Failure> {
        let refresh = refresh.filter(|token| tokens::can_refresh(token));
        let refresh = refresh.ok_or(Refusal::NotSignedIn)?;
        let now = self.clock.date_time();
        let state = self.state.get();
        self.refreshes
            .refresh(&self.provider, refresh, now, state)
            .await
    }

    /// New tokens of the same account.
    async fn refresh(
        &self,
        old: &Claims,
        refresh: Option<&str>,
    ) -> Result<(control::Tokens, Claims), Failure> {
        let (pair, claims) = self.renewed(refresh).await?;
        if claims.sub == old.sub {
            Ok((pair, claims))
        } else {
            warn!("Control request refused: its refresh token is of another account");
            Err(Refusal::NotSignedIn.into())
        }
    }

    fn listed(&self, claims: &Claims, fresh: Option<control::Tokens>) -> Result<Admitted, Turned> {
        match self.file.now().list.account(claims) {
            Some(account) => {
                self.owners.note(claims);
                Ok(Admitted { account, fresh })
            }
            None => {
                let (name, account) = (claims.name(), &claims.sub);
                warn!(
                    account,
                    name, "Control request refused: not on the list of accounts"
                );
                let why = Refusal::AccountNotListed.into();
                Err(Turned { why, fresh })
            }
        }
    }
}

/// Whether the caller may come in cannot be known at the moment.
fn away() -> Failure {
    Failure::TryAgain("the login provider does not answer: try again later".to_owned())
}

impl Renewable for Accounts {
    fn paths(&self) -> Vec<PathBuf> {
        vec![self.file.path().to_owned()]
    }

    fn renew(&self) -> Result<String, Box<dyn StdError + Send + Sync>> {
        let before = self.file.now();
        let now = self.file.reload()?;
        if now.list != before.list {
            self.owners.note_change(self.clock.now());
        }
        if now.settings != before.settings {
            warn!("--account-auth-config: what it says of the provider is for the next start");
        }
        Ok(now.list.to_string())
    }
}
