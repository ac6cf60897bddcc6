//! What the `flwr` command of 1.23 to 1.36 may ask for in vain.

use bytes::Bytes;
use e2e::{App, Federation, Release};
use flwr_client::channel::Trust;
use flwr_proto as proto;
use flwr_security::key::PrivateKey;

use super::OURS;
use super::ask::{Caller, Proof, Table, done};

/// Bytes of a bundle at most.
const LARGEST_FAB: usize = 10 * 1024 * 1024;

/// What only SuperLinks of the hub have: the method, and the release that it came with.
const ABSENT: [(&str, u8); 22] = [
    ("CreateFederation", 27),
    ("ArchiveFederation", 27),
    ("AddNodeToFederation", 27),
    ("RemoveNodeFromFederation", 27),
    ("CreateInvitation", 27),
    ("ListInvitations", 27),
    ("AcceptInvitation", 27),
    ("RejectInvitation", 27),
    ("RevokeInvitation", 27),
    ("ConfigureSimulationFederation", 28),
    ("RemoveAccountFromFederation", 28),
    ("ListRunSeries", 31),
    ("GetRunSeries", 31),
    ("StartAutomation", 33),
    ("StopAutomation", 33),
    ("ListConnectors", 33),
    ("DisconnectConnector", 33),
    ("BeginConnectorOAuth", 33),
    ("CompleteConnectorOAuth", 33),
    ("ListApps", 34),
    ("AddApp", 35),
    ("RemoveApp", 35),
];

/// A person who asks for what is not there.
pub(super) struct Person {
    calls: Caller,
    release: Release,
}

impl Person {
    pub(super) fn new(federation: &Federation, release: Release) -> Self {
        let who = ("flwr CLI", "Control");
        let calls = Caller::new(federation.control(), &Trust::Plaintext, who, release);
        Self { calls, release }
    }

    pub(super) fn table(self) -> Table {
        self.calls.table
    }

    async fn ask<Q, A>(
        &mut self,
        what: &'static str,
        method: &str,
        request: Q,
        told: impl Fn(&A) -> String,
    ) -> Option<A>
    where
        Q: prost::Message + 'static,
        A: prost::Message + Default + 'static,
    {
        self.calls
            .ask(what, method, request, Proof::default(), told)
            .await
    }

    /// Runs that do not exist, or are over.
    pub(super) async fn ask_for_runs(&mut self, stopped: u64) {
        for (what, run_id) in [
            ("stop of an unknown run", 7),
            ("stop of a stopped run", stopped),
        ] {
            let request = proto::StopRunRequest { run_id };
            let told = |it: &proto::StopRunResponse| format!("success={}", it.success);
            self.ask(what, "StopRun", request, told).await;
        }
        for (what, run_id, limit) in [
            ("list of an unknown run", Some(7), None),
            ("list of no runs", None, Some(0)),
        ] {
            let request = proto::ListRunsRequest {
                run_id,
                limit,
                skip: None,
            };
            let told = |it: &proto::ListRunsResponse| format!("{} runs", it.run_dict.len());
            self.ask(what, "ListRuns", request, told).await;
        }
        let request = proto::StreamLogsRequest {
            run_id: 7,
            after_timestamp: 0.0,
        };
        let told = |it: &proto::StreamLogsResponse| it.log_output.clone();
        self.ask("log of an unknown run", "StreamLogs", request, told)
            .await;
        for (what, run_id) in [
            ("pull of an unknown run", 7),
            ("pull of a stopped run", stopped),
        ] {
            let request = proto::PullArtifactsRequest { run_id };
            let told = |it: &proto::PullArtifactsResponse| format!("{:?}", it.url);
            self.ask(what, "PullArtifacts", request, told).await;
        }
    }

    /// Accounts, where nobody signs in.
    pub(super) async fn sign_in(&mut self) {
        let request = proto::GetLoginDetailsRequest {};
        let told = |it: &proto::GetLoginDetailsResponse| format!("type={:?}", it.auth_type);
        self.ask("login", "GetLoginDetails", request, told).await;
        let request = proto::GetAuthTokensRequest {
            device_code: "nonsense".to_owned(),
        };
        let told = |it: &proto::GetAuthTokensResponse| format!("{:?}", it.access_token);
        self.ask("tokens of a login", "GetAuthTokens", request, told)
            .await;
    }

    /// Nodes that do not exist, and keys that cannot be registered.
    pub(super) async fn ask_for_nodes(&mut self) {
        self.register("registration of junk", Bytes::from_static(b"junk"))
            .await;
        let pem = || Bytes::from(PrivateKey::generate().unwrap().public_key().to_pem());
        let key = pem();
        let id = self
            .register("registration of a key", key.clone())
            .await
            .unwrap();
        self.register("registration of a key twice, by a person", key)
            .await;
        for (what, node_id) in [
            ("end of an unknown node", 7),
            ("end of a node", id),
            ("end of a node twice", id),
        ] {
            let request = proto::UnregisterNodeRequest { node_id };
            let told = done::<proto::UnregisterNodeResponse>;
            self.ask(what, "UnregisterNode", request, told).await;
        }
    }

    async fn register(&mut self, what: &'static str, public_key: Bytes) -> Option<u64> {
        let request = proto::RegisterNodeRequest {
            public_key,
            ..proto::RegisterNodeRequest::default()
        };
        let told = |it: &proto::RegisterNodeResponse| format!("node={}", it.node_id.is_some());
        let answer = self.ask(what, "RegisterNode", request, told).await;
        answer.and_then(|it| it.node_id)
    }

    /// Runs that cannot be started.
    pub(super) async fn start_in_vain(&mut self, federation: &Federation, app: &App) {
        let fab = bundle(federation, app);
        let hash = |content: &Bytes| {
            let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, content);
            let bytes = digest.as_ref().iter();
            bytes.map(|byte| format!("{byte:02x}")).collect::<String>()
        };
        let of = |content: Bytes| proto::StartRunRequest {
            fab: Some(proto::Fab {
                hash_str: hash(&content),
                content,
                ..proto::Fab::default()
            }),
            federation: match self.release.is_since(24) && !self.release.is_since(26) {
                true => "default".to_owned(),
                false => String::new(),
            },
            ..proto::StartRunRequest::default()
        };
        let nothing = proto::StartRunRequest::default();
        let junk = of(Bytes::from_static(b"junk"));
        let large = of(Bytes::from(vec![0; LARGEST_FAB + 1]));
        let mut other_hash = of(fab.clone());
        if let Some(fab) = &mut other_hash.fab {
            fab.hash_str = hash(&Bytes::new());
        }
        let scalar = proto::Scalar {
            scalar: Some(proto::scalar::Scalar::String("x".to_owned())),
        };
        let unknown_key = proto::StartRunRequest {
            override_config: [("nobodys-key".to_owned(), scalar)].into(),
            ..of(fab)
        };
        for (what, request) in [
            ("a run of nothing", nothing),
            ("a run of junk", junk),
            ("a run of too large a bundle", large),
            ("a run of a bundle of another hash", other_hash),
            (
                "a run with an unknown key of its configuration",
                unknown_key,
            ),
        ] {
            self.start(what, request).await;
        }
        if self.release.is_since(24) {
            let request = proto::StartRunRequest {
                app_spec: "nonsense".to_owned(),
                ..proto::StartRunRequest::default()
            };
            self.start("a run of an app without a name", request).await;
        }
        if self.release.is_since(26) {
            let request = proto::StartRunRequest {
                federation: "@none/other".to_owned(),
                ..proto::StartRunRequest::default()
            };
            self.start("a run in an unknown federation", request).await;
        }
    }

    async fn start(&mut self, what: &'static str, request: proto::StartRunRequest) {
        let told = |it: &proto::StartRunResponse| format!("run={}", it.run_id.is_some());
        self.ask(what, "StartRun", request, told).await;
    }

    /// What only SuperLinks of the hub have.
    pub(super) async fn ask_for_more(&mut self) {
        // The name of a federation is the first text in most of these requests.
        let named = |name: &str| proto::ShowFederationRequest {
            federation_name: name.to_owned(),
        };
        if self.release.is_since(26) {
            let told = done::<proto::ShowFederationResponse>;
            let what = "an unknown federation";
            self.ask(what, "ShowFederation", named("@none/other"), told)
                .await;
        }
        for (method, since) in ABSENT {
            if self.release.is_since(since) {
                let told = done::<proto::ListNodesRequest>;
                self.ask(method, method, named("@none/default"), told).await;
            }
        }
    }
}

/// The bundle of an app.
fn bundle(federation: &Federation, app: &App) -> Bytes {
    let _ = federation.flwr(OURS).call(&app.path, &["build"]).success();
    let files = std::fs::read_dir(&app.path).unwrap();
    let mut files = files.map(|file| file.unwrap().path());
    let fab = files.find(|file| file.extension().is_some_and(|end| end == "fab"));
    std::fs::read(fab.unwrap()).unwrap().into()
}
