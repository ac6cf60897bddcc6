//! Logins that have begun, and refresh tokens that were shown. Where several SuperLinks work with a state,
//! whoever began a login at one may be answered by another. A state that has one SuperLink keeps none: that
//! SuperLink knows them.

use async_trait::async_trait;
use flwr_core::object::ObjectId;
use flwr_core::time::Timestamp;

use super::StateResult;

/// A login that has begun. It is named by the hash of its device code: whoever has the code has the login.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KnownLogin {
    /// Until when it may be completed.
    pub until: Timestamp,
    /// Seconds between two questions to the provider.
    pub interval: f64,
}

/// What is to be done about a refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefreshTurn {
    /// The provider is asked here.
    Ask,
    /// Another SuperLink is asking.
    Wait,
    /// What another SuperLink got, as it was given to [`Logins::end_refresh`].
    Given(Vec<u8>),
}

/// What SuperLinks that work with one state tell each other of logins.
#[async_trait]
pub trait Logins {
    /// Notes a login, and forgets those that are over at `now`.
    async fn add_login(
        &self,
        _code: ObjectId,
        _login: KnownLogin,
        _now: Timestamp,
    ) -> StateResult<()> {
        Ok(())
    }

    /// The login with this code, if it was noted and is not over.
    async fn login(&self, _code: ObjectId) -> StateResult<Option<KnownLogin>> {
        Ok(None)
    }

    /// The login is over.
    async fn end_login(&self, _code: ObjectId) -> StateResult<()> {
        Ok(())
    }

    /// Somebody shows this refresh token, by its hash. A provider that rotates tokens voids each at its
    /// first use: one SuperLink asks, and what it got is kept for a minute.
    async fn begin_refresh(&self, _token: ObjectId) -> StateResult<RefreshTurn> {
        Ok(RefreshTurn::Ask)
    }

    /// The provider gave this for the token, or nothing.
    async fn end_refresh(&self, _token: ObjectId, _given: Option<Vec<u8>>) -> StateResult<()> {
        Ok(())
    }
}
