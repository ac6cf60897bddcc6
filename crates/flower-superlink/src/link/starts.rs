//! What a run may be started from, and where.

use bytes::Bytes;
use flwr_core::id::RunId;
use flwr_core::object::ObjectId;
use flwr_core::port::control::Start;
use flwr_core::refusal::{FEDERATION, Refusal};

use super::Link;
use super::permission::Principal;
use crate::error::{Error, Result};

/// The name by which earlier commands know the federation.
const EARLIER: &str = "default";

/// Whether the name is the federation's. An empty name means the only one.
#[must_use]
pub fn is_the_federation(name: &str) -> bool {
    name.is_empty() || [FEDERATION, EARLIER].contains(&name)
}

impl Link {
    /// Starts a run. It belongs to the principal.
    ///
    /// # Errors
    /// If there is no such federation, the request carries no bundle, the bundle does not hold what it
    /// says, or the app has no such configuration.
    pub async fn start(&self, start: Start, principal: &Principal) -> Result<RunId> {
        let Start {
            fab,
            fab_hash,
            app_spec,
            overrides,
            federation,
            ..
        } = start;
        if !is_the_federation(&federation) {
            return Err(Refusal::NoFederation(federation).into());
        }
        if fab.is_empty() {
            check_absent(&fab_hash, app_spec)?;
        } else if !fab_hash.is_empty() && fab_hash != hash(fab.clone()).await? {
            return Err(Refusal::FabHash(fab_hash).into());
        }
        self.start_run(fab, overrides, principal).await
    }
}

/// Says what a request without a bundle asks for.
fn check_absent(fab_hash: &str, app_spec: String) -> std::result::Result<(), Refusal> {
    if !app_spec.is_empty() && !is_app_spec(&app_spec) {
        return Err(Refusal::AppSpec(app_spec));
    }
    match (fab_hash.is_empty(), app_spec.is_empty()) {
        (false, _) => Err(Refusal::AppNotStored),
        (true, false) => Err(Refusal::AppNotFetched(app_spec)),
        (true, true) => Ok(()),
    }
}

/// `@account/app` or `@account/app==1.2.3`.
fn is_app_spec(text: &str) -> bool {
    let (app, version) = match text.split_once("==") {
        Some((app, version)) => (app, Some(version)),
        None => (text, None),
    };
    let is_word = |word: &str| {
        let good = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        !word.is_empty() && word.chars().all(good)
    };
    let names = app.strip_prefix('@').and_then(|app| app.split_once('/'));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    names.is_some_and(|(account, app)| is_word(account) && is_word(app))
        && version.is_none_or(|version| {
            version.split('.').count() == 3 && version.split('.').all(is_number)
        })
}

/// Hashing megabytes is no work for an async worker.
async fn hash(fab: Bytes) -> Result<String> {
    let hashed = tokio::task::spawn_blocking(move || ObjectId::of(&fab).to_string()).await;
    hashed.map_err(|_| Error::Stopping)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_is_named_by_account_and_name_and_may_have_a_version() {
        for (text, expected) in [
            ("@acme/tiny", true),
            ("@acme_1/ti-ny==1.0.12", true),
            ("acme/tiny", false),
            ("@acme", false),
            ("@acme/", false),
            ("@/tiny", false),
            ("@acme/tiny/more", false),
            ("@acme/tiny==1.0", false),
            ("@acme/tiny==1.0.x", false),
            ("@acme/tiny==", false),
        ] {
            assert_eq!(is_app_spec(text), expected, "{text}");
        }
    }

    #[test]
    fn a_request_without_a_bundle_is_refused_by_what_it_has() {
        let absent = |hash: &str, spec: &str| check_absent(hash, spec.to_owned());
        assert_eq!(absent("", ""), Ok(()));
        assert_eq!(absent("abc", ""), Err(Refusal::AppNotStored));
        assert_eq!(absent("abc", "@a/b"), Err(Refusal::AppNotStored));
        let spec = || "@a/b".to_owned();
        assert_eq!(absent("", "@a/b"), Err(Refusal::AppNotFetched(spec())));
        assert_eq!(absent("", "b"), Err(Refusal::AppSpec("b".to_owned())));
    }
}
