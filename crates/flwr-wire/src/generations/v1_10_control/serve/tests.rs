//! The messages of pip's flwr, byte for byte: see `vectors/README.md`.

use bytes::Bytes;
use flwr_core::config::{Scalar, UserConfig};
use flwr_core::id::NodeId;
use flwr_core::port::control::{
    AccountInfo, Federation, Login, Member, NewNode, NodeInfo, NodeStatus, Nodes, Tokens, Usage,
    WholeFederation,
};
use flwr_core::run::{Phase, Run, RunStatus};
use futures::TryStreamExt;
use prost::Message;

use super::*;

/// The run of the requests: beyond what a signed number holds.
const RUN: RunId = RunId((1 << 63) + 1);
const AT: Timestamp = Timestamp::from_secs(1_750_000_000.25);

/// The recorded message with this name.
fn recorded(name: &str) -> Bytes {
    let lines = include_str!("../vectors/messages.txt").lines();
    let mut named = lines.filter_map(|line| line.split_once(' '));
    let (_, text) = named.find(|(found, _)| *found == name).unwrap();
    hex::decode(text).unwrap().into()
}

/// A recorded request.
fn request<M: Message + Default>(name: &str) -> Request<M> {
    let request = Request {
        message: recorded(name),
        patience: Duration::ZERO,
        now: AT,
        superexec: None,
        release: None,
        token: None,
    };
    request.decoded().unwrap()
}

/// A person, to whom everything is answered.
struct Person;

/// A log of one entry.
struct Log(Option<LogEntry>);

impl LogReader for Log {
    async fn next(&mut self) -> Result<Option<LogEntry>> {
        Ok(self.0.take())
    }
}

fn run() -> Run {
    Run {
        id: RunId(7),
        fab_id: "a/b".to_owned(),
        fab_version: "1.0.0".to_owned(),
        fab_hash: "ab".to_owned(),
        account: String::new(),
        override_config: UserConfig::new(),
        status: RunStatus::plain(Phase::Pending),
        pending_at: AT,
        starting_at: None,
        running_at: None,
        finished_at: None,
    }
}

const USED: RunUse = RunUse {
    sent: 5,
    received: 6,
    clientapp_seconds: 0.5,
};

fn node() -> NodeInfo {
    NodeInfo {
        id: NodeId(5),
        owner: account(),
        status: NodeStatus::Registered,
        registered_at: None,
        activated_at: None,
        deactivated_at: None,
        unregistered_at: None,
        online_until: None,
        key: Bytes::new(),
        name: None,
        location: None,
        certificate: None,
    }
}

fn account() -> AccountInfo {
    AccountInfo {
        id: "<id:none>".to_owned(),
        name: "none".to_owned(),
    }
}

fn whole() -> WholeFederation {
    let federation = Federation {
        id: FEDERATION.to_owned(),
        description: "for tests".to_owned(),
        ..Federation::default()
    };
    let member = Member {
        account: account(),
        role: "owner".to_owned(),
    };
    WholeFederation {
        federation,
        members: vec![member],
        nodes: vec![node()],
        runs: Runs {
            runs: vec![run()],
            ..Runs::default()
        },
    }
}

impl Control for Person {
    type Log = Log;

    async fn start(&self, start: Start) -> Result<Option<RunId>> {
        assert_eq!(start.fab, [1, 2].as_slice());
        let overrides = [
            ("lr", Scalar::Float(0.5)),
            ("name", Scalar::Text("a".to_owned())),
            ("rounds", Scalar::Int(-3)),
            ("shuffle", Scalar::Bool(true)),
        ];
        let overrides = overrides.map(|(key, value)| (key.to_owned(), value));
        assert_eq!(start.overrides, UserConfig::from(overrides));
        Ok(Some(RUN))
    }

    async fn stop(&self, run: RunId) -> Result<bool> {
        assert_eq!(run, RUN);
        Ok(true)
    }

    async fn runs(&self, which: impl Into<RunFilter> + Send) -> Result<Runs> {
        let which = which.into();
        assert!(which.only.is_none_or(|run| run == RUN));
        assert!(which.newest.is_none_or(|newest| newest == 5));
        Ok(Runs {
            runs: vec![run()],
            uses: [(RunId(7), USED)].into(),
            now: Some(AT + 1.0),
        })
    }

    async fn log(&self, run: RunId, after: Timestamp) -> Result<Log> {
        assert_eq!((run, after), (RUN, AT));
        let text = "one\n".to_owned();
        Ok(Log(Some(LogEntry { at: AT, text })))
    }

    async fn artifacts(&self, run: RunId) -> Result<Option<String>> {
        assert_eq!(run, RunId(7));
        Ok(None)
    }

    async fn nodes(&self) -> Result<Nodes> {
        let now = Some(AT);
        let nodes = vec![node()];
        Ok(Nodes { nodes, now })
    }

    async fn enroll(&self, node: NewNode) -> Result<Option<NodeId>> {
        assert_eq!(node.key, [0, 0, 0].as_slice());
        Ok(Some(NodeId(5)))
    }

    async fn dismiss(&self, node: NodeId) -> Result<()> {
        assert_eq!(node, NodeId(5));
        Ok(())
    }

    async fn federations(&self) -> Result<Vec<Federation>> {
        Ok(vec![whole().federation])
    }

    async fn federation(&self, _: &str) -> Result<WholeFederation> {
        Ok(whole())
    }

    async fn delete(&self, _: RunId) -> Result<()> {
        Ok(())
    }

    async fn usage(&self) -> Result<Usage> {
        Ok(Usage::default())
    }
}

impl SignIn for Person {
    async fn login(&self) -> Result<Login> {
        Ok(Login {
            auth_type: "oidc".to_owned(),
            device_code: "code".to_owned(),
            place: "https://a/b".to_owned(),
            expires_in: Duration::from_secs(600),
            interval: Duration::from_secs(5),
        })
    }

    async fn tokens(&self, device_code: &str) -> Result<Option<Tokens>> {
        assert_eq!(device_code, "code");
        Ok(Some(Tokens {
            access: "a".to_owned(),
            refresh: "b".to_owned(),
        }))
    }
}

#[tokio::test]
async fn runs_are_started_stopped_and_listed() {
    let started = start_run(Person, request("start")).await.unwrap();
    assert_eq!(started.encode_to_vec(), recorded("started"));
    let stopped = stop_run(Person, request("stop")).await.unwrap();
    assert_eq!(stopped.encode_to_vec(), recorded("stopped"));
    for name in ["list", "all"] {
        let mut runs = list_runs(Person, request(name)).await.unwrap();
        // What flwr 1.22 does not know.
        let run = runs.run_dict.get_mut(&7).unwrap();
        assert_eq!((run.bytes_sent, run.bytes_recv), (5, 6));
        *run = proto::Run {
            federation: String::new(),
            bytes_sent: 0,
            bytes_recv: 0,
            clientapp_runtime: 0.0,
            primary_task_type: String::new(),
            account_name: String::new(),
            ..run.clone()
        };
        assert_eq!(runs.encode_to_vec(), recorded("runs"));
    }
}

#[tokio::test]
async fn a_log_is_read_to_its_end() {
    let log = stream_logs(Person, request("logs")).await.unwrap();
    let entries: Vec<_> = log.try_collect().await.unwrap();
    let [entry] = &entries[..] else {
        panic!("{entries:?}");
    };
    assert_eq!(entry.encode_to_vec(), recorded("log"));
}

#[tokio::test]
async fn a_run_without_artifacts_has_an_empty_answer() {
    let pulled = pull_artifacts(Person, request("pull")).await.unwrap();
    assert_eq!(pulled.encode_to_vec(), [] as [u8; 0]);
}

#[tokio::test]
async fn a_person_logs_in() {
    let empty = Request {
        message: proto::GetLoginDetailsRequest {},
        patience: Duration::ZERO,
        now: AT,
        superexec: None,
        release: None,
        token: None,
    };
    let login = get_login_details(Person, empty).await.unwrap();
    assert_eq!(login.encode_to_vec(), recorded("login"));
    let tokens = get_auth_tokens(Person, request("poll")).await.unwrap();
    assert_eq!(tokens.encode_to_vec(), recorded("tokens"));
}

fn asked<M>(message: M, release: Option<Release>) -> Request<M> {
    Request {
        message,
        patience: Duration::ZERO,
        now: AT,
        superexec: None,
        token: None,
        release,
    }
}

const LATER: Option<Release> = Some(Release::new(1, 36));

#[tokio::test]
async fn a_run_is_shown_in_the_words_of_the_readers_release() {
    for (release, task_type, federation) in [
        (None, "serverapp", ""),
        (Some(Release::new(1, 31)), "serverapp", ""),
        (LATER, "flwr-serverapp", FEDERATION),
    ] {
        let request = proto::ListRunsRequest {
            limit: Some(5),
            ..proto::ListRunsRequest::default()
        };
        let runs = list_runs(Person, asked(request, release)).await.unwrap();
        let run = &runs.run_dict[&7];
        assert_eq!(run.primary_task_type, task_type, "{release:?}");
        assert_eq!((&*run.federation, &*run.account_name), (FEDERATION, "none"));
        let start = request_of_start();
        let started = start_run(Person, asked(start, release)).await.unwrap();
        assert_eq!(started.federation, federation, "{release:?}");
    }
}

fn request_of_start() -> proto::StartRunRequest {
    request("start").message
}

/// A command sorts nodes by the time of their registration.
#[tokio::test]
async fn a_node_has_a_time_of_registration_also_if_none_was_noted() {
    let request = asked(proto::ListNodesRequest {}, LATER);
    let listed = nodes::list(Person, request).await.unwrap();
    let node = &listed.nodes_info[0];
    assert_eq!(node.registered_at, "1970-01-01T00:00:00.000000+00:00");
    assert_eq!(
        (&*node.status, node.last_activated_at.as_deref()),
        ("registered", None)
    );
    assert_eq!((&*node.owner_aid, &*node.owner_name), ("<id:none>", "none"));
}

#[tokio::test]
async fn a_node_is_registered_and_unregistered() {
    let key = |public_key: &[u8]| proto::RegisterNodeRequest {
        public_key: public_key.to_vec().into(),
        ..proto::RegisterNodeRequest::default()
    };
    let pem = b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
    let registered = nodes::register(Person, asked(key(pem), None)).await;
    assert_eq!(registered.unwrap().node_id, Some(5));
    let refused = nodes::register(Person, asked(key(b"junk"), None)).await;
    let refused = refused.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "The provided public key is not valid: PEM `PUBLIC KEY` is expected"
    );
    let gone = proto::UnregisterNodeRequest { node_id: 5 };
    nodes::unregister(Person, asked(gone, None)).await.unwrap();
}

#[tokio::test]
async fn a_command_without_a_release_lists_federations_by_their_names_alone() {
    for (release, description) in [(None, ""), (LATER, "for tests")] {
        let request = asked(proto::ListFederationsRequest {}, release);
        let listed = federations::list(Person, request).await.unwrap();
        let federation = &listed.federations[0];
        assert_eq!(federation.name, FEDERATION);
        assert_eq!(federation.description, description);
        let bytes = listed.encode_to_vec();
        let earlier = flwr_proto::v1_10::ListFederationsResponse::decode(bytes.as_slice());
        assert_eq!(
            earlier.is_ok_and(|it| it.federations[0].runs.is_empty()),
            release.is_none()
        );
    }
}

#[tokio::test]
async fn a_federation_is_shown_in_the_layout_of_the_release_that_asks_by_this_name() {
    let show = async |name: &str, release| {
        let federation_name = name.to_owned();
        let request = proto::ShowFederationRequest { federation_name };
        let shown = federations::show(Person, asked(request, release)).await;
        shown.unwrap().0
    };
    let earlier = show("default", None).await;
    let earlier = flwr_proto::v1_10::ShowFederationResponse::decode(earlier).unwrap();
    let federation = earlier.federation.unwrap();
    assert_eq!(
        (&*federation.name, &*federation.member_aids),
        ("default", ["<id:none>".to_owned()].as_slice())
    );
    assert_eq!((federation.nodes.len(), federation.runs.len()), (1, 1));
    for (name, release) in [("default", LATER), (FEDERATION, LATER), (FEDERATION, None)] {
        let later = show(name, release).await;
        let later = proto::ShowFederationResponse::decode(later).unwrap();
        let federation = later.federation.unwrap();
        assert_eq!(
            (&*federation.name, &*federation.members[0].role),
            (FEDERATION, "owner")
        );
        assert_eq!((federation.nodes.len(), federation.runs.len()), (1, 1));
        assert!(!later.now.is_empty());
    }
}
