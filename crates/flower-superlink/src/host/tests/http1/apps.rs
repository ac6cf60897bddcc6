//! ServerApps of flwr 1.35 and later, and those who start them.

use super::*;

/// A SuperLink whose ServerApps somebody else starts.
struct Scene(Host);

impl Scene {
    fn new() -> Self {
        Self(Host::new(Parts {
            apps: Apps::OfStrangers,
            ..parts(link(MemoryState::default()), Policy::AnyKey, None)
        }))
    }

    async fn run(&self) -> RunId {
        let link = self.0.link();
        let started = link.start_run(bundle(), Default::default(), &Principal::Anybody);
        started.await.unwrap()
    }

    async fn call(&self, method: &str, token: Option<&str>, message: &impl Message) -> Got {
        self.call_of("1.42.0", method, token, message).await
    }

    async fn call_of(
        &self,
        release: &str,
        method: &str,
        token: Option<&str>,
        message: &impl Message,
    ) -> Got {
        let mut headers = header("flwr-package-version", release);
        headers.insert("flwr-package-name", "flwr".parse().unwrap());
        headers.insert("flwr-component-name", "flwr-serverapp".parse().unwrap());
        if let Some(token) = token {
            headers.insert("flwr-task-token", token.parse().unwrap());
        }
        let path = format!("/v1/runtime/{method}");
        send(port(&self.0), post(&path, headers, message)).await
    }

    async fn acquire(&self, kind: &str) -> v1_30::AcquireTaskResponse {
        let supported_task_types = vec!["flwr-other".to_owned(), kind.to_owned()];
        let request = v1_30::AcquireTaskRequest {
            supported_task_types,
        };
        self.call("acquire-task", None, &request).await.read()
    }

    async fn phase(&self, run: RunId) -> Phase {
        let link = self.0.link();
        link.known_run(run).await.unwrap().status.phase
    }
}

#[tokio::test]
async fn a_task_is_acquired_once_and_worked_on_to_its_end() {
    let scene = Scene::new();
    assert_eq!(scene.acquire("flwr-serverapp").await, Default::default());
    let run = scene.run().await;
    assert_eq!(scene.acquire("flwr-clientapp").await, Default::default());
    let acquired = scene.acquire("flwr-serverapp").await;
    let task = acquired.task.unwrap();
    assert_eq!((task.run_id, &*task.r#type), (run.0, "flwr-serverapp"));
    assert_eq!(scene.acquire("flwr-serverapp").await, Default::default());

    let token = Some(acquired.token.as_str());
    let beat = scene.call(
        "send-task-heartbeat",
        token,
        &v1_30::SendTaskHeartbeatRequest {},
    );
    let beat: v1_30::SendTaskHeartbeatResponse = beat.await.read();
    assert!(beat.success);
    let input = scene
        .call("pull-task-input", token, &v1_30::PullTaskInputRequest {})
        .await;
    let input: v1_30::PullTaskInputResponse = input.read();
    assert_eq!(
        input.context.unwrap().node_id,
        1,
        "apps write it into their messages"
    );
    assert_eq!(scene.phase(run).await, Phase::Running);
    let nodes = scene
        .call("get-nodes", token, &proto::GetNodesRequest::default())
        .await;
    assert!(nodes.read::<proto::GetNodesResponse>().nodes.is_empty());
    let logs = proto::PushLogsRequest {
        run_id: run.0,
        logs: vec!["a".to_owned()],
        ..proto::PushLogsRequest::default()
    };
    assert_eq!(scene.call("push-logs", token, &logs).await.status, 200);
    let output = v1_30::PushTaskOutputRequest {
        sub_status: "completed".to_owned(),
        ..v1_30::PushTaskOutputRequest::default()
    };
    assert_eq!(
        scene.call("push-task-output", token, &output).await.status,
        200
    );
    assert_eq!(scene.phase(run).await, Phase::Finished(Outcome::Completed));
}

#[tokio::test]
async fn a_token_that_proves_nothing_is_401_with_upstreams_words() {
    let scene = Scene::new();
    scene.run().await;
    for token in [None, Some("nonsense")] {
        let got = scene
            .call("pull-task-input", token, &v1_30::PullTaskInputRequest {})
            .await;
        assert_eq!(
            got.text(),
            r#"{"code":1008,"detail":"Authentication failed."}"#
        );
        assert_eq!(got.status, 401);
    }
}

#[tokio::test]
async fn an_app_that_does_not_tell_its_release_is_not_served() {
    let scene = Scene::new();
    let request = post("/v1/runtime/get-nodes", HeaderMap::new(), &());
    let got = send(port(&scene.0), request).await;
    assert_eq!(got.refused(), (412, Some(1001)));
}

#[tokio::test]
async fn what_only_agents_call_is_not_offered() {
    let scene = Scene::new();
    for method in ["create-task", "get-connector", "get-compacted-contexts"] {
        let got = scene.call(method, None, &()).await;
        assert_eq!(got.refused(), (501, Some(50501)), "{method}");
    }
}

/// An app loads its modules before it asks for anything. Upstream's tokens run out after 30 s.
#[tokio::test]
async fn an_app_that_loads_for_a_minute_has_its_token_still() {
    let now = Timestamp::from_secs(1_750_000_100.0);
    let clock = Arc::new(MockClock::new(now));
    let link = Arc::new(Link::new(crate::link::Parts {
        clock: Arc::<MockClock>::clone(&clock),
        ..link_parts(Arc::new(MemoryState::default()), now)
    }));
    let scene = Scene(Host::new(Parts {
        apps: Apps::OfStrangers,
        ..parts(Arc::clone(&link), Policy::AnyKey, None)
    }));
    scene.run().await;
    let acquired = scene.acquire("flwr-serverapp").await;
    let token = Some(acquired.token.as_str());
    clock.advance(Duration::from_secs(61));
    link.expire().await.unwrap();
    let input = scene
        .call("pull-task-input", token, &v1_30::PullTaskInputRequest {})
        .await;
    assert_eq!(input.status, 200, "{}", input.text());
    let beat = scene.call(
        "send-task-heartbeat",
        token,
        &v1_30::SendTaskHeartbeatRequest {},
    );
    let beat: v1_30::SendTaskHeartbeatResponse = beat.await.read();
    assert!(beat.success);
}

/// As flwr 1.43.0.dev20261026 lays it out.
#[tokio::test]
async fn a_server_app_of_1_43_asks_for_replies_by_a_list_of_its_own() {
    let scene = Scene::new();
    scene.run().await;
    let acquired = scene.acquire("flwr-serverapp").await;
    let token = Some(acquired.token.as_str());
    scene
        .call("pull-task-input", token, &v1_30::PullTaskInputRequest {})
        .await;
    let list = |ids: &[&str]| v1_43::PullAppMessagesRequest {
        reply_to_message_ids: Some(v1_43::StringList {
            vals: ids.iter().map(ToString::to_string).collect(),
        }),
    };
    assert_eq!(list(&["ab"]).encode_to_vec(), b"\x1a\x04\x0a\x02ab");
    let none = scene
        .call_of("1.43.0.dev20261026", "pull-messages", token, &list(&[]))
        .await;
    let none: proto::PullAppMessagesResponse = none.read();
    assert!(none.messages_list.is_empty());
    // Ids are read in both layouts: what is none is refused.
    let odd = scene
        .call_of(
            "1.43.0.dev20261026",
            "pull-messages",
            token,
            &list(&["odd"]),
        )
        .await;
    let earlier = v1_30::PullAppMessagesRequest {
        message_ids: vec!["odd".to_owned()],
    };
    let of_1_42 = scene.call("pull-messages", token, &earlier).await;
    assert_eq!(odd.refused(), of_1_42.refused());
    assert_eq!(odd.status, 400, "{}", odd.text());
}
