//! Nodes that are registered: who gets in, and each step of their life, byte for byte as SuperNodes of
//! flwr 1.23 to 1.39 ask for it.

use std::sync::atomic::{AtomicU64, Ordering};

use flwr_core::port::control::NodeStatus;
use flwr_proto as proto;
use flwr_security::allow_list::AllowList;
use flwr_security::key::PrivateKey;
use tempfile::TempDir;

use super::wires::signed;
use super::*;
use crate::link::state::Enrolment;

const NOW: Timestamp = Timestamp::from_secs(1_750_000_100.0);
/// Ids of nodes that a person registers.
static NEXT: AtomicU64 = AtomicU64::new(1000);

const NO_NODE: &str = "No SuperNode found with the given public key.";
const BY_PEOPLE: &str =
    "SuperNode authentication is enabled. All SuperNodes must be registered via the CLI";

/// A SuperNode with a key, and the SuperLink.
struct Caller {
    host: Host,
    state: Arc<dyn LinkState>,
    key: PrivateKey,
}

impl Caller {
    async fn call(&self, method: &str, message: &impl Message) -> Answered {
        let headers = signed(&self.key);
        call(&self.host, method, headers, message.encode_to_vec().into()).await
    }

    fn pem(&self) -> Bytes {
        self.key.public_key().to_pem().into()
    }

    async fn create(&self) -> Answered {
        let heartbeat_interval = 30.0;
        let request = proto::CreateNodeRequest { heartbeat_interval };
        self.call("CreateNode", &request).await
    }

    async fn register(&self) -> Answered {
        let public_key = self.pem();
        let request = proto::RegisterNodeFleetRequest { public_key };
        self.call("RegisterNode", &request).await
    }

    async fn activate(&self) -> Answered {
        let request = proto::ActivateNodeRequest {
            public_key: self.pem(),
            heartbeat_interval: 30.0,
        };
        self.call("ActivateNode", &request).await
    }

    async fn activated(&self) -> NodeId {
        let answer: proto::ActivateNodeResponse = self.activate().await.read();
        NodeId(answer.node_id)
    }

    async fn heartbeat(&self, node: NodeId) -> Answered {
        let request = proto::SendNodeHeartbeatRequest {
            node: Some(node.into()),
            heartbeat_interval: 30.0,
        };
        self.call("SendNodeHeartbeat", &request).await
    }

    async fn deactivate(&self, node: NodeId) -> Answered {
        let request = proto::DeactivateNodeRequest { node_id: node.0 };
        self.call("DeactivateNode", &request).await
    }

    async fn unregister(&self, node: NodeId) -> Answered {
        let request = proto::UnregisterNodeFleetRequest { node_id: node.0 };
        self.call("UnregisterNode", &request).await
    }

    /// A person registers the key.
    async fn enroll(&self) -> NodeId {
        let enrolment = Enrolment {
            key: self.key.public_key().clone(),
            owner: String::new(),
            name: None,
            location: None,
        };
        let fresh = NodeId(NEXT.fetch_add(1, Ordering::Relaxed));
        let enrolled = self.state.enroll_node(&enrolment, fresh, NOW);
        enrolled.await.unwrap().0
    }

    /// A person unregisters the node.
    async fn dismiss(&self, node: NodeId) {
        let dismissed = self.state.dismiss_node(node, NOW).await;
        assert_eq!(dismissed.unwrap().1.freed, []);
    }

    async fn status(&self, node: NodeId) -> NodeStatus {
        let known = self.state.node(node).await.unwrap().unwrap();
        known.status(NOW)
    }
}

/// The flags that say who gets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flags {
    None,
    List,
    Enrolment,
    Both,
}

/// What is known of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    Nothing,
    Listed,
    Enrolled,
    Dismissed,
    ListedAndDismissed,
}

/// A caller with such a key at a SuperLink with these flags.
async fn caller(flags: Flags, known: Known) -> (Caller, TempDir) {
    let (dir, key) = (
        tempfile::tempdir().unwrap(),
        PrivateKey::generate().unwrap(),
    );
    let file = dir.path().join("keys.csv");
    let other = PrivateKey::generate().unwrap();
    let mut lines = other.public_key().to_openssh();
    if matches!(known, Known::Listed | Known::ListedAndDismissed) {
        lines = format!("{lines}\n{}", key.public_key().to_openssh());
    }
    std::fs::write(&file, lines).unwrap();
    let list = || Arc::new(FromFile::<AllowList>::load(&file).unwrap());
    let policy = match flags {
        Flags::None => Policy::AnyKey,
        Flags::List => Policy::Listed(list()),
        Flags::Enrolment => Policy::Enrolled,
        Flags::Both => Policy::ListedOrEnrolled(list()),
    };
    let state: Arc<dyn LinkState> = Arc::new(MemoryState::default());
    let link = Arc::new(Link::new(link_parts(Arc::clone(&state), NOW)));
    let host = host(link, policy, None);
    let caller = Caller { host, state, key };
    if matches!(
        known,
        Known::Enrolled | Known::Dismissed | Known::ListedAndDismissed
    ) {
        let node = caller.enroll().await;
        if known != Known::Enrolled {
            caller.dismiss(node).await;
        }
    }
    (caller, dir)
}

/// What CreateNode, RegisterNode and ActivateNode answer; empty where the caller gets in.
async fn answers(flags: Flags, known: Known) -> [(Code, String); 3] {
    let said = |answer: Answered| (answer.code, answer.text);
    let created = caller(flags, known).await.0.create().await;
    let registered = caller(flags, known).await.0.register().await;
    let activated = caller(flags, known).await.0.activate().await;
    [created, registered, activated].map(said)
}

#[tokio::test]
async fn who_gets_in() {
    const IN: (Code, &str) = (Code::Ok, "");
    const UNLISTED: (Code, &str) = (Code::Unauthenticated, "Public key not recognized");
    const UNKNOWN: (Code, &str) = (Code::FailedPrecondition, NO_NODE);
    const TO_REGISTER: (Code, &str) = (Code::FailedPrecondition, BY_PEOPLE);
    const IN_USE: (Code, &str) = (Code::FailedPrecondition, "Public key already in use");
    let kept_out = [UNKNOWN, TO_REGISTER, UNKNOWN];
    let not_listed = [UNLISTED, TO_REGISTER, UNKNOWN];
    let table = [
        (Flags::None, Known::Nothing, [IN, IN, UNKNOWN]),
        (Flags::None, Known::Enrolled, [IN, IN_USE, IN]),
        (Flags::None, Known::Dismissed, [IN, IN, UNKNOWN]),
        (Flags::List, Known::Nothing, not_listed),
        (Flags::List, Known::Listed, [IN, IN, IN]),
        (Flags::List, Known::Enrolled, not_listed),
        (Flags::List, Known::Dismissed, not_listed),
        (Flags::List, Known::ListedAndDismissed, [IN, IN, IN]),
        (Flags::Enrolment, Known::Nothing, kept_out),
        (Flags::Enrolment, Known::Enrolled, [IN, TO_REGISTER, IN]),
        (Flags::Enrolment, Known::Dismissed, kept_out),
        (Flags::Both, Known::Nothing, kept_out),
        (Flags::Both, Known::Listed, [IN, IN, IN]),
        (Flags::Both, Known::Enrolled, [IN, TO_REGISTER, IN]),
        (Flags::Both, Known::Dismissed, kept_out),
        (Flags::Both, Known::ListedAndDismissed, kept_out),
    ];
    for (flags, known, expected) in table {
        let answers = answers(flags, known).await;
        for (method, ((code, text), (expected, words))) in ["Create", "Register", "Activate"]
            .into_iter()
            .zip(answers.iter().zip(expected))
        {
            let cell = format!("{flags:?}, {known:?}, {method}Node");
            assert_eq!(*code, expected, "{cell}: {text}");
            assert!(text.starts_with(words), "{cell}: {text}");
        }
    }
}

#[tokio::test]
async fn a_node_registers_itself_and_takes_each_step_of_its_life() {
    let (node, _dir) = caller(Flags::None, Known::Nothing).await;
    let registered: proto::RegisterNodeFleetResponse = node.register().await.read();
    let id = NodeId(registered.node_id);
    assert_eq!(node.status(id).await, NodeStatus::Registered);
    let again = node.register().await;
    assert_eq!(
        again.said(),
        (Code::FailedPrecondition, "Public key already in use")
    );
    assert_eq!(node.activated().await, id);
    assert_eq!(node.status(id).await, NodeStatus::Online);
    let answer: proto::SendNodeHeartbeatResponse = node.heartbeat(id).await.read();
    assert!(answer.success);
    // A node that comes back after `kill -9` is let in at once.
    assert_eq!(node.activated().await, id);
    node.deactivate(id)
        .await
        .read::<proto::DeactivateNodeResponse>();
    assert_eq!(node.status(id).await, NodeStatus::Offline);
    let again = node.deactivate(id).await;
    assert_eq!(again.code, Code::FailedPrecondition, "{}", again.text);
    node.unregister(id)
        .await
        .read::<proto::UnregisterNodeFleetResponse>();
    assert_eq!(node.status(id).await, NodeStatus::Unregistered);
    let gone = node.heartbeat(id).await;
    assert_eq!(gone.said(), (Code::Unauthenticated, "Invalid node ID"));
    let unknown = node.activate().await;
    assert_eq!(unknown.said(), (Code::FailedPrecondition, NO_NODE));
}

#[tokio::test]
async fn a_node_that_a_person_registered_stays_registered_until_a_person_says_no() {
    let (node, _dir) = caller(Flags::Enrolment, Known::Enrolled).await;
    let id = node.activated().await;
    let refused = node.unregister(id).await;
    assert_eq!(refused.code, Code::FailedPrecondition);
    assert!(
        refused.text.contains("must be unregistered via the CLI"),
        "{}",
        refused.text
    );
    // A node of flwr 1.22 stops by DeleteNode.
    let request = proto::DeleteNodeRequest {
        node: Some(id.into()),
    };
    node.call("DeleteNode", &request)
        .await
        .read::<proto::DeleteNodeResponse>();
    assert_eq!(node.status(id).await, NodeStatus::Offline);
    assert_eq!(node.activated().await, id);
    node.dismiss(id).await;
    let gone = node.heartbeat(id).await;
    assert_eq!(gone.said(), (Code::Unauthenticated, "Invalid node ID"));
    assert_eq!(node.activate().await.code, Code::FailedPrecondition);
    let again = node.enroll().await;
    assert_ne!(again, id, "a new id");
    assert_eq!(node.activated().await, again);
}

#[tokio::test]
async fn a_key_is_registered_and_activated_by_its_holder_alone() {
    let (node, _dir) = caller(Flags::None, Known::Nothing).await;
    let other: Bytes = PrivateKey::generate().unwrap().public_key().to_pem().into();
    let register = proto::RegisterNodeFleetRequest {
        public_key: other.clone(),
    };
    let activate = proto::ActivateNodeRequest {
        public_key: other,
        heartbeat_interval: 30.0,
    };
    let stolen = [
        node.call("RegisterNode", &register).await,
        node.call("ActivateNode", &activate).await,
    ];
    for answer in stolen {
        assert_eq!(answer.said(), (Code::Unauthenticated, "Invalid signature"));
    }
    node.register()
        .await
        .read::<proto::RegisterNodeFleetResponse>();
    node.activated().await;
    for (method, answer) in [
        ("Deactivate", node.deactivate(NodeId(7)).await),
        ("Unregister", node.unregister(NodeId(7)).await),
    ] {
        assert_eq!(
            answer.said(),
            (Code::Unauthenticated, "Invalid node ID"),
            "{method}"
        );
    }
    let unsigned = call(
        &node.host,
        "RegisterNode",
        HeaderMap::new(),
        register.encode_to_vec().into(),
    );
    let unsigned = unsigned.await;
    let missing = "Missing authentication metadata";
    assert_eq!(unsigned.said(), (Code::Unauthenticated, missing));
}

#[tokio::test]
async fn a_heartbeat_interval_that_is_none_registers_nobody() {
    let (node, _dir) = caller(Flags::None, Known::Nothing).await;
    let request = proto::CreateNodeRequest {
        heartbeat_interval: 1.0,
    };
    let refused = node.call("CreateNode", &request).await;
    assert_eq!(refused.code, Code::InvalidArgument);
    assert_eq!(node.host.link().known_nodes().await.unwrap().len(), 0);
}

#[tokio::test]
async fn what_a_node_speaks_is_noted_by_the_call_by_which_it_comes() {
    let (node, _dir) = caller(Flags::None, Known::Nothing).await;
    node.register()
        .await
        .read::<proto::RegisterNodeFleetResponse>();
    let id = node.activated().await;
    let noted = async || node.host.link().noted_wire(id).await.unwrap();
    assert_eq!(noted().await.as_deref(), Some("nodes"));
    assert!(
        node.host.link().was_heard(id),
        "no message waits for a sign of life"
    );
    // The heartbeat of 1.23 is that of 1.20.
    node.heartbeat(id).await;
    assert_eq!(noted().await.as_deref(), Some("nodes"));
    // The node is set back to an earlier release.
    node.create().await.read::<proto::CreateNodeResponse>();
    assert_eq!(noted().await.as_deref(), Some("objects"));
    node.heartbeat(id).await;
    assert_eq!(noted().await.as_deref(), Some("objects"));
    node.activated().await;
    assert_eq!(noted().await.as_deref(), Some("nodes"));
}
