//! Apps of flwr 1.29, which show their token in the metadata of each call too.

use super::*;

/// Makes each call of such an app: those with a field for the token too, in which `within` stands.
async fn calls(scene: &Scene, shown: Shown<'_>, within: &str, run: RunId) -> Vec<Answered> {
    let (token, run_id) = (within.to_owned(), run.0);
    let (message, tree) = message(run);
    let push = proto::PushAppMessagesRequest {
        token: token.clone(),
        messages_list: vec![message],
        run_id,
        message_object_trees: vec![tree],
    };
    let pull = proto::PullAppMessagesRequest {
        token: token.clone(),
        run_id,
        ..proto::PullAppMessagesRequest::default()
    };
    let nodes = proto::GetNodesRequest { run_id };
    let outputs = proto::PushAppOutputsRequest {
        token,
        run_id,
        context: Some(proto::Context::default()),
    };
    let mut answered = naming(scene, "ServerAppIo", shown, run).await;
    answered.extend([
        scene.call("ServerAppIo/GetNodes", shown, &nodes).await,
        scene.call("ServerAppIo/PushMessages", shown, &push).await,
        scene.call("ServerAppIo/PullMessages", shown, &pull).await,
        scene
            .call("ServerAppIo/PushAppOutputs", shown, &outputs)
            .await,
    ]);
    answered
}

async fn inputs(scene: &Scene, shown: Shown<'_>, within: &str) -> Answered {
    let token = within.to_owned();
    let request = proto::PullAppInputsRequest { token };
    scene
        .call("ServerAppIo/PullAppInputs", shown, &request)
        .await
}

#[tokio::test]
async fn a_token_in_the_metadata_admits_on_every_connection() {
    let mut scene = Scene::new();
    let (run, token) = scene.claimed().await;
    let shown = Some((APP, token.as_str()));
    let given: proto::PullAppInputsResponse = inputs(&scene, shown, &token).await.read();
    assert_eq!(given.run.unwrap().run_id, run.0);
    assert_eq!(scene.phase(run).await, Phase::Running, "it says no more");
    scene.peer = peer((Ipv4Addr::new(192, 0, 2, 1), 50_000).into());
    for (at, answered) in calls(&scene, shown, "", run).await.iter().enumerate() {
        let refused = [Code::PermissionDenied, Code::Unauthenticated];
        assert!(!refused.contains(&answered.code), "{at}: {}", answered.text);
    }
}

#[tokio::test]
async fn a_wrong_token_in_the_metadata_opens_nothing() {
    let scene = Scene::new();
    let (run, token) = scene.claimed().await;
    scene.inputs(&token).await;
    // The connection speaks for the run. The metadata counts nevertheless, and so does the body.
    for wrong in ["guess", ""] {
        for answered in calls(&scene, Some((APP, wrong)), &token, run).await {
            assert_eq!(answered.said(), NOT_AUTHENTICATED);
        }
    }
    let shown = Some((APP, token.as_str()));
    let answered = inputs(&scene, shown, "guess").await;
    assert_eq!(answered.said(), INVALID_TOKEN);
}

#[tokio::test]
async fn a_token_in_the_metadata_opens_no_other_run() {
    let scene = Scene::new();
    let ((run, token), (other, _)) = (scene.claimed().await, scene.claimed().await);
    let shown = Some((APP, token.as_str()));
    inputs(&scene, shown, &token)
        .await
        .read::<proto::PullAppInputsResponse>();
    for answered in calls(&scene, shown, &token, other).await {
        assert_eq!(answered.said(), INVALID_TOKEN);
    }
    let (message, tree) = message(other);
    let push = proto::PushAppMessagesRequest {
        messages_list: vec![message],
        run_id: run.0,
        message_object_trees: vec![tree],
        ..proto::PushAppMessagesRequest::default()
    };
    let answered = scene.call("ServerAppIo/PushMessages", shown, &push).await;
    assert_eq!(answered.code, Code::InvalidArgument, "{}", answered.text);
    assert_eq!(scene.phase(other).await, Phase::Pending);
}

#[tokio::test]
async fn an_app_that_is_done_may_print_the_rest_and_one_that_was_stopped_ends() {
    let scene = Scene::new();
    for (end, expected) in [
        (Outcome::Completed, (Code::Ok, "")),
        (Outcome::Stopped, NOT_AUTHENTICATED),
    ] {
        let (run, token) = scene.claimed().await;
        let shown = Some((APP, token.as_str()));
        inputs(&scene, shown, &token)
            .await
            .read::<proto::PullAppInputsResponse>();
        let finished = RunStatus::plain(Phase::Finished(end));
        let link = scene.host.link();
        link.change_run(run, finished).await.unwrap();
        let logs = proto::PushLogsRequest {
            run_id: run.0,
            logs: vec!["the rest\n".to_owned()],
            ..proto::PushLogsRequest::default()
        };
        let answered = scene.call("ServerAppIo/PushLogs", shown, &logs).await;
        assert_eq!(answered.said(), expected, "{end:?}");
        let nodes = proto::GetNodesRequest { run_id: run.0 };
        let answered = scene.call("ServerAppIo/GetNodes", shown, &nodes).await;
        assert_ne!(answered.code, Code::Ok, "the run is over");
    }
}

#[tokio::test]
async fn a_superexec_of_flwr_1_28_learns_what_to_start_without_a_token() {
    let scene = Scene::new();
    let (run, _) = scene.claimed().await;
    let request = proto::GetRunRequest {
        run_id: run.0,
        ..proto::GetRunRequest::default()
    };
    let answered = scene.call("ServerAppIo/GetRun", None, &request).await;
    let found: proto::GetRunResponse = answered.read();
    let found = found.run.unwrap();
    assert_eq!(
        (found.run_id, &*found.primary_task_type),
        (run.0, "serverapp")
    );
}
