//! Who is let in by the secret that flwr 1.12.0 and 1.8.0 share with their SuperLink, and who is not.
//! Keys, requests and HMACs are those that these versions made.

use flwr_proto::v1_08 as wire;
use flwr_security::allow_list::AllowList;
use flwr_security::from_file::FromFile;
use flwr_security::key::PrivateKey;
use flwr_wire::generations::v1_08_taskins::{PUBLIC_KEY_HEADER, TOKEN_HEADER, public_key_text};

use super::*;

/// The node that these requests speak for.
const NODE: u64 = 1_234_567_890_123_456_789;
const PULL: (&str, &str) = (
    "0a0a089582a6efc79e849111",
    "ekYKvrgzaJI2e7FIWrXjkUpzXJ6AftS6Q86KV8kOoGU=",
);
const PUSH: (&str, &str) = (
    "0a0a089582a6efc79e849111128402120131180722fc010a0a089582a6efc79e849111120210011900004060b813da413100000000001eac403a2433303765343061352d613961302d346663382d393064652d6536623434643138366666614205747261696e4aaa01122b0a136669747265732e6e756d5f6578616d706c657312140a120a0c6e756d5f6578616d706c65731202100e1a090a05656d70747912001a3b0a0e6669747265732e6d65747269637312290a150a086163637572616379120909000000000000d03f0a100a03616363120909000000000000e03f1a330a0d6669747265732e73746174757312220a0a0a04636f6465120210000a140a076d65737361676512092a0753756363657373",
    "X34E3LmvFLzcZ2y3pcRd7wECye6BqbTD1efdWrt3ixU=",
);

/// The PEM of the P-384 key whose number is this byte, 32 times.
pub(super) fn key(byte: u8) -> PrivateKey {
    let pem = match byte {
        0x11 => include_str!("../testdata/node.pem"),
        _ => include_str!("../testdata/superlink.pem"),
    };
    PrivateKey::parse(pem).unwrap()
}

/// A SuperLink with a key of its own that knows the node, and the directory of its list.
pub(super) async fn host() -> (Host, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join("keys.csv");
    let node = key(0x11).public_key().clone();
    std::fs::write(&list, node.to_openssh()).unwrap();
    let state = MemoryState::default();
    let (now, until) = (Timestamp::from_secs(1.75e9), Timestamp::from_secs(2e9));
    let registered = state.register_node(&node, NodeId(NODE), now);
    let (registration, _) = registered.await.unwrap();
    assert_eq!(registration.node, NodeId(NODE));
    let activated = state.activate_node(NodeId(NODE), until, now).await;
    assert_eq!(activated.unwrap().0, 1);
    let allowed = Arc::new(FromFile::<AllowList>::load(&list).unwrap());
    let host = super::host(link(state), Policy::Listed(allowed), Some(key(0x22)));
    (host, dir)
}

/// What becomes of a request with this key and this HMAC.
async fn verdict(
    method: &str,
    request: &str,
    key: Option<&PrivateKey>,
    token: Option<&str>,
) -> Code {
    let (host, _dir) = host().await;
    let mut headers = HeaderMap::new();
    if let Some(key) = key {
        let key = public_key_text(key.public_key()).parse().unwrap();
        headers.insert(PUBLIC_KEY_HEADER, key);
    }
    if let Some(token) = token {
        headers.insert(TOKEN_HEADER, token.parse().unwrap());
    }
    let body = hex::decode(request).unwrap().into();
    call(&host, method, headers, body).await.code
}

#[tokio::test]
async fn requests_of_flwr_come_in() {
    let node = key(0x11);
    let pull = verdict("PullTaskIns", PULL.0, Some(&node), Some(PULL.1)).await;
    assert_eq!(pull, Code::Ok);
    // The run is not known, which is found out inside.
    let push = verdict("PushTaskRes", PUSH.0, Some(&node), Some(PUSH.1)).await;
    assert_ne!(push, Code::Unauthenticated);
}

#[tokio::test]
async fn whoever_cannot_show_the_secret_does_not_come_in() {
    let (node, stranger) = (key(0x11), PrivateKey::generate().unwrap());
    for (request, shown, token) in [
        // No key, or one that is not on the list.
        (PULL.0, None, Some(PULL.1)),
        (PULL.0, Some(&stranger), Some(PULL.1)),
        // No HMAC, or that of another request.
        (PULL.0, Some(&node), None),
        (PULL.0, Some(&node), Some(PUSH.1)),
        (PULL.0, Some(&node), Some("rubbish")),
        // The request was changed: it speaks for another node.
        ("0a0a089582a6efc79e849112", Some(&node), Some(PULL.1)),
    ] {
        let code = verdict("PullTaskIns", request, shown, token).await;
        assert_eq!(code, Code::Unauthenticated, "{request} {token:?}");
    }
    let changed = PUSH.0.replace("53756363657373", "53756363657374");
    let code = verdict("PushTaskRes", &changed, Some(&node), Some(PUSH.1)).await;
    assert_eq!(code, Code::Unauthenticated);
    let code = verdict("CreateNode", "", Some(&stranger), None).await;
    assert_eq!(code, Code::Unauthenticated);
}

/// Calls a method at this door, which remembers who came before.
async fn at(door: &FleetDoor<Host>, method: &str, headers: HeaderMap, message: Bytes) -> Answered {
    let path = format!("/flwr.proto.Fleet/{method}");
    call_door(door.clone(), &path, headers, message).await
}

/// A CreateNode with this key, and no more.
async fn register(door: &FleetDoor<Host>, key: &PrivateKey, interval: f64) -> Answered {
    let request = wire::CreateNodeRequest {
        ping_interval: interval,
    };
    let mut headers = HeaderMap::new();
    let shown = public_key_text(key.public_key()).parse().unwrap();
    headers.insert(PUBLIC_KEY_HEADER, shown);
    at(door, "CreateNode", headers, request.encode_to_vec().into()).await
}

/// A PullTaskIns with a good HMAC.
async fn pull(door: &FleetDoor<Host>) -> Code {
    let mut headers = HeaderMap::new();
    let shown = public_key_text(key(0x11).public_key()).parse().unwrap();
    headers.insert(PUBLIC_KEY_HEADER, shown);
    headers.insert(TOKEN_HEADER, PULL.1.parse().unwrap());
    let body = hex::decode(PULL.0).unwrap().into();
    at(door, "PullTaskIns", headers, body).await.code
}

/// The node's session, what it was noted to speak, and whether it was heard.
async fn stands(host: &Host) -> (u64, Option<WireName>, bool) {
    let nodes = host.link().known_nodes().await.unwrap();
    let session = nodes.first().unwrap().0.session;
    let noted = host.noted(NodeId(NODE)).await.unwrap();
    (session, noted, host.was_heard(NodeId(NODE)))
}

#[tokio::test]
async fn a_key_has_its_node_again_and_gets_the_superlinks_key() {
    let (host, _dir) = host().await;
    let door = FleetDoor::new(host);
    let answer = register(&door, &key(0x11), 30.0).await;
    assert_eq!(
        answer.headers[PUBLIC_KEY_HEADER],
        public_key_text(key(0x22).public_key())
    );
    let created: wire::CreateNodeResponse = answer.read();
    assert_eq!(created.node.unwrap().node_id, NODE);
    let refused = register(&door, &key(0x11), 2000.0).await;
    assert_eq!(refused.code, Code::InvalidArgument);
}

#[tokio::test]
async fn a_registration_touches_nothing_before_the_first_hmac() {
    let (host, _dir) = host().await;
    let door = FleetDoor::new(host.clone());
    // The node has signed, and its pull is held meanwhile.
    host.note(NodeId(NODE), WireName::find("objects").unwrap())
        .await
        .unwrap();
    host.hear(NodeId(NODE));
    let before = stands(&host).await;
    for _ in 0..3 {
        // A stranger knows the key, which is public.
        assert_eq!(register(&door, &key(0x11), 30.0).await.code, Code::Ok);
        assert_eq!(stands(&host).await, before);
    }
    // The holder of the key shows the secret: it runs an older release from now on.
    assert_eq!(pull(&door).await, Code::Ok);
    let tasks = WireName::find("tasks");
    assert_eq!(stands(&host).await, (before.0 + 1, tasks, true));
    assert_eq!(pull(&door).await, Code::Ok);
    assert_eq!(stands(&host).await.0, before.0 + 1, "once");
    // It is started again.
    assert_eq!(register(&door, &key(0x11), 30.0).await.code, Code::Ok);
    assert_eq!(stands(&host).await.0, before.0 + 1);
    assert_eq!(pull(&door).await, Code::Ok);
    assert_eq!(stands(&host).await.0, before.0 + 2);
}

#[tokio::test]
async fn without_a_key_of_its_own_the_superlink_names_the_flag_to_older_nodes() {
    let (listed, _dir) = host().await;
    let policy = listed.0.parts.policy.clone();
    let host = super::host(Arc::clone(listed.link()), policy, None);
    let door = FleetDoor::new(host.clone());
    let before = stands(&host).await;
    let answer = register(&door, &key(0x11), 30.0).await;
    assert_eq!(answer.code, Code::Unauthenticated);
    assert!(answer.text.contains("--serve-older 1.8"), "{}", answer.text);
    assert_eq!(pull(&door).await, Code::Unauthenticated);
    assert_eq!(stands(&host).await, before);
}

#[tokio::test]
async fn without_keys_only_nodes_of_these_versions_are_known_by_their_id() {
    let (listed, _dir) = host().await;
    let open = super::host(Arc::clone(listed.link()), Policy::AnyKey, None);
    let pull = || {
        let body = hex::decode(PULL.0).unwrap().into();
        call(&open, "PullTaskIns", HeaderMap::new(), body)
    };
    // It registered with a signature: its id is no secret.
    assert_eq!(pull().await.code, Code::Unauthenticated);
    let tasks = WireName::find("tasks").unwrap();
    open.note(NodeId(NODE), tasks).await.unwrap();
    assert_eq!(pull().await.code, Code::Ok);
}
