//! The inputs to begin with.

use bytes::Bytes;
use flwr_core::object::ObjectId;
use flwr_proto as proto;
use flwr_security::joining::{JoinTokenId, join_statement, renew_key_statement};
use flwr_wire::generations::v1_08_taskins::{PUBLIC_KEY_HEADER, TOKEN_HEADER, public_key_text};
use prost::Message;

use super::{NODE, NOW, RUN, TOKEN, node_key};

/// An input.
fn seed(path: &str, headers: &[(&str, String)], message: &(impl Message + Sized)) -> Vec<u8> {
    raw(path, headers, message.encode_to_vec())
}

fn raw(path: &str, headers: &[(&str, String)], message: Vec<u8>) -> Vec<u8> {
    let mut head = match path.starts_with('/') {
        true => format!("{path}\n"),
        false => format!("/flwr.proto.{path}\n"),
    };
    for (name, value) in headers {
        head += &format!("{name}: {value}\n");
    }
    [head.into_bytes(), b"\n".to_vec(), message].concat()
}

const fn node() -> Option<proto::Node> {
    Some(proto::Node { node_id: NODE })
}

/// A task for the node, or its answer.
fn task(ancestry: &[&str]) -> proto::v1_08::TaskMessage {
    let side = |node_id, anonymous| Some(proto::v1_08::Node { node_id, anonymous });
    let (producer, consumer) = match ancestry {
        [] => (side(0, true), side(NODE, false)),
        _ => (side(NODE, false), side(0, true)),
    };
    proto::v1_08::TaskMessage {
        task_id: String::new(),
        group_id: "1".to_owned(),
        run_id: RUN,
        task: Some(proto::v1_08::Task {
            producer,
            consumer,
            created_at: NOW.as_secs(),
            pushed_at: NOW.as_secs(),
            ttl: 3600.0,
            ancestry: ancestry.iter().map(|id| (*id).to_owned()).collect(),
            task_type: "train".to_owned(),
            recordset: Some(Bytes::new()),
            ..Default::default()
        }),
    }
}

/// The recorded call of a node of flwr 1.12 that asks for a task, with its HMAC.
fn recorded_pull() -> Vec<u8> {
    let shown = public_key_text(node_key().public_key());
    let token = "ekYKvrgzaJI2e7FIWrXjkUpzXJ6AftS6Q86KV8kOoGU=".to_owned();
    let headers = [
        (PUBLIC_KEY_HEADER, shown),
        (TOKEN_HEADER, token),
        ("grpc-timeout", "20S".to_owned()),
    ];
    let message = hex::decode("0a0a089582a6efc79e849111").unwrap();
    raw("Fleet/PullTaskIns", &headers, message)
}

/// What a node sends that joins, and one that changes its key, with good proofs.
fn joining() -> (proto::join::JoinRequest, proto::join::RenewKeyRequest) {
    let (key, exported, id) = (node_key(), [7; 32], JoinTokenId([7; 8]));
    let (public, sign) = (key.public_key(), |statement: &[u8]| {
        key.sign(statement).unwrap()
    });
    let proof = sign(&join_statement(&exported, id, public));
    let join = proto::join::JoinRequest {
        token_id: id.0.to_vec().into(),
        secret: vec![7; 32].into(),
        key: public.to_spki().into(),
        proof: proof.into(),
        signing_request: Bytes::new(),
    };
    let proof: Bytes = sign(&renew_key_statement(&exported, public, public)).into();
    let renew = proto::join::RenewKeyRequest {
        old_key: public.to_spki().into(),
        new_key: public.to_spki().into(),
        old_proof: proof.clone(),
        new_proof: proof,
        signing_request: Bytes::new(),
    };
    (join, renew)
}

pub(in crate::targets) fn fleet_seeds() -> Vec<Vec<u8>> {
    use proto::v1_08 as old;
    let (message, tree) = crate::targets::core::parcel(Some(ObjectId::of(b"asked")));
    let created = old::CreateNodeRequest {
        ping_interval: 30.0,
    };
    let pushed = old::PushTaskResRequest12 {
        node: Some(old::Node {
            node_id: NODE,
            anonymous: false,
        }),
        task_res_list: vec![task(&["asked"])],
    };
    let inline = proto::v1_15::PushMessagesRequest {
        node: node(),
        messages_list: vec![proto::v1_15::Message {
            metadata: message.metadata.clone(),
            ..Default::default()
        }],
    };
    let objects = proto::PushMessagesRequest {
        node: node(),
        messages_list: vec![message],
        message_object_trees: vec![tree],
        ..proto::PushMessagesRequest::default()
    };
    let pull = proto::PullMessagesRequest {
        node: node(),
        ..Default::default()
    };
    let pushed_object = proto::PushObjectRequest {
        node: node(),
        run_id: RUN,
        object_id: ObjectId::of(b"object").to_string(),
        object_content: Bytes::from_static(b"object"),
        ..proto::PushObjectRequest::default()
    };
    let timeout = [("grpc-timeout", "300m".to_owned())];
    let (join, renew) = joining();
    vec![
        recorded_pull(),
        seed("/flower.join.Join/Join", &[], &join),
        seed("/flower.join.Join/RenewKey", &[], &renew),
        seed("Fleet/CreateNode", &[], &created),
        seed("Fleet/PushTaskRes", &[], &pushed),
        seed("Fleet/PushMessages", &[], &inline),
        seed("Fleet/PushMessages", &timeout, &objects),
        seed("Fleet/PullMessages", &timeout, &pull),
        seed("Fleet/PushObject", &[], &pushed_object),
    ]
}

pub(in crate::targets) fn runtime_seeds() -> Vec<Vec<u8>> {
    use proto::v1_08 as old;
    let (message, tree) = crate::targets::core::parcel(None);
    let token = TOKEN.to_owned();
    let tasks = old::PushTaskInsRequest {
        task_ins_list: vec![task(&[])],
    };
    let inline = proto::v1_15::PushInsMessagesRequest {
        messages_list: vec![proto::v1_15::Message {
            metadata: message.metadata.clone(),
            ..Default::default()
        }],
        run_id: RUN,
    };
    let objects = proto::PushAppMessagesRequest {
        token: token.clone(),
        messages_list: vec![message],
        run_id: RUN,
        message_object_trees: vec![tree],
    };
    let outputs = proto::PushAppOutputsRequest {
        token: token.clone(),
        run_id: RUN,
        context: Some(proto::Context::default()),
    };
    let sign = proto::v1_24::SendAppHeartbeatRequest {
        token: token.clone(),
    };
    let by_task = proto::v1_30::PushAppMessagesRequest {
        messages_list: objects.messages_list.clone(),
        message_object_trees: objects.message_object_trees.clone(),
    };
    let output = proto::v1_30::PushTaskOutputRequest {
        context: Some(proto::Context::default()),
        sub_status: "completed".to_owned(),
        ..Default::default()
    };
    let claim = proto::v1_30::ClaimTaskRequest { task_id: RUN };
    let nothing = proto::v1_30::PullTaskInputRequest {};
    let app = [("flwr-app-token", token.clone())];
    let task = [("flwr-task-token", token.clone())];
    let inputs = proto::PullAppInputsRequest { token };
    vec![
        seed("Driver/PushTaskIns", &[], &tasks),
        seed("ServerAppIo/PushMessages", &[], &inline),
        seed("ServerAppIo/PushMessages", &[], &objects),
        seed("ServerAppIo/PullAppInputs", &[], &inputs),
        seed("ServerAppIo/PushAppOutputs", &[], &outputs),
        seed("ServerAppIo/SendAppHeartbeat", &[], &sign),
        seed("ServerAppIo/PullAppInputs", &app, &inputs),
        seed("ServerAppIo/ClaimTask", &[], &claim),
        seed("ServerAppIo/PullTaskInput", &task, &nothing),
        seed("ServerAppIo/PushMessages", &task, &by_task),
        seed("Runtime/PushTaskOutput", &task, &output),
    ]
}

pub(in crate::targets) fn control_seeds() -> Vec<Vec<u8>> {
    let fab = crate::targets::core::bundle();
    let start = proto::StartRunRequest {
        fab: Some(proto::Fab {
            hash_str: fab.hash,
            content: fab.bytes,
            ..proto::Fab::default()
        }),
        ..Default::default()
    };
    let stop = proto::StopRunRequest { run_id: RUN };
    let list = proto::ListRunsRequest {
        run_id: Some(RUN),
        ..proto::ListRunsRequest::default()
    };
    let register = proto::RegisterNodeRequest {
        public_key: b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"
            .to_vec()
            .into(),
        location: Some("53.55,9.99".to_owned()),
        name: Some("north".to_owned()),
    };
    let unregister = proto::UnregisterNodeRequest { node_id: 7 };
    let show = proto::ShowFederationRequest {
        federation_name: "default".to_owned(),
    };
    let issue = proto::join::IssueRequest {
        address: "superlink.example:9092".to_owned(),
        host: "superlink.example".to_owned(),
        name: "north".to_owned(),
        ttl: 3_600,
        uses: 1,
    };
    let revoke = proto::join::RevokeRequest {
        id: "5a0c1b9e2f3d4c77".to_owned(),
    };
    vec![
        seed("Control/StartRun", &[], &start),
        seed("Control/RegisterNode", &[], &register),
        seed("Control/UnregisterNode", &[], &unregister),
        seed("Control/ShowFederation", &[], &show),
        seed("Control/CreateFederation", &[], &show),
        seed("Exec/StartRun", &[], &start),
        seed("Control/StopRun", &[], &stop),
        seed("Control/ListRuns", &[], &list),
        seed("/flower.join.JoinTokens/Issue", &[], &issue),
        seed("/flower.join.JoinTokens/Revoke", &[], &revoke),
    ]
}
