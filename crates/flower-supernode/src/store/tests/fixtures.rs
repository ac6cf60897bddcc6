//! A store of each format so far, in `testdata/stores`. Every later program goes on from all of them.
//! `cargo xtask fixture` adds the store of today's format.

use std::fmt::Write as _;

use super::*;
use crate::store::format::VERSION;

/// Has the store of today's format written.
const WRITE: &str = "FLWR_WRITE_FIXTURE";
/// The files of a store in hexadecimal, by their names.
const FILES: &str = "store.txt";

fn stores() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/stores")
}

fn instruction() -> MessageId {
    ObjectId::of(b"instruction")
}

/// The reply of [`reply`], with an object that is small.
fn small() -> Reply {
    let (mut reply, _) = reply();
    let content = Bytes::from_static(b"trained");
    let id = ObjectId::of(&content);
    reply.message.metadata.id = id;
    reply.tree = ObjectTree::leaf(id);
    reply.objects = [(id, content)].into();
    reply
}

async fn write(folder: &Path) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::at(dir.path().to_owned());
    let kept = store.keep_reply(instruction(), small(), Some(context()));
    assert!(kept.await.context.is_some());
    store.keep_context(RunId(8), &context()).await;
    let mut text = String::new();
    for shelf in [CONTEXT, OUTBOX] {
        for file in fs::read_dir(dir.path().join(shelf)).unwrap().flatten() {
            let name = file.file_name().into_string().unwrap();
            let content = hex::encode(fs::read(file.path()).unwrap());
            writeln!(text, "{shelf}/{name} {content}").unwrap();
        }
    }
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join(FILES), text).unwrap();
}

/// The reply is there to be pushed, and the Contexts to go on from.
async fn goes_on(folder: &Path) {
    let dir = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(folder.join(FILES)).unwrap();
    for line in text.lines() {
        let (name, content) = line.split_once(' ').unwrap();
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, hex::decode(content).unwrap()).unwrap();
    }
    let report = check(Some(dir.path()), false);
    assert!(report.is_clean(), "{}: {report:?}", folder.display());
    let store = Store::at(dir.path().to_owned());
    assert_eq!(store.replies().await, [instruction()]);
    assert_eq!(store.runs().await, [RunId(7), RunId(8)].into());
    let Stored {
        reply,
        context: left,
    } = store.reply(instruction()).await.unwrap();
    let expected = small();
    assert_eq!(reply.message, expected.message);
    assert_eq!(
        (reply.tree, reply.objects),
        (expected.tree, expected.objects)
    );
    assert_eq!(left, Some(context()));
    assert_eq!(store.context(RunId(8)).await, Some(context()));
}

#[tokio::test]
async fn a_store_of_each_format_so_far_goes_on() {
    let mut formats = 0;
    for folder in fs::read_dir(stores()).unwrap().flatten() {
        if folder.path().is_dir() {
            goes_on(&folder.path()).await;
            formats += 1;
        }
    }
    assert_eq!(
        formats, VERSION,
        "`cargo xtask fixture` adds the store of format {VERSION}"
    );
}

#[tokio::test]
async fn the_version_of_today_has_a_store() {
    let folder = stores().join(format!("format_{VERSION:02}"));
    if std::env::var_os(WRITE).is_some() && !folder.exists() {
        write(&folder).await;
    }
    assert!(
        folder.is_dir(),
        "{} is missing: `cargo xtask fixture` writes the store",
        folder.display()
    );
    goes_on(&folder).await;
}
