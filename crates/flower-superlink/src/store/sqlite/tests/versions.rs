//! States of other versions: brought up to date, copied before, or refused.
//!
//! `vectors/version_4.sql` is the dump of a state that flower-superlink of schema version 4 left
//! when it was killed (`kill -9`): a run of pip's flwr 1.22 with one node and three instructions,
//! of which the first is answered, the second is at the node, and the third waits. Home directories
//! in the log were replaced.
//!
//! `vectors/version_5.sql` is made alike by commit fb46577, with pip's flwr 1.22: beside such a run
//! there is one that is finished, and the process of the running one is noted, with its token.

use flwr_core::task::TaskKind;

use super::*;
use crate::link::state::NodeStatus;

const RUN_4: RunId = RunId(6_107_278_360_424_490_582);
const NODE_4: NodeId = NodeId(8_255_784_945_129_890_752);
/// A second before the state was left.
const THEN: Timestamp = Timestamp::from_secs(1_795_660_245.0);

const RUN_5: RunId = RunId(14_574_316_208_939_327_813);
const FINISHED_5: RunId = RunId(13_650_733_335_042_150_632);
const NODE_5: NodeId = NodeId(17_899_712_697_016_300_700);
/// The hash of its token.
const TOKEN_5: &str = "dd0ee5a64b776f6c9d411788a3e03413d667c1392022973cd8eaea26ec256cd9";
const THEN_5: Timestamp = Timestamp::from_secs(1_795_669_021.0);

/// The copy that is made before the database comes to the latest version.
fn copy_name() -> String {
    format!("state.db.before-{}", migration::VERSION)
}

impl Place {
    fn of_version_4() -> Self {
        Self::of(4, include_str!("vectors/version_4.sql"))
    }

    fn of_version_5() -> Self {
        Self::of(5, include_str!("vectors/version_5.sql"))
    }

    fn of(version: i64, dump: &str) -> Self {
        let place = Self::new();
        let made = Connection::open(place.file()).unwrap();
        made.execute_batch(dump).unwrap();
        made.pragma_update(None, "user_version", version).unwrap();
        let ours = i32::from_be_bytes(*b"FwSL");
        made.pragma_update(None, "application_id", ours).unwrap();
        place
    }

    fn copy(&self) -> std::path::PathBuf {
        self.0.path().join(copy_name())
    }
}

async fn has_everything(world: &World) {
    let run = world.state.run(RUN_4).await.unwrap().unwrap();
    assert_eq!(run.status.phase, Phase::Running);
    assert_eq!(run.fab_id, "me/vector");
    assert_eq!(world.waiting().await, []);
    assert_eq!(world.state.online_nodes(THEN).await.unwrap(), [NODE_4]);
    let log = world
        .state
        .log_after(RUN_4, Timestamp::ZERO, usize::MAX)
        .await
        .unwrap();
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
async fn a_state_of_version_5_keeps_its_tokens_and_processes() {
    let place = Place::of_version_5();
    for _ in 0..2 {
        let world = place.open(THEN_5);
        let state = &world.state;
        let token = TOKEN_5.parse().unwrap();
        let task = state.task_of_token(token).await.unwrap();
        assert_eq!((task.run, task.kind), (RUN_5, TaskKind::ServerApp));
        let claimed_at = task.claimed_at.unwrap();
        assert!(THEN_5.since(claimed_at) < 60.0, "{claimed_at:?}");
        let processes = state.processes().await.unwrap();
        let [(of, process)] = &processes[..] else {
            panic!("{processes:?}")
        };
        assert_eq!((*of, process.identity.pid), (task, 15_474));
        assert_eq!(process.host, "", "nobody noted it");
        assert!(process.identity.started.ends_with(":2929695"));
        assert_eq!(world.waiting().await, []);
        assert!(state.keep_task(task.id, THEN_5 + 60.0).await.unwrap());
        let finished = state.run(FINISHED_5).await.unwrap().unwrap();
        assert!(finished.status.phase.is_finished());
        assert_eq!(state.traffic(RUN_5).await.unwrap(), Traffic::default());
    }
    let world = place.open(THEN_5);
    world.state.delete_run(FINISHED_5).await.unwrap();
    assert_eq!(world.state.runs().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_node_of_version_5_lives_on() {
    let place = Place::of_version_5();
    let world = place.open(THEN_5);
    let state = &world.state;
    let node = state.node(NODE_5).await.unwrap().unwrap();
    assert_eq!(node.status(THEN_5), NodeStatus::Online);
    assert_eq!((node.session, node.registered_at), (0, None));
    assert!((node.owner.is_none() && node.wire.is_none()));
    assert!(
        state.was_heard(NODE_5),
        "no message waits for a sign of life"
    );
    // Its SuperNode goes on, and what waits for it is there.
    let third = "1f71252f1ce8922100db5035e6e6a0c0046be91dc80ea4a4be5590451cfd6fc4";
    let second = "dcf8e8d8170cb6a17beffb4f55bea459af0f9a5ab88bdaaf8f5f2f03ac3121bc";
    let next = world.claim(NODE_5, THEN_5).await.unwrap();
    assert_eq!(next.to_string(), third);
    // It is started anew: what it took comes again.
    let (again, _) = world.comes(&node.key, NodeId(9), THEN_5 + 60.0).await;
    assert_eq!((again.node, again.resumed), (NODE_5, true));
    assert_eq!(state.session(NODE_5).await.unwrap(), Some(1));
    let mut taken = Vec::new();
    while let Some(next) = world.claim(NODE_5, THEN_5).await {
        state.confirm(RUN_5, next).await.unwrap();
        taken.push(next.to_string());
    }
    taken.sort();
    assert_eq!(taken, [third, second]);
}

#[test]
fn a_state_of_version_5_is_checked_as_it_is() {
    let place = Place::of_version_5();
    let before = fs::read(place.file()).unwrap();
    let audit = Audit::open(&place.file(), false).unwrap();
    let summary = audit.summary().unwrap();
    assert_eq!(
        summary,
        "schema version 5: 1 nodes, 2 runs, 3 instructions, 1 replies, 9 objects"
    );
    assert_eq!(audit.problems(false).unwrap(), []);
    assert_eq!(audit.space().unwrap().len(), 3, "of nodes, too");
    drop(audit);
    assert_eq!(fs::read(place.file()).unwrap(), before, "untouched");
    assert!(!place.copy().exists());
    // A repair brings it up to date first.
    let audit = Audit::open(&place.file(), true).unwrap();
    assert_eq!(audit.problems(true).unwrap(), []);
    assert!(place.copy().exists());
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
    let obstacle = place.0.path().join(format!("{}.part", copy_name()));
    fs::create_dir(&obstacle).unwrap();
    let text = place.refused();
    assert!(
        text.contains(&copy_name()) && text.contains("nothing is changed"),
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
    let oldest = migration::VERSION + 1;
    newer
        .execute("UPDATE link SET oldest = ?", [oldest])
        .unwrap();
    drop(newer);
    let text = place.refused();
    assert!(text.contains("schema version 99"), "{text}");
    assert!(text.ends_with("or another --database"), "{text}");
    // A copy for programs that are newer still is of no use here, and neither is another file.
    for (name, version) in [("before-98", 98), ("before-99", 4), ("before-x", 4)] {
        let copy = Connection::open(beside(&place.file(), name)).unwrap();
        copy.pragma_update(None, "user_version", version).unwrap();
    }
    let known = migration::VERSION;
    let text = place.refused();
    assert!(text.contains(&format!("up to {known}")), "{text}");
    assert!(text.ends_with("state.db.before-99"), "{text}");
}

#[tokio::test]
async fn a_copy_that_is_cut_off_is_not_offered_to_an_older_program() {
    let place = Place::new();
    let state = SqliteState::open(&place.file(), NOON).unwrap();
    state.close().await;
    drop(state);
    for name in ["before-97", "before-98"] {
        let copy = beside(&place.file(), name);
        fs::copy(place.file(), &copy).unwrap();
    }
    let newer = Connection::open(place.file()).unwrap();
    let oldest = migration::VERSION + 1;
    newer
        .execute("UPDATE link SET oldest = ?", [oldest])
        .unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    drop(newer);
    let text = place.refused();
    assert!(text.ends_with("state.db.before-98"), "{text}");
    let copy = beside(&place.file(), "before-98");
    let whole = fs::metadata(&copy).unwrap().len();
    let cut = fs::File::options().write(true).open(&copy).unwrap();
    cut.set_len(whole / 2).unwrap();
    let text = place.refused();
    assert!(text.ends_with("state.db.before-97"), "{text}");
}
