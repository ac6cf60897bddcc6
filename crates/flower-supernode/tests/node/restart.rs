//! A node that ends before its reply is pushed, and comes back over the same files.

use flwr_daemon::listen::Security;
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
    let (fleet, superlink) = (FakeFleet::new(), Stopper::new());
    let address = fleet
        .serve(Security::Plaintext, &superlink)
        .await
        .to_string();
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
    while files(&kept, "outbox") > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(files(&kept, "context"), 1);
}
