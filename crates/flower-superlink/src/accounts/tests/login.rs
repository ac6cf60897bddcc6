//! Logins, from the first call to the tokens.

use super::*;

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
        assert_eq!(poll().await, Err(Refusal::UnknownLogin.into()));
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
    assert_eq!(
        office.login(&bob).await,
        Err(Refusal::AccountNotListed.into())
    );
    let token = office.fake.sign(&office.fake.claims(&bob));
    assert_eq!(
        office.denied(&token, "x").await,
        Refusal::AccountNotListed.into()
    );
}

#[tokio::test]
async fn a_login_that_is_denied_or_takes_too_long_is_over() {
    let office = Office::new();
    for (what, expected) in [
        (
            fake::Provider::deny as fn(&fake::Provider),
            Refusal::LoginDenied.into(),
        ),
        (fake::Provider::forget, Refusal::UnknownLogin.into()),
    ] {
        let login = office.accounts.begin_login(None).await.unwrap();
        what(&office.fake);
        office.pass(1);
        let poll = || office.accounts.poll_login(&login.device_code);
        assert_eq!(poll().await, Err(expected));
        assert_eq!(poll().await, Err(Refusal::UnknownLogin.into()));
    }
    let unknown = office.accounts.poll_login("guess").await;
    assert_eq!(unknown, Err(Refusal::UnknownLogin.into()));
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
        (Mood::Broken, away()),
        (Mood::NoDevices, Refusal::ProviderRefuses.into()),
        (Mood::OtherIssuer, Refusal::ProviderRefuses.into()),
    ] {
        let office = Office::new();
        office.fake.state().mood = mood;
        let begun = office.accounts.begin_login(None).await;
        assert_eq!(begun.err(), Some(expected));
    }
    let office = Office::new();
    office.fake.state().mood = Mood::Broken;
    let token = office.fake.sign(&office.fake.claims(&alice()));
    assert_eq!(office.denied(&token, "x").await, away());
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
        Refusal::NotSignedIn.into()
    );
    assert_eq!(office.fake.state().refreshes, 0);
}

#[tokio::test]
async fn tokens_that_are_of_no_use_end_the_login_with_the_reason() {
    let office = Office::with(&format!("{LISTED}audience = \"flower-api\"\n"));
    let denied = office.login(&alice()).await.unwrap_err();
    assert_eq!(
        denied,
        Refusal::UselessTokens("it is for another audience".to_owned()).into()
    );
    let office = Office::new();
    let long = Person {
        groups: vec!["x".repeat(6000)],
        ..alice()
    };
    let denied = office.login(&long).await.unwrap_err();
    assert!(
        matches!(&denied, Failure::Refused(Refusal::UselessTokens(why)) if why.contains("fit into a call")),
        "{denied}"
    );
}
