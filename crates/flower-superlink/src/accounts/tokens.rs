//! The access token and the refresh token of a login. `flwr` keeps both.

use std::sync::LazyLock;

use flwr_core::cause::chain;
use flwr_core::port::control;
use flwr_core::quiet::Quiet;
use flwr_core::refusal::{Failure, Refusal};

use crate::accounts::oidc::{CheckError, Claims, Provider, Refused, Tokens, Verdict};
use time::OffsetDateTime;
use tracing::warn;

use super::away;

/// The refresh token where the provider gives none. Without a refresh token `flwr` would poll until
/// the login expires.
const NONE: &str = "-";
/// The limit in bytes for both tokens. From about 8 KB on, Python's gRPC refuses some answers.
const LONGEST: usize = 7000;

/// Whether the provider can refresh by this token of a caller.
pub(super) fn can_refresh(token: &str) -> bool {
    !token.is_empty() && token != NONE
}

/// Whether gRPC carries the tokens as metadata.
fn require_fit(tokens: &control::Tokens) -> Result<(), Refusal> {
    let length = tokens.access.len() + tokens.refresh.len();
    if length > LONGEST {
        return Err(Refusal::UselessTokens(format!(
            "they have {length} bytes together, and {LONGEST} fit into a call; ask for fewer scopes, or have fewer claims put into them"
        )));
    }
    let tokens = [&tokens.access, &tokens.refresh];
    if tokens
        .iter()
        .any(|token| !token.bytes().all(|byte| byte.is_ascii_graphic()))
    {
        return Err(Refusal::UselessTokens(
            "they have blanks in them".to_owned(),
        ));
    }
    Ok(())
}

/// Limits the log lines of tokens that are of no use.
static QUIET: LazyLock<Quiet<&str>> = LazyLock::new(Quiet::default);

/// What of a provider's tokens is kept, and what it proves: the access token, if it is one for us,
/// or else the ID token. `old` is the refresh token to keep if there is no new one.
pub(super) async fn usable(
    provider: &Provider,
    tokens: Tokens,
    old: Option<&str>,
    now: OffsetDateTime,
) -> Result<(control::Tokens, Claims), Failure> {
    let refresh = tokens.refresh_token.filter(|token| !token.is_empty());
    let refresh = refresh.unwrap_or_else(|| old.unwrap_or(NONE).to_owned());
    let mut reason = None;
    for token in [Some(tokens.access_token), tokens.id_token]
        .into_iter()
        .flatten()
    {
        match provider.check(&token, now).await {
            Ok(Verdict::Good(claims)) => {
                let pair = control::Tokens {
                    access: token,
                    refresh,
                };
                require_fit(&pair)?;
                return Ok((pair, claims));
            }
            Ok(Verdict::Expired(_)) => reason = Some("it has expired already".to_owned()),
            // The first is the one that should have been good, unless it is none at all.
            Err(CheckError::Refused(Refused::Malformed)) if reason.is_some() => {}
            Err(CheckError::Refused(refused)) => reason = Some(refused.to_string()),
            Err(CheckError::Provider(problem)) => {
                if let Some(more) = QUIET.ask("away") {
                    warn!(more, "new tokens cannot be checked: {}", chain(&problem));
                }
                return Err(away());
            }
        }
    }
    let reason = reason.unwrap_or_default();
    if let Some(more) = QUIET.ask("useless") {
        warn!(
            reason,
            more, "the login provider's tokens are of no use here: see `audience`"
        );
    }
    Err(Refusal::UselessTokens(reason).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_that_no_call_carries_are_refused() {
        let tokens = |access: String, refresh: &str| control::Tokens {
            access,
            refresh: refresh.to_owned(),
        };
        let long = |length| tokens("a".repeat(length - 3), "abc");
        assert_eq!(require_fit(&long(LONGEST)), Ok(()));
        assert!(require_fit(&long(LONGEST + 1)).is_err());
        for (access, refresh) in [("a b", "c"), ("a", "c\n"), ("ä", "c")] {
            let refused = require_fit(&tokens(access.to_owned(), refresh));
            assert!(refused.is_err(), "{access:?} {refresh:?}");
        }
    }
}
