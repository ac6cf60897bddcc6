//! The office of the tests: accounts, and a provider that runs. Calls; logins and refreshes below.

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

mod login;
mod refresh;

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
    async fn login(&self, person: &Person) -> Result<TokenPair, Failure> {
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

    async fn denied(&self, access: &str, refresh: &str) -> Failure {
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
async fn new_tokens_are_given_also_to_those_who_may_not_come_in() {
    let office = Office::new();
    let turned = office
        .admit(&office.stale(&Person::named("bob")))
        .await
        .unwrap_err();
    assert_eq!(turned.why, Refusal::AccountNotListed.into());
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
        Refusal::AccountNotListed.into()
    );
    write(&office.folder, &office.fake, "");
    assert!(
        office.accounts.renew().is_err(),
        "nobody is let in by mistake"
    );
    assert_eq!(
        office.denied(&pair.access, &pair.refresh).await,
        Refusal::AccountNotListed.into()
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
