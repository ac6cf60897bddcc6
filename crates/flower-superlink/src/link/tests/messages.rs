//! Messages on their way, and calls that wait for them.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_node_that_waits_gets_its_message_when_the_last_object_arrives() {
    let federation = Federation::new();
    let (run, node) = (federation.running().await, federation.node().await);
    let begun = Instant::now();
    let link = Arc::clone(&federation.link);
    let waiting = tokio::spawn(async move { link.claim(node, Duration::MAX).await.unwrap() });
    tokio::time::sleep(Duration::from_secs(5)).await;
    let mail = federation.send(run, node, "model").await;
    assert_eq!(waiting.await.unwrap(), Some(mail.parcel));
    assert_eq!(begun.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_waits_in_vain_is_answered_after_the_hold() {
    let federation = Federation::new();
    let node = federation.node().await;
    let begun = Instant::now();
    assert_eq!(
        federation.link.claim(node, Duration::MAX).await.unwrap(),
        None
    );
    assert_eq!(begun.elapsed().as_secs(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_call_held_for_a_nodes_earlier_life_takes_nothing() {
    let federation = Federation::new();
    let run = federation.running().await;
    let key = PrivateKey::generate().unwrap();
    let link = Arc::clone(&federation.link);
    let register = async || {
        link.register_node(key.public_key(), 30.0, None)
            .await
            .unwrap()
    };
    let node = register().await;
    let mail = federation.send(run, node, "model").await;
    assert_eq!(
        link.claim(node, Duration::MAX).await.unwrap(),
        Some(mail.parcel.clone())
    );
    link.confirm(run, mail.id()).await.unwrap();
    // The process asks for more, and is cut off without a word.
    let held = Arc::clone(&link);
    let lost = tokio::spawn(async move { held.claim(node, Duration::MAX).await.unwrap() });
    tokio::time::sleep(Duration::from_secs(1)).await;

    assert_eq!(register().await, node);
    assert_eq!(lost.await.unwrap(), None);
    let begun = Instant::now();
    assert_eq!(
        link.claim(node, Duration::MAX).await.unwrap(),
        Some(mail.parcel)
    );
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_held_call_ends_when_the_daemon_stops() {
    let federation = Federation::new();
    let (run, node) = (federation.running().await, federation.node().await);
    let mail = federation.send(run, node, "model").await;
    let begun = Instant::now();
    federation.stopper.stop();
    assert_eq!(
        federation
            .link
            .replies(run, &[mail.id()], Duration::MAX)
            .await
            .unwrap(),
        []
    );
    assert!(matches!(
        federation.link.next_log(run, Timestamp::ZERO).await,
        Err(Error::Stopping)
    ));
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn replies_that_come_close_together_are_given_together() {
    let federation = Federation::new();
    let run = federation.running().await;
    let (first, second) = (federation.node().await, federation.node().await);
    let asked = [
        federation.send(run, first, "model").await,
        federation.send(run, second, "model").await,
    ];
    let ids = asked.clone().map(|mail| mail.id());
    let link = Arc::clone(&federation.link);
    let waiting =
        tokio::spawn(async move { link.replies(run, &ids, Duration::MAX).await.unwrap() });
    tokio::time::sleep(Duration::from_secs(3)).await;
    federation.answer(run, &asked[0], "one").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    federation.answer(run, &asked[1], "two").await;
    assert_eq!(waiting.await.unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_app_that_asks_again_at_once_does_not_wait_long_for_stragglers() {
    let federation = Federation::new();
    let run = federation.running().await;
    let (quick, slow) = (federation.node().await, federation.node().await);
    let asked = [
        federation.send(run, quick, "model").await,
        federation.send(run, slow, "model").await,
    ];
    let answer = federation.answer(run, &asked[0], "one").await;
    let ids = asked.map(|mail| mail.id());
    // What a sleeping app would lose anyway; one that comes back at once; one that slept again.
    for (pause, lingered) in [(0, 3000), (0, 200), (3, 3000), (0, 200)] {
        tokio::time::sleep(Duration::from_secs(pause)).await;
        let begun = Instant::now();
        let replies = federation
            .link
            .replies(run, &ids, Duration::MAX)
            .await
            .unwrap();
        assert_eq!(replies, std::slice::from_ref(&answer.parcel));
        assert_eq!(begun.elapsed().as_millis(), lingered);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_node_is_told_while_the_call_is_held() {
    let federation = Federation::new();
    let (run, node) = (federation.running().await, federation.node().await);
    let mail = federation.send(run, node, "model").await;
    // 55 of the 60 seconds for which a heartbeat keeps a node online are over.
    federation.clock.advance(Duration::from_secs(55));
    let (link, id) = (Arc::clone(&federation.link), mail.id());
    let waiting =
        tokio::spawn(async move { link.replies(run, &[id], Duration::MAX).await.unwrap() });
    tokio::time::sleep(Duration::from_secs(1)).await;
    federation.clock.advance(Duration::from_secs(6));
    let replies = waiting.await.unwrap();
    assert_eq!(
        reason(&replies).split(" - ").next(),
        Some(
            "5 Error: Node Unavailable — The destination node failed to report a heartbeat within 2 × its expected interval."
        )
    );
    // It can be pulled and confirmed like any other, and is the same when it is asked for again.
    let again = federation
        .link
        .replies(run, &[mail.id()], Duration::MAX)
        .await
        .unwrap();
    assert_eq!(again, replies);
    let id = replies[0].message.metadata.id;
    assert!(matches!(
        federation.link.pull_object(run, id).await.unwrap(),
        Pulled::There(_)
    ));
    federation.link.confirm(run, id).await.unwrap();
    assert_eq!(
        federation.link.pull_object(run, id).await.unwrap(),
        Pulled::Unknown
    );
}

#[tokio::test(start_paused = true)]
async fn an_instruction_that_is_not_known_is_answered_at_once() {
    let federation = Federation::new();
    let run = federation.running().await;
    let replies = federation
        .link
        .replies(run, &[ObjectId::of(b"nothing")], Duration::MAX)
        .await
        .unwrap();
    assert!(
        reason(&replies).starts_with("3 Error: Message Unavailable"),
        "{replies:?}"
    );
    let id = replies[0].message.metadata.id;
    assert!(matches!(
        federation.link.pull_object(run, id).await.unwrap(),
        Pulled::There(_)
    ));
}

#[tokio::test(start_paused = true)]
async fn a_call_held_for_a_stopped_run_is_refused_at_once() {
    let federation = Federation::new();
    let (run, node) = (federation.running().await, federation.node().await);
    let mail = federation.send(run, node, "model").await;
    let begun = Instant::now();
    let (link, id) = (Arc::clone(&federation.link), mail.id());
    let waiting = tokio::spawn(async move { link.replies(run, &[id], Duration::MAX).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    federation.link.stop_run(run).await.unwrap();
    let refused = waiting.await.unwrap().unwrap_err();
    let phase = Phase::Finished(Outcome::Stopped);
    let expected = Refusal::RunIs { run, phase };
    assert!(matches!(refused, Error::Refused(refusal) if refusal == expected));
    assert_eq!(begun.elapsed().as_secs(), 1);
    assert!(matches!(
        federation.link.stop_run(run).await,
        Err(Error::Refused(Refusal::AlreadyFinished(_)))
    ));
}

#[tokio::test(start_paused = true)]
async fn a_caller_with_less_patience_is_answered_sooner() {
    let federation = Federation::new();
    let (run, node) = (federation.running().await, federation.node().await);
    let asked = Instant::now();
    let patience = Duration::from_secs(3);
    let link = &federation.link;
    assert_eq!(link.claim(node, patience).await.unwrap(), None);
    assert_eq!(asked.elapsed().as_secs(), 3);
    let mail = federation.send(run, node, "model").await;
    let replies = link.replies(run, &[mail.id()], patience).await.unwrap();
    assert_eq!(replies, []);
    assert_eq!(asked.elapsed().as_secs(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_broadcast_costs_a_look_up_for_each_reply_and_not_for_each_pair() {
    const NODES: usize = 60;
    let state = Arc::new(MemoryState::default());
    let federation = Federation::over(Arc::clone(&state) as Arc<dyn LinkState>, None);
    let run = federation.running().await;
    let mut mails = Vec::new();
    for node in 0..NODES {
        let node_id = federation.node().await;
        mails.push(federation.send(run, node_id, &node.to_string()).await);
    }
    let asked: Vec<_> = mails
        .iter()
        .map(|mail| mail.parcel.message.metadata.id)
        .collect();
    let link = Arc::clone(&federation.link);
    let asking = tokio::spawn(async move { link.replies(run, &asked, Duration::MAX).await });
    for mail in &mails {
        // The one that asks has looked, and waits again.
        tokio::time::sleep(Duration::from_millis(1)).await;
        federation.answer(run, mail, "done").await;
    }
    let replies = asking.await.unwrap().unwrap();
    assert_eq!(replies.len(), NODES);
    let looked_up = state.looked_up();
    assert!(
        looked_up <= 2 * NODES,
        "{looked_up} look-ups for {NODES} replies"
    );
}
