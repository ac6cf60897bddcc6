//! What messages cost. What they do is in the battery of the ports (`host/tests/battery`).

use super::*;

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
    let asked: Vec<_> = mails.iter().map(|mail| Some(mail.id())).collect();
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
