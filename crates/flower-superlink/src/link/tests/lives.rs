//! The life of nodes, also where two SuperLinks have one state.

use super::*;
use crate::link::state::Enrolment;

const DAY: Duration = Duration::from_secs(86_400);

#[tokio::test(start_paused = true)]
async fn a_node_that_says_goodbye_frees_its_key_and_is_forgotten_after_a_day() {
    let federation = Federation::new();
    let link = &federation.link;
    let key = PrivateKey::generate().unwrap();
    let register = async || link.take_in(key.public_key(), 30.0, None).await;
    let first = register().await.unwrap();
    let run = federation.running().await;
    federation.send(run, first, "model").await;
    let claimed = link.claim(first, Duration::ZERO).await;
    assert!(claimed.unwrap().is_some(), "it is of use");
    link.stop_run(run).await.unwrap();
    link.remove_node(first).await.unwrap();
    link.remove_node(first).await.unwrap();
    assert!(link.known_nodes().await.unwrap().is_empty());
    assert_eq!(link.node_of_key(key.public_key()).await.unwrap(), None);
    let second = register().await.unwrap();
    assert_ne!(first, second);
    let known = async || {
        let nodes = link.state.nodes().await.unwrap();
        nodes.into_iter().map(|node| node.id).collect::<Vec<_>>()
    };
    federation.clock.advance(DAY / 2);
    // Its key is listed, but it is another node's by now.
    link.forget_lost_nodes(|_| true, |_| false).await.unwrap();
    assert_eq!(known().await.len(), 2);
    federation.clock.advance(DAY);
    link.forget_lost_nodes(|_| true, |_| false).await.unwrap();
    assert_eq!(known().await, [second]);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_an_account_registered_goes_offline_and_keeps_its_id() {
    let federation = Federation::new();
    let link = &federation.link;
    let key = PrivateKey::generate().unwrap();
    let enrolment = Enrolment {
        key: key.public_key().clone(),
        owner: "alice-1".to_owned(),
        name: None,
        location: None,
    };
    let enrolled = link.state.enroll_node(&enrolment, NodeId(7), NOON);
    assert_eq!(enrolled.await.unwrap().0, NodeId(7));
    let register = async || link.take_in(key.public_key(), 30.0, None).await;
    assert_eq!(register().await.unwrap(), NodeId(7));
    link.remove_node(NodeId(7)).await.unwrap();
    let run = federation.running().await;
    assert_eq!(link.nodes(run).await.unwrap(), []);
    assert_eq!(link.known_nodes().await.unwrap().len(), 1);
    assert_eq!(register().await.unwrap(), NodeId(7));
    assert_eq!(link.nodes(run).await.unwrap(), [NodeId(7)]);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_dismissed_is_cut_off_and_its_key_gets_another_id() {
    let federation = Federation::new();
    let link = &federation.link;
    let key = PrivateKey::generate().unwrap();
    let nobody = Principal::Anybody;
    let enroll = async || {
        let node = link.enroll(key.public_key(), &nobody, Label::default());
        node.await
    };
    let node = enroll().await.unwrap();
    let twice = enroll().await.unwrap_err();
    assert!(matches!(twice, Error::Refused(Refusal::KeyInUse)));
    let run = federation.running().await;
    assert_eq!(link.nodes(run).await.unwrap(), [], "it has not come");
    let came = link.take_in(key.public_key(), 30.0, None).await;
    assert_eq!(came.unwrap(), node);
    let begun = Instant::now();
    let held = link.claim(node, Duration::from_secs(20));
    let dismissal = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(link.held_calls(node), 1);
        link.dismiss(node, &nobody).await.unwrap();
    };
    let (held, ()) = tokio::join!(held, dismissal);
    assert!(!matches!(held, Ok(Some(_))));
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "the held call ends at once"
    );
    assert_eq!(link.nodes(run).await.unwrap(), []);
    assert_eq!(link.node_of_key(key.public_key()).await.unwrap(), None);
    let again = link.dismiss(node, &nobody).await.unwrap_err();
    assert!(matches!(again, Error::Refused(Refusal::NodeNotFound(gone)) if gone == node));
    assert_ne!(enroll().await.unwrap(), node);
}

#[tokio::test(start_paused = true)]
async fn a_node_is_served_in_its_latest_session_whichever_superlink_holds_its_calls() {
    let state = Arc::new(MemoryState::default());
    let [here, there] = [0, 1].map(|_| Federation::over(Arc::clone(&state) as _, None));
    let key = PrivateKey::generate().unwrap();
    let register = async |link: &Link| {
        let node = link.take_in(key.public_key(), 30.0, None).await;
        node.unwrap()
    };
    let node = register(&here.link).await;
    let run = there.running().await;
    let patience = Duration::from_secs(5);
    let held = here.link.claim(node, patience);
    let elsewhere = async {
        // The call is held here when the node comes to the other SuperLink.
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(register(&there.link).await, node);
        let mail = there.send(run, node, "model").await;
        // Whoever made the call here is gone, and is woken too late.
        here.link.hear(node);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let taken = there.link.claim(node, patience).await.unwrap();
        assert_eq!(taken.unwrap().message.metadata.id, mail.id());
    };
    let (held, ()) = tokio::join!(held, elsewhere);
    assert_eq!(held.unwrap(), None);
}

/// The reason of the error reply to a message, once there is one.
async fn reason(link: &Link, run: RunId, asked: &Mail) -> Option<String> {
    let asked = [asked.id()];
    let replies = link
        .replies(run, &asked.map(Some), Duration::ZERO)
        .await
        .unwrap();
    match &replies.first()?.message.body {
        Body::Error { reason, .. } => Some(reason.clone()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_leaves_with_a_message_in_hand_finds_it_when_it_returns() {
    let federation = Federation::new();
    let link = &federation.link;
    let key = PrivateKey::generate().unwrap();
    let register = async || link.take_in(key.public_key(), 30.0, None).await;
    let run = federation.running().await;
    let node = register().await.unwrap();
    let sent = federation.send(run, node, "work").await;
    let claim = async || link.claim(node, Duration::ZERO).await.unwrap();
    assert_eq!(claim().await.unwrap().message.metadata.id, sent.id());
    link.confirm(run, sent.id()).await.unwrap();

    link.remove_node(node).await.unwrap();
    assert_eq!(link.nodes(run).await.unwrap(), [], "it is not there");
    federation.clock.advance(Duration::from_secs(59));
    assert_eq!(reason(link, run, &sent).await, None, "it may return");
    assert_eq!(register().await.unwrap(), node);
    assert_eq!(claim().await.unwrap().message.metadata.id, sent.id());

    // It does not return in time.
    link.remove_node(node).await.unwrap();
    federation.clock.advance(Duration::from_secs(61));
    let reason = reason(link, run, &sent).await.unwrap();
    assert!(reason.contains("left"), "{reason}");
    let log = link.state.log_after(run, NOON, usize::MAX).await.unwrap();
    let log: String = log.into_iter().map(|entry| entry.text).collect();
    assert!(log.contains(&format!("{node} left")), "{log}");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_falls_silent_is_told_from_one_that_left() {
    let federation = Federation::new();
    let run = federation.running().await;
    let node = federation.node().await;
    let sent = federation.send(run, node, "work").await;
    federation.clock.advance(Duration::from_secs(61));
    let reason = reason(&federation.link, run, &sent).await.unwrap();
    assert!(reason.contains("failed to report a heartbeat"), "{reason}");
}
