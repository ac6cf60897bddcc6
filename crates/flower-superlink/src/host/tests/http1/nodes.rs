//! SuperNodes of flwr 1.40 and later.

use flwr_security::key::PrivateKey;

use super::*;

/// A SuperNode with a key.
struct Caller {
    host: Host,
    key: PrivateKey,
}

/// Signs as over HTTP: names without `-bin`, base64 with padding.
fn signed(key: &PrivateKey, at: OffsetDateTime) -> HeaderMap {
    use base64::Engine;
    let base64 = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let proof = signature::sign(key, at).unwrap();
    let mut headers = header("flwr-public-key", &base64(&proof.public_key));
    headers.insert("flwr-timestamp", proof.timestamp.parse().unwrap());
    let signature = base64(&proof.signature).parse().unwrap();
    headers.insert("flwr-signature", signature);
    headers.insert("flwr-package-version", "1.42.0".parse().unwrap());
    headers
}

impl Caller {
    fn new(policy: Policy) -> Self {
        Self {
            host: host(link(MemoryState::default()), policy, None),
            key: PrivateKey::generate().unwrap(),
        }
    }

    fn headers(&self) -> HeaderMap {
        signed(&self.key, OffsetDateTime::now_utc())
    }

    async fn call(&self, method: &str, message: &impl Message) -> Got {
        let path = format!("/v1/fleet/{method}");
        let request = post(&path, self.headers(), message);
        send(port(&self.host), request).await
    }

    fn activation(&self) -> proto::ActivateNodeRequest {
        proto::ActivateNodeRequest {
            public_key: self.key.public_key().to_pem().into(),
            heartbeat_interval: 30.0,
        }
    }

    async fn register(&self) -> Got {
        let public_key = self.key.public_key().to_pem().into();
        let request = proto::RegisterNodeFleetRequest { public_key };
        self.call("register-node", &request).await
    }
}

fn heartbeat(node: u64) -> proto::SendNodeHeartbeatRequest {
    proto::SendNodeHeartbeatRequest {
        node: Some(proto::Node { node_id: node }),
        heartbeat_interval: 30.0,
    }
}

#[tokio::test]
async fn a_node_lives_from_its_registration_to_its_end() {
    let caller = Caller::new(Policy::AnyKey);
    let registered: proto::RegisterNodeFleetResponse = caller.register().await.read();
    let activation = caller.activation();
    let activated = caller.call("activate-node", &activation).await;
    let node_id = activated.read::<proto::ActivateNodeResponse>().node_id;
    assert_eq!(registered.node_id, node_id);
    let beat = caller
        .call("send-node-heartbeat", &heartbeat(node_id))
        .await;
    assert!(beat.read::<proto::SendNodeHeartbeatResponse>().success);
    let pull = proto::PullMessagesRequest {
        node: Some(proto::Node { node_id }),
        ..proto::PullMessagesRequest::default()
    };
    let pulled = caller.call("pull-messages", &pull).await;
    let pulled: proto::PullMessagesResponse = pulled.read();
    assert!(pulled.messages_list.is_empty());
    let noted = caller.host.noted(NodeId(node_id)).await.unwrap();
    assert_eq!(noted, Some(WireName("nodes")));
    let leave = proto::DeactivateNodeRequest { node_id };
    assert_eq!(caller.call("deactivate-node", &leave).await.status, 200);
    let end = proto::UnregisterNodeFleetRequest { node_id };
    assert_eq!(caller.call("unregister-node", &end).await.status, 200);
    // The node is none any more: its SuperNode ends at this.
    let beat = caller
        .call("send-node-heartbeat", &heartbeat(node_id))
        .await;
    assert_eq!(
        beat.text(),
        r#"{"detail":"Invalid SuperNode authentication"}"#
    );
    assert_eq!(beat.status, 401);
}

/// SuperNodes and apps of flwr 1.35 and later give each call 30 s, whatever it is.
#[tokio::test(start_paused = true)]
async fn a_pull_is_held_and_answered_within_the_time_of_its_caller() {
    for (hold, answered) in [(60, 25), (20, 20)] {
        let link = link_that_holds(MemoryState::default(), Duration::from_secs(hold));
        let caller = Caller {
            host: host(link, Policy::AnyKey, None),
            key: PrivateKey::generate().unwrap(),
        };
        let registered: proto::RegisterNodeFleetResponse = caller.register().await.read();
        let node_id = registered.node_id;
        let activated = caller.call("activate-node", &caller.activation()).await;
        activated.read::<proto::ActivateNodeResponse>();
        let pull = proto::PullMessagesRequest {
            node: Some(proto::Node { node_id }),
            ..proto::PullMessagesRequest::default()
        };
        let begun = tokio::time::Instant::now();
        let pulled = caller.call("pull-messages", &pull).await;
        let pulled: proto::PullMessagesResponse = pulled.read();
        assert!(pulled.messages_list.is_empty());
        assert_eq!(begun.elapsed().as_secs(), answered);
    }
}

#[tokio::test]
async fn a_request_that_proves_nothing_is_401_and_a_wrong_clock_412() {
    let caller = Caller::new(Policy::AnyKey);
    let message = caller.activation();
    let call = |headers| {
        send(
            port(&caller.host),
            post("/v1/fleet/activate-node", headers, &message),
        )
    };
    assert_eq!(call(HeaderMap::new()).await.status, 401);
    // The names of gRPC are not those of HTTP.
    let of_grpc = wires::signed(&caller.key);
    assert_eq!(call(of_grpc).await.status, 401);
    let mut broken = caller.headers();
    broken.insert("flwr-signature", "AAAA".parse().unwrap());
    assert_eq!(call(broken).await.status, 401);
    let other = Caller::new(Policy::AnyKey);
    assert_eq!(
        call(other.headers()).await.status,
        401,
        "the key of the body"
    );
    let hour = time::Duration::hours(1);
    let late = signed(&caller.key, OffsetDateTime::now_utc() - hour);
    let late = call(late).await;
    assert_eq!(late.refused(), (412, Some(50106)));
    assert!(late.text().contains("set the clocks"), "{}", late.text());
}

#[tokio::test]
async fn where_people_register_nodes_others_read_so() {
    let caller = Caller::new(Policy::Enrolled);
    assert_eq!(caller.register().await.refused(), (412, Some(2001)));
    let activated = caller.call("activate-node", &caller.activation()).await;
    assert_eq!(activated.refused(), (412, Some(2004)));
}

#[tokio::test]
async fn a_request_is_checked_in_upstreams_order() {
    let caller = Caller::new(Policy::AnyKey);
    let request = |path: &str| post(path, caller.headers(), &caller.activation());
    let with = |name: &'static str, value: &str| {
        let mut request = request("/v1/fleet/activate-node");
        request.headers_mut().insert(name, value.parse().unwrap());
        request
    };
    let sent = |request| send(port(&caller.host), request);
    // Calls of other releases, and of nobody.
    for path in ["create-node", "ping", "pull-task-ins", "no-such-method", ""] {
        let path = format!("/v1/fleet/{path}");
        let mut request = request(&path);
        *request.method_mut() = Method::GET;
        let got = sent(request).await;
        assert_eq!(
            (got.status, got.text().as_str()),
            (404, r#"{"detail":"Not Found"}"#)
        );
    }
    let mut get = request("/v1/fleet/activate-node");
    *get.method_mut() = Method::GET;
    let got = sent(get).await;
    assert_eq!(
        (got.status, &got.headers["allow"]),
        (405, &"POST".parse().unwrap())
    );
    for (name, value) in [
        ("origin", "http://127.0.0.1:9092"),
        ("sec-fetch-site", "none"),
    ] {
        assert_eq!(sent(with(name, value)).await.status, 403, "{name}");
    }
    // The type of the body before the identity, and that before the body.
    let mut unsigned = with("content-type", "text/plain");
    unsigned.headers_mut().remove("flwr-signature");
    assert_eq!(sent(unsigned).await.refused(), (415, Some(1002)));
    let broken = |headers: HeaderMap| {
        let mut request = request("/v1/fleet/activate-node");
        request.headers_mut().extend(headers);
        *request.body_mut() = Body::new(Full::new(Bytes::from_static(b"\xff")));
        request
    };
    assert_eq!(
        sent(broken(HeaderMap::new())).await.refused(),
        (400, Some(1003))
    );
    assert_eq!(
        sent(broken(header("flwr-signature", "AAAA"))).await.status,
        401
    );
}

#[tokio::test]
async fn each_port_serves_its_own_service() {
    let caller = Caller::new(Policy::AnyKey);
    let fleet = || HttpDoors::new().with(FleetDoor::new(caller.host.clone()));
    for path in [
        "/v1/control/list-runs",
        "/v1/runtime/acquire-task",
        "/",
        "/docs",
        "/v1/fleet",
    ] {
        let got = send(fleet(), post(path, caller.headers(), &())).await;
        assert_eq!(got.status, 404, "{path}");
    }
    for (method, status) in [
        (Method::GET, StatusCode::OK),
        (Method::HEAD, StatusCode::OK),
        (Method::POST, StatusCode::METHOD_NOT_ALLOWED),
    ] {
        let mut request = post("/health", HeaderMap::new(), &());
        *request.method_mut() = method;
        let got = send(fleet(), request).await;
        assert_eq!(got.status, status.as_u16());
    }
}
