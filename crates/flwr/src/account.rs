//! The user's account at a SuperLink with login. `flwr login` gets two tokens and keeps them in one
//! file per federation. pip's flwr 1.20 to 1.22 reads the file. Tokens are for one SuperLink, and are
//! sent to no other.
//!
//! Each call carries the tokens. A SuperLink that has refreshed the tokens sends new ones with its
//! answer, also with a refusal.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flwr_client::line::Proof;
use flwr_core::port;
use flwr_core::port::control::Tokens;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use parking_lot::Mutex;

use crate::error::{Error, Result};

mod audience;
mod file;

pub(crate) use audience::Audience;
pub(crate) use file::TokenFile;

/// The headers of calls and answers (flwr 1.20 to 1.22 wire).
const ACCESS: &str = "flwr-oidc-access-token";
const REFRESH: &str = "flwr-oidc-refresh-token";
/// The only login method on the wire of flwr 1.20 to 1.22.
pub(crate) const OIDC: &str = "oidc";
/// The user at one federation. Clones share the tokens.
#[derive(Clone)]
pub(crate) struct Account {
    /// Where the tokens are; `None` for SuperLinks without login.
    place: Option<(TokenFile, Audience)>,
    tokens: Arc<Mutex<Option<Tokens>>>,
}

impl Account {
    /// For SuperLinks without login.
    pub(crate) fn nobody() -> Self {
        Self {
            place: None,
            tokens: Arc::default(),
        }
    }

    /// The user who has logged in at this SuperLink.
    pub(crate) fn of((file, superlink): (TokenFile, Audience)) -> Result<Self> {
        let tokens = file.read(&superlink)?.ok_or(Error::NotLoggedIn)?;
        Ok(Self {
            place: Some((file, superlink)),
            tokens: Arc::new(Mutex::new(Some(tokens))),
        })
    }

    /// The user of this SuperLink, who has logged in or does not need to. Tokens for another SuperLink
    /// are left alone.
    pub(crate) fn if_logged_in(place: (TokenFile, Audience)) -> Result<Self> {
        match Self::of(place) {
            Err(Error::NotLoggedIn | Error::UnboundTokens(_) | Error::TokensOfAnother { .. }) => {
                Ok(Self::nobody())
            }
            account => account,
        }
    }

    /// The user who is about to log in at this SuperLink.
    pub(crate) fn to_come(place: (TokenFile, Audience)) -> Self {
        Self {
            place: Some(place),
            tokens: Arc::default(),
        }
    }

    /// Stores the tokens of the login.
    pub(crate) fn keep(&self, tokens: &Tokens) -> Result<()> {
        let Some((file, superlink)) = &self.place else {
            return Ok(());
        };
        let written = file.write(superlink, tokens);
        written.map_err(|source| Error::Write {
            path: file.path(),
            source,
        })
    }

    /// The id of the account: the `sub` of the access token. Only the SuperLink can tell whether the
    /// token is good; here it serves to recognise the user's own runs.
    pub(crate) fn id(&self) -> Option<String> {
        let access = self.tokens.lock().as_ref()?.access.clone();
        let claims = URL_SAFE_NO_PAD.decode(access.split('.').nth(1)?).ok()?;
        let claims: serde_json::Value = serde_json::from_slice(&claims).ok()?;
        claims.get("sub")?.as_str().map(str::to_owned)
    }
}

impl Proof for Account {
    const RENEWS: bool = true;

    fn prove(&self, headers: &mut HeaderMap) -> port::Result<()> {
        if let Some(tokens) = &*self.tokens.lock() {
            for (key, token) in [(ACCESS, &tokens.access), (REFRESH, &tokens.refresh)] {
                // Without tokens that a header can carry, the SuperLink asks for a login.
                if let Ok(mut value) = HeaderValue::from_str(token) {
                    value.set_sensitive(true);
                    headers.insert(key, value);
                }
            }
        }
        Ok(())
    }

    /// The refresh token goes into no header here: it is shown to get new tokens only.
    fn prove_over_http(&self, headers: &mut HeaderMap) -> port::Result<()> {
        if let Some(tokens) = &*self.tokens.lock() {
            let bearer = format!("Bearer {}", tokens.access);
            if let Ok(mut value) = HeaderValue::from_str(&bearer) {
                value.set_sensitive(true);
                headers.insert(AUTHORIZATION, value);
            }
        }
        headers.insert("x-flwr-client", HeaderValue::from_static("cli"));
        Ok(())
    }

    fn refresh_token(&self) -> Option<String> {
        let tokens = self.tokens.lock();
        tokens.as_ref().map(|tokens| tokens.refresh.clone())
    }

    fn refreshed(&self, tokens: Tokens) {
        // If the write fails, only the next command needs a login. This command has its answer.
        let _ = self.keep(&tokens);
        *self.tokens.lock() = Some(tokens);
    }

    /// Stores the tokens that came with an answer, if any.
    fn read(&self, headers: &HeaderMap) {
        let text = |key| headers.get(key)?.to_str().ok().map(str::to_owned);
        let (Some((file, superlink)), Some(access), Some(refresh)) =
            (&self.place, text(ACCESS), text(REFRESH))
        else {
            return;
        };
        let tokens = Tokens { access, refresh };
        // If the write fails, only the next command needs a login. This command has its answer.
        let _ = file.write(superlink, &tokens);
        *self.tokens.lock() = Some(tokens);
    }

    /// Checks whether another command has stored new tokens meanwhile.
    fn renew(&self) -> bool {
        let Some((file, superlink)) = &self.place else {
            return false;
        };
        let mut tokens = self.tokens.lock();
        match file.read(superlink) {
            Ok(Some(kept)) if tokens.as_ref() != Some(&kept) => {
                *tokens = Some(kept);
                true
            }
            _ => false,
        }
    }
}

/// Removes the tokens. Tells whether there were any.
pub(crate) fn forget(file: &TokenFile) -> Result<bool> {
    file.remove().map_err(|source| Error::Write {
        path: file.path(),
        source,
    })
}

#[cfg(test)]
mod tests;
