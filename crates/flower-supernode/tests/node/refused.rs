//! A SuperLink that refuses a finished reply for a while.

use super::*;

/// The calls that are refused before a message is given up.
const FEW: u32 = 4;

/// Has a message worked on while replies are refused with `code` and `text`, until `enough` of them
/// were. Gives the message and the reply that is taken then.
async fn replied_after(
    (code, text): (Code, &'static str),
    enough: u32,
) -> (ObjectId, proto::Message) {
    let scene = scene(None).await;
    let message = scene.fleet.hand_out(NODE, 3600.0);
    let token = scene.token().await;
    scene
        .fleet
        .change(|world| world.refusal = Some((code, text)));
    work(&scene, &token, Some(seen())).await;
    let refused = |world: &fleet::World| (world.turned_away >= enough).then_some(());
    scene.fleet.until(refused).await;
    assert_eq!(scene.fleet.change(|world| world.created), 1);
    scene.fleet.change(|world| world.refusal = None);
    let reply = scene.first_reply().await;
    scene
        .fleet
        .until(|world| (world.pushed.len() == 2).then_some(()))
        .await;
    // The state that the reply left counts.
    scene.fleet.hand_out(NODE, 3600.0);
    let context = work(&scene, &scene.token().await, None).await;
    assert_eq!(context.state, Some(seen()));
    (message, reply)
}

fn assert_is_the_apps(message: ObjectId, reply: proto::Message) {
    assert_eq!(reply.error, None, "the ClientApp's own reply");
    let metadata = reply.metadata.unwrap();
    assert_eq!(metadata.reply_to_message_id, message.to_string());
}

#[tokio::test]
async fn a_node_whose_key_is_off_the_list_for_a_while_keeps_its_finished_reply() {
    let unlisted = (Code::Unauthenticated, "Public key not recognized");
    let (message, reply) = replied_after(unlisted, FEW + 1).await;
    assert_is_the_apps(message, reply);
}

#[tokio::test]
async fn a_message_that_was_given_up_is_tried_again_with_the_reply_that_is_finished() {
    // The reply is refused often enough, and so is the error in its place.
    let refused = (Code::InvalidArgument, "no");
    let (message, reply) = replied_after(refused, 2 * FEW).await;
    assert_is_the_apps(message, reply);
}

/// The node registers between the announcement of its reply and the reply's objects: by that, a
/// SuperLink of ours forgets the announcement, and offers the message again.
#[tokio::test]
async fn a_reply_whose_announcement_was_forgotten_is_announced_again() {
    let scene = scene(None).await;
    scene.fleet.change(|world| world.forgotten = 1);
    let message = scene.fleet.hand_out(NODE, 3600.0);
    work(&scene, &scene.token().await, Some(seen())).await;
    let whole = |world: &fleet::World| (world.pushed.len() == 2).then(|| world.replies.clone());
    let mut announced = scene.fleet.until(whole).await;
    assert_eq!(announced.len(), 2);
    assert_eq!(announced[0], announced[1]);
    assert_is_the_apps(message, announced.remove(0));
}

/// The SuperLink refuses the two objects of the reply after each of the first announcements.
#[tokio::test]
async fn a_reply_whose_objects_are_not_taken_is_kept_and_pushed_later() {
    let scene = scene(None).await;
    scene.fleet.change(|world| world.forgotten = 2 * FEW);
    let message = scene.fleet.hand_out(NODE, 3600.0);
    work(&scene, &scene.token().await, Some(seen())).await;
    let whole = |world: &fleet::World| (world.pushed.len() == 2).then(|| world.replies.clone());
    let announced = scene.fleet.until(whole).await;
    assert_eq!(announced.len(), 5);
    for again in announced {
        assert_is_the_apps(message, again);
    }
    // The state counts, and the ClientApp was not asked for the reply a second time.
    scene.fleet.hand_out(NODE, 3600.0);
    let context = work(&scene, &scene.token().await, None).await;
    assert_eq!(context.state, Some(seen()));
    assert_eq!(scene.fleet.change(|world| world.confirmed.len()), 2);
}

#[tokio::test]
async fn the_state_of_a_reply_that_was_refused_does_not_count() {
    let scene = scene(None).await;
    scene.fleet.hand_out(NODE, 3600.0);
    let token = scene.token().await;
    let over = (Code::PermissionDenied, "Run is finished.");
    scene.fleet.change(|world| world.refusal = Some(over));
    work(&scene, &token, Some(seen())).await;
    let refused = |world: &fleet::World| (world.turned_away >= 1).then_some(());
    scene.fleet.until(refused).await;
    scene.fleet.change(|world| world.refusal = None);
    scene.fleet.hand_out(NODE, 3600.0);
    let context = work(&scene, &scene.token().await, None).await;
    assert_ne!(context.state, Some(seen()));
}
