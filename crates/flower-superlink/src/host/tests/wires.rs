//! Which generation a signed call is of.

use flwr_core::id::RunId;
use flwr_core::message::{Body as MessageBody, Message as CoreMessage, Metadata};
use flwr_core::object::{Object, ObjectId, ObjectTree};
use flwr_core::port::Fleet;
use flwr_proto as proto;
use flwr_proto::shared::{PingRequest, PingResponse};
use flwr_security::key::PrivateKey;
use flwr_security::signature::{self, PUBLIC_KEY_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER};

use super::*;

pub(super) fn signed(key: &PrivateKey) -> HeaderMap {
    let headers = signature::sign(key, OffsetDateTime::now_utc()).unwrap();
    let base64 = |bytes: &[u8]| {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD.encode(bytes)
    };
    let mut map = HeaderMap::new();
    map.insert(
        PUBLIC_KEY_HEADER,
        base64(&headers.public_key).parse().unwrap(),
    );
    map.insert(TIMESTAMP_HEADER, headers.timestamp.parse().unwrap());
    map.insert(
        SIGNATURE_HEADER,
        base64(&headers.signature).parse().unwrap(),
    );
    map
}

pub(super) struct Node {
    pub(super) host: Host,
    pub(super) key: PrivateKey,
    pub(super) id: NodeId,
}

impl Node {
    /// A node that has registered, and not given a sign of life yet.
    pub(super) async fn new() -> Self {
        let host = host(link(MemoryState::default()), Policy::AnyKey, None);
        Self::at(host, PrivateKey::generate().unwrap()).await
    }

    /// The same with this key, at this host.
    pub(super) async fn at(host: Host, key: PrivateKey) -> Self {
        let request = proto::CreateNodeRequest {
            heartbeat_interval: 30.0,
        };
        let answer = call(
            &host,
            "CreateNode",
            signed(&key),
            request.encode_to_vec().into(),
        );
        let created: proto::CreateNodeResponse = answer.await.read();
        let id = NodeId::from(created.node);
        Self { host, key, id }
    }

    pub(super) async fn call(&self, method: &str, message: &impl Message) -> Answered {
        call(
            &self.host,
            method,
            signed(&self.key),
            message.encode_to_vec().into(),
        )
        .await
    }

    pub(super) async fn ping(&self) {
        let ping = PingRequest {
            node: Some(self.id.into()),
            ping_interval: 30.0,
        };
        assert!(
            self.call("Ping", &ping)
                .await
                .read::<PingResponse>()
                .success
        );
    }

    pub(super) async fn heartbeat(&self) {
        let heartbeat = proto::SendNodeHeartbeatRequest {
            node: Some(self.id.into()),
            heartbeat_interval: 30.0,
        };
        let answer = self.call("SendNodeHeartbeat", &heartbeat).await;
        assert!(answer.read::<proto::SendNodeHeartbeatResponse>().success);
    }

    /// Sends the node an instruction without content, of a run that is running.
    pub(super) async fn instruct(&self) -> RunId {
        let body = MessageBody::Error {
            code: 1,
            reason: "a test".to_owned(),
        };
        self.send(body, None, Vec::new()).await.0
    }

    /// Sends the node an instruction with the content of this tree, of a run that is running.
    pub(super) async fn send(
        &self,
        body: MessageBody,
        content: Option<ObjectTree>,
        objects: Vec<Object>,
    ) -> (RunId, ObjectId) {
        let link = self.host.link();
        let app = ("a/b".to_owned(), "1.0.0".to_owned());
        let run = link.start_run_of_a_stranger(app, None, Default::default());
        let run = run.await.unwrap();
        let message = CoreMessage {
            metadata: Metadata {
                run,
                id: ObjectId::of(b""),
                src: NodeId::SUPERLINK,
                dst: self.id,
                reply_to: None,
                group: "1".to_owned(),
                ttl: 600.0,
                message_type: "train".to_owned(),
                created_at: link.now(),
            },
            body,
        };
        let (parcel, object) = message.announced(content);
        let id = object.id;
        link.send(run, vec![parcel]).await.unwrap();
        for Object { id, bytes } in objects.into_iter().chain([object]) {
            assert!(link.push_object(run, id, bytes).await.unwrap());
        }
        (run, id)
    }

    pub(super) async fn pull(&self) -> proto::PullMessagesResponse {
        let pull = proto::PullMessagesRequest {
            node: Some(self.id.into()),
            ..proto::PullMessagesRequest::default()
        };
        self.call("PullMessages", &pull).await.read()
    }
}

#[tokio::test]
async fn the_sign_of_life_decides_how_a_message_is_encoded() {
    for is_inline in [false, true] {
        let node = Node::new().await;
        if is_inline {
            node.ping().await;
        } else {
            node.heartbeat().await;
        }
        node.instruct().await;
        let message = node.pull().await;
        assert_eq!(message.messages_list.len(), 1);
        assert_eq!(message.message_object_trees.is_empty(), is_inline);
    }
}

#[tokio::test(start_paused = true)]
async fn only_a_message_waits_for_the_first_sign_of_life() {
    let node = Node::new().await;
    let began = tokio::time::Instant::now();
    assert!(node.pull().await.messages_list.is_empty());
    assert_eq!(began.elapsed(), Duration::ZERO, "an empty answer is held");
    node.instruct().await;
    let (message, ()) = tokio::join!(node.pull(), node.ping());
    assert!(began.elapsed() < Duration::from_secs(3));
    assert_eq!(message.messages_list.len(), 1);
    assert!(
        message.message_object_trees.is_empty(),
        "a node that pings takes no trees"
    );
}

#[tokio::test(start_paused = true)]
async fn a_node_that_gives_no_sign_gets_its_message_after_three_seconds() {
    let node = Node::new().await;
    node.instruct().await;
    let began = tokio::time::Instant::now();
    let message = node.pull().await;
    assert_eq!(message.message_object_trees.len(), 1);
    assert_eq!(began.elapsed().as_secs(), 3);
}

#[tokio::test]
async fn a_push_is_known_by_its_layout() {
    let node = Node::new().await;
    let empty = proto::PushMessagesRequest {
        node: Some(node.id.into()),
        ..proto::PushMessagesRequest::default()
    };
    let answer = node.call("PushMessages", &empty).await;
    assert_eq!(answer.code, Code::InvalidArgument);
    assert!(
        answer.text.starts_with("`messages_list` is empty"),
        "{}",
        answer.text
    );
}

#[tokio::test]
async fn a_request_for_another_node_and_a_method_of_nobody_are_refused() {
    let node = Node::new().await;
    let other = proto::GetRunRequest {
        node: Some(proto::Node { node_id: 7 }),
        run_id: 1,
    };
    let answer = node.call("GetRun", &other).await;
    assert_eq!(
        (answer.code, &*answer.text),
        (Code::Unauthenticated, "Invalid node ID")
    );
    let answer = node.call("NoSuchMethod", &other).await;
    assert_eq!(answer.code, Code::Unimplemented);
    let nobody = call(
        &node.host,
        "SendNodeHeartbeat",
        HeaderMap::new(),
        Bytes::new(),
    )
    .await;
    assert_eq!(nobody.code, Code::Unauthenticated);
    assert_eq!(nobody.text, "Missing authentication metadata");
}

#[tokio::test]
async fn a_session_without_a_node_pulls_nothing() {
    let host = host(link(MemoryState::default()), Policy::AnyKey, None);
    let key = PrivateKey::generate().unwrap();
    let headers = signature::sign(&key, OffsetDateTime::now_utc()).unwrap();
    let head = Head {
        patience: Duration::ZERO,
        peer: None,
        release: None,
    };
    let session = host
        .admit(NodeProof::Signature(headers), &head)
        .await
        .unwrap();
    assert_eq!(session.node(), None);
    assert!(session.pull(Duration::ZERO).await.is_err());
}

#[tokio::test]
async fn no_call_speaks_for_another_node() {
    let (node, other) = (Node::new().await, 7);
    let named = Some(proto::Node { node_id: other });
    let id = "0".repeat(64);
    let calls: [(&str, Vec<u8>); 10] = [
        (
            "DeleteNode",
            proto::DeleteNodeRequest { node: named }.encode_to_vec(),
        ),
        (
            "SendNodeHeartbeat",
            proto::SendNodeHeartbeatRequest {
                node: named,
                heartbeat_interval: 30.0,
            }
            .encode_to_vec(),
        ),
        (
            "Ping",
            PingRequest {
                node: named,
                ping_interval: 30.0,
            }
            .encode_to_vec(),
        ),
        (
            "PullMessages",
            proto::PullMessagesRequest {
                node: named,
                ..Default::default()
            }
            .encode_to_vec(),
        ),
        (
            "PushMessages",
            proto::PushMessagesRequest {
                node: named,
                ..Default::default()
            }
            .encode_to_vec(),
        ),
        (
            "GetRun",
            proto::GetRunRequest {
                node: named,
                run_id: 1,
            }
            .encode_to_vec(),
        ),
        (
            "GetFab",
            proto::GetFabRequest {
                node: named,
                hash_str: id.clone(),
                run_id: 1,
            }
            .encode_to_vec(),
        ),
        (
            "PushObject",
            proto::PushObjectRequest {
                node: named,
                run_id: 1,
                object_id: id.clone(),
                ..Default::default()
            }
            .encode_to_vec(),
        ),
        (
            "PullObject",
            proto::PullObjectRequest {
                node: named,
                run_id: 1,
                object_id: id.clone(),
            }
            .encode_to_vec(),
        ),
        (
            "ConfirmMessageReceived",
            proto::ConfirmMessageReceivedRequest {
                node: named,
                run_id: 1,
                message_object_id: id,
            }
            .encode_to_vec(),
        ),
    ];
    for (method, message) in calls {
        let answer = call(&node.host, method, signed(&node.key), message.into()).await;
        assert_eq!(
            answer.said(),
            (Code::Unauthenticated, "Invalid node ID"),
            "{method}"
        );
    }
}
