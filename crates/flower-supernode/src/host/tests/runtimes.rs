//! ClientApp processes of flwr 1.23 to 1.34 at one port: those that get a run, with a token in the body
//! (until 1.28) and in the metadata too (1.29), and those that get a task (from 1.30 on).

use flwr_proto::{v1_24, v1_30};
use flwr_wire::door::Runtime;
use tonic::metadata::AsciiMetadataKey;

use super::*;
use crate::work::Progress;

/// The metadata of apps of flwr 1.29.
const APP: &str = "flwr-app-token";
/// The metadata of apps of flwr 1.30 to 1.34.
const TASK: &str = "flwr-task-token";

/// The names of the calls for messages in releases with tasks.
const WAYS: [(&str, &str, &str); 3] = [
    ("ClientAppIo", "PullMessage", "PushMessage"),
    ("ClientAppIo", "PullMessages", "PushMessages"),
    ("Runtime", "PullMessages", "PushMessages"),
];

/// A token in the metadata of a call, under its name.
type Shown<'a> = Option<(&'static str, &'a str)>;

impl Scene {
    /// Calls a method, as `<service>/<method>`.
    async fn shown<Q, A>(&self, method: &str, shown: Shown<'_>, message: Q) -> Answer<A>
    where
        Q: prost::Message + 'static,
        A: prost::Message + Default + 'static,
    {
        let mut request = tonic::Request::new(message);
        request.extensions_mut().insert(self.peer.clone());
        if let Some((name, token)) = shown {
            let name = AsciiMetadataKey::from_static(name);
            request.metadata_mut().insert(name, token.parse().unwrap());
        }
        let path = format!("/flwr.proto.{method}").parse().unwrap();
        let codec = ProstCodec::<Q, A>::default();
        let host = self.host.clone();
        let answered = if method.starts_with("Runtime/") {
            let door = RuntimeDoor::<_, Runtime>::for_clientapps(host);
            Grpc::new(door).unary(request, path, codec).await
        } else {
            let door = RuntimeDoor::<_, ClientAppIo>::new(host);
            Grpc::new(door).unary(request, path, codec).await
        };
        answered
            .map(tonic::Response::into_inner)
            .map_err(|status| (status.code(), status.message().to_owned()))
    }

    async fn input(&self, service: &str, shown: Shown<'_>) -> Answer<v1_30::PullTaskInputResponse> {
        let request = v1_30::PullTaskInputRequest {};
        self.shown(&format!("{service}/PullTaskInput"), shown, request)
            .await
    }

    async fn output(&self, service: &str, shown: Shown<'_>, end: &str, why: &str) -> Answer<()> {
        let request = v1_30::PushTaskOutputRequest {
            context: Some(context().into()),
            sub_status: end.to_owned(),
            details: why.to_owned(),
            clientapp_runtime: Some(0.5),
        };
        let path = format!("{service}/PushTaskOutput");
        let pushed: Answer<v1_30::PushTaskOutputResponse> = self.shown(&path, shown, request).await;
        pushed.map(drop)
    }

    async fn heartbeat(&self, service: &str, shown: Shown<'_>) -> Answer<bool> {
        let path = format!("{service}/SendTaskHeartbeat");
        let request = v1_30::SendTaskHeartbeatRequest {};
        let answer: Answer<v1_30::SendTaskHeartbeatResponse> =
            self.shown(&path, shown, request).await;
        Ok(answer?.success)
    }

    /// Makes the calls for objects, of this run.
    async fn objects(&self, service: &str, shown: Shown<'_>, run_id: u64) -> [Answer<()>; 3] {
        let (node, object_id) = (Some(NODE.into()), self.job.inbox.tree.id.to_string());
        let pull = proto::PullObjectRequest {
            node,
            run_id,
            object_id: object_id.clone(),
        };
        let push = proto::PushObjectRequest {
            node,
            run_id,
            object_id: object_id.clone(),
            session_id: "00000000-0000-4000-8000-000000000000".to_owned(),
            ..proto::PushObjectRequest::default()
        };
        let confirm = proto::ConfirmMessageReceivedRequest {
            node,
            run_id,
            message_object_id: object_id,
        };
        let path = |method: &str| format!("{service}/{method}");
        let pulled: Answer<proto::PullObjectResponse> =
            self.shown(&path("PullObject"), shown, pull).await;
        let pushed: Answer<proto::PushObjectResponse> =
            self.shown(&path("PushObject"), shown, push).await;
        let confirmed: Answer<proto::ConfirmMessageReceivedResponse> = self
            .shown(&path("ConfirmMessageReceived"), shown, confirm)
            .await;
        [pulled.map(drop), pushed.map(drop), confirmed.map(drop)]
    }
}

fn not_authenticated<T>() -> Answer<T> {
    Err((Code::Unauthenticated, "Authentication failed.".to_owned()))
}

fn push_of(parcel: Parcel) -> v1_30::PushAppMessagesRequest {
    v1_30::PushAppMessagesRequest {
        messages_list: vec![parcel.message.into()],
        message_object_trees: vec![parcel.tree.into()],
    }
}

#[tokio::test]
async fn a_task_is_claimed_worked_on_and_concluded() {
    for (service, pull, push) in WAYS {
        let scene = Scene::new();
        let path = |method: &str| format!("{service}/{method}");
        let listed: Answer<v1_30::PullPendingTasksResponse> = scene
            .shown(
                &path("PullPendingTasks"),
                None,
                v1_30::PullPendingTasksRequest {},
            )
            .await;
        let [task] = &listed.unwrap().tasks[..] else {
            panic!("one message waits");
        };
        assert_eq!((&*task.r#type, task.run_id), ("flwr-clientapp", RUN.0));
        let claim = v1_30::ClaimTaskRequest {
            task_id: task.task_id,
        };
        let claimed: Answer<v1_30::ClaimTaskResponse> =
            scene.shown(&path("ClaimTask"), None, claim).await;
        let token = claimed.unwrap().token.unwrap();
        let again: Answer<v1_30::ClaimTaskResponse> =
            scene.shown(&path("ClaimTask"), None, claim).await;
        assert_eq!(again.unwrap().token, None);
        let shown = Some((TASK, token.as_str()));

        assert_eq!(scene.heartbeat(service, shown).await, Ok(true));
        let input = scene.input(service, shown).await.unwrap();
        assert_eq!(input.context, Some(context().into()));
        assert_eq!(input.run, Some(run().into()));
        assert_eq!(input.fab.unwrap().content, bundle().bytes);
        assert_eq!(input.task_id, task.task_id);
        let request = v1_30::PullAppMessagesRequest::default();
        let pulled: Answer<proto::PullAppMessagesResponse> =
            scene.shown(&path(pull), shown, request).await;
        let message = scene.job.inbox.message.clone().into();
        assert_eq!(pulled.unwrap().messages_list, [message]);
        for answered in scene.objects(service, shown, RUN.0).await {
            assert_eq!(answered, Ok(()));
        }
        let (parcel, objects) = reply(&scene.job, b"{}");
        let pushed: Answer<v1_30::PushAppMessagesResponse> =
            scene.shown(&path(push), shown, push_of(parcel)).await;
        assert_eq!(pushed.unwrap().objects_to_push.len(), objects.len());
        for Object { id, bytes } in objects {
            let pushed: Answer<proto::PushObjectResponse> = scene
                .shown(&path("PushObject"), shown, push_object(id, bytes))
                .await;
            assert!(pushed.unwrap().stored);
        }
        scene.output(service, shown, "completed", "").await.unwrap();
        let done = Progress {
            is_answered: true,
            is_finished: true,
        };
        assert_eq!(scene.job.outbox.progress(), done);
        assert_eq!(scene.job.outbox.take_failure(), None);
        assert_eq!(scene.job.outbox.take_context(), Some(context()));
        assert_eq!(scene.heartbeat(service, shown).await, not_authenticated());
    }
}

#[tokio::test]
async fn a_task_that_failed_says_why() {
    for (why, told) in [("no module", "no module"), ("", "finished:failed")] {
        let scene = Scene::new();
        let token = scene.token().await;
        let shown = Some((TASK, token.as_str()));
        scene.output("Runtime", shown, "failed", why).await.unwrap();
        let progress = scene.job.outbox.progress();
        assert!(progress.is_finished && !progress.is_answered);
        assert_eq!(scene.job.outbox.take_failure().as_deref(), Some(told));
    }
}

#[tokio::test]
async fn without_the_token_of_a_task_nothing_is_opened() {
    for (service, pull, push) in WAYS {
        let scene = Scene::new();
        let token = scene.token().await;
        // The connection is that of the ClientApp, and does not count.
        let own = Some((TASK, token.as_str()));
        scene.input(service, own).await.unwrap();
        let path = |method: &str| format!("{service}/{method}");
        for wrong in [Some((TASK, "guess")), Some((TASK, ""))] {
            let (parcel, _) = reply(&scene.job, b"{}");
            let request = v1_30::PullAppMessagesRequest::default();
            let pulled: Answer<proto::PullAppMessagesResponse> =
                scene.shown(&path(pull), wrong, request).await;
            assert_eq!(pulled, not_authenticated());
            let pushed: Answer<v1_30::PushAppMessagesResponse> =
                scene.shown(&path(push), wrong, push_of(parcel)).await;
            assert_eq!(pushed, not_authenticated());
            for answered in scene.objects(service, wrong, RUN.0).await {
                assert_eq!(answered, not_authenticated());
            }
        }
        for wrong in [None, Some((TASK, "guess"))] {
            assert_eq!(scene.input(service, wrong).await, not_authenticated());
            assert_eq!(scene.heartbeat(service, wrong).await, not_authenticated());
            let ended = scene.output(service, wrong, "failed", "").await;
            assert_eq!(ended, not_authenticated());
        }
        assert_eq!(scene.job.outbox.progress(), Progress::default());
        for answered in scene.objects(service, own, OTHER_RUN).await {
            assert_eq!(answered, not_authenticated(), "of another run");
        }
        scene.desk.clear();
        assert_eq!(scene.heartbeat(service, own).await, not_authenticated());
    }
}

#[tokio::test]
async fn apps_of_flwr_1_24_to_1_29_give_signs_of_life_by_their_token() {
    let scene = Scene::new();
    let token = scene.token().await;
    let sign = async |token: &str, shown| -> Answer<bool> {
        let token = token.to_owned();
        let request = v1_24::SendAppHeartbeatRequest { token };
        let answer: Answer<proto::SendAppHeartbeatResponse> = scene
            .shown("ClientAppIo/SendAppHeartbeat", shown, request)
            .await;
        Ok(answer?.success)
    };
    assert_eq!(sign(&token, None).await, Ok(true));
    // At a refusal the app would only give no more signs of life, and work on.
    assert_eq!(sign("guess", None).await, Ok(false));
    let shown = Some((APP, token.as_str()));
    assert_eq!(sign(&token, shown).await, Ok(true));
    assert_eq!(sign("guess", shown).await, Ok(false));
    let guess = Some((APP, "guess"));
    assert_eq!(sign(&token, guess).await, not_authenticated());
}

#[tokio::test]
async fn inputs_and_outputs_have_two_names() {
    for (pull, push) in [
        ("PullClientAppInputs", "PushClientAppOutputs"),
        ("PullAppInputs", "PushAppOutputs"),
    ] {
        let scene = Scene::new();
        let token = scene.token().await;
        let inputs = proto::PullAppInputsRequest {
            token: token.clone(),
        };
        let inputs: Answer<proto::PullAppInputsResponse> = scene.call(pull, inputs).await;
        assert_eq!(inputs.unwrap().run, Some(run().into()));
        let outputs = |token: &str| proto::PushAppOutputsRequest {
            token: token.to_owned(),
            context: Some(context().into()),
            ..proto::PushAppOutputsRequest::default()
        };
        let refused: Answer<proto::PushAppOutputsResponse> =
            scene.call(push, outputs("guess")).await;
        assert_eq!(refused, invalid_token());
        let pushed: Answer<proto::PushAppOutputsResponse> = scene.call(push, outputs(&token)).await;
        pushed.unwrap();
        assert!(scene.job.outbox.progress().is_finished);
    }
}

#[tokio::test]
async fn a_token_in_the_metadata_admits_on_every_connection_and_opens_no_other_run() {
    let mut scene = Scene::new();
    let token = scene.token().await;
    scene.reconnect(Ipv4Addr::new(192, 0, 2, 1));
    let shown = Some((APP, token.as_str()));
    for answered in scene.objects("ClientAppIo", shown, RUN.0).await {
        assert_eq!(answered, Ok(()));
    }
    for answered in scene.objects("ClientAppIo", shown, OTHER_RUN).await {
        assert_eq!(answered, invalid_token());
    }
    for answered in scene
        .objects("ClientAppIo", Some((APP, "guess")), RUN.0)
        .await
    {
        assert_eq!(answered, not_authenticated());
    }
    let (parcel, _) = reply(&scene.job, b"{}");
    let pushed: Answer<proto::PushAppMessagesResponse> = scene
        .shown(
            "ClientAppIo/PushMessage",
            shown,
            push_message("", vec![parcel]),
        )
        .await;
    assert_eq!(pushed.unwrap().objects_to_push.len(), 2);
}
