//! Signs of life of nodes and runs: under a clock that is set, and under a key that two SuperNodes
//! share.

use std::collections::VecDeque;

use super::*;
use crate::link::state::APP_FIRST_CONTACT;

/// What a node is told of once: `calls` SuperNodes make their calls side by side for two minutes.
async fn told_of_calls(calls: usize) -> usize {
    let federation = Federation::new();
    let node = federation.node().await;
    let connections = &federation.link.connections;
    let hold = Duration::from_secs(20);
    let mut told = 0;
    let mut held = VecDeque::new();
    for _ in 0..6 * calls {
        if held.len() == calls {
            held.pop_front();
        }
        let (call, is_shared) = connections.hold(node, 1, 2 * hold);
        held.push_back(call);
        told += usize::from(is_shared);
        tokio::time::sleep(hold / u32::try_from(calls).unwrap()).await;
    }
    told
}

#[tokio::test(start_paused = true)]
async fn two_supernodes_with_one_key_are_told_once() {
    assert_eq!(told_of_calls(2).await, 1);
}

/// The session of the key's first SuperNode ends as the second registers, and with the session the
/// first one's call: both then begin anew in the same moment.
#[tokio::test(start_paused = true)]
async fn two_supernodes_in_step_are_told_too() {
    let federation = Federation::new();
    let (node, hold) = (federation.node().await, Duration::from_secs(1));
    let connections = &federation.link.connections;
    let mut told = 0;
    for _ in 0..5 {
        let both = [1, 2].map(|_| connections.hold(node, 1, 2 * hold));
        told += both.iter().filter(|(_, is_shared)| *is_shared).count();
        tokio::time::sleep(hold).await;
    }
    assert_eq!(told, 1);
}

#[tokio::test(start_paused = true)]
async fn one_supernode_is_not_taken_for_two() {
    assert_eq!(told_of_calls(1).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_connection_was_lost_does_not_make_a_second_supernode() {
    let federation = Federation::new();
    let node = federation.node().await;
    let connections = &federation.link.connections;
    let hold = Duration::from_secs(20);
    for _ in 0..10 {
        let (lost, is_shared) = connections.hold(node, 1, 2 * hold);
        assert!(!is_shared);
        tokio::time::sleep(hold / 2).await;
        let (next, is_shared) = connections.hold(node, 1, 2 * hold);
        assert!(!is_shared);
        tokio::time::sleep(hold / 2).await;
        drop(lost);
        tokio::time::sleep(hold / 2).await;
        drop(next);
    }
    // A call of an earlier session ends after the node has left and come back.
    let (call, _) = connections.hold(node, 1, hold);
    federation.link.remove_node(node).await.unwrap();
    drop(call);
    let (_held, is_shared) = connections.hold(node, 1, hold);
    assert!(!is_shared);
}

#[tokio::test]
async fn a_clock_that_is_set_loses_no_node_and_no_run() {
    for step in [3600.0, -3600.0] {
        let federation = Federation::new();
        let (run, node) = (federation.running().await, federation.node().await);
        assert!(federation.link.app_lives(run, 30.0).await.unwrap());
        federation.clock.advance(Duration::from_secs(59));
        federation.clock.set(federation.clock.now() + step);
        federation.link.expire().await.unwrap();
        assert_eq!(federation.link.nodes(run).await.unwrap(), [node]);

        // Without a sign of life both are lost when they would have been.
        federation.clock.advance(Duration::from_secs(2));
        assert_eq!(federation.link.nodes(run).await.unwrap(), []);
        federation.link.expire().await.unwrap();
        let status = federation.link.known_run(run).await.unwrap().status;
        assert_eq!(status.phase, Phase::Finished(Outcome::Failed));
    }
}

#[tokio::test]
async fn a_superlink_that_was_stopped_loses_no_node_and_no_run_and_says_so() {
    let federation = Federation::new();
    let link = &federation.link;
    let (run, node) = (federation.running().await, federation.node().await);
    assert!(link.app_lives(run, 30.0).await.unwrap());
    federation.clock.advance(Duration::from_secs(40));
    link.watch_clock();
    federation.clock.advance(Duration::from_secs(70));
    // The first to look after the pause is whoever waits for the reply, or for the node.
    assert_eq!(link.nodes(run).await.unwrap(), [node]);
    link.expire().await.unwrap();
    let phase = async || link.known_run(run).await.unwrap().status.phase;
    assert_eq!(phase().await, Phase::Running);
    let log = async || {
        let entries = link.state.log_after(run, NOON, usize::MAX).await.unwrap();
        entries
            .into_iter()
            .map(|entry| entry.text)
            .collect::<String>()
    };
    let told = "[SuperLink] Note: the SuperLink did not run for 70 s";
    assert!(log().await.contains(told), "{}", log().await);

    // What each had left before the pause is all that it has.
    federation.clock.advance(Duration::from_secs(4));
    link.watch_clock();
    federation.clock.advance(Duration::from_secs(4));
    link.watch_clock();
    for _ in 0..7 {
        federation.clock.advance(Duration::from_secs(2));
        link.watch_clock();
    }
    assert_eq!(link.nodes(run).await.unwrap(), []);
    link.expire().await.unwrap();
    assert_eq!(phase().await, Phase::Finished(Outcome::Failed));
    let log = log().await;
    assert!(log.contains("No heartbeat received from the run."), "{log}");
    assert_eq!(log.matches("did not run").count(), 1, "{log}");
}

#[tokio::test]
async fn a_token_that_was_given_before_the_clock_was_set_keeps_its_time() {
    let dir = tempfile::tempdir().unwrap();
    let durable = crate::store::SqliteState::open(&dir.path().join("state.db"), NOON).unwrap();
    for state in [
        Arc::new(MemoryState::default()) as Arc<dyn LinkState>,
        Arc::new(durable),
    ] {
        let federation = Federation::over(state, None);
        let link = &federation.link;
        let run = link.start_run(bundle(), UserConfig::new(), &Principal::Anybody);
        let run = run.await.unwrap();
        let token = link.issue_token(run).await.unwrap().unwrap();
        federation.clock.set(NOON + 2.0 * APP_FIRST_CONTACT);
        link.expire().await.unwrap();
        let almost = Duration::from_secs_f64(APP_FIRST_CONTACT - 20.0);
        federation.clock.advance(almost);
        link.expire().await.unwrap();
        assert_eq!(link.run_of_token(token.as_str()).await.unwrap(), run);
        federation.clock.advance(Duration::from_secs(30));
        link.expire().await.unwrap();
        assert!(link.run_of_token(token.as_str()).await.is_err());
    }
}
