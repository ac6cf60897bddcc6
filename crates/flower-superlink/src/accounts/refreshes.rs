//! Refreshes each token once. A provider that rotates refresh tokens voids the old one at its first
//! use. If two `flwr` refresh the same token, both get the same new tokens.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use crate::accounts::oidc::{Claims, Provider, Tokens};
use crate::link::state::{LinkState, RefreshTurn};
use flwr_core::cause::chain;
use flwr_core::monotonic;
use flwr_core::object::ObjectId;
use flwr_core::port::control;
use flwr_core::quiet::Quiet;
use flwr_core::refusal::{Failure, Refusal};
use flwr_daemon::task;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use parking_lot::Mutex;
use time::OffsetDateTime;
use tokio::time::{Instant, sleep};
use tracing::warn;

use super::away;
use super::tokens::usable;

mod sealed;

/// How long to wait for another SuperLink that asks the provider, and between two looks.
const LONGEST: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(100);
/// How long an answer is given again.
const KEPT: Duration = Duration::from_secs(60);
/// Answers that are kept; who comes later is told to come again.
const MOST: usize = 1000;

type Outcome = Result<(control::Tokens, Claims), Failure>;

/// Refreshes under way, and done a moment ago, by the hash of the old token.
#[derive(Default)]
pub(super) struct Refreshes(Mutex<HashMap<ObjectId, Refresh>>);

struct Refresh {
    begun: Instant,
    outcome: Shared<BoxFuture<'static, Outcome>>,
}

impl Refreshes {
    /// What the provider gives for this token.
    pub(super) async fn refresh(
        &self,
        provider: &Provider,
        token: &str,
        now: OffsetDateTime,
        state: Option<&Arc<dyn LinkState>>,
    ) -> Outcome {
        let hash = ObjectId::of(token.as_bytes());
        let (provider, token) = (provider.clone(), token.to_owned());
        let outcome = match state.cloned() {
            Some(state) => self.begun(hash, || ask_once(state, provider, (token, hash), now)),
            None => self.begun(hash, || ask(provider, token, now)),
        };
        let outcome = outcome?.await;
        if matches!(outcome, Err(Failure::TryAgain(_))) {
            // It was not used, and may be good later.
            self.0.lock().remove(&hash);
        }
        outcome
    }

    fn begun<F>(
        &self,
        hash: ObjectId,
        ask: impl FnOnce() -> F,
    ) -> Result<Shared<BoxFuture<'static, Outcome>>, Failure>
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let mut known = self.0.lock();
        known.retain(|_, refresh| refresh.begun.elapsed() < KEPT);
        if let Some(refresh) = known.get(&hash) {
            return Ok(refresh.outcome.clone());
        }
        if known.len() >= MOST {
            return Err(away());
        }
        // The request is completed also when the caller goes away: the provider may have made the old
        // token void. The map owns the task.
        let asked = task::start(ask());
        let outcome = asked.map(|ended| ended.unwrap_or_else(|_| Err(away())));
        let refresh = Refresh {
            begun: monotonic::now(),
            outcome: outcome.boxed().shared(),
        };
        let outcome = refresh.outcome.clone();
        known.insert(hash, refresh);
        Ok(outcome)
    }
}

/// Limits the log lines of refused tokens, which anybody may send.
static QUIET: LazyLock<Quiet<&str>> = LazyLock::new(Quiet::default);

/// As [`ask`], unless another SuperLink that works with the state has asked a moment ago, or is asking.
async fn ask_once(
    state: Arc<dyn LinkState>,
    provider: Provider,
    (token, hash): (String, ObjectId),
    now: OffsetDateTime,
) -> Outcome {
    if let Some(sealed) = given_elsewhere(&*state, hash).await? {
        let given = sealed::open(&token, &sealed).ok_or_else(away)?;
        return usable(&provider, given, Some(&token), now).await;
    }
    let given = given(&provider, &token).await;
    let sealed = given.as_ref().ok();
    let sealed = sealed.and_then(|given| sealed::seal(&token, given));
    if let Err(error) = state.end_refresh(hash, sealed).await {
        let error = chain(&error);
        warn!(error, "other SuperLinks do not know of refreshed tokens");
    }
    usable(&provider, given?, Some(&token), now).await
}

/// What another SuperLink got for the token, sealed. `None`: this one is to ask.
async fn given_elsewhere(
    state: &dyn LinkState,
    token: ObjectId,
) -> Result<Option<Vec<u8>>, Failure> {
    let deadline = monotonic::now() + LONGEST;
    loop {
        match state.begin_refresh(token).await {
            Ok(RefreshTurn::Ask) => return Ok(None),
            Ok(RefreshTurn::Given(sealed)) => return Ok(Some(sealed)),
            Ok(RefreshTurn::Wait) if monotonic::now() < deadline => sleep(PAUSE).await,
            Ok(RefreshTurn::Wait) => return Err(away()),
            Err(error) => {
                let error = chain(&error);
                warn!(
                    error,
                    "other SuperLinks cannot be asked about a refresh token"
                );
                return Err(away());
            }
        }
    }
}

async fn ask(provider: Provider, token: String, now: OffsetDateTime) -> Outcome {
    let given = given(&provider, &token).await?;
    usable(&provider, given, Some(&token), now).await
}

/// What the provider gives for the token.
async fn given(provider: &Provider, token: &str) -> Result<Tokens, Failure> {
    match provider.refresh(token).await {
        Ok(tokens) => Ok(tokens),
        Err(problem) if problem.may_pass() => {
            if let Some(more) = QUIET.ask("away") {
                warn!(more, "tokens cannot be refreshed: {}", chain(&problem));
            }
            Err(away())
        }
        Err(problem) => {
            if let Some(more) = QUIET.ask("refused") {
                let why = chain(&problem);
                warn!(more, "Control request refused: its refresh token: {why}");
            }
            Err(Refusal::NotSignedIn.into())
        }
    }
}

/// Tokens are not printed.
impl std::fmt::Debug for Refreshes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Refreshes({})", self.0.lock().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn answers_are_kept_for_a_minute_and_in_a_bounded_number() {
        let refreshes = Refreshes::default();
        let begin = |number: usize| {
            let hash = ObjectId::of(&number.to_le_bytes());
            let begun = refreshes.begun(hash, || async { Err(away()) });
            begun.map(drop)
        };
        for number in 0..MOST {
            begin(number).unwrap();
        }
        assert_eq!(begin(MOST), Err(away()));
        begin(7).unwrap();
        assert_eq!(refreshes.0.lock().len(), MOST, "the same token is the same");
        tokio::time::advance(KEPT).await;
        begin(MOST).unwrap();
        assert_eq!(refreshes.0.lock().len(), 1);
    }
}
