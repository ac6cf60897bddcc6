//! A node that ends before its reply is pushed, and comes back over the same files.

use flwr_daemon::stop::Stopper;
use tempfile::TempDir;

use super::*;

/// A node that keeps what it must not lose in `dir`.
pub(crate) async fn node(fleet: &FakeFleet, address: &str, dir: &TempDir) -> SuperNode {
    let config = Config {
        store: Some(dir.path().join("node")),
        ..config(address, Trust::Plaintext)
    };
    let before = fleet.change(|world| world.created);
    let node = SuperNode::bind(config).await.unwrap();
    let registered = |world: &fleet::World| (world.created > before).then_some(());
    fleet.until(registered).await;
    node
}

pub(crate) fn files(dir: &TempDir, shelf: &str) -> usize {
    fs::read_dir(dir.path().join("node").join(shelf)).map_or(0, Iterator::count)
}

#[tokio::test]
async fn a_finished_reply_is_pushed_by_the_next_process_of_its_node() {
    let (fleet, superlink, address) = FakeFleet::in_plaintext().await;
    let kept = tempfile::tempdir().unwrap();
    fleet.change(|world| world.is_full = true);
    let message = fleet.hand_out(NODE, 3600.0);
    let mut scene = Scene {
        node: node(&fleet, &address, &kept).await,
        fleet: fleet.clone(),
        dir: tempfile::tempdir().unwrap(),
        _superlink: superlink,
    };
    let state = seen();
    work(&scene, &scene.token().await, Some(state.clone())).await;
    fleet
        .until(|world| (world.turned_away > 0).then_some(()))
        .await;
    assert_eq!(files(&kept, "outbox"), 1);

    // Its process ends without a goodbye. Nobody is there to run an app for the next one.
    scene.node = node(&fleet, &address, &kept).await;
    fleet.hand_out_again();
    fleet.change(|world| world.is_full = false);
    let reply = scene.first_reply().await.metadata.unwrap();
    assert_eq!(reply.reply_to_message_id, message.to_string());
    fleet
        .until(|world| (world.pushed.len() == 2).then_some(()))
        .await;

    // What the app left of its state is there, too.
    fleet.hand_out(NODE, 3600.0);
    let context = work(&scene, &scene.token().await, None).await;
    assert_eq!(context.state, Some(state));
    fleet
        .until(|world| (world.replies.len() == 2).then_some(()))
        .await;
    until(|| files(&kept, "outbox") == 0).await;
    assert_eq!(files(&kept, "context"), 1);
}

/// A node that ended with a finished reply on disk, and the SuperLink's world.
async fn ended_with_a_reply() -> (FakeFleet, String, TempDir, Stopper) {
    let (fleet, superlink, address) = FakeFleet::in_plaintext().await;
    let kept = tempfile::tempdir().unwrap();
    fleet.change(|world| world.is_full = true);
    fleet.hand_out(NODE, 3600.0);
    let scene = Scene {
        node: node(&fleet, &address, &kept).await,
        fleet: fleet.clone(),
        dir: tempfile::tempdir().unwrap(),
        _superlink: superlink.clone(),
    };
    work(&scene, &scene.token().await, Some(seen())).await;
    fleet
        .until(|world| (world.turned_away > 0).then_some(()))
        .await;
    assert_eq!((files(&kept, "outbox"), files(&kept, "context")), (1, 0));
    drop(scene);
    fleet.change(|world| world.is_full = false);
    (fleet, address, kept, superlink)
}

#[tokio::test]
async fn a_reply_whose_objects_are_not_taken_stays_for_the_next_process() {
    let (fleet, superlink, address) = FakeFleet::in_plaintext().await;
    let kept = tempfile::tempdir().unwrap();
    fleet.change(|world| world.forgotten = u32::MAX);
    fleet.hand_out(NODE, 3600.0);
    let mut scene = Scene {
        node: node(&fleet, &address, &kept).await,
        fleet: fleet.clone(),
        dir: tempfile::tempdir().unwrap(),
        _superlink: superlink,
    };
    let token = scene.token().await;
    // A node has given a reply up for now when it asks for a message.
    let asks_again = || {
        let before = fleet.change(|world| world.pulls);
        move |world: &fleet::World| (world.pulls > before).then_some(())
    };
    let is_given_up = asks_again();
    work(&scene, &token, Some(seen())).await;
    fleet.until(is_given_up).await;
    assert_eq!((files(&kept, "outbox"), files(&kept, "context")), (1, 0));

    // The next process has no more luck at its start. A SuperLink of pip's does not offer the message
    // again: the process pushes the reply all the same.
    let is_given_up = asks_again();
    scene.node = node(&fleet, &address, &kept).await;
    fleet.until(is_given_up).await;
    assert_eq!(files(&kept, "outbox"), 1);
    fleet.change(|world| world.forgotten = 0);
    let is_whole = |world: &fleet::World| (world.pushed.len() == 2).then_some(());
    fleet.until(is_whole).await;
    until(|| files(&kept, "outbox") == 0 && files(&kept, "context") == 1).await;
    let worked = fleet.change(|world| world.confirmed.len());
    assert_eq!(worked, 1, "no ClientApp was asked again");
}

#[tokio::test]
async fn the_context_of_a_reply_counts_though_the_superlink_offers_its_message_no_more() {
    let (fleet, address, kept, superlink) = ended_with_a_reply().await;
    // The SuperLink had taken the reply just before the node ended: it offers another message.
    fleet.hand_out(NODE, 3600.0);
    let scene = Scene {
        node: node(&fleet, &address, &kept).await,
        fleet: fleet.clone(),
        dir: tempfile::tempdir().unwrap(),
        _superlink: superlink,
    };
    let context = work(&scene, &scene.token().await, None).await;
    assert_eq!(context.state, Some(seen()));
    until(|| files(&kept, "outbox") == 0).await;
}

#[tokio::test]
async fn what_is_kept_of_a_run_goes_when_the_run_has_ended_meanwhile() {
    let (fleet, address, kept, _superlink) = ended_with_a_reply().await;
    let _node = node(&fleet, &address, &kept).await;
    until(|| files(&kept, "context") > 0 && files(&kept, "outbox") == 0).await;
    drop(_node);
    // No message of the run comes any more.
    fleet.change(|world| world.run_is_over = true);
    let _node = node(&fleet, &address, &kept).await;
    until(|| files(&kept, "context") == 0).await;

    let (fleet, address, kept, _superlink) = ended_with_a_reply().await;
    fleet.change(|world| world.run_is_over = true);
    let _node = node(&fleet, &address, &kept).await;
    until(|| files(&kept, "outbox") == 0).await;
    assert!(fleet.change(|world| world.replies.is_empty()));
}
