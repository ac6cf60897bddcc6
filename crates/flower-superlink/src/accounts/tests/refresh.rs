//! New tokens for old.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use super::*;

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
async fn a_refresh_whose_caller_goes_away_is_completed_for_the_next_caller() {
    let office = Office::new();
    let stale = office.stale(&alice());
    {
        let mut call = pin!(office.admit(&stale));
        let waits = poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx).is_pending()));
        assert!(waits.await, "the provider is asked for its keys");
    }
    let known = office.login(&alice()).await.unwrap();
    assert_eq!(office.admit(&known).await.unwrap().fresh, None);
    {
        let mut call = pin!(office.admit(&stale));
        let waits = poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx).is_pending()));
        assert!(waits.await, "the provider is asked for new tokens");
    }
    assert!(office.admit(&stale).await.unwrap().fresh.is_some());
    assert_eq!(office.fake.state().refreshes, 1);
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
            Refusal::NotSignedIn.into(),
            "{access}"
        );
    }
    let nobody = office
        .accounts
        .admit(None, Some(&refresh))
        .await
        .unwrap_err();
    assert_eq!(nobody.why, Refusal::NotSignedIn.into());
    assert_eq!(office.fake.state().refreshes, 0);
}

#[tokio::test]
async fn a_refresh_token_that_is_spent_or_of_another_is_refused() {
    let office = Office::new();
    let stale = office.stale(&alice());
    assert_eq!(
        office.denied(&stale.access, "spent").await,
        Refusal::NotSignedIn.into()
    );
    let another = office.fake.refresh_token(&Person::named("root"));
    assert_eq!(
        office.denied(&stale.access, &another).await,
        Refusal::NotSignedIn.into()
    );
    let without = office.accounts.admit(Some(&stale.access), None).await;
    assert_eq!(without.unwrap_err().why, Refusal::NotSignedIn.into());
}

#[tokio::test]
async fn a_provider_that_is_away_spends_no_refresh_token() {
    let office = Office::new();
    office.accounts.provider.fetch().await.unwrap();
    let stale = office.stale(&alice());
    office.fake.state().mood = Mood::Broken;
    assert_eq!(office.denied(&stale.access, &stale.refresh).await, away());
    office.fake.state().mood = Mood::Fine;
    assert!(office.admit(&stale).await.unwrap().fresh.is_some());
}
