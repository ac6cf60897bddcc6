//! Fleet requests that prove nothing, or the wrong thing: which status, which words. Each is made
//! by a client of the test's own; pip's SuperLink is asked the same.

use e2e::keys::NodeKey;
use e2e::{Federation, Maker, Process, Release, Security};
use flwr_client::channel::{Channel, Route, Trust, channel};
use flwr_proto::fleet_client::FleetClient;
use flwr_proto::{CreateNodeRequest, Node, PullMessagesRequest};
use flwr_security::key::PrivateKey;
use flwr_security::signature::{SignatureHeaders, sign};
use flwr_security::tls::ClientTls;
use time::{Duration, OffsetDateTime};
use tonic::{Code, Request, Status};

/// A client of Fleet that signs as the test wants.
struct Stranger {
    fleet: FleetClient<Channel>,
}

impl Stranger {
    fn new(federation: &Federation) -> Self {
        let trust = Trust::Tls(ClientTls::trusting(federation.ca().unwrap()).unwrap());
        let fleet = FleetClient::new(channel(
            ("127.0.0.1", federation.fleet().port()),
            &trust,
            &Route::Direct,
        ));
        Self { fleet }
    }

    async fn create(&mut self, headers: Option<&SignatureHeaders>) -> Result<u64, Status> {
        let request = signed(
            CreateNodeRequest {
                heartbeat_interval: 30.0,
            },
            headers,
        );
        let answer = self.fleet.create_node(request).await?.into_inner();
        Ok(answer.node.unwrap().node_id)
    }

    async fn pull(&mut self, node_id: u64, headers: &SignatureHeaders) -> Result<(), Status> {
        let request = PullMessagesRequest {
            node: Some(Node { node_id }),
            message_ids: vec![],
        };
        self.fleet
            .pull_messages(signed(request, Some(headers)))
            .await?;
        Ok(())
    }
}

fn signed<T>(message: T, headers: Option<&SignatureHeaders>) -> Request<T> {
    let mut request = Request::new(message);
    if let Some(headers) = headers {
        headers.write(request.metadata_mut().as_mut());
    }
    request
}

fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

#[track_caller]
fn refused<T>(outcome: Result<T, Status>, words: &str) {
    let Err(status) = outcome else {
        panic!("let in, where {words:?} is expected")
    };
    assert_eq!(status.code(), Code::Unauthenticated, "{status}");
    assert!(status.message().starts_with(words), "{status}");
}

fn each_superlink(check: &impl AsyncFn(&Federation, &mut Stranger)) {
    let runtime = e2e::runtime();
    for maker in [Maker::Ours, Maker::Pip(Release::V1_22)] {
        // Without SuperNodes: the keys on the list are the test's.
        let federation = Federation::plan(Security::TlsAndAuth)
            .superlink(maker)
            .nodes(0)
            .start();
        runtime.block_on(async {
            let mut stranger = Stranger::new(&federation);
            check(&federation, &mut stranger).await;
            // Those on the list are still let in.
            let listed = &federation.keys()[0].key;
            stranger
                .create(Some(&sign(listed, now()).unwrap()))
                .await
                .unwrap();
        });
        federation.stop();
    }
}

#[test]
fn a_request_without_signature_is_refused() {
    each_superlink(&async |_, stranger| {
        refused(
            stranger.create(None).await,
            "Missing authentication metadata",
        );
    });
}

#[test]
fn a_key_that_is_not_on_the_list_is_refused() {
    each_superlink(&async |_, stranger| {
        let key = PrivateKey::generate().unwrap();
        let headers = sign(&key, now()).unwrap();
        refused(
            stranger.create(Some(&headers)).await,
            "Public key not recognized",
        );
    });
}

#[test]
fn a_signature_over_another_time_is_refused() {
    each_superlink(&async |federation, stranger| {
        let key = &federation.keys()[0].key;
        let earlier = sign(key, now() - Duration::seconds(2)).unwrap();
        let headers = SignatureHeaders {
            signature: earlier.signature,
            ..sign(key, now()).unwrap()
        };
        refused(stranger.create(Some(&headers)).await, "Invalid signature");
    });
}

#[test]
fn a_signature_by_another_key_is_refused() {
    each_superlink(&async |federation, stranger| {
        let listed = sign(&federation.keys()[0].key, now()).unwrap();
        let other = sign(&PrivateKey::generate().unwrap(), now()).unwrap();
        let headers = SignatureHeaders {
            public_key: listed.public_key,
            ..other
        };
        refused(stranger.create(Some(&headers)).await, "Invalid signature");
    });
}

#[test]
fn a_time_that_is_too_old_or_ahead_is_refused() {
    each_superlink(&async |federation, stranger| {
        let key = &federation.keys()[0].key;
        for offset in [-310, 15] {
            let headers = sign(key, now() + Duration::seconds(offset)).unwrap();
            refused(stranger.create(Some(&headers)).await, "Invalid timestamp");
        }
    });
}

#[test]
fn another_nodes_id_is_refused() {
    each_superlink(&async |federation, stranger| {
        let headers = || sign(&federation.keys()[0].key, now()).unwrap();
        refused(stranger.pull(17, &headers()).await, "Invalid node ID");
        let id = stranger.create(Some(&headers())).await.unwrap();
        refused(
            stranger.pull(id.wrapping_add(1), &headers()).await,
            "Invalid node ID",
        );
        // Gone again, so that the key is free for a new node.
        let request = flwr_proto::DeleteNodeRequest {
            node: Some(Node { node_id: id }),
        };
        stranger
            .fleet
            .delete_node(signed(request, Some(&headers())))
            .await
            .unwrap();
    });
}

#[test]
fn a_supernode_that_is_not_on_the_list_says_so() {
    let mut federation = Federation::plan(Security::TlsAndAuth).nodes(0).start();
    let key = NodeKey::make(&federation.scratch().folder("other"), "stranger");
    let mut command = federation.node_command(Maker::Ours, "home-stranger");
    command
        .arg("--root-certificates")
        .arg(federation.ca().unwrap());
    command
        .arg("--auth-supernode-private-key")
        .arg(&key.private);
    command.arg("--auth-supernode-public-key").arg(&key.public);
    command.args(["--superlink", &federation.fleet().to_string()]);
    let port = e2e::ports::free();
    command.args(["--clientappio-api-address", &format!("127.0.0.1:{port}")]);
    let node = Process::start("stranger", &mut command, federation.scratch().path());
    node.line("SuperNode authentication is enabled");
    federation.superlink().line("Public key not recognized");
}

/// The list is read again on SIGHUP; a list that cannot be read leaves the old one in use.
#[test]
fn keys_are_let_in_and_shut_out_while_the_superlink_runs() {
    let mut federation = Federation::plan(Security::TlsAndAuth).nodes(0).start();
    let list = federation.scratch().folder("keys").join("list.csv");
    let old = federation.keys()[0].key.clone();
    let new = PrivateKey::generate().unwrap();
    let runtime = e2e::runtime();
    let mut stranger = runtime.block_on(async { Stranger::new(&federation) });
    let mut create = |key: &PrivateKey| {
        let headers = sign(key, now()).unwrap();
        runtime.block_on(stranger.create(Some(&headers)))
    };
    create(&old).unwrap();
    refused(create(&new), "Public key not recognized");

    std::fs::write(&list, "rubbish").unwrap();
    federation.superlink().reload();
    federation
        .superlink()
        .line("what was read before stays in use");
    create(&old).unwrap();

    std::fs::write(&list, new.public_key().to_openssh()).unwrap();
    federation.superlink().reload();
    federation
        .superlink()
        .line("--auth-list-public-keys read again");
    create(&new).unwrap();
    refused(create(&old), "Public key not recognized");
}
