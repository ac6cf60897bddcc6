//! Nodes that people register, the federation that they are in, and what is not offered to commands.

use flwr_proto as proto;
use flwr_security::key::PrivateKey;
use flwr_wire::door::{Control, ControlDoor};
use serde_json::Value;

use super::*;
use crate::accounts::fake::Person;
use crate::accounts::tests::Office;
use crate::link::tests::bundle;

const ACCESS: &str = "flwr-oidc-access-token";
const REFRESH: &str = "flwr-oidc-refresh-token";

/// A person who calls Control, with these headers.
pub(super) struct Caller {
    pub(super) host: Host,
    pub(super) headers: HeaderMap,
}

impl Caller {
    pub(super) fn of(policy: Policy) -> Self {
        Self {
            host: host(link(MemoryState::default()), policy, None),
            headers: HeaderMap::new(),
        }
    }

    /// The same host, called by a command of this release.
    pub(super) fn with_release(&self, version: &str) -> Self {
        let mut headers = self.headers.clone();
        headers.insert("flwr-package-version", version.parse().unwrap());
        let host = self.host.clone();
        Self { host, headers }
    }

    pub(super) async fn call(&self, method: &str, message: &impl Message) -> Answered {
        let door = ControlDoor::<_, Control>::new(self.host.clone());
        let path = format!("/flwr.proto.Control/{method}");
        let message = message.encode_to_vec().into();
        call_door(door, &path, self.headers.clone(), message).await
    }

    async fn register(&self, key: &PrivateKey) -> Answered {
        let request = proto::RegisterNodeRequest {
            public_key: key.public_key().to_pem().into(),
            ..proto::RegisterNodeRequest::default()
        };
        self.call("RegisterNode", &request).await
    }

    async fn registered(&self, key: &PrivateKey) -> u64 {
        let answer: proto::RegisterNodeResponse = self.register(key).await.read();
        answer.node_id.unwrap()
    }

    async fn unregister(&self, node_id: u64) -> Answered {
        let request = proto::UnregisterNodeRequest { node_id };
        self.call("UnregisterNode", &request).await
    }

    async fn nodes(&self) -> Vec<proto::NodeInfo> {
        let request = proto::ListNodesRequest {};
        let answer: proto::ListNodesResponse = self.call("ListNodes", &request).await.read();
        answer.nodes_info
    }

    pub(super) async fn start(&self, request: proto::StartRunRequest) -> Answered {
        self.call("StartRun", &request).await
    }
}

pub(super) fn with_fab() -> proto::StartRunRequest {
    proto::StartRunRequest {
        fab: Some(proto::Fab {
            content: bundle(),
            ..proto::Fab::default()
        }),
        ..proto::StartRunRequest::default()
    }
}

/// The number of a refusal for a command that reads numbers.
#[track_caller]
pub(super) fn number(answer: &Answered) -> (Code, i64) {
    let text: Value = serde_json::from_str(&answer.text).unwrap();
    (answer.code, text["code"].as_i64().unwrap())
}

#[tokio::test]
async fn a_node_is_registered_listed_and_unregistered() {
    let caller = Caller::of(Policy::AnyKey);
    let key = PrivateKey::generate().unwrap();
    let first = caller.registered(&key).await;
    let nodes = caller.nodes().await;
    let node = &nodes[0];
    assert_eq!((node.node_id, &*node.status), (first, "registered"));
    assert_eq!((&*node.owner_aid, &*node.owner_name), ("<id:none>", "none"));
    assert_eq!(node.public_key, key.public_key().to_pem().as_bytes());
    assert_eq!(node.registered_at, caller.host.link().now().iso8601());
    assert_eq!(node.online_until, None);
    let twice = caller.register(&key).await;
    assert_eq!(
        twice.said(),
        (Code::FailedPrecondition, "Public key already in use")
    );
    let gone: proto::UnregisterNodeResponse = caller.unregister(first).await.read();
    assert_eq!(gone, proto::UnregisterNodeResponse {});
    let nodes = caller.nodes().await;
    assert_eq!((nodes.len(), &*nodes[0].status), (1, "unregistered"));
    assert!(nodes[0].unregistered_at.is_some());
    let unknown = (Code::NotFound, "Node ID not found for account");
    assert_eq!(caller.unregister(first).await.said(), unknown);
    let second = caller.registered(&key).await;
    assert_ne!(first, second);
}

#[tokio::test]
async fn a_key_that_cannot_be_used_is_refused() {
    let caller = Caller::of(Policy::AnyKey);
    for public_key in [
        &b""[..],
        b"junk",
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
    ] {
        let request = proto::RegisterNodeRequest {
            public_key: public_key.to_vec().into(),
            ..proto::RegisterNodeRequest::default()
        };
        let refused = caller.call("RegisterNode", &request).await;
        let text = "The provided public key is not valid";
        assert_eq!(refused.said(), (Code::FailedPrecondition, text));
    }
}

#[tokio::test]
async fn where_a_list_of_keys_decides_nobody_registers() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.csv");
    let key = PrivateKey::generate().unwrap();
    std::fs::write(&file, key.public_key().to_openssh()).unwrap();
    let list = FromFile::load(&file).unwrap();
    let caller = Caller::of(Policy::Listed(Arc::new(list)));
    for refused in [caller.register(&key).await, caller.unregister(7).await] {
        assert_eq!(refused.code, Code::FailedPrecondition);
        assert!(
            refused.text.contains(file.to_str().unwrap()),
            "{}",
            refused.text
        );
    }
    let refused = caller.with_release("1.36.0").register(&key).await;
    assert_eq!(number(&refused), (Code::FailedPrecondition, 10));
}

#[tokio::test]
async fn a_node_is_its_owners_and_the_admins() {
    let office = Office::new();
    let mut carol = Person::named("carol");
    carol.groups = vec!["flower".to_owned()];
    let carol = office.login(&carol).await.unwrap();
    let alice = office.login(&Person::named("alice")).await.unwrap();
    let root = office.login(&Person::named("root")).await.unwrap();
    let parts = parts(link(MemoryState::default()), Policy::AnyKey, None);
    let host = Host::new(Parts {
        accounts: Some(Arc::new(office.accounts)),
        ..parts
    });
    let [carol, alice, root] = [carol, alice, root].map(|tokens| {
        let mut headers = HeaderMap::new();
        headers.insert(ACCESS, tokens.access.parse().unwrap());
        headers.insert(REFRESH, tokens.refresh.parse().unwrap());
        let host = host.clone();
        Caller { host, headers }
    });
    let key = PrivateKey::generate().unwrap();
    let node = alice.registered(&key).await;
    assert_eq!(alice.nodes().await[0].owner_aid, "alice-1");
    let others = (Code::NotFound, "Node ID not found for account");
    assert_eq!(carol.unregister(node).await.said(), others);
    alice
        .unregister(node)
        .await
        .read::<proto::UnregisterNodeResponse>();
    let node = alice.registered(&key).await;
    root.unregister(node)
        .await
        .read::<proto::UnregisterNodeResponse>();
    let stranger = Caller {
        host,
        headers: HeaderMap::new(),
    };
    let refused = stranger.register(&key).await;
    assert_eq!(refused.said(), (Code::Unauthenticated, "Access denied"));
}

#[tokio::test]
async fn the_federation_has_the_caller_the_nodes_and_the_runs() {
    let caller = Caller::of(Policy::AnyKey).with_release("1.36.0");
    let key = PrivateKey::generate().unwrap();
    let gone = caller.registered(&key).await;
    caller
        .unregister(gone)
        .await
        .read::<proto::UnregisterNodeResponse>();
    let node = caller.registered(&key).await;
    let run: proto::StartRunResponse = caller.start(with_fab()).await.read();
    assert_eq!(run.federation, "@none/default");
    let show = |name: &str| proto::ShowFederationRequest {
        federation_name: name.to_owned(),
    };
    let shown = caller.call("ShowFederation", &show("@none/default")).await;
    let shown: proto::ShowFederationResponse = shown.read();
    let federation = shown.federation.unwrap();
    let nodes: Vec<_> = federation.nodes.iter().map(|node| node.node_id).collect();
    assert_eq!(nodes, [node], "unregistered nodes are left out");
    assert_eq!(federation.runs[0].run_id, run.run_id.unwrap());
    assert_eq!(federation.members[0].role, "owner");
    assert_eq!(federation.member_count, Some(1));
    for name in ["", "@none/other"] {
        let refused = caller.call("ShowFederation", &show(name)).await;
        assert_eq!(number(&refused), (Code::FailedPrecondition, 26), "{name}");
    }
    let listed = caller
        .call("ListFederations", &proto::ListFederationsRequest {})
        .await;
    let listed: proto::ListFederationsResponse = listed.read();
    assert_eq!(listed.federations[0].name, "@none/default");
}

#[tokio::test]
async fn what_is_not_offered_is_refused_with_words_and_not_for_who_asks() {
    let caller = Caller::of(Policy::AnyKey);
    for (method, words) in [
        (
            "CreateFederation",
            "members and invitations are not offered",
        ),
        ("ArchiveFederation", "not offered"),
        ("AddNodeToFederation", "not offered"),
        ("RemoveNodeFromFederation", "not offered"),
        ("RemoveAccountFromFederation", "not offered"),
        ("CreateInvitation", "not offered"),
        ("ListInvitations", "not offered"),
        ("AcceptInvitation", "not offered"),
        ("RejectInvitation", "not offered"),
        ("RevokeInvitation", "not offered"),
        (
            "ConfigureSimulationFederation",
            "simulations are not offered",
        ),
        ("ListRunSeries", "series of runs are not offered"),
        ("GetRunSeries", "series of runs are not offered"),
        ("StreamRunEvents", "events of runs are not offered"),
        ("StartAutomation", "automations are not offered"),
        ("ListAutomations", "automations are not offered"),
        ("StopAutomation", "automations are not offered"),
        ("ListConnectors", "connectors are not offered"),
        ("DisconnectConnector", "connectors are not offered"),
        ("BeginConnectorOAuth", "connectors are not offered"),
        ("CompleteConnectorOAuth", "connectors are not offered"),
        ("ListApps", "apps stored at the SuperLink are not offered"),
        ("StoreApp", "apps stored at the SuperLink are not offered"),
        ("AddApp", "apps stored at the SuperLink are not offered"),
        ("RemoveApp", "apps stored at the SuperLink are not offered"),
    ] {
        // Any message: this one has a text, as most of these requests do.
        let message = proto::GetAuthTokensRequest {
            device_code: "x".to_owned(),
        };
        let refused = caller.call(method, &message).await;
        assert_eq!(refused.code, Code::FailedPrecondition, "{method}");
        assert!(refused.text.contains(words), "{method}: {}", refused.text);
        let refused = caller.with_release("1.36.0").call(method, &message).await;
        let (code, number) = number(&refused);
        assert_eq!(code, Code::Unimplemented, "{method}");
        assert!([1, 50_501].contains(&number), "{method}: {number}");
    }
}
