//! Logins, calls and refreshes, with a provider that runs.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

use flwr_daemon::clock::{MockClock, SystemClock};
use http::{Request, Response};
use serde_json::{Value, json};
use tempfile::TempDir;
use tonic::body::Body;
use tower::{Layer, ServiceExt, service_fn};

use super::fake::{self, CLIENT, Key, Mood, Person, SECRET};
use super::*;
use crate::auth::SignedIn;

/// Accounts, their provider, and the folder with their file.
struct Office {
    fake: fake::Provider,
    accounts: Accounts,
    clock: Arc<MockClock>,
    folder: TempDir,
}

const LISTED: &str = "allow = [\"sub:alice-1\", \"group:flower\"]\nadmins = [\"sub:root-1\"]\n";

impl Office {
    fn new() -> Self {
        Self::with(LISTED)
    }

    fn with(more: &str) -> Self {
        let fake = fake::Provider::start();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("roots.pem"), fake.certificate()).unwrap();
        fs::write(folder.path().join("secret"), format!("{SECRET}\n")).unwrap();
        write(&folder, &fake, more);
        let clock = Arc::new(MockClock::new(SystemClock.now()));
        let file = folder.path().join("accounts.toml");
        let accounts =
            Accounts::load(&file, Proxies::default(), Arc::<MockClock>::clone(&clock)).unwrap();
        Self {
            fake,
            accounts,
            clock,
            folder,
        }
    }

    fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Logs somebody in, as far as the first answer that is not "ask again".
    async fn login(&self, person: &Person) -> Result<TokenPair, Denied> {
        let login = self.accounts.begin_login(None).await.unwrap();
        self.fake.approve(person);
        self.pass(1);
        let pair = self.accounts.poll_login(&login.device_code).await?;
        Ok(pair.expect("approved"))
    }

    async fn admit(&self, pair: &TokenPair) -> Result<Admitted, Turned> {
        let (access, refresh) = (Some(pair.access.as_str()), Some(pair.refresh.as_str()));
        self.accounts.admit(access, refresh).await
    }

    async fn denied(&self, access: &str, refresh: &str) -> Denied {
        let turned = self.accounts.admit(Some(access), Some(refresh)).await;
        let Turned { why, fresh } = turned.unwrap_err();
        assert_eq!(fresh, None);
        why
    }

    /// A token of somebody that has expired, and one to refresh it with.
    fn stale(&self, person: &Person) -> TokenPair {
        let mut claims = self.fake.claims(person);
        claims["exp"] = json!(fake::now() - 1000);
        TokenPair {
            access: self.fake.sign(&claims),
            refresh: self.fake.refresh_token(person),
        }
    }
}

fn write(folder: &TempDir, fake: &fake::Provider, more: &str) {
    let issuer = fake.issuer();
    let text = format!(
        "issuer = \"{issuer}\"\nclient-id = \"{CLIENT}\"\nroot-certificates = \"roots.pem\"\n{more}"
    );
    fs::write(folder.path().join("accounts.toml"), text).unwrap();
}

fn alice() -> Person {
    Person::named("alice")
}

#[tokio::test]
async fn a_user_logs_in_and_may_call() {
    let secret = format!("{LISTED}client-secret-file = \"secret\"\n");
    for (more, wants_secret) in [(LISTED, false), (secret.as_str(), true)] {
        let office = Office::with(more);
        office.fake.state().wants_secret = wants_secret;
        let login = office.accounts.begin_login(None).await.unwrap();
        assert!(
            login.place.ends_with("/activate?user_code=CODE-0"),
            "{}",
            login.place
        );
        let poll = || office.accounts.poll_login(&login.device_code);
        assert_eq!(poll().await, Ok(None));
        assert_eq!(office.fake.state().polls, 0, "too early to ask");
        office.pass(1);
        assert_eq!(poll().await, Ok(None));
        office.pass(1);
        office.fake.approve(&alice());
        let pair = poll().await.unwrap().unwrap();
        assert_eq!(poll().await, Err(Denied::UnknownLogin));
        assert_eq!(office.fake.state().polls, 2);

        let Admitted { account, fresh } = office.admit(&pair).await.unwrap();
        assert_eq!((account.id.as_str(), account.admin), ("alice-1", false));
        assert_eq!(fresh, None);
    }
}

#[tokio::test]
async fn admins_and_members_of_groups_come_in_and_others_do_not() {
    let office = Office::new();
    let member = Person {
        groups: vec!["flower".to_owned()],
        ..Person::named("carol")
    };
    for (person, admin) in [(member, false), (Person::named("root"), true)] {
        let pair = office.login(&person).await.unwrap();
        assert_eq!(office.admit(&pair).await.unwrap().account.admin, admin);
    }
    let bob = Person::named("bob");
    assert_eq!(office.login(&bob).await, Err(Denied::NotListed));
    let token = office.fake.sign(&office.fake.claims(&bob));
    assert_eq!(office.denied(&token, "x").await, Denied::NotListed);
}

#[tokio::test]
async fn a_login_that_is_denied_or_takes_too_long_is_over() {
    let office = Office::new();
    for (what, expected) in [
        (
            fake::Provider::deny as fn(&fake::Provider),
            Denied::LoginDenied,
        ),
        (fake::Provider::forget, Denied::UnknownLogin),
    ] {
        let login = office.accounts.begin_login(None).await.unwrap();
        what(&office.fake);
        office.pass(1);
        let poll = || office.accounts.poll_login(&login.device_code);
        assert_eq!(poll().await, Err(expected));
        assert_eq!(poll().await, Err(Denied::UnknownLogin));
    }
    let unknown = office.accounts.poll_login("guess").await;
    assert_eq!(unknown, Err(Denied::UnknownLogin));
    assert_eq!(
        office.fake.state().polls,
        2,
        "nobody asks the provider for a guess"
    );
}

#[tokio::test]
async fn a_provider_in_trouble_costs_a_login_time_only() {
    let office = Office::new();
    let login = office.accounts.begin_login(None).await.unwrap();
    office.fake.approve(&alice());
    for (mood, seconds) in [(Mood::Broken, 1), (Mood::SlowDown, 1)] {
        office.fake.state().mood = mood;
        office.pass(seconds);
        let polled = office.accounts.poll_login(&login.device_code).await;
        assert_eq!(polled, Ok(None), "{mood:?}");
    }
    office.fake.state().mood = Mood::Fine;
    office.pass(5);
    let early = office.accounts.poll_login(&login.device_code).await;
    assert_eq!(early, Ok(None), "it was told to slow down");
    office.pass(1);
    let polled = office.accounts.poll_login(&login.device_code).await;
    assert!(polled.unwrap().is_some());
}

#[tokio::test]
async fn a_provider_that_does_not_answer_or_refuses_is_told_apart() {
    for (mood, expected) in [
        (Mood::Broken, Denied::Away),
        (Mood::NoDevices, Denied::Refuses),
        (Mood::OtherIssuer, Denied::Refuses),
    ] {
        let office = Office::new();
        office.fake.state().mood = mood;
        let begun = office.accounts.begin_login(None).await;
        assert_eq!(begun.err(), Some(expected));
    }
    let office = Office::new();
    office.fake.state().mood = Mood::Broken;
    let token = office.fake.sign(&office.fake.claims(&alice()));
    assert_eq!(office.denied(&token, "x").await, Denied::Away);
}

#[tokio::test]
async fn what_a_provider_does_not_give_is_done_without() {
    let office = Office::new();
    office.fake.state().mood = Mood::NoCompleteUri;
    let login = office.accounts.begin_login(None).await.unwrap();
    assert!(
        login.place.ends_with("/activate and enter the code CODE-0"),
        "{}",
        login.place
    );

    office.fake.state().mood = Mood::OpaqueAccessToken;
    let pair = office.login(&alice()).await.unwrap();
    assert!(office.admit(&pair).await.is_ok(), "by the ID token");

    office.fake.state().mood = Mood::NoRefreshToken;
    let pair = office.login(&alice()).await.unwrap();
    assert_eq!(pair.refresh, "-");
    assert!(office.admit(&pair).await.is_ok());
    office.pass(1000);
    assert_eq!(
        office.denied(&pair.access, &pair.refresh).await,
        Denied::Nobody
    );
    assert_eq!(office.fake.state().refreshes, 0);
}

#[tokio::test]
async fn tokens_that_are_of_no_use_end_the_login_with_the_reason() {
    let office = Office::with(&format!("{LISTED}audience = \"flower-api\"\n"));
    let denied = office.login(&alice()).await.unwrap_err();
    assert_eq!(
        denied,
        Denied::Tokens("it is for another audience".to_owned())
    );
    let office = Office::new();
    let long = Person {
        groups: vec!["x".repeat(6000)],
        ..alice()
    };
    let denied = office.login(&long).await.unwrap_err();
    assert!(
        matches!(&denied, Denied::Tokens(why) if why.contains("fit into a call")),
        "{denied}"
    );
}

#[tokio::test]
async fn an_expired_token_is_refreshed_once_for_all_who_show_it() {
    let office = Office::new();
    let stale = office.stale(&alice());
    let (one, other) = tokio::join!(office.admit(&stale), office.admit(&stale));
    let fresh = one.unwrap().fresh.unwrap();
    assert_eq!(other.unwrap().fresh, Some(fresh.clone()));
    assert_eq!(
        office.admit(&stale).await.unwrap().fresh,
        Some(fresh.clone())
    );
    assert_eq!(office.fake.state().refreshes, 1);
    assert_ne!(fresh, stale);
    assert_eq!(office.admit(&fresh).await.unwrap().fresh, None);
}

#[tokio::test]
async fn only_an_expired_token_is_refreshed() {
    let office = Office::new();
    let claims = |name: &str, value: Value| {
        let mut claims = office.fake.claims(&alice());
        claims["exp"] = json!(fake::now() - 1000);
        claims[name] = value;
        claims
    };
    let refresh = office.fake.refresh_token(&alice());
    for access in [
        String::new(),
        "-".to_owned(),
        office
            .fake
            .sign(&claims("iss", json!("https://other.example.org"))),
        office.fake.sign(&claims("aud", json!("other"))),
        Key::rsa("one").sign(&claims("a", json!(1))),
        Key::rsa("stranger").sign(&claims("a", json!(1))),
        format!(
            "{}.",
            fake::unsigned(&json!({"alg": "none"}), &claims("a", json!(1)))
        ),
    ] {
        assert_eq!(
            office.denied(&access, &refresh).await,
            Denied::Nobody,
            "{access}"
        );
    }
    let nobody = office
        .accounts
        .admit(None, Some(&refresh))
        .await
        .unwrap_err();
    assert_eq!(nobody.why, Denied::Nobody);
    assert_eq!(office.fake.state().refreshes, 0);
}

#[tokio::test]
async fn a_refresh_token_that_is_spent_or_of_another_is_refused() {
    let office = Office::new();
    let stale = office.stale(&alice());
    assert_eq!(office.denied(&stale.access, "spent").await, Denied::Nobody);
    let another = office.fake.refresh_token(&Person::named("root"));
    assert_eq!(office.denied(&stale.access, &another).await, Denied::Nobody);
    let without = office.accounts.admit(Some(&stale.access), None).await;
    assert_eq!(without.unwrap_err().why, Denied::Nobody);
}

#[tokio::test]
async fn a_provider_that_is_away_spends_no_refresh_token() {
    let office = Office::new();
    office.accounts.provider.fetch().await.unwrap();
    let stale = office.stale(&alice());
    office.fake.state().mood = Mood::Broken;
    assert_eq!(
        office.denied(&stale.access, &stale.refresh).await,
        Denied::Away
    );
    office.fake.state().mood = Mood::Fine;
    assert!(office.admit(&stale).await.unwrap().fresh.is_some());
}

#[tokio::test]
async fn new_tokens_are_given_also_to_those_who_may_not_come_in() {
    let office = Office::new();
    let turned = office
        .admit(&office.stale(&Person::named("bob")))
        .await
        .unwrap_err();
    assert_eq!(turned.why, Denied::NotListed);
    assert!(turned.fresh.is_some());
}

#[tokio::test]
async fn who_is_taken_off_the_list_is_out_at_once() {
    let office = Office::new();
    let pair = office.login(&alice()).await.unwrap();
    write(&office.folder, &office.fake, "allow = [\"sub:bob-1\"]\n");
    assert_eq!(
        office.accounts.renew().unwrap(),
        "1 accounts or groups and 0 admins"
    );
    assert_eq!(
        office.denied(&pair.access, &pair.refresh).await,
        Denied::NotListed
    );
    write(&office.folder, &office.fake, "");
    assert!(
        office.accounts.renew().is_err(),
        "nobody is let in by mistake"
    );
    assert_eq!(
        office.denied(&pair.access, &pair.refresh).await,
        Denied::NotListed
    );
}

#[tokio::test]
async fn a_call_goes_on_with_its_account_or_not_at_all() {
    let office = Office::new();
    let stale = office.stale(&alice());
    let good = office.login(&alice()).await.unwrap();
    let accounts = Arc::new(office.accounts);
    let call = |pair: Option<&TokenPair>| {
        let mut request = Request::builder().uri("/flwr.proto.Control/ListRuns");
        if let Some(pair) = pair {
            request = request
                .header("flwr-oidc-access-token", &pair.access)
                .header("flwr-oidc-refresh-token", &pair.refresh);
        }
        let request = request.body(Body::empty()).unwrap();
        (request, Arc::clone(&accounts))
    };
    let counted = Arc::new(AtomicU32::new(0));
    let answer = |(request, accounts): (Request<Body>, Arc<Accounts>)| {
        let counted = Arc::clone(&counted);
        let inner = service_fn(move |request: Request<Body>| {
            counted.fetch_add(1, Ordering::Relaxed);
            let account: Account = request.extensions().get().cloned().unwrap();
            assert_eq!(account.id, "alice-1");
            async { Ok::<_, std::convert::Infallible>(Response::new(Body::empty())) }
        });
        SignedIn::new(Some(accounts)).layer(inner).oneshot(request)
    };
    let refused = answer(call(None)).await.unwrap();
    assert_eq!(refused.headers()["grpc-status"], "16");
    assert_eq!(refused.headers()["grpc-message"], "Access%20denied");
    assert_eq!(counted.load(Ordering::Relaxed), 0);
    let plain = answer(call(Some(&good))).await.unwrap();
    assert!(!plain.headers().contains_key("flwr-oidc-access-token"));
    let renewed = answer(call(Some(&stale))).await.unwrap();
    assert_ne!(renewed.headers()["flwr-oidc-access-token"], stale.access);
    assert_ne!(renewed.headers()["flwr-oidc-refresh-token"], stale.refresh);
    assert_eq!(counted.load(Ordering::Relaxed), 2);
}
