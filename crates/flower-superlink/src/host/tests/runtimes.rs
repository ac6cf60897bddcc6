//! ServerApp processes of flwr 1.23 to 1.34 at one port. The layouts are those of the descriptors in
//! the packages; `tests/tests/e2e/runtimes.rs` runs the processes themselves.

use flwr_core::id::RunId;
use flwr_core::run::{Outcome, Phase, RunStatus};
use flwr_proto::{self as proto, v1_24, v1_30};
use flwr_wire::door::{Runtime, RuntimeDoor, ServerAppIo, SimulationIo};

use super::*;
use crate::link::Principal;
use crate::link::tests::bundle;

mod metadata;
mod signs;
mod tasks;

/// The metadata of apps of flwr 1.29.
const APP: &str = "flwr-app-token";
/// The metadata of apps of flwr 1.30 to 1.34.
const TASK: &str = "flwr-task-token";
const INVALID_TOKEN: (Code, &str) = (Code::PermissionDenied, "Invalid token.");
const NOT_AUTHENTICATED: (Code, &str) = (Code::Unauthenticated, "Authentication failed.");

/// A SuperLink whose ServerApps somebody else starts.
struct Scene {
    host: Host,
    /// The connection of the caller.
    peer: Peer,
}

/// A token in the metadata of a call, under its name. `None`: the call has none.
type Shown<'a> = Option<(&'static str, &'a str)>;

impl Scene {
    fn new() -> Self {
        Self::with(Launchers::default())
    }

    /// The same, where these may start the ServerApps.
    fn with(launchers: Launchers) -> Self {
        let host = Host::new(Parts {
            apps: Apps::OfStrangers,
            launchers,
            ..parts(link(MemoryState::default()), Policy::AnyKey, None)
        });
        let peer = peer((Ipv4Addr::LOCALHOST, 50_000).into());
        Self { host, peer }
    }

    /// A run that waits for its ServerApp.
    async fn run(&self) -> RunId {
        let link = self.host.link();
        let started = link.start_run(bundle(), Default::default(), &Principal::Anybody);
        started.await.unwrap()
    }

    /// The same, with the token of its ServerApp.
    async fn claimed(&self) -> (RunId, String) {
        let run = self.run().await;
        let token = self.host.link().issue_token(run).await.unwrap().unwrap();
        (run, token.as_str().to_owned())
    }

    async fn phase(&self, run: RunId) -> Phase {
        self.host.link().known_run(run).await.unwrap().status.phase
    }

    /// Calls a method, as `<service>/<method>`.
    async fn call(&self, method: &str, shown: Shown<'_>, message: &impl Message) -> Answered {
        let mut headers = HeaderMap::new();
        if let Some((name, token)) = shown {
            headers.insert(name, token.parse().unwrap());
        }
        let path = format!("/flwr.proto.{method}");
        self.call_with(&path, headers, message.encode_to_vec().into())
            .await
    }

    /// Calls the method at this path, with these headers.
    async fn call_with(&self, path: &str, headers: HeaderMap, body: Bytes) -> Answered {
        let (host, peer) = (self.host.clone(), Some(&self.peer));
        match path.split('/').nth(1).unwrap() {
            "flwr.proto.ServerAppIo" => {
                let door = RuntimeDoor::<_, ServerAppIo>::new(host);
                call_over(peer, door, path, headers, body).await
            }
            "flwr.proto.Runtime" => {
                let door = RuntimeDoor::<_, Runtime>::for_serverapps(host);
                call_over(peer, door, path, headers, body).await
            }
            _ => {
                let door = RuntimeDoor::<_, SimulationIo>::new(host);
                call_over(peer, door, path, headers, body).await
            }
        }
    }

    /// The inputs for the app with this token in the request's field.
    async fn inputs(&self, token: &str) -> proto::PullAppInputsResponse {
        let token = token.to_owned();
        let request = proto::PullAppInputsRequest { token };
        let inputs = self.call("ServerAppIo/PullAppInputs", None, &request).await;
        inputs.read()
    }
}

/// An instruction to a node that does not exist, with the tree of its only object.
fn message(run: RunId) -> (proto::Message, proto::ObjectTree) {
    let object_id = "0".repeat(64);
    let metadata = proto::Metadata {
        run_id: run.0,
        message_id: object_id.clone(),
        src_node_id: 1,
        dst_node_id: 7,
        group_id: "1".to_owned(),
        ttl: 60.0,
        message_type: "train".to_owned(),
        created_at: 1_750_000_099.0,
        ..proto::Metadata::default()
    };
    let message = proto::Message {
        metadata: Some(metadata),
        content: Some(proto::RecordDict::default()),
        ..proto::Message::default()
    };
    let tree = proto::ObjectTree {
        object_id,
        ..proto::ObjectTree::default()
    };
    (message, tree)
}

/// Makes the calls that name a run whatever the release of the app.
async fn naming(scene: &Scene, service: &str, shown: Shown<'_>, run: RunId) -> Vec<Answered> {
    let (node, run_id) = (Some(proto::Node { node_id: 1 }), run.0);
    let object_id = "0".repeat(64);
    let path = |method: &str| format!("{service}/{method}");
    let push = proto::PushObjectRequest {
        node,
        run_id,
        object_id: object_id.clone(),
        ..proto::PushObjectRequest::default()
    };
    let pull = proto::PullObjectRequest {
        node,
        run_id,
        object_id: object_id.clone(),
    };
    let confirm = proto::ConfirmMessageReceivedRequest {
        node,
        run_id,
        message_object_id: object_id,
    };
    let logs = proto::PushLogsRequest {
        node: Some(proto::Node::default()),
        run_id,
        logs: vec!["by ".to_owned(), String::new(), "a test\n".to_owned()],
    };
    let get_run = proto::GetRunRequest {
        run_id,
        ..proto::GetRunRequest::default()
    };
    vec![
        scene.call(&path("PushObject"), shown, &push).await,
        scene.call(&path("PullObject"), shown, &pull).await,
        scene
            .call(&path("ConfirmMessageReceived"), shown, &confirm)
            .await,
        scene.call(&path("PushLogs"), shown, &logs).await,
        scene.call(&path("GetRun"), shown, &get_run).await,
    ]
}

#[tokio::test]
async fn what_is_not_offered_is_refused_in_words() {
    let scene = Scene::new();
    let (_, token) = scene.claimed().await;
    let simulations = [
        "SimulationIo/ListAppsToLaunch",
        "SimulationIo/RequestToken",
        "SimulationIo/PullAppInputs",
        "SimulationIo/GetFederationOptions",
        "ServerAppIo/GetFederationOptions",
    ];
    let of_agents = [
        "CreateTask",
        "PushTaskMessage",
        "PullTaskMessage",
        "GetConnector",
    ];
    let agents = ["ServerAppIo", "Runtime"]
        .into_iter()
        .flat_map(|service| of_agents.map(|method| format!("{service}/{method}")));
    let request = v1_30::PullTaskInputRequest {};
    for (methods, shown, text) in [
        (
            simulations.map(str::to_owned).to_vec(),
            None,
            "simulations are not offered here",
        ),
        (
            agents.collect(),
            Some((TASK, token.as_str())),
            "tasks of agents are not offered here",
        ),
    ] {
        for method in methods {
            let answered = scene.call(&method, shown, &request).await;
            assert_eq!(answered.said(), (Code::Unimplemented, text), "{method}");
        }
    }
}
