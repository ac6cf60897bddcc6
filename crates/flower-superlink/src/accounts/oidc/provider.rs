//! The client of an OpenID provider: discovery, keys, logins and refreshes.
//!
//! One task at a time fetches the provider's metadata and keys, at most once in [`PAUSE`]. While
//! the provider does not answer, the last metadata stay in use, for [`LONGEST`] at most.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use flwr_core::monotonic;
use parking_lot::RwLock;
use thiserror::Error as ThisError;
use time::OffsetDateTime;
use tokio::sync::{Mutex, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::verify::{Refused, Rules, Verdict, verify};
use super::web::Web;
use super::{Error, Keys, Url};
use flwr_client::channel::{Proxies, Route};
use flwr_security::tls::ClientTls;

mod answers;
mod grants;

use answers::Facts;
pub use answers::{Begun, Tokens};
pub use grants::{Client, Poll};

/// Nobody makes us ask more often: not by naming keys that do not exist.
const PAUSE: Duration = Duration::from_secs(30);
/// What was fetched is not believed for longer: keys are taken back at times.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// A provider, and this SuperLink as a client of it. Clones share what they know.
#[derive(Clone)]
pub struct Provider {
    inner: Arc<Inner>,
    /// The fetches under way. They end with the last clone.
    fetches: Arc<parking_lot::Mutex<JoinSet<()>>>,
}

struct Inner {
    client: Client,
    rules: Rules,
    web: Web,
    known: RwLock<Option<Arc<Known>>>,
    /// When it was asked last for what it publishes; held by whoever asks.
    asked: Mutex<Option<Instant>>,
}

/// What it publishes.
struct Known {
    facts: Facts,
    keys: Keys,
    at: Instant,
}

/// Why it is not known what a token proves.
#[derive(Debug, ThisError)]
pub enum CheckError {
    /// It proves nothing.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The provider does not answer, or not as it should.
    #[error(transparent)]
    Provider(#[from] Error),
}

impl Provider {
    /// A provider that was not asked anything yet.
    #[must_use]
    pub fn new(client: Client, rules: Rules, tls: ClientTls, proxies: Proxies) -> Self {
        let inner = Arc::new(Inner {
            client,
            rules,
            web: Web::new(tls, proxies),
            known: RwLock::default(),
            asked: Mutex::default(),
        });
        let fetches = Arc::default();
        Self { inner, fetches }
    }

    /// The configured issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.inner.rules.issuer
    }

    /// The way to the issuer.
    #[must_use]
    pub fn route(&self) -> Route {
        let issuer = self.issuer().parse().ok();
        issuer.map_or_else(Route::default, |issuer| self.inner.web.route(&issuer))
    }

    /// What the operator should know of the way to the issuer.
    #[must_use]
    pub fn proxy_warning(&self) -> Option<String> {
        self.inner.web.proxy_warning(&self.issuer().parse().ok()?)
    }

    /// Whose certificates are trusted to be the provider's.
    #[must_use]
    pub fn trust(&self) -> &ClientTls {
        self.inner.web.trust()
    }

    /// Asks for what it publishes, unless it was asked a moment ago, and says how many keys it has.
    ///
    /// # Errors
    /// If it does not answer as it should, or nobody could log in there.
    pub async fn fetch(&self) -> Result<usize, Error> {
        let known = self.fetched().await?;
        match known.facts.device_authorization_endpoint {
            Some(_) => Ok(known.keys.len()),
            None => Err(Error::NoDeviceLogin),
        }
    }

    /// What a token proves at `now`.
    ///
    /// # Errors
    /// If nothing, or the provider cannot be asked for its keys.
    pub async fn check(&self, token: &str, now: OffsetDateTime) -> Result<Verdict, CheckError> {
        let known = self.known().await?;
        match verify(token, &known.keys, &self.inner.rules, now) {
            // It may be a new one.
            Err(Refused::UnknownKey) => {
                let known = self.fetched().await?;
                Ok(verify(token, &known.keys, &self.inner.rules, now)?)
            }
            known => Ok(known?),
        }
    }

    /// Begins the login of a device.
    ///
    /// # Errors
    /// If the provider does not answer, or refuses.
    pub async fn begin(&self) -> Result<Begun, Error> {
        let known = self.known().await?;
        let url = known.facts.device_authorization_endpoint.as_ref();
        let url = url.ok_or(Error::NoDeviceLogin)?;
        let Inner { client, web, .. } = &*self.inner;
        grants::begin(web, url, client).await
    }

    /// Asks how a login stands.
    ///
    /// # Errors
    /// If the provider does not answer.
    pub async fn poll(&self, device_code: &str) -> Result<Poll, Error> {
        let known = self.known().await?;
        let Inner { client, web, .. } = &*self.inner;
        grants::poll(web, &known.facts.token_endpoint, client, device_code).await
    }

    /// New tokens for old.
    ///
    /// # Errors
    /// If the provider does not answer, or refuses.
    pub async fn refresh(&self, refresh_token: &str) -> Result<Tokens, Error> {
        let known = self.known().await?;
        let Inner { client, web, .. } = &*self.inner;
        grants::refresh(web, &known.facts.token_endpoint, client, refresh_token).await
    }

    async fn known(&self) -> Result<Arc<Known>, Error> {
        match self.inner.known() {
            Some(known) => Ok(known),
            None => self.fetched().await,
        }
    }

    /// Fetches what the provider publishes. The fetch is completed also when the caller goes away: a
    /// stranger who hangs up must not make the next caller wait for [`PAUSE`].
    async fn fetched(&self) -> Result<Arc<Known>, Error> {
        let inner = Arc::clone(&self.inner);
        let (answer, fetched) = oneshot::channel();
        {
            let mut fetches = self.fetches.lock();
            while fetches.try_join_next().is_some() {}
            fetches.spawn(async move {
                // The caller may have gone away.
                let _ = answer.send(inner.fetch().await);
            });
        }
        fetched.await.unwrap_or(Err(Error::AskedBefore))
    }
}

impl Inner {
    fn known(&self) -> Option<Arc<Known>> {
        let known = self.known.read().clone();
        known.filter(|known| known.at.elapsed() < LONGEST)
    }

    async fn fetch(&self) -> Result<Arc<Known>, Error> {
        // Whoever comes meanwhile waits here, and then finds what was fetched.
        let mut asked = self.asked.lock().await;
        if asked.is_some_and(|at| at.elapsed() < PAUSE) {
            return self.known().ok_or(Error::AskedBefore);
        }
        *asked = Some(monotonic::now());
        let facts = self.facts().await?;
        let answer = self.web.get(&facts.jwks_uri).await?;
        let keys = answers::keys(&facts.jwks_uri, &answer)?;
        let at = monotonic::now();
        let known = Arc::new(Known { facts, keys, at });
        *self.known.write() = Some(Arc::clone(&known));
        Ok(known)
    }

    async fn facts(&self) -> Result<Facts, Error> {
        let issuer = &self.rules.issuer;
        let place = format!(
            "{}/.well-known/openid-configuration",
            issuer.trim_end_matches('/')
        );
        let url: Url = place.parse().map_err(|_| Error::OtherIssuer {
            expected: issuer.clone(),
            found: String::new(),
        })?;
        let facts: Facts = answers::json(&url, &self.web.get(&url).await?)?;
        // OpenID Connect Discovery, 4.3: or another provider could speak for this one.
        if facts.issuer == *issuer {
            Ok(facts)
        } else {
            Err(Error::OtherIssuer {
                expected: issuer.clone(),
                found: facts.issuer.chars().take(200).collect(),
            })
        }
    }
}

#[cfg(test)]
impl Provider {
    /// It may be asked again.
    pub(super) async fn let_time_pass(&self) {
        *self.inner.asked.lock().await = None;
    }

    /// The same, asked with another trust.
    pub(super) fn trusting(&self, tls: ClientTls) -> Self {
        Self::new(
            self.inner.client.clone(),
            self.inner.rules.clone(),
            tls,
            Proxies::default(),
        )
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Provider({})", self.issuer())
    }
}
