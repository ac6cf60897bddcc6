//! Nodes that change their keys.

use super::*;

/// What a node sends that changes its key.
pub(super) fn renewal(binding: Binding, old: &PrivateKey, new: &PrivateKey) -> KeyRenewal {
    let (from, to) = (old.public_key(), new.public_key());
    let statement = renew_key_statement(&binding.0, from, to);
    KeyRenewal {
        old_key: from.to_spki().into(),
        new_key: to.to_spki().into(),
        old_proof: old.sign(&statement).unwrap().into(),
        new_proof: new.sign(&statement).unwrap().into(),
        signing_request: Bytes::new(),
    }
}

impl Office {
    async fn renew(&self, old: &PrivateKey, new: &PrivateKey) -> Result<NodeId> {
        let joining = self.joining(Some(at_home(HERE)));
        Ok(joining.renew_key(renewal(HERE, old, new)).await?.node)
    }
}

#[tokio::test]
async fn the_old_key_ends_when_the_new_one_is_used() {
    let office = Office::new();
    let (old, new, token) = (key(), key(), office.token().await);
    let node = office.join(&token, &old).await.unwrap().node;
    office.session(&old).await.activate(30.0).await.unwrap();
    assert_eq!(office.renew(&old, &new).await.unwrap(), node);
    // The answer was lost, and the node asks again.
    assert_eq!(office.renew(&old, &new).await.unwrap(), node);
    let before = office.session(&old).await;
    assert!(before.heartbeat(30.0).await.unwrap());
    let session = office.session(&new).await;
    assert_eq!(session.node(), Some(node));
    assert!(session.heartbeat(30.0).await.unwrap());
    assert_eq!(office.session(&old).await.node(), None);
    let refused = office.renew(&old, &key()).await;
    assert_eq!(refusal(refused), Refusal::NotRegistered);
    // The token that the old key joined with gives nothing any more.
    let refused = office.join(&token, &old).await;
    assert_eq!(refusal(refused), JoinRefusal::Gone.into());
}

#[tokio::test]
async fn a_call_that_is_held_for_the_old_key_ends() {
    let office = Office::new();
    let (old, new, token) = (key(), key(), office.token().await);
    let node = office.join(&token, &old).await.unwrap().node;
    let session = office.session(&old).await;
    session.activate(30.0).await.unwrap();
    office.renew(&old, &new).await.unwrap();
    let held = tokio::spawn(async move { session.pull(Duration::from_secs(3_600)).await });
    let link = office.host.link();
    let is_held = async {
        while link.held_calls(node) == 0 {
            tokio::task::yield_now().await;
        }
    };
    let limit = Duration::from_secs(20);
    tokio::time::timeout(limit, is_held).await.unwrap();
    office.session(&new).await;
    let ended = tokio::time::timeout(limit, held).await.unwrap().unwrap();
    assert!(!matches!(ended, Ok(Some(_))), "{ended:?}");
}

#[tokio::test]
async fn a_change_without_both_proofs_is_refused() {
    let office = Office::new();
    let (old, new, token) = (key(), key(), office.token().await);
    office.join(&token, &old).await.unwrap();
    let good = renewal(HERE, &old, &new);
    let other = renewal(HERE, &key(), &key());
    for wrong in [
        renewal(ELSEWHERE, &old, &new),
        KeyRenewal {
            old_proof: other.old_proof,
            ..good.clone()
        },
        KeyRenewal {
            new_proof: other.new_proof,
            ..good.clone()
        },
    ] {
        let joining = office.joining(Some(at_home(HERE)));
        let refused = joining.renew_key(wrong).await;
        assert_eq!(refusal(refused), JoinRefusal::Proof.into());
    }
    let plaintext = office.joining(None);
    let refused = plaintext.renew_key(good).await;
    assert_eq!(refusal(refused), JoinRefusal::NeedsTls13.into());
    let session = office.session(&new).await;
    assert_eq!(session.node(), None);
}

#[tokio::test]
async fn a_key_of_another_node_is_refused() {
    let office = Office::new();
    let (one, other) = (key(), key());
    for key in [&one, &other] {
        let token = office.token().await;
        office.join(&token, key).await.unwrap();
    }
    let refused = office.renew(&one, &other).await;
    assert_eq!(refusal(refused), Refusal::KeyInUse);
    let stranger = office.renew(&key(), &key()).await;
    assert_eq!(refusal(stranger), Refusal::NotRegistered);
}

#[tokio::test]
async fn a_listed_key_is_changed_in_the_list() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.csv");
    let (old, new) = (key(), key());
    let line = |key: &PublicKey| key.to_openssh();
    std::fs::write(&file, line(old.public_key())).unwrap();
    let list = Arc::new(FromFile::load(&file).unwrap());
    for policy in [
        Policy::Listed(Arc::clone(&list)),
        Policy::ListedOrEnrolled(list),
    ] {
        let office = Office::of(policy);
        let refused = refusal(office.renew(&old, &new).await);
        let expected = JoinRefusal::ListedKey(line(new.public_key()));
        assert_eq!(refused, expected.into());
    }
}
