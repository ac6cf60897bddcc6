//! Nodes whose keys are taken off the list while they are at work.

use std::path::PathBuf;

use flwr_core::object::ObjectId;
use flwr_core::port::Fleet;
use flwr_core::port::control::NodeStatus;
use flwr_core::refusal::{Failure, Refusal};
use flwr_proto as proto;
use flwr_security::allow_list::AllowList;
use flwr_security::key::PrivateKey;
use flwr_security::signature;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::wires::Node;
use super::*;
use crate::in_time::in_time;

const HOLD: Duration = Duration::from_secs(20);

/// A SuperLink with a list of two keys.
struct Listed {
    host: Host,
    keys: [PrivateKey; 2],
    list: Arc<FromFile<AllowList>>,
    file: PathBuf,
    _dir: tempfile::TempDir,
}

impl Listed {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("keys.csv");
        let keys = [0, 1].map(|_| PrivateKey::generate().unwrap());
        let lines = keys.each_ref().map(|key| key.public_key().to_openssh());
        std::fs::write(&file, lines.join("\n")).unwrap();
        let list = Arc::new(FromFile::load(&file).unwrap());
        let policy = Policy::Listed(Arc::clone(&list));
        let link = link_that_holds(MemoryState::default(), HOLD);
        Self {
            host: host(link, policy, None),
            keys,
            list,
            file,
            _dir: dir,
        }
    }

    async fn node(&self, number: usize) -> Node {
        Node::at(self.host.clone(), self.keys[number].clone()).await
    }

    /// A session of a node, as it was admitted now.
    async fn session(&self, number: usize) -> FleetSession {
        let headers = signature::sign(&self.keys[number], OffsetDateTime::now_utc()).unwrap();
        let head = Head {
            patience: Duration::MAX,
            peer: None,
            release: None,
        };
        let admitted = self.host.admit(NodeProof::Signature(headers), &head);
        admitted.await.unwrap()
    }

    /// Waits until a call is held for the node, or has come back.
    async fn until_held<T>(&self, node: NodeId, call: &JoinHandle<T>) {
        let is_held = async {
            while !call.is_finished() && self.host.link().held_calls(node) == 0 {
                sleep(Duration::from_millis(1)).await;
            }
        };
        in_time("a call is held", is_held).await;
    }

    /// Lists these keys only.
    fn keep(&self, numbers: &[usize]) {
        let key = |number: &usize| self.keys[*number].public_key().to_openssh();
        let lines: Vec<_> = numbers.iter().map(key).collect();
        std::fs::write(&self.file, lines.join("\n")).unwrap();
        self.list.reload().unwrap();
    }

    /// What the SuperLink does when the list has changed.
    async fn shut_out(&self) {
        let list = self.list.now();
        let ended = self
            .host
            .link()
            .end_sessions(|node| list.contains(&node.key));
        ended.await.unwrap();
    }

    async fn statuses(&self) -> Vec<(NodeId, NodeStatus)> {
        let nodes = self.host.link().known_nodes().await.unwrap();
        let now = self.host.link().now();
        let nodes = nodes.into_iter();
        nodes.map(|(node, _)| (node.id, node.status(now))).collect()
    }
}

fn is_refused<T: std::fmt::Debug>(answer: Result<T>) {
    let refused = answer.unwrap_err();
    assert!(
        matches!(refused, Failure::Refused(Refusal::UnknownKey)),
        "{refused}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_held_since_before_gets_no_message() {
    let listed = Listed::new();
    let node = listed.node(0).await;
    node.heartbeat().await;
    let session = listed.session(0).await;
    let held = tokio::spawn(async move { session.pull(Duration::MAX).await });
    listed.until_held(node.id, &held).await;
    listed.keep(&[1]);
    // The message comes before anybody has ended the node's session.
    node.instruct().await;
    is_refused(held.await.unwrap());
    // What was not handed out is there for a node that is listed again.
    listed.shut_out().await;
    listed.keep(&[0, 1]);
    let pulled = listed.session(0).await.pull(Duration::MAX).await;
    assert!(pulled.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn the_session_of_a_key_that_is_gone_ends_and_its_node_is_offline() {
    let listed = Listed::new();
    let (node, other) = (listed.node(0).await, listed.node(1).await);
    let session = listed.session(0).await;
    let begun = tokio::time::Instant::now();
    let held = tokio::spawn(async move { session.pull(Duration::MAX).await });
    listed.until_held(node.id, &held).await;
    listed.keep(&[1]);
    listed.shut_out().await;
    is_refused(held.await.unwrap());
    assert!(begun.elapsed() < HOLD, "at once");
    let mut wanted = [
        (node.id, NodeStatus::Offline),
        (other.id, NodeStatus::Online),
    ];
    wanted.sort_by_key(|(id, _)| *id);
    assert_eq!(listed.statuses().await, wanted);
    // Listed again, the node goes on.
    listed.keep(&[0, 1]);
    node.heartbeat().await;
    let online = listed.statuses().await;
    assert!(online.contains(&(node.id, NodeStatus::Online)));
}

#[tokio::test]
async fn a_request_whose_body_comes_after_its_key_is_gone_is_refused() {
    let listed = Listed::new();
    let node = listed.node(0).await;
    let run = node.instruct().await;
    let session = listed.session(0).await;
    listed.keep(&[1]);
    let id = ObjectId::of(b"");
    is_refused(session.heartbeat(30.0).await);
    is_refused(session.join(30.0).await);
    is_refused(session.pull(Duration::ZERO).await);
    is_refused(session.push_object(run, id, Bytes::new()).await);
    is_refused(session.pull_object(run, id).await);
    is_refused(session.confirm(run, id).await);
    is_refused(session.run(run).await);
    is_refused(session.fab(Some(run), "").await);
    is_refused(session.leave().await);
    let heartbeat = proto::SendNodeHeartbeatRequest {
        node: Some(node.id.into()),
        heartbeat_interval: 30.0,
    };
    let refused = node.call("SendNodeHeartbeat", &heartbeat).await;
    assert_eq!(refused.code, Code::Unauthenticated);
}
