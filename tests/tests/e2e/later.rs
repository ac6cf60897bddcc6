//! Our `flwr` at SuperLinks of flwr 1.23 to 1.36, and what these refuse and ours alike.

use e2e::keys::NodeKey;
use e2e::{App, Federation, Flwr, Maker, Release, Security};
use flwr_client::channel::{Channel, Route, Trust, channel};
use flwr_proto as proto;
use flwr_security::key::PrivateKey;
use serde_json::Value;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::MetadataValue;
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;

const OURS: Maker = Maker::Ours;
const LATER: [Release; 3] = [Release::V1_23, Release::V1_31, Release::V1_36];
/// SuperLinks of this release want the name of the federation, and lay it out in another way.
const NAMED: Release = Release::V1_25;

pub(crate) fn json(flwr: Flwr<'_>, app: &App, arguments: &[&str]) -> Value {
    let mut all = arguments.to_vec();
    all.extend(["--format", "json"]);
    let said = flwr.call(&app.path, &all).success().text;
    let begin = said.find('{').unwrap_or_else(|| panic!("{all:?}: {said}"));
    serde_json::from_str(&said[begin..]).unwrap_or_else(|error| panic!("{all:?} ({error}): {said}"))
}

pub(crate) fn registers_lists_and_unregisters(flwr: Flwr<'_>, app: &App, federation: &Federation) {
    let key = NodeKey::make(&federation.scratch().path().join("more"), "node");
    let key = key.public.to_str().unwrap();
    let register = ["supernode", "register", key, "e2e"];
    let registered = json(flwr, app, &register);
    let id = registered["node-id-text"].as_str().unwrap().to_owned();
    let told = flwr.call(&app.path, &register).failure(1);
    assert!(
        told.text.to_lowercase().contains("already in use"),
        "{}",
        told.text
    );
    let status = || {
        let listed = json(flwr, app, &["supernode", "list", ".", "e2e"]);
        let nodes = listed["nodes"].as_array().unwrap().clone();
        let node = nodes
            .into_iter()
            .find(|node| node["node-id"].as_str() == Some(&id));
        node.unwrap()["status"].as_str().unwrap().to_owned()
    };
    assert_eq!(status(), "registered");
    let unregister = ["supernode", "unregister", &id, "e2e"];
    flwr.call(&app.path, &unregister)
        .success()
        .must_say(&["unregistered successfully"]);
    assert_eq!(status(), "unregistered");
    flwr.call(&app.path, &unregister)
        .failure(1)
        .must_say(&["the SuperLink refused"]);
}

#[test]
fn our_command_runs_lists_stops_and_registers_at_superlinks_of_later_releases() {
    for release in [Release::V1_23, NAMED, Release::V1_31, Release::V1_36] {
        let federation = Federation::plan(Security::Tls)
            .superlink(Maker::Pip(release))
            .nodes(0)
            .start();
        let (app, flwr) = (federation.app("mean"), federation.flwr(OURS));
        let run = flwr.start(&app, "rounds=1");
        assert!(flwr.statuses(&app).contains_key(&run));
        flwr.call(&app.path, &["stop", &run.to_string(), ".", "e2e"])
            .success()
            .must_say(&["successfully stopped"]);
        assert_eq!(flwr.status(&app, run), "finished:stopped");
        flwr.call(&app.path, &["stop", &run.to_string(), ".", "e2e"])
            .failure(1)
            .must_say(&["already finished"]);
        flwr.call(&app.path, &["log", "7", ".", "e2e", "--show"])
            .failure(1)
            .must_say(&["Run ID not found"]);
        registers_lists_and_unregisters(flwr, &app, &federation);
        let list = ["federation", "list", ".", "e2e"];
        if release == Release::V1_23 {
            flwr.call(&app.path, &list)
                .failure(1)
                .must_say(&["The SuperLink cannot process this request"]);
        } else {
            let (id, member) = match release == NAMED {
                true => ("default", "<id:none>"),
                false => ("@none/default", "none"),
            };
            let listed = json(flwr, &app, &list);
            assert_eq!(listed["federations"][0]["id"], id, "{listed}");
            let show = ["federation", "list", ".", "e2e", "--federation", id];
            let shown = json(flwr, &app, &show);
            assert_eq!(
                shown["federation"]["members"][0]["member_id"], member,
                "{shown}"
            );
            let other = ["run", ".", "e2e", "--federation", "@none/other"];
            flwr.call(&app.path, &other)
                .failure(1)
                .must_say(&["ederation"]);
        }
    }
}

#[test]
fn our_command_registers_at_ours() {
    let federation = Federation::plan(Security::Insecure).nodes(0).start();
    let (app, flwr) = (federation.app("mean"), federation.flwr(OURS));
    registers_lists_and_unregisters(flwr, &app, &federation);
    let show = [
        "federation",
        "list",
        ".",
        "e2e",
        "--federation",
        "@none/default",
    ];
    let shown = json(flwr, &app, &show);
    assert_eq!(
        shown["federation"]["members"][0]["role"], "owner",
        "{shown}"
    );
    let other = ["run", ".", "e2e", "--federation", "@none/other"];
    flwr.call(&app.path, &other)
        .failure(1)
        .must_say(&["Federation '@none/other' does not exist"]);
    federation.stop();
}

/// A client of Control that says which release it is of.
struct Asker {
    grpc: Grpc<Channel>,
    release: Release,
}

impl Asker {
    fn new(federation: &Federation, release: Release) -> Self {
        let channel = channel(
            ("127.0.0.1", federation.control().port()),
            &Trust::Plaintext,
            &Route::Direct,
        );
        Self {
            grpc: Grpc::new(channel),
            release,
        }
    }

    async fn ask<Q, A>(&mut self, method: &str, message: Q) -> Result<A, Status>
    where
        Q: prost::Message + 'static,
        A: prost::Message + Default + 'static,
    {
        self.grpc.ready().await.unwrap();
        let path = PathAndQuery::try_from(format!("/flwr.proto.Control/{method}")).unwrap();
        let mut request = Request::new(message);
        if self.release >= Release::V1_31 {
            let number = self.release.number();
            for (key, value) in [
                ("flwr-package-name", "flwr"),
                ("flwr-package-version", number.as_str()),
                ("flwr-component-name", "flwr CLI"),
            ] {
                let value = MetadataValue::try_from(value).unwrap();
                request.metadata_mut().insert(key, value);
            }
        }
        let codec = ProstCodec::<Q, A>::default();
        Ok(self.grpc.unary(request, path, codec).await?.into_inner())
    }
}

/// A refusal, as its reader gets it: the code, and the number if there is one.
type Refused = (Code, Option<i64>);

fn refused<A: std::fmt::Debug>(answer: Result<A, Status>) -> Refused {
    let status = answer.unwrap_err();
    assert!(!status.message().is_empty(), "{status}");
    let number = serde_json::from_str::<Value>(status.message()).ok();
    (status.code(), number.and_then(|it| it["code"].as_i64()))
}

/// Asks for what every SuperLink refuses, and gives the refusals by what was asked.
async fn refusals(asker: &mut Asker) -> Vec<(&'static str, Refused)> {
    let mut all = Vec::new();
    let stop = proto::StopRunRequest { run_id: 7 };
    let answer = asker
        .ask::<_, proto::StopRunResponse>("StopRun", stop)
        .await;
    all.push(("stop of an unknown run", refused(answer)));
    let list = proto::ListRunsRequest {
        run_id: Some(7),
        ..proto::ListRunsRequest::default()
    };
    let answer = asker
        .ask::<_, proto::ListRunsResponse>("ListRuns", list)
        .await;
    all.push(("list of an unknown run", refused(answer)));
    let pull = proto::PullArtifactsRequest { run_id: 7 };
    let answer = asker
        .ask::<_, proto::PullArtifactsResponse>("PullArtifacts", pull)
        .await;
    all.push(("pull", refused(answer)));
    let register = |key: &[u8]| proto::RegisterNodeRequest {
        public_key: key.to_vec().into(),
        ..proto::RegisterNodeRequest::default()
    };
    let answer = asker
        .ask::<_, proto::RegisterNodeResponse>("RegisterNode", register(b"junk"))
        .await;
    all.push(("registration of junk", refused(answer)));
    let key = PrivateKey::generate().unwrap().public_key().to_pem();
    let register = || register(key.as_bytes());
    let answer = asker
        .ask::<_, proto::RegisterNodeResponse>("RegisterNode", register())
        .await;
    assert!(answer.unwrap().node_id.is_some());
    let answer = asker
        .ask::<_, proto::RegisterNodeResponse>("RegisterNode", register())
        .await;
    all.push(("registration of a key twice", refused(answer)));
    let unregister = proto::UnregisterNodeRequest { node_id: 7 };
    let answer = asker
        .ask::<_, proto::UnregisterNodeResponse>("UnregisterNode", unregister)
        .await;
    all.push(("end of an unknown node", refused(answer)));
    if asker.release < Release::V1_31 {
        return all;
    }
    let show = proto::ShowFederationRequest {
        federation_name: "@none/other".to_owned(),
    };
    let answer = asker
        .ask::<_, proto::ShowFederationResponse>("ShowFederation", show)
        .await;
    all.push(("an unknown federation", refused(answer)));
    let start = proto::StartRunRequest {
        federation: "@none/other".to_owned(),
        ..proto::StartRunRequest::default()
    };
    let answer = asker
        .ask::<_, proto::StartRunResponse>("StartRun", start)
        .await;
    all.push(("a run in an unknown federation", refused(answer)));
    let start = proto::StartRunRequest {
        app_spec: "nonsense".to_owned(),
        ..proto::StartRunRequest::default()
    };
    let answer = asker
        .ask::<_, proto::StartRunResponse>("StartRun", start)
        .await;
    all.push(("a run of an app without a name", refused(answer)));
    // The name of a federation is the first text in all of these requests.
    let named = || proto::ShowFederationRequest {
        federation_name: "more".to_owned(),
    };
    for (method, what) in [
        ("CreateFederation", "a new federation"),
        ("ArchiveFederation", "the end of a federation"),
    ] {
        let answer = asker
            .ask::<_, proto::ListNodesRequest>(method, named())
            .await;
        all.push((what, refused(answer)));
    }
    all
}

#[test]
fn control_refuses_as_superlinks_of_later_releases_do() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let asked = |maker: Maker, release: Release| {
        let federation = Federation::plan(Security::Insecure)
            .superlink(maker)
            .nodes(0)
            .start();
        runtime.block_on(async { refusals(&mut Asker::new(&federation, release)).await })
    };
    for release in LATER {
        let (theirs, ours) = (asked(Maker::Pip(release), release), asked(OURS, release));
        for ((what, theirs), (_, ours)) in theirs.iter().zip(&ours) {
            if [Code::Unknown, Code::Internal].contains(&theirs.0) {
                // Their handler raised, where it was to refuse.
                continue;
            }
            assert_eq!(theirs.0, ours.0, "{what}, flwr {}", release.number());
            // 1.31 gives numbers for a part of its refusals.
            if theirs.1.is_some() {
                assert_eq!(theirs.1, ours.1, "{what}, flwr {}", release.number());
            }
        }
        assert_eq!(theirs.len(), ours.len());
    }
}
