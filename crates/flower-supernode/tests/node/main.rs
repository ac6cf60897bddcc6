//! A whole SuperNode in this process, between a fake SuperLink (`fleet`) and fake ClientApps:
//! shell scripts in subprocess isolation, gRPC calls of the test's own in process isolation.
#![expect(
    clippy::disallowed_methods,
    reason = "tests start peers that end with the test, and wait with deadlines"
)]
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: clippy excuses only the tests themselves"
)]

mod app;
mod ends;
mod fleet;
mod joining;
mod power;
mod refused;
mod restart;
mod sweep;
mod trust;
mod waiting;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use flower_supernode::SuperNode;
use flower_supernode::config::{ClientAppIo, Config, Launch, NodeKey, Reuse};
use flwr_client::channel::{Route, Trust};
use flwr_client::retry::Persistence;
use flwr_core::config::Scalar;
use flwr_core::object::{Kind, Object, ObjectId};
use flwr_daemon::appio::{AppChannel, Launchers};
use flwr_daemon::clock::{Clock, SystemClock};
use flwr_daemon::listen::Security;
use flwr_daemon::stop::Stopper;
use flwr_proto as proto;
use flwr_security::key::PrivateKey;
use tempfile::TempDir;
use tonic::Code;

use app::{App, Refused, program};
use fleet::{FakeFleet, RUN, reply_to, seal};
use waiting::{in_time, until};

const NODE: u64 = 100;

struct Scene {
    fleet: FakeFleet,
    node: SuperNode,
    dir: TempDir,
    _superlink: Stopper,
}

/// A registered node; `script` is its `flwr-clientapp`, `DIR` in it a directory of the test's.
async fn scene(script: Option<&str>) -> Scene {
    scene_draining(script, Duration::from_secs(60)).await
}

/// The same, with the time that a stop waits for the message in hand.
async fn scene_draining(script: Option<&str>, drain: Duration) -> Scene {
    let (fleet, superlink) = (FakeFleet::new(), Stopper::new());
    let dir = tempfile::tempdir().unwrap();
    let address = fleet.serve(Security::Plaintext, &superlink).await;
    let launch = match script {
        Some(script) => Launch::Subprocess {
            program: program(dir.path(), script),
            ahead: true,
            reuse: Reuse::Never,
        },
        None => Launch::Process,
    };
    let config = Config {
        launch,
        drain,
        ..config(&address.to_string(), Trust::Plaintext)
    };
    let node = SuperNode::bind(config).await.unwrap();
    fleet.until(|world| world.registered).await;
    Scene {
        fleet,
        node,
        dir,
        _superlink: superlink,
    }
}

/// A node of process isolation, with a key of its own.
fn config(superlink: &str, trust: Trust) -> Config {
    Config {
        superlink: superlink.parse().unwrap(),
        other_port: None,
        trust,
        trust_origin: "the test".to_owned(),
        route: Route::Direct,
        warnings: Vec::new(),
        key: NodeKey {
            private: PrivateKey::generate().unwrap(),
            path: None,
        },
        remembered: None,
        joins_with: None,
        persistence: Persistence::default(),
        node_config: [("partition-id".to_owned(), Scalar::Int(3))].into(),
        launch: Launch::Process,
        clientappio: ClientAppIo {
            channel: AppChannel::default(),
            address: "127.0.0.1:0".parse().unwrap(),
            flag: "--clientappio-api-address",
            tls: None,
            launchers: Launchers::default(),
        },
        flwr_dir: None,
        store: None,
        app: None,
        drain: Duration::from_secs(60),
        health: None,
        metrics: None,
    }
}

impl Scene {
    async fn app(&self) -> App {
        App::connect(format!("http://{}", self.node.clientappio_addr())).await
    }

    /// A token for the next message, as soon as it waits.
    async fn token(&self) -> String {
        let mut app = self.app().await;
        let waits = async {
            loop {
                let request = proto::ListAppsToLaunchRequest {};
                let waiting = app.list_apps_to_launch(request).await.unwrap();
                if let Some(run_id) = waiting.run_ids.first().copied() {
                    return run_id;
                }
                tokio::task::yield_now().await;
            }
        };
        let run_id = in_time(waits).await;
        let answer = app
            .request_token(proto::RequestTokenRequest { run_id })
            .await
            .unwrap();
        answer.token
    }

    async fn first_reply(&self) -> proto::Message {
        self.fleet
            .until(|world| world.replies.first().cloned())
            .await
    }

    /// The process id that a script wrote to `DIR/pid`, as soon as it did.
    async fn pid(&self) -> String {
        let pid = || fs::read_to_string(self.dir.path().join("pid")).unwrap_or_default();
        until(|| pid().ends_with('\n')).await;
        pid().trim().to_owned()
    }
}

fn is_alive(pid: &str) -> bool {
    Path::new("/proc").join(pid).join("exe").read_link().is_ok()
}

async fn ended(pid: &str) {
    until(|| !is_alive(pid)).await;
}

/// Does a ClientApp's work: takes the message with all its objects, and replies with an empty
/// RecordDict. Gives the Context it got.
async fn work(scene: &Scene, token: &str, state: Option<proto::RecordDict>) -> proto::Context {
    let address = format!("http://{}", scene.node.clientappio_addr());
    work_at(address, token, state).await
}

/// The same, at the node with this address.
async fn work_at(address: String, token: &str, state: Option<proto::RecordDict>) -> proto::Context {
    let mut app = App::connect(address).await;
    let token = token.to_owned();
    let inputs = app
        .pull_client_app_inputs(proto::PullAppInputsRequest {
            token: token.clone(),
        })
        .await
        .unwrap();
    let context = inputs.context.unwrap();
    let (run_id, node) = (
        context.run_id,
        Some(proto::Node {
            node_id: context.node_id,
        }),
    );
    let pull = proto::PullAppMessagesRequest {
        token: token.clone(),
        ..Default::default()
    };
    let pulled = app.pull_message(pull).await.unwrap();
    let (instruction, tree) = (
        pulled.messages_list[0].metadata.clone().unwrap(),
        &pulled.message_object_trees[0],
    );
    for object_id in [tree.object_id.clone(), tree.children[0].object_id.clone()] {
        let request = proto::PullObjectRequest {
            node,
            run_id,
            object_id: object_id.clone(),
        };
        let object = app.pull_object(request).await.unwrap();
        assert!(object.object_available);
        assert_eq!(ObjectId::of(&object.object_content).to_string(), object_id);
    }

    let content = Object::new(Kind::RecordDict, &[], b"{}");
    let (message, tree, object) = seal(reply_to(&instruction, SystemClock.now()), &content);
    let push = proto::PushAppMessagesRequest {
        token: token.clone(),
        messages_list: vec![message],
        run_id,
        message_object_trees: vec![tree],
    };
    let wanted = app.push_message(push).await.unwrap().objects_to_push;
    assert_eq!(wanted.len(), 2);
    for object in [object, content] {
        let push = proto::PushObjectRequest {
            node,
            run_id,
            object_id: object.id.to_string(),
            object_content: object.bytes,
            ..proto::PushObjectRequest::default()
        };
        assert!(app.push_object(push).await.unwrap().stored);
    }
    let outputs = proto::PushAppOutputsRequest {
        token,
        run_id,
        context: Some(proto::Context {
            state,
            ..context.clone()
        }),
    };
    app.push_client_app_outputs(outputs).await.unwrap();
    context
}

/// A state that an app leaves.
fn seen() -> proto::RecordDict {
    let item = proto::record_dict::Item {
        key: "seen".to_owned(),
        ..Default::default()
    };
    proto::RecordDict { items: vec![item] }
}

#[tokio::test]
async fn a_message_goes_through_the_app_and_the_state_stays_for_the_next() {
    let scene = scene(None).await;
    scene.fleet.change(|world| world.not_yet = 1);
    let message = scene.fleet.hand_out(NODE, 3600.0);
    let state = seen();

    let context = work(&scene, &scene.token().await, Some(state.clone())).await;
    assert_eq!((context.run_id, context.node_id), (RUN.0, NODE));
    assert!(
        context.node_config.contains_key("partition-id") && context.run_config.contains_key("lr")
    );
    let reply = scene.first_reply().await.metadata.unwrap();
    assert_eq!(reply.reply_to_message_id, message.to_string());
    scene
        .fleet
        .until(|world| (world.pushed.len() == 2).then_some(()))
        .await;
    assert_eq!(
        scene.fleet.change(|world| world.confirmed.clone()),
        [message.to_string()]
    );

    scene.fleet.hand_out(NODE, 3600.0);
    let context = work(&scene, &scene.token().await, None).await;
    assert_eq!(context.state, Some(state));
}

#[tokio::test]
async fn a_token_is_given_once_and_opens_nothing_after_the_work() {
    let scene = scene(None).await;
    scene.fleet.hand_out(NODE, 3600.0);
    let token = scene.token().await;
    let mut app = scene.app().await;
    let again = app
        .request_token(proto::RequestTokenRequest { run_id: RUN.0 })
        .await
        .unwrap();
    assert_eq!(again.token, "");
    work(&scene, &token, None).await;
    for token in [token, String::new(), "0".repeat(256)] {
        let Refused(code, text) = app
            .pull_client_app_inputs(proto::PullAppInputsRequest { token })
            .await
            .unwrap_err();
        assert_eq!(
            (code, text.as_str()),
            (Code::PermissionDenied, "Invalid token.")
        );
    }
}

#[tokio::test]
async fn objects_that_are_not_announced_or_not_what_they_say_are_not_taken() {
    let scene = scene(None).await;
    scene.fleet.hand_out(NODE, 3600.0);
    let token = scene.token().await;
    let mut app = scene.app().await;
    let inputs = proto::PullAppInputsRequest {
        token: token.clone(),
    };
    app.pull_client_app_inputs(inputs).await.unwrap();
    let object = Object::new(Kind::RecordDict, &[], b"{}");
    let mut push = proto::PushObjectRequest {
        node: Some(proto::Node { node_id: NODE }),
        run_id: RUN.0,
        object_id: object.id.to_string(),
        object_content: object.bytes,
        ..proto::PushObjectRequest::default()
    };
    assert!(!app.push_object(push.clone()).await.unwrap().stored);
    push.object_content = "RecordDict  3\0{ }".into();
    assert!(!app.push_object(push.clone()).await.unwrap().stored);
    push.object_content = "garbage".into();
    push.object_id = ObjectId::of(b"garbage").to_string();
    let refused = app.push_object(push).await.unwrap_err();
    assert_eq!(refused.0, Code::FailedPrecondition);
    let empty = app
        .push_message(proto::PushAppMessagesRequest {
            token,
            ..Default::default()
        })
        .await
        .unwrap_err();
    assert_eq!(empty.0, Code::InvalidArgument);
}

#[tokio::test]
async fn a_superlink_that_has_forgotten_the_node_gets_a_new_registration() {
    let scene = scene(None).await;
    scene.fleet.change(|world| {
        world.registered = None;
        world.next_node = 200;
    });
    assert_eq!(scene.fleet.until(|world| world.registered).await, 200);
    scene.fleet.hand_out(200, 3600.0);
    let context = work(&scene, &scene.token().await, None).await;
    assert_eq!(context.node_id, 200);
    scene.first_reply().await;
}

#[tokio::test]
async fn a_node_that_is_known_again_under_its_old_id_goes_on_with_its_message() {
    let scene = scene(None).await;
    scene.fleet.hand_out(NODE, 3600.0);
    let token = scene.token().await;
    scene.fleet.change(|world| world.registered = None);
    // Nobody pulls while a message is in work: the reply finds out.
    work(&scene, &token, None).await;
    scene.first_reply().await;
    assert_eq!(scene.fleet.change(|world| world.created), 2);
}

#[tokio::test]
async fn an_app_that_is_killed_is_answered_for_with_its_last_lines() {
    let scene = scene(Some(
        "echo 'loading the data'; echo 'boom: no such file' >&2; kill -9 $$",
    ))
    .await;
    let message = scene.fleet.hand_out(NODE, 3600.0);
    let reply = scene.first_reply().await;
    let (metadata, error) = (reply.metadata.unwrap(), reply.error.unwrap());
    assert_eq!(metadata.reply_to_message_id, message.to_string());
    assert_eq!((metadata.src_node_id, metadata.dst_node_id), (NODE, 1));
    assert_eq!(error.code, 0);
    for part in [
        "killed by signal 9",
        "loading the data",
        "boom: no such file",
    ] {
        assert!(error.reason.contains(part), "{}", error.reason);
    }
    assert!(
        scene
            .fleet
            .until(|world| world.pushed.get(&metadata.message_id).cloned())
            .await
            .starts_with(b"Message  ")
    );
    scene.fleet.hand_out(NODE, 3600.0);
    scene
        .fleet
        .until(|world| (world.replies.len() == 2).then_some(()))
        .await;
}
