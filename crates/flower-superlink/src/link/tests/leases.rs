//! Signs of life of nodes and runs: under a clock that is set, and under a key that two SuperNodes
//! share.

use std::collections::VecDeque;

use super::*;

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
