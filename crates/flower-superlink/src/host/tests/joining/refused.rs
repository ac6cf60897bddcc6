//! Who does not join.

use super::*;

#[tokio::test]
async fn a_token_that_is_used_up_expired_or_revoked_is_refused() {
    let office = Office::new();
    let used = office.token().await;
    office.join(&used, &key()).await.unwrap();
    let refused = office.join(&used, &key()).await;
    assert_eq!(refusal(refused), JoinRefusal::UsedUp.into());

    let revoked = office.token().await;
    let person = office.person().await;
    let id = revoked.id.to_string();
    person.revoke_join_token(&id).await.unwrap();
    let refused = office.join(&revoked, &key()).await;
    assert_eq!(refusal(refused), JoinRefusal::Revoked.into());

    let expired = office.token().await;
    office.clock.advance(Duration::from_secs(3_600));
    let refused = office.join(&expired, &key()).await;
    assert_eq!(refusal(refused), JoinRefusal::Expired.into());
}

#[tokio::test]
async fn an_unknown_token_and_a_wrong_secret_are_refused_alike() {
    let office = Office::new();
    let token = office.token().await;
    let other = office.token().await;
    let wrong = JoinToken {
        secret: other.secret.clone(),
        ..token.clone()
    };
    let unknown = JoinToken::issue(Pin::of_spki(b"x"), token.address.clone()).unwrap();
    for token in [&wrong, &unknown] {
        let refused = office.join(token, &key()).await;
        assert_eq!(refusal(refused), JoinRefusal::UnknownToken.into());
    }
    office.join(&token, &key()).await.unwrap();
}

#[tokio::test]
async fn a_proof_of_another_connection_token_or_key_is_refused() {
    let office = Office::new();
    let (token, key) = (office.token().await, key());
    let other_token = office.token().await;
    let good = attempt(HERE, &token, &key);
    let proof_of = |attempt: JoinAttempt| JoinAttempt {
        proof: attempt.proof,
        ..good.clone()
    };
    for wrong in [
        attempt(ELSEWHERE, &token, &key),
        proof_of(attempt(HERE, &other_token, &key)),
        proof_of(attempt(HERE, &token, &super::key())),
        JoinAttempt {
            proof: Bytes::new(),
            ..good.clone()
        },
    ] {
        let refused = office.joining(Some(at_home(HERE))).join(wrong).await;
        assert_eq!(refusal(refused), JoinRefusal::Proof.into());
    }
    assert_eq!(office.host.link().all_nodes().await.unwrap(), []);
    let joining = office.joining(Some(at_home(HERE)));
    joining.join(good).await.unwrap();
}

#[tokio::test]
async fn without_tls_1_3_nobody_joins() {
    let office = Office::new();
    let (token, key) = (office.token().await, key());
    let plaintext = peer(([127, 0, 0, 1], 50_000).into());
    let earlier = Peer {
        binding: None,
        ..at_home(HERE)
    };
    for peer in [None, Some(plaintext), Some(earlier)] {
        let refused = office.joining(peer).join(attempt(HERE, &token, &key)).await;
        assert_eq!(refusal(refused), JoinRefusal::NeedsTls13.into());
    }
}

#[tokio::test]
async fn a_key_that_is_registered_is_refused() {
    let office = Office::new();
    let (first, second, key) = (office.token().await, office.token().await, key());
    office.join(&first, &key).await.unwrap();
    let refused = office.join(&second, &key).await;
    assert_eq!(refusal(refused), Refusal::KeyInUse);
}

#[tokio::test]
async fn a_node_that_was_unregistered_does_not_come_back_by_its_token() {
    let office = Office::new();
    let (token, key) = (office.token().await, key());
    let node = office.join(&token, &key).await.unwrap().node;
    let principal = crate::link::Principal::Anybody;
    office.host.link().dismiss(node, &principal).await.unwrap();
    let refused = office.join(&token, &key).await;
    assert_eq!(refusal(refused), JoinRefusal::Gone.into());
}

#[tokio::test]
async fn bytes_that_are_no_id_secret_or_key_are_refused() {
    let office = Office::new();
    let (token, key) = (office.token().await, key());
    let good = || attempt(HERE, &token, &key);
    let junk = || Bytes::from_static(b"junk");
    let joining = office.joining(Some(at_home(HERE)));
    for wrong in [
        JoinAttempt {
            token: junk(),
            ..good()
        },
        JoinAttempt {
            secret: junk(),
            ..good()
        },
        JoinAttempt {
            key: junk(),
            ..good()
        },
    ] {
        let refused = refusal(joining.join(wrong).await);
        let is_told = matches!(refused, Refusal::Field { .. } | Refusal::KeyNotValid(_));
        assert!(is_told, "{refused:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn wrong_tries_are_limited_for_their_address_only() {
    let office = Office::new();
    let (token, key) = (office.token().await, key());
    let wrong = JoinToken::issue(Pin::of_spki(b"x"), token.address.clone()).unwrap();
    let guesser = office.joining(Some(over_tls("2001:db8::1", HERE)));
    for _ in 0..10 {
        let refused = guesser.join(attempt(HERE, &wrong, &key)).await;
        assert_eq!(refusal(refused), JoinRefusal::UnknownToken.into());
    }
    // The neighbour in the same network of 64 bits is the same, also with the right token.
    let neighbour = office.joining(Some(over_tls("2001:db8::2", HERE)));
    let stopped = neighbour.join(attempt(HERE, &token, &key)).await;
    let text = "too many wrong tries to join came from this address: try again in 6 s";
    assert_eq!(stopped.unwrap_err(), Failure::TryAgain(text.to_owned()));
    office.join(&token, &key).await.unwrap();
    tokio::time::advance(Duration::from_secs(6)).await;
    neighbour.join(attempt(HERE, &token, &key)).await.unwrap();
}

#[tokio::test]
async fn right_tries_are_not_limited() {
    let office = Office::new();
    let token = office
        .issue(NewJoinToken {
            uses: 40,
            ..new_token()
        })
        .await
        .unwrap();
    for _ in 0..40 {
        office.join(&token, &key()).await.unwrap();
    }
}

#[tokio::test]
async fn where_people_do_not_register_nodes_nobody_joins() {
    let office = Office::of(Policy::AnyKey);
    let refused = office.issue(new_token()).await;
    assert_eq!(refusal(refused), JoinRefusal::NotOffered.into());
    let address: Address = "localhost:9092".parse().unwrap();
    let token = JoinToken::issue(Pin::of_spki(b"x"), address).unwrap();
    let refused = office.join(&token, &key()).await;
    assert_eq!(refusal(refused), JoinRefusal::NotOffered.into());
}
