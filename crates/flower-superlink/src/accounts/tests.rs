//! The office of the tests: accounts, and a provider that runs. Calls; logins and refreshes below.

use std::fs;

use flwr_daemon::clock::{MockClock, SystemClock};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::fake::{self, CLIENT, Key, Mood, Person, SECRET};
use super::*;

mod login;
mod refresh;

/// Accounts, their provider, and the folder with their file.
pub(crate) struct Office {
    pub(crate) fake: fake::Provider,
    pub(crate) accounts: Accounts,
    pub(crate) clock: Arc<MockClock>,
    folder: TempDir,
}

const LISTED: &str = "allow = [\"sub:alice-1\", \"group:flower\"]\nadmins = [\"sub:root-1\"]\n";

impl Office {
    pub(crate) fn new() -> Self {
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
    pub(crate) async fn login(&self, person: &Person) -> Result<control::Tokens, Failure> {
        let login = self.accounts.begin_login(None).await.unwrap();
        self.fake.approve(person);
        self.pass(1);
        let pair = self.accounts.poll_login(&login.device_code).await?;
        Ok(pair.expect("approved"))
    }

    /// The accounts of another SuperLink, with the same file.
    pub(crate) fn beside(&self) -> Accounts {
        let file = self.folder.path().join("accounts.toml");
        let clock = Arc::<MockClock>::clone(&self.clock);
        Accounts::load(&file, Proxies::default(), clock).unwrap()
    }

    async fn admit(&self, pair: &control::Tokens) -> Result<Admitted, Turned> {
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
    pub(crate) fn stale(&self, person: &Person) -> control::Tokens {
        let mut claims = self.fake.claims(person);
        claims["exp"] = json!(fake::now() - 1000);
        control::Tokens {
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
