//! What is kept is there again; what is not whole is not used.

use std::os::unix::fs::PermissionsExt;

use bytes::Bytes;
use flwr_core::config::UserConfig;
use flwr_core::context::State;
use flwr_core::id::NodeId;
use flwr_core::message::{Body, Metadata};
use flwr_core::object::ObjectId;
use flwr_core::time::Timestamp;
use flwr_proto as proto;
use prost::Message as _;
use tempfile::TempDir;

use super::*;

mod fixtures;

/// A reply to an instruction of long ago, with the Context that goes with it.
fn reply() -> (Reply, Option<Context>) {
    let content = Bytes::from(vec![7; 100_000]);
    let id = ObjectId::of(&content);
    let metadata = Metadata {
        run: RunId(7),
        id,
        src: NodeId(9),
        dst: NodeId::SUPERLINK,
        reply_to: Some(ObjectId::of(b"instruction")),
        group: "1".to_owned(),
        ttl: 60.0,
        message_type: "train".to_owned(),
        created_at: Timestamp::from_secs(1_758_000_000.5),
    };
    let reply = Reply {
        message: Message {
            metadata,
            body: Body::Content,
        },
        tree: ObjectTree::leaf(id),
        objects: [(id, content)].into(),
        worked: None,
    };
    (reply, Some(context()))
}

pub(super) fn context() -> Context {
    let none = UserConfig::new();
    Context::new((RunId(7), &none), (NodeId(9), &none), State::default())
}

pub(super) async fn kept() -> (TempDir, Store, MessageId, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::at(dir.path().join("node"));
    let instruction = ObjectId::of(b"instruction");
    let (reply, context) = reply();
    store.keep_reply(instruction, reply, context).await;
    let file = store.reply_file(instruction).unwrap();
    (dir, store, instruction, file)
}

#[tokio::test]
async fn a_reply_is_there_until_it_is_forgotten() {
    let (_dir, store, instruction, file) = kept().await;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));

    let again = store.reply(instruction).await.unwrap();
    let (expected, context) = reply();
    assert_eq!(again.reply.message, expected.message);
    assert_eq!(again.reply.tree, expected.tree);
    assert_eq!(again.reply.objects, expected.objects);
    assert_eq!(again.context, context);
    assert!(store.reply(ObjectId::of(b"other")).await.is_none());
    store.sweep().await;
    assert!(file.exists(), "it is young");
    store.forget_reply(instruction).await;
    assert!(!file.exists());
    store.forget_reply(instruction).await;
}

/// The files of the first release of this store: the form is kept, byte for byte.
#[tokio::test]
async fn files_keep_the_form_of_the_first_release() {
    let (_dir, store, instruction, file) = kept().await;
    let (reply, _) = reply();
    let id = reply.message.metadata.id;
    let message = proto::Message {
        metadata: Some(proto::Metadata {
            run_id: 7,
            message_id: id.to_string(),
            src_node_id: 9,
            dst_node_id: 1,
            reply_to_message_id: instruction.to_string(),
            group_id: "1".to_owned(),
            ttl: 60.0,
            message_type: "train".to_owned(),
            created_at: 1_758_000_000.5,
            ..proto::Metadata::default()
        }),
        content: Some(proto::RecordDict::default()),
        error: None,
    };
    let tree = proto::ObjectTree {
        object_id: id.to_string(),
        children: vec![],
    };
    let context = proto::Context {
        run_id: 7,
        node_id: 9,
        state: Some(proto::RecordDict::default()),
        ..Default::default()
    };
    let mut first = b"FLWRNODE\x01\0\0\0".to_vec();
    for part in [
        message.encode_to_vec(),
        tree.encode_to_vec(),
        context.encode_to_vec(),
    ] {
        first.extend(u32::try_from(part.len()).unwrap().to_le_bytes());
        first.extend(part);
    }
    first.extend(id.as_bytes());
    first.extend(100_000_u64.to_le_bytes());
    first.extend([7; 100_000]);
    assert_eq!(fs::read(&file).unwrap(), first);
    fs::write(&file, first).unwrap();
    let read = store.reply(instruction).await.unwrap();
    assert_eq!(read.reply.message, reply.message);
    store.keep_context(RunId(7), &context.clone().into()).await;
    let kept = fs::read(store.context_file(RunId(7)).unwrap()).unwrap();
    assert_eq!(kept, context.encode_to_vec());
}

#[tokio::test]
async fn a_file_that_is_not_whole_is_not_used() {
    let (_dir, store, instruction, file) = kept().await;
    let whole = fs::read(&file).unwrap();
    let last = whole.len() - 1;
    let mut flipped = whole.clone();
    flipped[last] ^= 1;
    let mut newer = whole.clone();
    newer[8] = 2;
    let others = [
        &whole[..0],
        &whole[..4],
        &whole[..10],
        &whole[..30],
        &whole[..last],
        &flipped,
        &newer,
        b"something else entirely",
    ];
    for other in others {
        fs::write(&file, other).unwrap();
        assert!(
            store.reply(instruction).await.is_none(),
            "{} bytes",
            other.len()
        );
    }
    fs::write(&file, whole).unwrap();
    assert!(store.reply(instruction).await.is_some());
}

#[tokio::test]
async fn the_state_of_a_run_is_there_until_it_is_over() {
    let (_dir, store, ..) = kept().await;
    let context = context();
    store.keep_context(RunId(7), &context).await;
    assert_eq!(store.context(RunId(7)).await, Some(context));
    assert_eq!(store.context(RunId(8)).await, None);
    store.forget_run(RunId(7)).await;
    assert_eq!(store.context(RunId(7)).await, None);
}

#[tokio::test]
async fn files_that_nobody_asked_for_go_after_30_days() {
    let (_dir, store, _, reply) = kept().await;
    store.keep_context(RunId(7), &context()).await;
    let kept = store.context_file(RunId(7)).unwrap();
    let rest = kept.with_extension("7.tmp");
    fs::write(&rest, "half").unwrap();
    let files = [&reply, &kept];
    let aged = |days: u64| {
        let age = Duration::from_secs(days * 24 * 3600);
        for path in files {
            let file = File::options().write(true).open(path).unwrap();
            let modified = fs::metadata(path).unwrap().modified().unwrap();
            file.set_modified(modified - age).unwrap();
        }
    };
    aged(29);
    store.sweep().await;
    assert!(files.iter().all(|path| path.exists()));
    assert!(!rest.exists(), "nobody finishes what was half written");
    aged(2);
    store.sweep().await;
    assert!(files.iter().all(|path| !path.exists()));
}

#[tokio::test]
async fn a_disk_that_fails_costs_nothing_but_safety() {
    let dir = tempfile::tempdir().unwrap();
    let blocked = dir.path().join("file");
    fs::write(&blocked, b"").unwrap();
    for store in [Store::none(), Store::at(blocked)] {
        let (reply, context) = reply();
        let stored = store.keep_reply(ObjectId::of(b"i"), reply, context).await;
        assert_eq!(stored.reply.objects.len(), 1);
        assert!(store.reply(ObjectId::of(b"i")).await.is_none());
        store.forget_reply(ObjectId::of(b"i")).await;
        store.sweep().await;
    }
}
