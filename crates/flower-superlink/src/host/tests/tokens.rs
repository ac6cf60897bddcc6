//! The tokens of ServerApp processes, as their door checks them.

use flwr_core::config::UserConfig;
use flwr_core::fab;
use flwr_core::id::RunId;
use flwr_proto as proto;
use flwr_wire::door::{RuntimeDoor, ServerAppIo};

use super::*;
use crate::link::Principal;

/// A SuperLink with two runs, and the token of each.
struct Scene {
    host: Host,
    runs: [(RunId, String); 2],
}

impl Scene {
    async fn new() -> Self {
        let host = host(link(MemoryState::default()), Policy::AnyKey, None);
        let runs = [run(&host).await, run(&host).await];
        Self { host, runs }
    }

    async fn call(&self, method: &str, message: &impl Message) -> Answered {
        let door = RuntimeDoor::<_, ServerAppIo>::new(self.host.clone());
        let path = format!("/flwr.proto.ServerAppIo/{method}");
        let message = message.encode_to_vec().into();
        call_door(door, &path, HeaderMap::new(), message).await
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
