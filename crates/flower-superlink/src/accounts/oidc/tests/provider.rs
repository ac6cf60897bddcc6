//! A provider that answers, or does not.

use std::fs;

use flwr_client::channel::Proxies;
use flwr_security::tls::ClientTls;
use tempfile::TempDir;

use super::*;
use crate::accounts::fake::{self, CLIENT, Mood, Person, SECRET};

/// A provider that runs, and a client of it.
struct Meeting {
    fake: fake::Provider,
    provider: Provider,
    /// Where the certificate to trust is.
    folder: TempDir,
}

impl Meeting {
    fn new() -> Self {
        Self::of(None)
    }

    fn of(secret: Option<&str>) -> Self {
        let fake = fake::Provider::start();
        let folder = tempfile::tempdir().unwrap();
        let roots = folder.path().join("roots.pem");
        fs::write(&roots, fake.certificate()).unwrap();
        let client = Client {
            id: CLIENT.to_owned(),
            secret: secret.map(|secret| secret.to_owned().into()),
            scopes: "openid offline_access".to_owned(),
        };
        let rules = Rules {
            issuer: fake.issuer().to_owned(),
            audience: vec![CLIENT.to_owned()],
        };
        let tls = ClientTls::trusting(roots).unwrap();
        let provider = Provider::new(client, rules, tls, Proxies::default());
        Self {
            fake,
            provider,
            folder,
        }
    }

    async fn check(&self, token: &str) -> Result<Verdict, CheckError> {
        self.provider.check(token, OffsetDateTime::now_utc()).await
    }

    fn token(&self) -> String {
        self.fake.sign(&self.fake.claims(&Person::named("alice")))
    }
}

#[tokio::test]
async fn a_login_is_begun_asked_for_and_refreshed() {
    for secret in [None, Some(SECRET)] {
        let meeting = Meeting::of(secret);
        let Meeting { fake, provider, .. } = &meeting;
        fake.state().wants_secret = secret.is_some();
        let begun = provider.begin().await.unwrap();
        assert_eq!((begun.expires_in, begun.interval), (60.0, 1.0));
        let poll = || provider.poll(&begun.device_code);
        assert!(matches!(poll().await, Ok(Poll::Pending)));
        fake.state().mood = Mood::SlowDown;
        assert!(matches!(poll().await, Ok(Poll::SlowDown)));
        fake.state().mood = Mood::Fine;
        fake.approve(&Person::named("alice"));
        let Ok(Poll::Granted(tokens)) = poll().await else {
            panic!("not granted");
        };
        let verdict = meeting.check(&tokens.access_token).await.unwrap();
        assert!(matches!(verdict, Verdict::Good(claims) if claims.sub == "alice-1"));
        assert!(matches!(poll().await, Ok(Poll::Expired)), "it was spent");
        let old = tokens.refresh_token.unwrap();
        let new = provider.refresh(&old).await.unwrap();
        assert_ne!(new.refresh_token.as_ref(), Some(&old));
        let spent = provider.refresh(&old).await;
        assert!(matches!(spent, Err(Error::Refused(word)) if word == "invalid_grant"));
    }
}

#[tokio::test]
async fn a_user_may_deny() {
    let Meeting { fake, provider, .. } = &Meeting::new();
    let begun = provider.begin().await.unwrap();
    fake.deny();
    assert!(matches!(
        provider.poll(&begun.device_code).await,
        Ok(Poll::Denied)
    ));
    let unknown = provider.poll("something else").await;
    assert!(matches!(unknown, Ok(Poll::Expired)));
}

#[tokio::test]
async fn a_client_without_its_secret_is_refused() {
    let Meeting { fake, provider, .. } = &Meeting::new();
    fake.state().wants_secret = true;
    let begun = provider.begin().await;
    assert!(matches!(begun, Err(Error::Refused(word)) if word == "invalid_client"));
}

#[tokio::test]
async fn a_key_that_is_not_known_is_asked_for_once_in_a_while() {
    let meeting = Meeting::new();
    assert!(meeting.check(&meeting.token()).await.is_ok());
    assert_eq!(meeting.fake.state().asked_for_keys, 1);
    meeting.fake.rotate("two");
    // It has just been asked.
    for _ in 0..3 {
        let checked = meeting.check(&meeting.token()).await;
        assert!(matches!(
            checked,
            Err(CheckError::Refused(Refused::UnknownKey))
        ));
    }
    assert_eq!(meeting.fake.state().asked_for_keys, 1);
    meeting.provider.let_time_pass().await;
    let stranger = Key::rsa("stranger").sign(&meeting.fake.claims(&Person::named("alice")));
    let token = meeting.token();
    let (one, other) = tokio::join!(meeting.check(&token), meeting.check(&stranger));
    assert!(matches!(one, Ok(Verdict::Good(_))));
    assert!(other.is_err());
    assert_eq!(meeting.fake.state().asked_for_keys, 2, "one asked for both");
}

#[tokio::test]
async fn a_provider_that_is_away_does_not_take_its_keys_along() {
    let meeting = Meeting::new();
    let token = meeting.token();
    meeting.provider.fetch().await.unwrap();
    meeting.fake.state().mood = Mood::Broken;
    meeting.provider.let_time_pass().await;
    let asked = meeting.provider.fetch().await;
    assert!(matches!(asked, Err(Error::Status { .. })), "{asked:?}");
    assert!(meeting.check(&token).await.is_ok());
}

#[tokio::test]
async fn a_provider_that_is_not_the_configured_one_is_not_believed() {
    for (mood, text) in [
        (
            Mood::OtherIssuer,
            "says to be the issuer \"https://other.example.org\"",
        ),
        (Mood::Broken, "answered 500"),
        (Mood::Endless, "broke off"),
    ] {
        let Meeting { fake, provider, .. } = &Meeting::new();
        fake.state().mood = mood;
        let error = provider.fetch().await.unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
    }
    let Meeting { fake, provider, .. } = &Meeting::new();
    fake.state().mood = Mood::NoDevices;
    let fetched = provider.fetch().await;
    assert!(matches!(fetched, Err(Error::NoDeviceLogin)));
    let begun = provider.begin().await;
    assert!(matches!(begun, Err(Error::NoDeviceLogin)));
}

#[tokio::test]
async fn a_provider_that_is_not_trusted_or_not_there_is_named() {
    let Meeting { fake, provider, .. } = Meeting::new();
    let host = fake.issuer().trim_start_matches("https://").to_owned();
    let stranger = Meeting::new();
    let roots = stranger.folder.path().join("roots.pem");
    let error = provider.trusting(ClientTls::trusting(roots).unwrap());
    let error = error.fetch().await.unwrap_err();
    assert!(matches!(error, Error::Tls { .. }), "{error}");
    assert!(error.to_string().starts_with(&host), "{error}");
    drop(fake);
    let error = provider.fetch().await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    assert!(error.may_pass());
}
