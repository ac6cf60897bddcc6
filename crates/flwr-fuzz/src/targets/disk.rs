//! What daemons read from files that people and earlier processes wrote.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use flower_superlink::accounts::AccountsFile;
use flwr_core::config;
use flwr_core::context::Context;
use flwr_core::message::Message;
use flwr_core::object::ObjectTree;
use flwr_daemon::table;
use flwr_security::from_file::Readable;
use tempfile::TempDir;

use super::texts;

thread_local! {
    static SCRATCH: TempDir = tempfile::tempdir().unwrap();
}

/// Calls `read` with a file of this name and content.
pub(super) fn with_file(name: &str, data: &[u8], read: impl FnOnce(&Path)) {
    SCRATCH.with(|dir| {
        let path = dir.path().join(name);
        fs::write(&path, data).unwrap();
        read(&path);
        // A file that is truncated in place is flushed by ext4, which takes its time.
        fs::remove_file(path).unwrap();
    });
}

pub(super) fn files(data: &[u8]) {
    for name in ["daemon.toml", "daemon.json"] {
        with_file(name, data, |path| {
            let _ = table::read(path);
            let _ = AccountsFile::from_file(path);
        });
    }
}

pub(super) fn file_seeds() -> Vec<Vec<u8>> {
    texts([
        "insecure = true\n[fleet]\naddress = \"0.0.0.0:9092\"\n",
        "{'insecure': True, # a comment\n \"fleet\": {\"address\": \"0.0.0.0:9092\",},}",
        "issuer = \"https://idp.example.org/\"\nclient-id = \"flower\"\nadmins = [\"alice-1\"]\n",
    ])
}

pub(super) fn kept(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    let _ = flower_supernode::fuzzing::kept_reply(bytes.clone());
    if let Ok(context) = Context::from_bytes(bytes.clone()) {
        assert!(Context::from_bytes(context.to_bytes().into()).is_ok());
    }
    if let Some(tree) = ObjectTree::from_bytes(bytes.clone()) {
        let _ = tree.post_order().len();
    }
    let _ = Message::reply_from_bytes(bytes);
    let _ = config::from_bytes(data);
}

pub(super) fn kept_seeds() -> Vec<Vec<u8>> {
    let (message, tree) = super::core::parcel(Some(flwr_core::object::ObjectId::of(b"asked")));
    let message = Message::reply(message).unwrap().to_bytes();
    let tree = ObjectTree::try_from(tree).unwrap().to_bytes();
    let context = Context::default().to_bytes();
    let mut reply = b"FLWRNODE\x01\0\0\0".to_vec();
    for part in [&message, &tree, &context] {
        reply.extend(u32::try_from(part.len()).unwrap().to_le_bytes());
        reply.extend(part);
    }
    assert!(flower_supernode::fuzzing::kept_reply(reply.clone().into()));
    let config = config::to_bytes(&[("lr".to_owned(), config::Scalar::Float(0.1))].into());
    vec![reply, message, tree, config]
}
