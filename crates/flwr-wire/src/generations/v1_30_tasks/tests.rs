//! Messages as flwr 1.30.0, 1.33.0 and 1.34.0 encode them, by the descriptors of the packages: all three
//! give the same bytes.

use std::fmt::Debug;

use flwr_proto as proto;
use flwr_proto::v1_30;
use prost::Message;

use crate::raw::{has_bytes, has_number};

const MESSAGE: &str =
    "122a0a260807120261621801202a320131390000000000004e404205747261696e4900000060b813da411200";

#[track_caller]
fn is_laid_out<M: Message + Default + PartialEq + Debug>(message: &M, hex: &str) {
    let bytes = hex::decode(hex).unwrap();
    assert_eq!(M::decode(&*bytes).unwrap(), *message);
    assert_eq!(hex::encode(message.encode_to_vec()), hex);
}

fn context() -> Option<proto::Context> {
    Some(proto::Context {
        run_id: 7,
        node_id: 1,
        ..proto::Context::default()
    })
}

fn messages() -> Vec<proto::Message> {
    let metadata = proto::Metadata {
        run_id: 7,
        message_id: "ab".to_owned(),
        src_node_id: 1,
        dst_node_id: 42,
        group_id: "1".to_owned(),
        ttl: 60.0,
        message_type: "train".to_owned(),
        created_at: 1_750_000_000.0,
        ..proto::Metadata::default()
    };
    vec![proto::Message {
        metadata: Some(metadata),
        content: Some(proto::RecordDict::default()),
        ..proto::Message::default()
    }]
}

fn trees() -> Vec<proto::ObjectTree> {
    vec![proto::ObjectTree {
        object_id: "ab".to_owned(),
        ..proto::ObjectTree::default()
    }]
}

#[test]
fn messages_of_tasks_are_laid_out_as_in_flwr_1_30_to_1_34() {
    let push = v1_30::PushAppMessagesRequest {
        messages_list: messages(),
        message_object_trees: trees(),
    };
    is_laid_out(&push, &format!("{MESSAGE}1a040a026162"));
    let pull = v1_30::PullAppMessagesRequest {
        message_ids: vec!["ab".to_owned()],
    };
    is_laid_out(&pull, "12026162");
    let input = v1_30::PullTaskInputResponse {
        context: context(),
        task_id: 9,
        ..v1_30::PullTaskInputResponse::default()
    };
    is_laid_out(&input, "0a04080710012809");
    let output = v1_30::PushTaskOutputRequest {
        context: context(),
        sub_status: "completed".to_owned(),
        details: "d".to_owned(),
        clientapp_runtime: None,
    };
    is_laid_out(&output, "0a04080710011209636f6d706c657465641a0164");
    let claim = v1_30::ClaimTaskRequest { task_id: 9 };
    is_laid_out(&claim, "0809");
    let claimed = v1_30::ClaimTaskResponse {
        token: Some("abc".to_owned()),
    };
    is_laid_out(&claimed, "0a03616263");
    let task = v1_30::Task {
        task_id: 9,
        r#type: "flwr-serverapp".to_owned(),
        run_id: 7,
        status: Some(v1_30::TaskStatus {
            status: "pending".to_owned(),
            ..v1_30::TaskStatus::default()
        }),
        ..v1_30::Task::default()
    };
    let pending = v1_30::PullPendingTasksResponse { tasks: vec![task] };
    let hex = "0a1f0809120e666c77722d736572766572617070180722090a0770656e64696e67";
    is_laid_out(&pending, hex);
}

#[test]
fn a_push_of_a_task_is_known_by_its_third_field() {
    let bytes = |hex: &str| hex::decode(hex).unwrap().into();
    let by_task = bytes(&format!("{MESSAGE}1a040a026162"));
    // As flwr 1.24.0 and 1.29.0 encode it, with the run in that field.
    let by_run = bytes(&format!("0a03616263{MESSAGE}180722040a026162"));
    assert!(has_bytes(&by_task, 3) && !has_number(&by_task, 3));
    assert!(has_number(&by_run, 3) && !has_bytes(&by_run, 3));
}
