//! What a ClientApp gets and what it may give back.

use std::future::ready;
use std::time::Duration;

use tokio::time::timeout;

use super::*;

/// More than an object whose hash is computed beside the calls.
const LARGE: usize = 1024 * 1024;

#[tokio::test]
async fn a_message_goes_to_the_clientapp_and_its_reply_to_the_outbox() {
    let scene = Scene::new();
    let (job, token) = (&scene.job, scene.token().await);
    let request = proto::PullAppInputsRequest {
        token: token.clone(),
    };
    let inputs: Answer<proto::PullAppInputsResponse> =
        scene.call("PullClientAppInputs", request).await;
    let fab = proto::Fab {
        hash_str: bundle().hash,
        content: bundle().bytes,
        ..proto::Fab::default()
    };
    let expected = proto::PullAppInputsResponse {
        context: Some(context().into()),
        run: Some(run().into()),
        fab: Some(fab),
    };
    assert_eq!(inputs, Ok(expected));
    let request = proto::PullAppMessagesRequest {
        token: token.clone(),
        ..Default::default()
    };
    let pulled: Answer<proto::PullAppMessagesResponse> = scene.call("PullMessage", request).await;
    let expected = proto::PullAppMessagesResponse {
        messages_list: vec![job.inbox.message.clone().into()],
        message_object_trees: vec![job.inbox.tree.clone().into()],
    };
    assert_eq!(pulled, Ok(expected));

    let (parcel, objects) = reply(job, b"{}");
    let missing = scene.push_message(&token, vec![parcel.clone()]).await;
    assert_eq!(missing.unwrap().len(), objects.len());
    for Object { id, bytes } in objects {
        assert_eq!(scene.push_object(id, bytes).await, Ok(true));
    }
    scene.push_outputs(&token, 0).await.unwrap();
    let taken = job.outbox.take_reply().unwrap();
    assert_eq!((taken.message, taken.tree), (parcel.message, parcel.tree));
    assert_eq!(job.outbox.take_context(), Some(context()));
}

#[tokio::test]
async fn objects_are_freed_when_their_own_message_is_confirmed() {
    let scene = Scene::new();
    let token = scene.token().await;
    scene.show(&token).await;
    for (message, is_there) in [
        (ObjectId::of(b"other"), true),
        (scene.job.inbox.tree.id, false),
    ] {
        let request = proto::ConfirmMessageReceivedRequest {
            node: Some(NODE.into()),
            run_id: RUN.0,
            message_object_id: message.to_string(),
        };
        let confirmed: Answer<proto::ConfirmMessageReceivedResponse> =
            scene.call("ConfirmMessageReceived", request).await;
        confirmed.unwrap();
        assert_eq!(scene.pull_object(RUN.0, NODE).await, Ok(is_there));
    }
}

#[tokio::test]
async fn a_request_without_one_good_reply_is_refused() {
    let scene = Scene::new();
    let token = scene.token().await;
    let (good, _) = reply(&scene.job, b"{}");
    let refused = async |parcels| {
        let (code, text) = scene.push_message(&token, parcels).await.unwrap_err();
        assert_eq!(code, Code::InvalidArgument, "{text}");
        text
    };
    let none = refused(Vec::new()).await;
    assert!(none.contains("`messages_list`"), "{none}");
    let two = refused(vec![good.clone(); 2]).await;
    assert!(two.contains("one reply, not with 2"), "{two}");
    let mut malformed = good.clone();
    malformed.message.metadata.message_type = "nonsense".to_owned();
    let malformed = refused(vec![malformed]).await;
    assert!(malformed.contains("`metadata.message_type`"), "{malformed}");
    let mut other = good.clone();
    other.message.metadata.run = RunId(OTHER_RUN);
    let other = refused(vec![other]).await;
    assert!(other.contains("of run 8, not of run 7"), "{other}");

    let mut treeless = push_message(&token, vec![good.clone()]);
    treeless.message_object_trees.clear();
    let mut garbled = push_message(&token, vec![good.clone()]);
    garbled.message_object_trees[0].object_id = "xyz".to_owned();
    for request in [treeless, garbled] {
        let answer: Answer<proto::PushAppMessagesResponse> =
            scene.call("PushMessage", request).await;
        assert_eq!(answer.unwrap_err().0, Code::InvalidArgument);
    }
    scene.push_message(&token, vec![good]).await.unwrap();
    let (second, _) = reply(&scene.job, b"{ }");
    let (code, _) = scene.push_message(&token, vec![second]).await.unwrap_err();
    assert_eq!(code, Code::FailedPrecondition);
}

#[tokio::test]
async fn bytes_that_are_not_what_they_are_called_are_not_stored() {
    let scene = Scene::new();
    let token = scene.token().await;
    scene.show(&token).await;
    let (parcel, [object, content]) = reply(&scene.job, b"{}");
    let bytes = object.bytes.clone();
    let unannounced = scene.push_object(object.id, bytes.clone()).await;
    assert_eq!(unannounced, Ok(false));
    scene.push_message(&token, vec![parcel]).await.unwrap();
    assert_eq!(scene.push_object(content.id, bytes).await, Ok(false));
    let garbage = Bytes::from_static(b"garbage");
    let id = ObjectId::of(&garbage);
    let (code, text) = scene.push_object(id, garbage).await.unwrap_err();
    assert_eq!(code, Code::FailedPrecondition);
    let expected = format!("Object with ID '{id}' has an unexpected structure. ");
    assert!(text.starts_with(&expected), "{text}");
    let (code, _) = scene.pull_object_named("xyz").await.unwrap_err();
    assert_eq!(code, Code::InvalidArgument);
}

#[tokio::test]
async fn an_object_is_stored_although_its_caller_goes_away() {
    let scene = Scene::new();
    let token = scene.token().await;
    let (parcel, [object, content]) = reply(&scene.job, &vec![b' '; LARGE]);
    scene.push_message(&token, vec![parcel]).await.unwrap();
    assert_eq!(scene.push_object(object.id, object.bytes).await, Ok(true));
    tokio::select! {
        biased;
        answer = scene.push_object(content.id, content.bytes) => panic!("at once: {answer:?}"),
        () = ready(()) => {}
    }
    let stored = scene.job.outbox.until(|progress| progress.is_answered);
    timeout(Duration::from_secs(30), stored).await.unwrap();
}
