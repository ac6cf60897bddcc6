use super::*;

const PEM: &[u8] = b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
const AT: &str = "2026-11-20T09:00:00+00:00";

fn read<M: Message + Default>(message: &impl Message) -> M {
    M::decode(message.encode_to_vec().as_slice()).unwrap()
}

fn later(node_id: u64, status: &str) -> proto::NodeInfo {
    proto::NodeInfo {
        node_id,
        owner_aid: "alice-1".to_owned(),
        owner_name: "alice".to_owned(),
        status: status.to_owned(),
        registered_at: AT.to_owned(),
        last_activated_at: Some(AT.to_owned()),
        online_until: Some(60.0),
        public_key: PEM.into(),
        name: Some("north".to_owned()),
        ..proto::NodeInfo::default()
    }
}

fn earlier(status: &str, online_until: Option<f64>) -> v1_10::NodeInfo {
    v1_10::NodeInfo {
        node_id: 2,
        owner_aid: "alice-1".to_owned(),
        status: status.to_owned(),
        registered_at: AT.to_owned(),
        online_until,
        public_key: PEM.into(),
        ..v1_10::NodeInfo::default()
    }
}

#[test]
fn nodes_are_in_the_order_of_their_ids() {
    let answer = proto::ListNodesResponse {
        nodes_info: vec![later(9, "offline"), later(2, "online")],
        now: AT.to_owned(),
    };
    let Nodes { nodes, now } = nodes(read(&answer)).unwrap();
    assert_eq!(now, Timestamp::from_iso8601(AT));
    assert_eq!((nodes[0].id.0, nodes[0].status), (2, NodeStatus::Online));
    assert_eq!((nodes[1].id.0, nodes[1].status), (9, NodeStatus::Offline));
    assert_eq!(nodes[0].key.as_ref(), [0, 0, 0]);
    assert_eq!(nodes[0].owner.name, "alice");
    assert_eq!(nodes[0].name.as_deref(), Some("north"));
    assert_eq!(nodes[0].activated_at, now);
}

#[test]
fn nodes_of_flwr_1_23_are_read_in_any_state() {
    for (status, online_until) in [
        ("registered", None),
        ("online", Some(60.0)),
        ("offline", Some(1.0)),
        ("unregistered", Some(1.0)),
    ] {
        let bytes = earlier(status, online_until).encode_to_vec();
        let node = any_node(bytes.into()).unwrap();
        assert_eq!(node.status.name(), status);
        assert_eq!(node.registered_at, Timestamp::from_iso8601(AT));
        assert_eq!(node.owner.id, "alice-1");
    }
}

#[test]
fn a_node_with_an_unknown_status_is_refused() {
    for bytes in [
        later(7, "asleep").encode_to_vec(),
        earlier("asleep", None).encode_to_vec(),
    ] {
        let text = any_node(bytes.into()).unwrap_err().to_string();
        assert!(text.contains("cannot be read"), "{text}");
    }
}

fn run() -> proto::Run {
    proto::Run {
        run_id: 3,
        pending_at: AT.to_owned(),
        status: Some(proto::RunStatus {
            status: "running".to_owned(),
            ..proto::RunStatus::default()
        }),
        bytes_sent: 5,
        ..proto::Run::default()
    }
}

#[test]
fn a_federation_is_read_in_the_layout_of_each_release() {
    let none = proto::Account {
        id: "<id:none>".to_owned(),
        name: "none".to_owned(),
    };
    let nodes = vec![later(2, "online")];
    let later = proto::ShowFederationResponse {
        federation: Some(proto::Federation {
            name: "@none/default".to_owned(),
            description: "for tests".to_owned(),
            members: vec![proto::Member {
                account: Some(none.clone()),
                role: "owner".to_owned(),
            }],
            nodes: nodes.clone(),
            runs: vec![run()],
            ..proto::Federation::default()
        }),
        now: AT.to_owned(),
    };
    let earlier = |accounts: Vec<proto::Account>, nodes: Vec<proto::NodeInfo>| {
        v1_10::ShowFederationResponse {
            federation: Some(v1_10::Federation {
                name: "default".to_owned(),
                member_aids: vec!["<id:none>".to_owned()],
                nodes,
                runs: vec![run()],
                description: "for tests".to_owned(),
                accounts,
            }),
            now: AT.to_owned(),
        }
    };
    for (answer, name, role) in [
        (read(&later), "none", "owner"),
        (
            read(&earlier(vec![none.clone()], nodes.clone())),
            "none",
            "",
        ),
        (read(&earlier(vec![], nodes)), "<id:none>", ""),
        (read(&earlier(vec![none], vec![])), "none", ""),
    ] {
        let whole = federation(answer).unwrap();
        assert_eq!(whole.members.len(), 1);
        assert_eq!(whole.members[0].account.name, name);
        assert_eq!(whole.members[0].role, role);
        assert!(whole.nodes.iter().all(|node| node.id.0 == 2));
        assert_eq!(whole.runs.runs[0].id.0, 3);
        assert_eq!(whole.runs.uses[&whole.runs.runs[0].id].sent, 5);
    }
}

#[test]
fn a_list_of_federations_is_read_in_both_layouts() {
    let later = proto::ListFederationsResponse {
        federations: vec![proto::Federation {
            name: "@none/default".to_owned(),
            description: "for tests".to_owned(),
            archived: true,
            ..proto::Federation::default()
        }],
    };
    let earlier = v1_10::ListFederationsResponse {
        federations: vec![v1_10::Federation {
            name: "default".to_owned(),
            member_aids: vec!["<id:none>".to_owned()],
            ..v1_10::Federation::default()
        }],
    };
    let listed = federations(read(&later)).unwrap();
    assert_eq!(listed[0].id, "@none/default");
    assert!(listed[0].archived);
    let listed = federations(read(&earlier)).unwrap();
    assert_eq!(listed[0].id, "default");
}
