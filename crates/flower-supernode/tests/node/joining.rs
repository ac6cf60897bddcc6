//! How the node comes to a SuperLink and goes, in the wire that the SuperLink speaks.

use bytes::Bytes;

use super::*;

/// A SuperLink, which ends with its stopper.
struct Peer {
    fleet: FakeFleet,
    _superlink: Stopper,
}

impl Peer {
    async fn has_node(&self) {
        self.fleet.until(|world| world.registered).await;
    }

    fn steps(&self) -> Vec<&'static str> {
        self.fleet.change(|world| world.steps.clone())
    }
}

/// A SuperLink that is as wanted, and a node that comes to it. `has_file`: the node's key is in a file.
async fn comes(wanted: impl FnOnce(&mut fleet::World), has_file: bool) -> (Peer, SuperNode) {
    let (fleet, superlink, address) = FakeFleet::in_plaintext().await;
    fleet.change(wanted);
    let mut config = config(&address, Trust::Plaintext);
    config.key.path = has_file.then(|| "node.key".into());
    let peer = Peer {
        fleet,
        _superlink: superlink,
    };
    (peer, SuperNode::bind(config).await.unwrap())
}

fn modern(world: &mut fleet::World) {
    world.is_modern = true;
}

#[tokio::test]
async fn a_node_without_a_key_of_its_own_registers_itself_and_unregisters() {
    let (peer, node) = comes(modern, false).await;
    peer.has_node().await;
    node.shutdown().await;
    let expected = [
        "activate",
        "register",
        "activate",
        "deactivate",
        "unregister",
    ];
    assert_eq!(peer.steps(), expected);
    assert_eq!(peer.fleet.change(|world| world.created), 0);
}

#[tokio::test]
async fn a_node_with_a_key_of_its_own_stays_registered() {
    let (peer, node) = comes(modern, true).await;
    peer.has_node().await;
    node.shutdown().await;
    let expected = ["activate", "register", "activate", "deactivate"];
    assert_eq!(peer.steps(), expected);
}

#[tokio::test]
async fn a_node_whose_key_is_known_is_activated_by_one_call() {
    let known = |world: &mut fleet::World| {
        modern(world);
        world.knows_key = true;
    };
    let (peer, _node) = comes(known, true).await;
    peer.has_node().await;
    assert_eq!(peer.steps(), ["activate"]);
}

#[tokio::test]
async fn a_superlink_of_before_1_23_is_found_out() {
    let (peer, node) = comes(|_| {}, false).await;
    peer.has_node().await;
    node.shutdown().await;
    let (created, deleted) = peer.fleet.change(|world| (world.created, world.deleted));
    assert_eq!((created, deleted), (1, 1));
}

#[tokio::test]
async fn a_node_waits_until_a_person_has_registered_it() {
    let for_people = |world: &mut fleet::World| {
        modern(world);
        world.is_for_people = true;
    };
    let (peer, _node) = comes(for_people, true).await;
    let tries = |world: &fleet::World| (world.steps.len() >= 2).then_some(());
    peer.fleet.until(tries).await;
    assert_eq!(peer.fleet.change(|world| world.registered), None);
    peer.fleet.change(|world| world.knows_key = true);
    peer.has_node().await;
}

#[tokio::test]
async fn a_node_whose_key_file_changes_registers_with_the_new_key_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    let (old, new) = (
        PrivateKey::generate().unwrap(),
        PrivateKey::generate().unwrap(),
    );
    old.write_openssh_pair(&path, false).unwrap();
    let (fleet, _superlink, address) = FakeFleet::in_plaintext().await;
    fleet.change(|world| {
        modern(world);
        world.knows_key = true;
    });
    let mut config = config(&address, Trust::Plaintext);
    config.key = NodeKey {
        private: old.clone(),
        path: Some(path.clone()),
    };
    let node = SuperNode::bind(config).await.unwrap();
    let keys = |count: usize| {
        fleet.until(move |world| (world.keys.len() == count).then(|| world.keys.clone()))
    };
    keys(1).await;

    // The same key again changes nothing; another is told to the SuperLink.
    old.write_openssh_pair(&path, true).unwrap();
    node.reload().await;
    new.write_openssh_pair(&path, true).unwrap();
    node.reload().await;
    let pem = |key: &PrivateKey| Bytes::from(key.public_key().to_pem());
    assert_eq!(keys(2).await, [pem(&old), pem(&new)]);

    // The node works under its id.
    fleet.hand_out(NODE, 3600.0);
    let scene = Scene {
        fleet: fleet.clone(),
        node,
        dir,
        _superlink,
    };
    work(&scene, &scene.token().await, None).await;
    scene.first_reply().await;
}

#[tokio::test]
async fn the_objects_of_a_reply_are_pushed_in_the_session_that_the_superlink_names() {
    let scene = scene(None).await;
    scene.fleet.change(|world| world.upload = "a session");
    scene.fleet.hand_out(NODE, 3600.0);
    work(&scene, &scene.token().await, None).await;
    scene
        .fleet
        .until(|world| (world.pushed.len() == 2).then_some(()))
        .await;
    let uploads = scene.fleet.change(|world| world.uploads.clone());
    assert_eq!(uploads.into_iter().collect::<Vec<_>>(), ["a session"]);
}
