//! The tokens of ServerApp processes, as their door checks them.

use flwr_core::config::UserConfig;
use flwr_core::fab;
use flwr_core::id::RunId;
use flwr_core::run::{Phase, RunStatus};
use flwr_proto::{self as proto, v1_08, v1_15};
use flwr_wire::door::{RuntimeDoor, ServerAppIo};

use super::*;
use crate::link::Principal;

/// A SuperLink with two runs, and the token of each.
struct Scene {
    host: Host,
    runs: [(RunId, String); 2],
    /// The connection of the caller.
    peer: Peer,
}

fn new_peer() -> Peer {
    peer((Ipv4Addr::LOCALHOST, 50_000).into())
}

impl Scene {
    async fn new() -> Self {
        let host = host(link(MemoryState::default()), Policy::AnyKey, None);
        let runs = [run(&host).await, run(&host).await];
        let peer = new_peer();
        Self { host, runs, peer }
    }

    async fn call(&self, method: &str, message: &impl Message) -> Answered {
        self.call_raw(method, message.encode_to_vec()).await
    }

    async fn call_raw(&self, method: &str, message: Vec<u8>) -> Answered {
        let door = RuntimeDoor::<_, ServerAppIo>::new(self.host.clone());
        let path = format!("/flwr.proto.ServerAppIo/{method}");
        call_over(
            Some(&self.peer),
            door,
            &path,
            HeaderMap::new(),
            message.into(),
        )
        .await
    }

    /// Makes each call with a field for the token.
    async fn by_token(&self, token: &str, run: RunId) -> [Answered; 3] {
        let (token, run_id) = (token.to_owned(), run.0);
        let outputs = proto::PushAppOutputsRequest {
            token: token.clone(),
            run_id,
            context: Some(proto::Context::default()),
        };
        let push = proto::PushAppMessagesRequest {
            token: token.clone(),
            run_id,
            messages_list: vec![proto::Message::default()],
            ..proto::PushAppMessagesRequest::default()
        };
        let pull = proto::PullAppMessagesRequest {
            token,
            run_id,
            ..proto::PullAppMessagesRequest::default()
        };
        [
            self.call("PushAppOutputs", &outputs).await,
            self.call("PushMessages", &push).await,
            self.call("PullMessages", &pull).await,
        ]
    }

    async fn inputs(&self, token: &str) -> Answered {
        let token = token.to_owned();
        let request = proto::PullAppInputsRequest { token };
        self.call("PullAppInputs", &request).await
    }
}

async fn run(host: &Host) -> (RunId, String) {
    let project = "[project]\nname = \"mini\"\nversion = \"1.0.0\"\n[tool.flwr.app]\npublisher = \"pub\"\n\
        [tool.flwr.app.components]\nserverapp = \"mini.s:app\"\nclientapp = \"mini.c:app\"\n";
    let file = |path: &str| (path.to_owned(), Bytes::from_static(b"app = 1\n"));
    let fab = fab::build(project, vec![file("mini/c.py"), file("mini/s.py")]).unwrap();
    let link = host.link();
    let started = link.start_run(fab.bytes, UserConfig::new(), &Principal::Anybody);
    let run = started.await.unwrap();
    let token = link.issue_token(run).await.unwrap().unwrap();
    (run, token.as_str().to_owned())
}

fn is_invalid_token(answered: &Answered) -> bool {
    let said = (answered.code, answered.text.as_str());
    said == (Code::PermissionDenied, "Invalid token.")
}

#[tokio::test]
async fn a_wrong_token_and_that_of_another_run_open_nothing() {
    let scene = Scene::new().await;
    let [(run, token), (other, _)] = &scene.runs;
    for (token, run) in [("guess", run), (token.as_str(), other)] {
        for answered in scene.by_token(token, *run).await {
            assert!(is_invalid_token(&answered), "{}", answered.text);
        }
    }
    for token in ["guess", ""] {
        let answered = scene.inputs(token).await;
        assert!(is_invalid_token(&answered), "{token:?}: {}", answered.text);
    }
    let inputs: proto::PullAppInputsResponse = scene.inputs(token).await.read();
    assert_eq!(inputs.run.unwrap().run_id, run.0);
}

#[tokio::test]
async fn outputs_without_a_token_are_not_taken() {
    let scene = Scene::new().await;
    let [(run, _), _] = scene.runs;
    let [outputs, ..] = scene.by_token("", run).await;
    assert!(is_invalid_token(&outputs), "{}", outputs.text);
}

/// Makes each call that names its run and has no field for a token, or an empty one; all of flwr
/// 1.13 to 1.22.
async fn by_run(scene: &Scene, run: RunId) -> Vec<(&'static str, Answered)> {
    let run_id = run.0;
    let node = Some(proto::Node { node_id: 1 });
    let id = || "0".repeat(64);
    let [outputs, push, pull] = scene.by_token("", run).await;
    let mut answered = vec![
        ("PushAppOutputs", outputs),
        ("PushMessages", push),
        ("PullMessages", pull),
    ];
    let mut call = async |method, message: Vec<u8>| {
        answered.push((method, scene.call_raw(method, message).await));
    };
    let nodes = proto::GetNodesRequest { run_id };
    call("GetNodes", nodes.encode_to_vec()).await;
    let get_run = proto::GetRunRequest { node, run_id };
    call("GetRun", get_run.encode_to_vec()).await;
    let status = proto::GetRunStatusRequest {
        run_ids: vec![run_id],
        ..Default::default()
    };
    call("GetRunStatus", status.encode_to_vec()).await;
    let fab = proto::GetFabRequest {
        node,
        hash_str: id(),
        run_id,
    };
    call("GetFab", fab.encode_to_vec()).await;
    let failed = proto::UpdateRunStatusRequest {
        run_id,
        run_status: Some(RunStatus::failed("by a stranger").into()),
    };
    call("UpdateRunStatus", failed.encode_to_vec()).await;
    let logs = proto::PushLogsRequest {
        node,
        run_id,
        logs: vec!["by a stranger".to_owned()],
    };
    call("PushLogs", logs.encode_to_vec()).await;
    let heartbeat = proto::SendAppHeartbeatRequest {
        run_id,
        heartbeat_interval: 30.0,
    };
    call("SendAppHeartbeat", heartbeat.encode_to_vec()).await;
    let object = proto::PushObjectRequest {
        node,
        run_id,
        object_id: id(),
        ..Default::default()
    };
    call("PushObject", object.encode_to_vec()).await;
    let object = proto::PullObjectRequest {
        node,
        run_id,
        object_id: id(),
    };
    call("PullObject", object.encode_to_vec()).await;
    let confirm = proto::ConfirmMessageReceivedRequest {
        node,
        run_id,
        message_object_id: id(),
    };
    call("ConfirmMessageReceived", confirm.encode_to_vec()).await;

    let outputs = v1_15::PushServerAppOutputsRequest {
        run_id,
        ..Default::default()
    };
    call("PushServerAppOutputs", outputs.encode_to_vec()).await;
    let push = v1_15::PushInsMessagesRequest {
        run_id,
        ..Default::default()
    };
    call("PushMessages", push.encode_to_vec()).await;
    let pull = v1_15::PullResMessagesRequest {
        run_id,
        ..Default::default()
    };
    call("PullMessages", pull.encode_to_vec()).await;
    let inputs = v1_15::PullServerAppInputsRequest {};
    call("PullServerAppInputs", inputs.encode_to_vec()).await;
    let task = v1_08::TaskMessage {
        run_id,
        ..Default::default()
    };
    let push = v1_08::PushTaskInsRequest {
        task_ins_list: vec![task],
    };
    call("PushTaskIns", push.encode_to_vec()).await;
    let pull = v1_08::PullTaskResRequest {
        task_ids: vec![format!("{run_id:016x}{}", id())],
        ..Default::default()
    };
    call("PullTaskRes", pull.encode_to_vec()).await;
    answered
}

fn nothing_is_opened(answers: Vec<(&'static str, Answered)>) {
    for (method, answered) in answers {
        if method == "GetRunStatus" {
            let status: proto::GetRunStatusResponse = answered.read();
            assert!(status.run_status_dict.is_empty());
            continue;
        }
        assert!(is_invalid_token(&answered), "{method}: {}", answered.text);
    }
}

#[tokio::test]
async fn a_call_that_only_names_a_run_is_of_nobody() {
    let mut scene = Scene::new().await;
    let [(run, _), (other, other_token)] = scene.runs.clone();
    nothing_is_opened(by_run(&scene, run).await);
    // The app of another run, on its own connection.
    scene.peer = new_peer();
    let inputs: proto::PullAppInputsResponse = scene.inputs(&other_token).await.read();
    assert_eq!(inputs.run.unwrap().run_id, other.0);
    nothing_is_opened(by_run(&scene, run).await);
    let link = scene.host.link();
    let known = link.known_run(run).await.unwrap();
    assert_eq!(known.status.phase, Phase::Pending);
    // The log of a run that goes on is waited for, unless there is some.
    link.stop_run(run).await.unwrap();
    let log = link
        .next_log(run, Timestamp::ZERO, usize::MAX)
        .await
        .unwrap();
    assert_eq!(log, None);
}

#[tokio::test]
async fn the_connection_on_which_a_token_was_shown_speaks_for_its_run() {
    let scene = Scene::new().await;
    let [(run, token), _] = scene.runs.clone();
    scene
        .inputs(&token)
        .await
        .read::<proto::PullAppInputsResponse>();
    // Without the outputs, which need the token, and the calls of flwr 1.18 and before.
    let answers = by_run(&scene, run).await.into_iter().skip(1).take(12);
    for (method, answered) in answers {
        assert_ne!(answered.text, "Invalid token.", "{method}");
    }
}

#[tokio::test]
async fn an_instruction_whose_source_is_a_node_is_refused() {
    let scene = Scene::new().await;
    let [(run, token), _] = scene.runs.clone();
    let of = |src_node_id| proto::PushAppMessagesRequest {
        token: token.clone(),
        run_id: run.0,
        messages_list: vec![proto::Message {
            metadata: Some(proto::Metadata {
                run_id: run.0,
                message_id: "0".repeat(64),
                src_node_id,
                dst_node_id: 7,
                group_id: "1".to_owned(),
                ttl: 60.0,
                message_type: "train".to_owned(),
                created_at: 1_750_000_099.0,
                ..Default::default()
            }),
            ..Default::default()
        }],
        ..Default::default()
    };
    let text = scene.call("PushMessages", &of(9)).await.text;
    assert!(text.contains("src_node_id"), "{text}");
    let text = scene.call("PushMessages", &of(1)).await.text;
    assert!(!text.contains("src_node_id"), "{text}");
}
