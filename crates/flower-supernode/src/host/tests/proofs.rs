//! What admits a call of a ClientApp, and what each proof opens.

use flwr_core::port::runtime::Asked;
use flwr_core::port::{Jobs, Runtime};
use flwr_core::refusal::Code as Number;
use flwr_core::run::{Phase, RunStatus};

use super::*;

fn refused() -> [Answer<()>; 4] {
    std::array::from_fn(|_| invalid_token())
}

/// Makes each call that needs the token of the message. `run` is named where a request has a field
/// for it.
async fn by_token(scene: &Scene, token: &str, run: u64) -> [Answer<()>; 4] {
    let (inputs, mut pull) = (
        proto::PullAppInputsRequest {
            token: token.to_owned(),
        },
        proto::PullAppMessagesRequest {
            token: token.to_owned(),
            ..Default::default()
        },
    );
    pull.run_id = run;
    let (parcel, _) = reply(&scene.job, b"{}");
    let mut push = push_message(token, vec![parcel]);
    push.run_id = run;
    let inputs: Answer<proto::PullAppInputsResponse> =
        scene.call("PullClientAppInputs", inputs).await;
    let pulled: Answer<proto::PullAppMessagesResponse> = scene.call("PullMessage", pull).await;
    let pushed: Answer<proto::PushAppMessagesResponse> = scene.call("PushMessage", push).await;
    let ended = scene.push_outputs(token, run).await;
    [inputs.map(drop), pulled.map(drop), pushed.map(drop), ended]
}

#[tokio::test]
async fn without_the_token_of_the_message_nothing_is_opened() {
    let scene = Scene::new();
    let token = scene.token().await;
    let upper = token.to_uppercase();
    for wrong in ["", "guess", upper.as_str(), &token[1..]] {
        for answer in by_token(&scene, wrong, 0).await {
            assert_eq!(answer, invalid_token(), "{wrong:?}");
        }
    }
    assert_eq!(scene.job.outbox.progress(), Default::default());
    assert_eq!(by_token(&scene, &token, RUN.0).await, [const { Ok(()) }; 4]);
}

#[tokio::test]
async fn a_token_opens_no_other_run() {
    let scene = Scene::new();
    let token = scene.token().await;
    let [_, pulled, pushed, ended] = by_token(&scene, &token, OTHER_RUN).await;
    for answer in [pulled, pushed, ended] {
        assert_eq!(answer, invalid_token());
    }
    assert_eq!(scene.job.outbox.progress(), Default::default());
}

#[tokio::test]
async fn a_token_opens_no_later_message_and_nothing_after_the_outputs() {
    let scene = Scene::new();
    let token = scene.token().await;
    scene.push_outputs(&token, 0).await.unwrap();
    assert_eq!(by_token(&scene, &token, 0).await, refused());
    scene.desk.clear();
    scene.desk.open(Arc::new(job()));
    let later = scene.token().await;
    assert_ne!(later, token);
    assert_eq!(by_token(&scene, &token, 0).await, refused());
}

#[tokio::test]
async fn objects_are_reached_only_while_a_process_holds_the_token() {
    let scene = Scene::new();
    let (parcel, [object, _]) = reply(&scene.job, b"{}");
    assert_eq!(scene.pull_object(RUN.0, NODE).await, invalid_token());
    let token = scene.token().await;
    assert_eq!(scene.pull_object(RUN.0, NODE).await, invalid_token());
    scene.show(&token).await;
    assert_eq!(scene.pull_object(RUN.0, NODE).await, Ok(true));
    assert_eq!(scene.pull_object(OTHER_RUN, NODE).await, invalid_token());
    scene.push_message(&token, vec![parcel]).await.unwrap();
    let bytes = object.bytes;
    assert_eq!(scene.push_object(object.id, bytes.clone()).await, Ok(true));
    scene.push_outputs(&token, 0).await.unwrap();
    assert_eq!(scene.push_object(object.id, bytes).await, Ok(false));
    assert_eq!(scene.pull_object(RUN.0, NODE).await, Ok(false));
    scene.desk.clear();
    assert_eq!(scene.pull_object(RUN.0, NODE).await, invalid_token());
}

/// Makes each call that carries no token.
async fn by_connection(scene: &Scene) -> [Answer<bool>; 3] {
    let (_, [object, _]) = reply(&scene.job, b"{}");
    let pulled = scene.pull_object(RUN.0, NODE).await;
    let pushed = scene.push_object(object.id, object.bytes.clone()).await;
    let confirm = proto::ConfirmMessageReceivedRequest {
        node: Some(NODE.into()),
        run_id: RUN.0,
        message_object_id: scene.job.inbox.tree.id.to_string(),
    };
    let confirmed: Answer<proto::ConfirmMessageReceivedResponse> =
        scene.call("ConfirmMessageReceived", confirm).await;
    [pulled, pushed, confirmed.map(|_| true)]
}

#[tokio::test]
async fn calls_without_a_token_need_the_connection_on_which_it_was_shown() {
    let mut scene = Scene::new();
    let token = scene.token().await;
    scene.show(&token).await;
    let shown = scene.peer.clone();
    scene.reconnect(Ipv4Addr::new(192, 0, 2, 1));
    for answer in by_connection(&scene).await {
        assert_eq!(answer, invalid_token());
    }
    // Another process at the ClientApp's address, while the ClientApp is there.
    scene.reconnect(Ipv4Addr::LOCALHOST);
    for answer in by_connection(&scene).await {
        assert_eq!(answer.unwrap_err().0, Code::Unavailable);
    }
    scene.peer = shown;
    let [pulled, ..] = by_connection(&scene).await;
    assert_eq!(pulled, Ok(true));
}

#[tokio::test]
async fn a_clientapp_that_lost_its_connection_goes_on_with_another() {
    let mut scene = Scene::new();
    let token = scene.token().await;
    scene.show(&token).await;
    scene.reconnect(Ipv4Addr::LOCALHOST);
    assert_eq!(scene.pull_object(RUN.0, NODE).await, Ok(true));
}

#[tokio::test]
async fn others_than_this_machine_start_clientapps_only_with_leave() {
    let mut scene = Scene::new();
    let list = async |scene: &Scene| -> Answer<proto::ListAppsToLaunchResponse> {
        let request = proto::ListAppsToLaunchRequest {};
        scene.call("ListAppsToLaunch", request).await
    };
    let claim = async |scene: &Scene| -> Answer<proto::RequestTokenResponse> {
        let request = proto::RequestTokenRequest { run_id: RUN.0 };
        scene.call("RequestToken", request).await
    };
    let get_run = async |scene: &Scene| -> Answer<proto::GetRunResponse> {
        let request = proto::GetRunRequest {
            run_id: RUN.0,
            ..Default::default()
        };
        scene.call("GetRun", request).await
    };
    scene.reconnect(Ipv4Addr::new(192, 0, 2, 1));
    for refused in [
        list(&scene).await.map(drop),
        claim(&scene).await.map(drop),
        get_run(&scene).await.map(drop),
    ] {
        let (code, text) = refused.unwrap_err();
        assert_eq!(code, Code::PermissionDenied);
        assert!(text.contains("--appio-allow-from"), "{text}");
    }
    let networks = vec!["192.0.2.0/24".parse().unwrap()];
    let launchers = Launchers::load(None, networks).unwrap();
    let clock = Arc::new(MockClock::new(NOW));
    scene.host = Host::new(Arc::clone(&scene.desk), launchers, clock);
    assert_eq!(list(&scene).await.unwrap().run_ids, [RUN.0]);
    assert!(get_run(&scene).await.unwrap().run.is_some());
    assert_eq!(claim(&scene).await.unwrap().token.len(), 256);
}

#[tokio::test]
async fn an_app_speaks_for_its_own_node() {
    let scene = Scene::new();
    let token = scene.token().await;
    scene.show(&token).await;
    let refused = (Code::FailedPrecondition, "Unexpected node ID.".to_owned());
    for node in [NodeId::SUPERLINK, NodeId(10)] {
        assert_eq!(scene.pull_object(RUN.0, node).await, Err(refused.clone()));
    }
}

#[tokio::test]
async fn a_run_is_known_while_its_message_is_in_work() {
    let scene = Scene::new();
    let get = async |run_id| -> Answer<proto::GetRunResponse> {
        let request = proto::GetRunRequest {
            run_id,
            ..Default::default()
        };
        scene.call("GetRun", request).await
    };
    assert_eq!(get(RUN.0).await.unwrap().run, Some(run().into()));
    let text = "the message in work is not of run 8".to_owned();
    assert_eq!(get(OTHER_RUN).await, Err((Code::NotFound, text)));
    scene.desk.clear();
    assert_eq!(get(RUN.0).await.unwrap_err().0, Code::NotFound);
}

#[tokio::test]
async fn a_process_without_a_token_is_not_admitted() {
    let scene = Scene::new();
    let head = scene.head();
    for proof in [
        AppProof::Tokenless(None),
        AppProof::Tokenless(Some(RUN)),
        AppProof::Stranger(RUN),
        AppProof::Token(String::new()),
    ] {
        let refused = scene.host.admit(proof, &head).await.unwrap_err();
        assert_eq!(refused, Refusal::UnknownToken.into());
    }
    // A call without the token reaches no more than the run and the objects.
    let token = scene.token().await;
    scene.show(&token).await;
    let named = scene.host.admit(AppProof::Named(RUN), &head).await.unwrap();
    let refused = [
        named.inputs().await.map(drop),
        named.send(Vec::new()).await.map(drop),
        named.receive(Asked::All, head.patience).await.map(drop),
        named.fab(&bundle().hash).await.map(drop),
        named.finish(None).await,
    ];
    for refused in refused {
        assert_eq!(refused, Err(Refusal::UnknownToken.into()));
    }
}

#[tokio::test]
async fn a_clientapp_gets_nothing_that_only_serverapps_have() {
    let scene = Scene::new();
    let job = Arc::clone(&scene.job);
    let app = RuntimeSession::of_token(Arc::clone(&scene.desk), job);
    let refused = [
        app.log("text".to_owned()).await,
        app.status(RunStatus::plain(Phase::Running)).await,
        app.nodes().await.map(drop),
    ];
    for refused in refused {
        let Err(Failure::Refused(refusal)) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(refusal.code(), Number::RuntimeEndpointUnavailable);
    }
    let path = "/flwr.proto.ServerAppIo/PullAppInputs";
    let request = proto::PullAppInputsRequest::default();
    let answer: Answer<proto::PullAppInputsResponse> =
        call(&scene.host, &scene.peer, path, request).await;
    assert_eq!(answer.unwrap_err().0, Code::Unimplemented);
}

#[tokio::test]
async fn work_is_given_once_by_either_name_of_the_question() {
    let scene = Scene::new();
    let waiting = async |method| -> Vec<u64> {
        let request = proto::ListAppsToLaunchRequest {};
        let answer: Answer<proto::ListAppsToLaunchResponse> = scene.call(method, request).await;
        answer.unwrap().run_ids
    };
    let token = async |run_id| -> String {
        let request = proto::RequestTokenRequest { run_id };
        let answer: Answer<proto::RequestTokenResponse> = scene.call("RequestToken", request).await;
        answer.unwrap().token
    };
    let questions = ["ListAppsToLaunch", "GetRunIdsWithPendingMessages"];
    for question in questions {
        assert_eq!(waiting(question).await, [RUN.0]);
    }
    assert_eq!(token(OTHER_RUN).await, "");
    assert_eq!(token(RUN.0).await.len(), 256);
    assert_eq!(token(RUN.0).await, "");
    for question in questions {
        assert_eq!(waiting(question).await, [] as [u64; 0]);
    }
}

#[tokio::test]
async fn a_node_that_starts_its_apps_itself_gives_no_work_away() {
    let desk = Arc::new(Desk::new(false));
    desk.open(Arc::new(job()));
    let jobs = JobsSession { desk };
    assert_eq!(jobs.waiting().await.unwrap(), []);
    assert_eq!(jobs.claim(RUN).await.unwrap(), None);
}

#[test]
fn of_those_who_ask_at_once_one_gets_the_message() {
    for _ in 0..200 {
        let desk = Desk::new(true);
        desk.open(Arc::new(job()));
        let start = std::sync::Barrier::new(4);
        let claim = || {
            start.wait();
            desk.claim(RUN).unwrap().is_some()
        };
        let given = std::thread::scope(|scope| {
            let asking = [(); 4].map(|()| scope.spawn(claim));
            asking.map(|thread| usize::from(thread.join().unwrap()))
        });
        assert_eq!(given.iter().sum::<usize>(), 1);
    }
}
