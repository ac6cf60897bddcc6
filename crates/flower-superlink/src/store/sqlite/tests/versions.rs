//! States of other versions: brought up to date, copied before, or refused.
//!
//! `vectors/version_4.sql` is the dump of a state that flower-superlink of schema version 4 left
//! when it was killed (`kill -9`): a run of pip's flwr 1.22 with one node and three instructions,
//! of which the first is answered, the second is at the node, and the third waits. Home directories
//! in the log were replaced.

use super::*;

const RUN_4: RunId = RunId(6_107_278_360_424_490_582);
const NODE_4: NodeId = NodeId(8_255_784_945_129_890_752);
/// A second before the state was left.
const THEN: Timestamp = Timestamp::from_secs(1_795_660_245.0);

impl Place {
    fn of_version_4() -> Self {
        let place = Self::new();
        let made = Connection::open(place.file()).unwrap();
        let dump = include_str!("vectors/version_4.sql");
        made.execute_batch(dump).unwrap();
        made.pragma_update(None, "user_version", 4).unwrap();
        let ours = i32::from_be_bytes(*b"FwSL");
        made.pragma_update(None, "application_id", ours).unwrap();
        place
    }

    fn copy(&self) -> std::path::PathBuf {
        self.0.path().join("state.db.before-5")
    }
}

async fn has_everything(world: &World) {
    let run = world.state.run(RUN_4).await.unwrap().unwrap();
    assert_eq!(run.status.phase, Phase::Running);
    assert_eq!(run.fab_id, "me/vector");
    assert_eq!(world.state.pending_runs().await.unwrap(), []);
    assert_eq!(world.state.online_nodes(THEN).await.unwrap(), [NODE_4]);
    let log = world.state.log_after(RUN_4, Timestamp::ZERO).await.unwrap();
    assert_eq!(log.len(), 3);
}

#[tokio::test]
async fn a_state_of_version_4_keeps_its_runs_nodes_and_messages() {
    let place = Place::of_version_4();
    for _ in 0..2 {
        has_everything(&place.open(THEN)).await;
    }
    let world = place.open(THEN);
    let asked: Vec<_> = [
        "dcbac34c50d09f5929db8124206cbad7a2bb2a6a4c9b3a398b84e21ba692082b",
        "880b35c3aa610e2af754e68f03fd807e371d43c29df51a943c51f54afc373893",
    ]
    .map(|id| id.parse().unwrap())
    .into();
    let answers = world.state.answers(RUN_4, &asked, THEN).await.unwrap();
    assert!(matches!(answers[0], Answer::Reply(_)), "{answers:?}");
    assert!(matches!(answers[1], Answer::Waiting { .. }), "{answers:?}");
    let third = world.claim(NODE_4, THEN).await.unwrap().to_string();
    assert_eq!(
        third,
        "a1c446fa8d26a5bfcfac4d840fa96215c5b496f1d57d495b40cf2d11c8981824"
    );
}

#[tokio::test]
async fn a_step_that_shuts_older_programs_out_keeps_a_copy_for_them() {
    let place = Place::of_version_4();
    drop(place.open(THEN));
    let mode = fs::metadata(place.copy()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let copy = Connection::open(place.copy()).unwrap();
    assert_eq!(migration::version(&copy).unwrap(), 4);
    let runs: i64 = copy
        .query_row("SELECT count(*) FROM run", [], |row| row.get(0))
        .unwrap();
    assert_eq!(runs, 1);
    drop(copy);
    // The copy itself is a state as it was.
    has_everything(&World::new(Arc::new(
        SqliteState::open(&place.copy(), THEN).unwrap(),
    )))
    .await;

    let made_today = Place::new();
    drop(made_today.open(NOON));
    drop(made_today.open(NOON));
    assert!(!made_today.copy().exists(), "nothing to keep");
}

#[test]
fn without_a_copy_nothing_is_changed() {
    let place = Place::of_version_4();
    let obstacle = place.0.path().join("state.db.before-5.part");
    fs::create_dir(&obstacle).unwrap();
    let text = place.refused();
    assert!(
        text.contains("state.db.before-5") && text.contains("nothing is changed"),
        "{text}"
    );
    fs::remove_dir(obstacle).unwrap();
    drop(place.open(THEN));
}

#[tokio::test]
async fn a_newer_state_is_opened_if_it_allows_that() {
    let place = Place::new();
    let world = place.open(NOON);
    world.pending().await;
    world.state.close().await;
    drop(world);
    let newer = Connection::open(place.file()).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    drop(newer);
    let world = place.open(NOON);
    assert!(world.state.run(RUN).await.unwrap().is_some());
    world.state.close().await;
    drop(world);
    let newer = Connection::open(place.file()).unwrap();
    assert_eq!(migration::version(&newer).unwrap(), 99, "left as it is");
    newer.execute("UPDATE link SET oldest = 6", []).unwrap();
    drop(newer);
    assert!(place.refused().contains("schema version 99"));
}
