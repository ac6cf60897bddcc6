//! Apps of flwr 1.30 to 1.34: ServerAppIo until 1.33, Runtime in 1.34.

use super::*;

const SERVICES: [&str; 2] = ["ServerAppIo", "Runtime"];

impl Scene {
    async fn pending(&self, service: &str) -> Vec<v1_30::Task> {
        let path = format!("{service}/PullPendingTasks");
        let request = v1_30::PullPendingTasksRequest {};
        let pulled = self.call(&path, None, &request).await;
        pulled.read::<v1_30::PullPendingTasksResponse>().tasks
    }

    async fn claim(&self, service: &str, task_id: u64) -> Option<String> {
        let path = format!("{service}/ClaimTask");
        let request = v1_30::ClaimTaskRequest { task_id };
        let claimed = self.call(&path, None, &request).await;
        claimed.read::<v1_30::ClaimTaskResponse>().token
    }

    async fn input(&self, service: &str, shown: Shown<'_>) -> Answered {
        let path = format!("{service}/PullTaskInput");
        self.call(&path, shown, &v1_30::PullTaskInputRequest {})
            .await
    }

    /// Begins the task, which its input does.
    async fn begin(&self, service: &str, shown: Shown<'_>) -> v1_30::PullTaskInputResponse {
        self.input(service, shown).await.read()
    }

    async fn heartbeat(&self, service: &str, shown: Shown<'_>) -> Answered {
        let path = format!("{service}/SendTaskHeartbeat");
        self.call(&path, shown, &v1_30::SendTaskHeartbeatRequest {})
            .await
    }

    async fn output(&self, service: &str, shown: Shown<'_>, end: &str, why: &str) -> Answered {
        let path = format!("{service}/PushTaskOutput");
        let request = v1_30::PushTaskOutputRequest {
            context: Some(proto::Context::default()),
            sub_status: end.to_owned(),
            details: why.to_owned(),
            clientapp_runtime: None,
        };
        self.call(&path, shown, &request).await
    }

    async fn push(&self, service: &str, shown: Shown<'_>, run: RunId) -> Answered {
        let (message, tree) = message(run);
        let push = v1_30::PushAppMessagesRequest {
            messages_list: vec![message],
            message_object_trees: vec![tree],
        };
        self.call(&format!("{service}/PushMessages"), shown, &push)
            .await
    }

    /// Makes the calls that name no run, but for the input.
    async fn unnamed(&self, service: &str, shown: Shown<'_>, run: RunId) -> Vec<Answered> {
        let pull = v1_30::PullAppMessagesRequest::default();
        let nodes = proto::GetNodesRequest::default();
        let path = |method: &str| format!("{service}/{method}");
        vec![
            self.heartbeat(service, shown).await,
            self.call(&path("GetNodes"), shown, &nodes).await,
            self.push(service, shown, run).await,
            self.call(&path("PullMessages"), shown, &pull).await,
        ]
    }
}

#[tokio::test]
async fn a_task_is_listed_until_it_is_claimed_and_claimed_once() {
    for service in SERVICES {
        let scene = Scene::new();
        let (first, second) = (scene.run().await, scene.run().await);
        let tasks = scene.pending(service).await;
        let ids: Vec<_> = tasks.iter().map(|task| task.task_id).collect();
        assert_eq!(ids.len(), 2);
        assert!(ids.contains(&first.0) && ids.contains(&second.0));
        for task in tasks {
            assert_eq!(task.r#type, "flwr-serverapp");
            assert_eq!(task.run_id, task.task_id);
            assert_eq!(task.status.unwrap().status, "pending");
        }
        assert_eq!(scene.claim(service, first.0).await.unwrap().len(), 256);
        assert_eq!(scene.claim(service, first.0).await, None);
        let [left] = &scene.pending(service).await[..] else {
            panic!("it is not claimed");
        };
        assert_eq!(left.run_id, second.0);
        scene.host.link().stop_run(second).await.unwrap();
        assert_eq!(scene.claim(service, second.0).await, None, "it is over");
        assert_eq!(scene.claim(service, 99).await, None, "it is not known");
    }
}

#[tokio::test]
async fn tasks_are_listed_and_claimed_with_leave_only() {
    let mut scene = Scene::new();
    let run = scene.run().await;
    scene.peer = peer((Ipv4Addr::new(192, 0, 2, 1), 50_000).into());
    let list = v1_30::PullPendingTasksRequest {};
    let claim = v1_30::ClaimTaskRequest { task_id: run.0 };
    let get_run = proto::GetRunRequest {
        run_id: run.0,
        ..proto::GetRunRequest::default()
    };
    for service in SERVICES {
        let path = |method| format!("{service}/{method}");
        for answered in [
            scene.call(&path("PullPendingTasks"), None, &list).await,
            scene.call(&path("ClaimTask"), None, &claim).await,
            scene.call(&path("GetRun"), None, &get_run).await,
        ] {
            assert_eq!(answered.code, Code::PermissionDenied);
            let text = &answered.text;
            assert!(text.contains("--appio-allow-from"), "{text}");
        }
    }
}

#[tokio::test]
async fn a_task_is_claimed_by_whoever_holds_the_secret() {
    const SECRET: &[u8] = b"a secret that is long enough";
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("secret");
    std::fs::write(&file, SECRET).unwrap();
    let scene = Scene::with(Launchers::load(Some(&file), Vec::new()).unwrap());
    let run = scene.run().await;
    let claim = v1_30::ClaimTaskRequest { task_id: run.0 };
    let refused = scene.call("ServerAppIo/ClaimTask", None, &claim).await;
    assert_eq!(refused.code, Code::Unauthenticated, "{}", refused.text);
    let body = Bytes::from(claim.encode_to_vec());
    let (path, nonce) = ("/flwr.proto.ServerAppIo/ClaimTask", "0".repeat(32));
    let headers = flwr_security::superexec::sign(SECRET, path, &body, 1_750_000_100, &nonce);
    let claimed = scene.call_with(path, headers, body).await;
    assert!(claimed.read::<v1_30::ClaimTaskResponse>().token.is_some());
}

#[tokio::test]
async fn a_task_begins_with_its_input_and_may_give_signs_of_life_before() {
    for service in SERVICES {
        let scene = Scene::new();
        let (run, token) = scene.claimed().await;
        let shown = Some((TASK, token.as_str()));
        let lives = async || {
            let answered = scene.heartbeat(service, shown).await;
            answered.read::<v1_30::SendTaskHeartbeatResponse>().success
        };
        assert!(lives().await);
        assert_eq!(scene.phase(run).await, Phase::Pending);
        for _ in 0..2 {
            let input = scene.begin(service, shown).await;
            assert_eq!(input.task_id, run.0);
            assert_eq!(input.run.unwrap().run_id, run.0);
            assert_eq!(input.fab.unwrap().content, bundle());
            assert_eq!(input.context.unwrap().run_id, run.0);
            assert_eq!(scene.phase(run).await, Phase::Running);
        }
        assert!(lives().await);
        for answered in scene.unnamed(service, shown, run).await {
            assert_eq!(answered.code, Code::Ok, "{}", answered.text);
        }
        let pushed: v1_30::PushAppMessagesResponse = scene.push(service, shown, run).await.read();
        assert_eq!(pushed.message_ids, [""], "there is no such node");
        for answered in naming(&scene, service, shown, run).await {
            assert_eq!(answered.code, Code::Ok, "{}", answered.text);
        }
    }
}

#[tokio::test]
async fn a_task_ends_its_run_as_its_output_says() {
    for (service, end, outcome) in [
        ("ServerAppIo", "completed", Outcome::Completed),
        ("ServerAppIo", "failed", Outcome::Failed),
        ("Runtime", "stopped", Outcome::Stopped),
        ("Runtime", "completed", Outcome::Completed),
    ] {
        let scene = Scene::new();
        let (run, token) = scene.claimed().await;
        let shown = Some((TASK, token.as_str()));
        let early = scene.output(service, shown, "completed", "").await;
        assert_eq!(early.code, Code::FailedPrecondition, "{}", early.text);
        scene.begin(service, shown).await;
        let unknown = scene.output(service, shown, "asleep", "").await;
        assert_eq!(unknown.code, Code::InvalidArgument, "{}", unknown.text);
        let output = scene.output(service, shown, end, "why").await;
        output.read::<v1_30::PushTaskOutputResponse>();
        let status = scene.host.link().known_run(run).await.unwrap().status;
        assert_eq!(status.phase, Phase::Finished(outcome));
        assert_eq!(status.details, "why");
        if outcome == Outcome::Stopped {
            continue;
        }
        // Its answer was lost, and its log is not empty.
        let output = scene.output(service, shown, end, "why").await;
        output.read::<v1_30::PushTaskOutputResponse>();
        let [.., logs, _] = &naming(&scene, service, shown, run).await[..] else {
            panic!();
        };
        assert_eq!(logs.code, Code::Ok, "{}", logs.text);
        let lives = scene.heartbeat(service, shown).await;
        assert!(!lives.read::<v1_30::SendTaskHeartbeatResponse>().success);
    }
}

#[tokio::test]
async fn an_app_that_fails_before_its_input_fails_its_run() {
    let scene = Scene::new();
    let (run, token) = scene.claimed().await;
    let shown = Some((TASK, token.as_str()));
    let pushed = scene.output("Runtime", shown, "failed", "no module").await;
    pushed.read::<v1_30::PushTaskOutputResponse>();
    let status = scene.host.link().known_run(run).await.unwrap().status;
    assert_eq!(status, RunStatus::failed("no module"));
}

#[tokio::test]
async fn without_the_token_of_a_task_nothing_is_opened() {
    for service in SERVICES {
        let scene = Scene::new();
        let (run, token) = scene.claimed().await;
        // The connection is that of the run's app, and does not count.
        let shown = Some((TASK, token.as_str()));
        scene.begin(service, shown).await;
        for wrong in [Some((TASK, "guess")), Some((TASK, ""))] {
            let mut answers = scene.unnamed(service, wrong, run).await;
            answers.extend(naming(&scene, service, wrong, run).await);
            answers.push(scene.input(service, wrong).await);
            answers.push(scene.output(service, wrong, "failed", "").await);
            for answered in answers {
                assert_eq!(answered.said(), NOT_AUTHENTICATED, "{service}");
            }
        }
        let answers = [
            scene.input(service, None).await,
            scene.heartbeat(service, None).await,
            scene.push(service, None, run).await,
            scene.output(service, None, "failed", "").await,
        ];
        for answered in answers {
            assert_eq!(answered.said(), NOT_AUTHENTICATED, "{service}");
        }
        assert_eq!(scene.phase(run).await, Phase::Running);
    }
}

#[tokio::test]
async fn a_task_reaches_nothing_of_another_run() {
    for service in SERVICES {
        let scene = Scene::new();
        let ((run, token), (other, _)) = (scene.claimed().await, scene.claimed().await);
        let shown = Some((TASK, token.as_str()));
        scene.begin(service, shown).await;
        for answered in naming(&scene, service, shown, other).await {
            assert_eq!(answered.said(), NOT_AUTHENTICATED, "{service}");
        }
        let answered = scene.push(service, shown, other).await;
        assert_eq!(answered.code, Code::InvalidArgument, "{}", answered.text);
        assert_eq!(scene.phase(run).await, Phase::Running);
        assert_eq!(scene.phase(other).await, Phase::Pending);
    }
}

#[tokio::test]
async fn a_task_that_is_stopped_hears_so_by_its_next_call() {
    for service in SERVICES {
        let scene = Scene::new();
        let (run, token) = scene.claimed().await;
        let shown = Some((TASK, token.as_str()));
        scene.begin(service, shown).await;
        scene.host.link().stop_run(run).await.unwrap();
        for answered in scene.unnamed(service, shown, run).await {
            assert_eq!(answered.said(), NOT_AUTHENTICATED, "{service}");
        }
    }
}

#[tokio::test]
async fn apps_of_all_families_are_served_on_one_port_at_the_same_time() {
    let scene = Scene::new();
    let ((old, old_token), (new, new_token)) = (scene.claimed().await, scene.claimed().await);
    let (message, tree) = message(old);
    let by_run = proto::PushAppMessagesRequest {
        token: old_token.clone(),
        messages_list: vec![message],
        run_id: old.0,
        message_object_trees: vec![tree],
    };
    let shown = Some((TASK, new_token.as_str()));
    scene.begin("ServerAppIo", shown).await;
    let inputs = proto::PullAppInputsRequest { token: old_token };
    let inputs = scene.call("ServerAppIo/PullAppInputs", None, &inputs).await;
    inputs.read::<proto::PullAppInputsResponse>();
    let pushed = scene.call("ServerAppIo/PushMessages", None, &by_run).await;
    let pushed: proto::PushAppMessagesResponse = pushed.read();
    assert_eq!(pushed.message_ids, [""]);
    let pushed = scene.push("ServerAppIo", shown, new).await;
    let pushed: v1_30::PushAppMessagesResponse = pushed.read();
    assert_eq!(pushed.message_ids, [""]);
}
