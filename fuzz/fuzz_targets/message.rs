#![no_main]
//! A message and an object tree, as peers push them.

use flwr_core::message::Message;
use flwr_core::object::ObjectTree;
use flwr_core::time::Timestamp;
use libfuzzer_sys::fuzz_target;
use prost::Message as _;

fuzz_target!(|data: &[u8]| {
    let now = Timestamp::from_secs(1_758_000_000.0);
    if let Ok(message) = flwr_proto::Message::decode(data) {
        let _ = Message::instruction(message.clone(), now);
        let _ = Message::reply(message, now);
    }
    if let Ok(tree) = flwr_proto::ObjectTree::decode(data) {
        let _ = ObjectTree::try_from(tree);
    }
});
