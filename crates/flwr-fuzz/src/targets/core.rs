//! What `flwr-core` reads.

use bytes::Bytes;
use flwr_core::address::Address;
use flwr_core::config::{flatten, from_toml_text, parse_pairs};
use flwr_core::fab::{self, Fab};
use flwr_core::id::{NodeId, RunId};
use flwr_core::message::{Body, Message, Metadata};
use flwr_core::object::{Head, Kind, Object, ObjectId, ObjectTree};
use flwr_core::project::Project;
use flwr_core::refusal::{Class, Refused};
use flwr_core::time::Timestamp;
use flwr_proto as proto;
use prost::Message as _;

use super::texts;

pub(super) const PROJECT: &str = "[project]\nname = \"mini\"\nversion = \"1.0.0\"\n\
    [tool.flwr.app]\npublisher = \"pub\"\n[tool.flwr.app.components]\n\
    serverapp = \"mini.s:app\"\nclientapp = \"mini.c:app\"\n[tool.flwr.app.config]\nlr = 0.1\n\
    [tool.flwr.federations]\ndefault = \"local\"\n[tool.flwr.federations.local]\n\
    address = \"127.0.0.1:9093\"\ninsecure = true\n";

pub(super) fn bundle() -> Fab {
    let file = |path: &str| (path.to_owned(), Bytes::from_static(b"app = 1\n"));
    fab::build(PROJECT, vec![file("mini/c.py"), file("mini/s.py")]).unwrap()
}

pub(super) fn fab(data: &[u8]) {
    let _ = Fab::open(Bytes::copy_from_slice(data));
}

pub(super) fn fab_seeds() -> Vec<Vec<u8>> {
    let file = ("mini/c.py".to_owned(), Bytes::from_static(b"app = 1\n"));
    let listed = fab::build_listed(PROJECT, vec![file]).unwrap();
    vec![bundle().bytes.to_vec(), listed.bytes.to_vec()]
}

pub(super) fn object(data: &[u8]) {
    if let Ok(head) = Head::read(data) {
        assert!(head.children.len() <= data.len() / 64, "ids out of nothing");
    }
}

pub(super) fn object_seeds() -> Vec<Vec<u8>> {
    let leaf = Object::new(Kind::ConfigRecord, &[], b"lr");
    let parent = Object::new(Kind::RecordDict, &[leaf.id, leaf.id], b"{}");
    vec![leaf.bytes.to_vec(), parent.bytes.to_vec()]
}

/// A message to or from a node, with an empty RecordDict.
pub(super) fn parcel(reply_to: Option<ObjectId>) -> (proto::Message, proto::ObjectTree) {
    let record = Object::new(Kind::RecordDict, &[], b"{}");
    let node = NodeId(super::doors::NODE);
    let (src, dst) = match reply_to {
        None => (NodeId::SUPERLINK, node),
        Some(_) => (node, NodeId::SUPERLINK),
    };
    let metadata = Metadata {
        run: RunId(super::doors::RUN),
        id: record.id,
        src,
        dst,
        reply_to,
        group: "1".to_owned(),
        ttl: 3600.0,
        message_type: "train".to_owned(),
        created_at: super::doors::NOW,
    };
    let body = Body::Content;
    let (parcel, _) = Message { metadata, body }.announced(Some(ObjectTree::leaf(record.id)));
    (parcel.message.into(), parcel.tree.into())
}

pub(super) fn message(data: &[u8]) {
    let now = Timestamp::from_secs(1_758_000_000.0);
    if let Ok(message) = proto::Message::decode(data) {
        let _ = Message::instruction(message.clone(), now);
        let _ = Message::reply(message);
    }
    if let Ok(tree) = proto::ObjectTree::decode(data)
        && let Ok(tree) = ObjectTree::try_from(tree)
    {
        assert!(!tree.post_order().is_empty(), "the root is part of a tree");
    }
}

pub(super) fn message_seeds() -> Vec<Vec<u8>> {
    let (instruction, tree) = parcel(None);
    let (reply, _) = parcel(Some(ObjectId::of(b"asked")));
    let trees = proto::ObjectTree {
        object_id: ObjectId::of(b"parent").to_string(),
        children: vec![tree.clone(), tree.clone()],
    };
    vec![
        instruction.encode_to_vec(),
        reply.encode_to_vec(),
        tree.encode_to_vec(),
        trees.encode_to_vec(),
    ]
}

pub(super) fn config(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    for table in [parse_pairs(&[text]), from_toml_text(text)]
        .into_iter()
        .flatten()
    {
        let _ = flatten(&table);
    }
    if let Ok(project) = Project::parse(text) {
        let federations = project.federations();
        let names: Vec<_> = federations.names().map(str::to_owned).collect();
        for name in names {
            let _ = federations.get(&name, &Default::default());
        }
    }
}

pub(super) fn config_seeds() -> Vec<Vec<u8>> {
    texts([
        PROJECT,
        "lr=0.1 name=\"a b\" deep.er=true rounds=3",
        "lr = 1e3\n[deep]\ner = [1, 'two']\n",
    ])
}

pub(super) fn text(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let _ = text.parse::<Address>();
    if let Ok(address) = Address::from_target(text) {
        let _ = (address.ip(), address.advice(), address.is_loopback());
    }
    if let Some(time) = Timestamp::from_iso8601(text) {
        let _ = (time.iso8601(), time.to_date_time());
    }
    let _ = Refused::read(Class::Invalid, text).to_string();
    let _ = flower_superlink::store::reads_notification(text);
}

pub(super) fn text_seeds() -> Vec<Vec<u8>> {
    texts([
        "127.0.0.1:9092",
        "dns:///superlink.example.org:9092",
        "ipv6:[::1]:9093",
        "2025-09-16T06:13:20.123456+00:00",
        "z;n:10,3w5e11264sgsf;r:7;l:7;p;!1",
        "{\"code\": 300, \"public_message\": \"no\", \"public_details\": \"such run\"}",
    ])
}
