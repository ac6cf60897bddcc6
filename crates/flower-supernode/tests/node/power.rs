//! A power cut at a node: a reply that the SuperLink was told of is on the node's disk until the
//! SuperLink has it, and so is the Context that the message left.

use std::path::Path;

use bytes::Bytes;
use flwr_core::context::Context;
use flwr_powercut::{self as powercut, Cut};

use super::*;

const STORE: &str = "home/node";

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
}

fn outbox(dir: &Path, instruction: &str) -> PathBuf {
    dir.join(STORE).join("outbox").join(instruction)
}

fn context(dir: &Path) -> PathBuf {
    dir.join(STORE).join("context").join(RUN.0.to_string())
}

/// A message from its ClientApp's reply to the end. The SuperLink takes the reply at the second try.
async fn answer(dir: &Path) {
    let (fleet, superlink) = (FakeFleet::new(), Stopper::new());
    let address = fleet.serve(Security::Plaintext, &superlink).await;
    let config = Config {
        store: Some(dir.join(STORE)),
        ..config(&address.to_string(), Trust::Plaintext)
    };
    fleet.change(|world| world.is_full = true);
    let scene = Scene {
        node: SuperNode::bind(config).await.unwrap(),
        fleet: fleet.clone(),
        dir: tempfile::tempdir().unwrap(),
        _superlink: superlink,
    };
    fleet.until(|world| world.registered).await;
    let message = fleet.hand_out(NODE, 3600.0).to_string();
    work(&scene, &scene.token().await, Some(seen())).await;
    fleet
        .until(|world| (world.turned_away > 0).then_some(()))
        .await;
    powercut::acknowledge(&format!("told {message}"));
    let reply = fs::read(outbox(dir, &message)).unwrap();
    let kept = ObjectId::of(&reply);
    powercut::acknowledge(&format!("kept {message} {kept}"));
    fleet.change(|world| world.is_full = false);
    fleet
        .until(|world| (world.pushed.len() == 2).then_some(()))
        .await;
    until(|| !outbox(dir, &message).exists()).await;
    powercut::acknowledge("answered");
}

fn check(cut: &Cut<'_>) {
    let place = format!("{:?} after {:?}", cut.names, cut.acknowledged);
    let kept = fs::read(context(cut.disk)).unwrap_or_default();
    let kept = Context::from_bytes(Bytes::from(kept)).unwrap();
    let has_context = kept.into_state() == Some(seen().into());
    for told in cut.acknowledged {
        let words: Vec<&str> = told.split(' ').collect();
        let is_kept = match words[..] {
            ["told", message] => {
                let reply = fs::read(outbox(cut.disk, message)).unwrap_or_default();
                !reply.is_empty() || has_context
            }
            ["kept", message, hash] => {
                let reply = fs::read(outbox(cut.disk, message)).unwrap_or_default();
                ObjectId::of(&reply).to_string() == hash || has_context
            }
            _ => has_context,
        };
        assert!(is_kept, "{told:?} is lost: {place}");
    }
}

#[test]
fn a_power_cut_loses_no_reply_that_the_superlink_was_told_of() {
    if let Some(dir) = powercut::child() {
        return runtime().block_on(answer(&dir));
    }
    if !powercut::can_trace() {
        return;
    }
    let recording =
        powercut::record("power::a_power_cut_loses_no_reply_that_the_superlink_was_told_of");
    let mut answers = 0;
    let cuts = recording.cut(|cut| {
        answers = cut.acknowledged.len();
        check(cut);
    });
    assert_eq!(answers, 3);
    // The reply and the Context: each file with its directory.
    assert!(cuts >= 2 * (3 + 4), "{cuts} cuts: a sync is not seen");
}
