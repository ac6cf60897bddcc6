//! Signs of life, of which two releases have two layouts, and where they begin a run.

use super::*;

fn by_token(token: &str) -> v1_24::SendAppHeartbeatRequest {
    let token = token.to_owned();
    v1_24::SendAppHeartbeatRequest { token }
}

const fn by_run(run: RunId) -> proto::SendAppHeartbeatRequest {
    proto::SendAppHeartbeatRequest {
        run_id: run.0,
        heartbeat_interval: 30.0,
    }
}

impl Scene {
    async fn sign(&self, message: &impl Message) -> Answered {
        self.call("ServerAppIo/SendAppHeartbeat", None, message)
            .await
    }
}

fn lives(answered: Answered) -> bool {
    answered.read::<proto::SendAppHeartbeatResponse>().success
}

#[tokio::test]
async fn the_first_field_of_a_sign_of_life_says_of_which_release_it_is() {
    let scene = Scene::new();
    let (run, token) = scene.claimed().await;
    // As flwr 1.24 and flwr 1.23 encode them.
    assert_eq!(by_token(&token).encode_to_vec()[0], 0x0a);
    assert_eq!(by_run(run).encode_to_vec()[0], 0x08);
    let stranger = scene.sign(&by_run(run)).await;
    assert_eq!(stranger.said(), INVALID_TOKEN);
    assert!(!lives(scene.sign(&by_token("guess")).await));
    let nobody = scene.sign(&by_token("")).await;
    assert_eq!(nobody.said(), INVALID_TOKEN);
    assert!(lives(scene.sign(&by_token(&token)).await));
    assert!(lives(scene.sign(&by_run(run)).await), "it is the same app");
}

#[tokio::test]
async fn an_app_of_flwr_1_23_says_itself_that_its_run_is_running() {
    let scene = Scene::new();
    let (run, token) = scene.claimed().await;
    scene.inputs(&token).await;
    assert!(lives(scene.sign(&by_run(run)).await));
    assert_eq!(scene.phase(run).await, Phase::Starting);
    let running = proto::UpdateRunStatusRequest {
        run_id: run.0,
        run_status: Some(RunStatus::plain(Phase::Running).into()),
    };
    let path = "ServerAppIo/UpdateRunStatus";
    let moved = scene.call(path, None, &running).await;
    moved.read::<proto::UpdateRunStatusResponse>();
    assert_eq!(scene.phase(run).await, Phase::Running);
}

#[tokio::test]
async fn later_apps_begin_their_run_by_their_first_sign_of_life_or_call() {
    let scene = Scene::new();
    let (run, token) = scene.claimed().await;
    // Apps of flwr 1.29 give signs before they have their inputs.
    assert!(lives(scene.sign(&by_token(&token)).await));
    assert_eq!(scene.phase(run).await, Phase::Pending);
    scene.inputs(&token).await;
    assert_eq!(scene.phase(run).await, Phase::Starting);
    assert!(lives(scene.sign(&by_token(&token)).await));
    assert_eq!(scene.phase(run).await, Phase::Running);
    let again = scene.inputs(&token).await;
    assert!(again.fab.is_some(), "its answer was lost");

    let (run, token) = scene.claimed().await;
    scene.inputs(&token).await;
    let nodes = proto::GetNodesRequest { run_id: run.0 };
    let nodes = scene.call("ServerAppIo/GetNodes", None, &nodes).await;
    nodes.read::<proto::GetNodesResponse>();
    assert_eq!(scene.phase(run).await, Phase::Running);

    let (run, token) = scene.claimed().await;
    scene.inputs(&token).await;
    let outputs = proto::PushAppOutputsRequest {
        token,
        run_id: run.0,
        context: Some(proto::Context::default()),
    };
    let outputs = scene.call("ServerAppIo/PushAppOutputs", None, &outputs);
    outputs.await.read::<proto::PushAppOutputsResponse>();
    assert_eq!(scene.phase(run).await, Phase::Running, "it did nothing");
}

#[tokio::test]
async fn an_app_whose_run_is_stopped_hears_so() {
    let scene = Scene::new();
    let (run, token) = scene.claimed().await;
    scene.inputs(&token).await;
    assert!(lives(scene.sign(&by_token(&token)).await));
    scene.host.link().stop_run(run).await.unwrap();
    assert!(!lives(scene.sign(&by_token(&token)).await));
    assert!(!lives(scene.sign(&by_run(run)).await));
}
