//! The ends of an app: its message expires, its run is stopped, the node stops.

use flwr_proto::v1_30;

use super::*;

const SLEEPER: &str = "echo $$ > DIR/pid; trap 'exit 0' TERM; while :; do sleep 0.02; done";

#[tokio::test]
async fn an_app_that_is_still_at_work_when_its_message_expires_is_ended() {
    let scene = scene(Some(SLEEPER)).await;
    scene.fleet.hand_out(NODE, 1.0);
    let pid = scene.pid().await;
    assert!(is_alive(&pid));
    ended(&pid).await;
    fs::remove_file(scene.dir.path().join("pid")).unwrap();
    scene.fleet.hand_out(NODE, 3600.0);
    assert_ne!(scene.pid().await, pid, "the node goes on");
    assert!(scene.fleet.change(|world| world.replies.is_empty()));
}

#[tokio::test]
async fn an_app_whose_run_is_stopped_is_ended() {
    let scene = scene(Some(SLEEPER)).await;
    scene.fleet.hand_out(NODE, 3600.0);
    let pid = scene.pid().await;
    scene.fleet.change(|world| world.run_is_over = true);
    ended(&pid).await;
    fs::remove_file(scene.dir.path().join("pid")).unwrap();
    scene.fleet.change(|world| world.run_is_over = false);
    scene.fleet.hand_out(NODE, 3600.0);
    assert_ne!(scene.pid().await, pid, "the node goes on");
}

#[tokio::test]
async fn the_end_takes_the_app_along_and_says_goodbye() {
    let scene = scene(Some(SLEEPER)).await;
    scene.fleet.hand_out(NODE, 3600.0);
    let pid = scene.pid().await;
    scene.node.shutdown().await;
    assert!(!is_alive(&pid));
    let (deleted, registered) = scene
        .fleet
        .change(|world| (world.deleted, world.registered));
    assert_eq!((deleted, registered), (1, None));
}

#[tokio::test]
async fn a_node_that_is_asked_to_stop_answers_the_message_in_hand_and_takes_no_other() {
    let mut scene = scene(None).await;
    let message = scene.fleet.hand_out(NODE, 3600.0);
    let token = scene.token().await;
    let address = format!("http://{}", scene.node.clientappio_addr());
    let fleet = scene.fleet.clone();
    let worked = async {
        // The node has been asked to stop when the app begins.
        tokio::task::yield_now().await;
        fleet.hand_out(NODE, 3600.0);
        work_at(address, &token, None).await;
    };
    tokio::join!(scene.node.drain(), worked);
    let (replies, registered, deleted) = scene.fleet.change(|world| {
        let replies = world.replies.clone();
        (replies, world.registered, world.deleted)
    });
    let [reply] = &replies[..] else {
        panic!("{replies:?}")
    };
    assert_eq!(reply.error, None);
    let metadata = reply.metadata.clone().unwrap();
    assert_eq!(metadata.reply_to_message_id, message.to_string());
    assert_eq!((registered, deleted), (Some(NODE), 0), "it has not left");
    scene.node.shutdown().await;
    assert_eq!(scene.fleet.change(|world| world.deleted), 1);
}

#[tokio::test]
async fn a_message_that_is_not_answered_in_time_holds_up_no_stop() {
    let mut scene = scene_draining(Some(SLEEPER), Duration::from_millis(50)).await;
    scene.fleet.hand_out(NODE, 3600.0);
    let pid = scene.pid().await;
    scene.node.drain().await;
    assert!(is_alive(&pid), "a stop ends the app, not the wait");
    scene.node.shutdown().await;
    assert!(!is_alive(&pid));
    assert!(scene.fleet.change(|world| world.replies.is_empty()));
}

#[tokio::test]
async fn in_subprocess_isolation_nobody_else_gets_work() {
    let scene = scene(Some(SLEEPER)).await;
    scene.fleet.hand_out(NODE, 3600.0);
    scene.pid().await;
    let mut app = scene.app().await;
    let waiting = app
        .get_run_ids_with_pending_messages(proto::ListAppsToLaunchRequest {})
        .await
        .unwrap();
    assert!(waiting.run_ids.is_empty());
    let token = app
        .request_token(proto::RequestTokenRequest { run_id: RUN.0 })
        .await
        .unwrap();
    assert_eq!(token.token, "");
}

/// Nobody here sees the process of a ClientApp end that somebody else has started.
#[tokio::test]
async fn a_clientapp_that_says_it_failed_without_a_reply_is_an_error_reply() {
    let scene = scene(None).await;
    scene.fleet.hand_out(NODE, 3600.0);
    let token = scene.token().await;
    let output = v1_30::PushTaskOutputRequest {
        sub_status: "failed".to_owned(),
        details: "no module named torch".to_owned(),
        ..v1_30::PushTaskOutputRequest::default()
    };
    let mut app = scene.app().await;
    app.push_task_output(&token, output).await.unwrap();
    let error = scene.first_reply().await.error.unwrap();
    let reason = "the ClientApp failed without a reply: no module named torch";
    assert_eq!(error.reason, reason);
}
