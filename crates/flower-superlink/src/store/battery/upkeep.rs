//! Runs are deleted, nodes forgotten, and what is kept is counted.

use std::time::Duration;

use flwr_core::context::Context;
use flwr_core::id::{NodeId, RunId, TaskId};
use flwr_core::refusal::Refusal;
use flwr_core::run::{Outcome, Phase, Run, RunStatus};
use flwr_core::time::Timestamp;

use super::runs::refusal;
use super::world::{NOON, RUN, World, key};
use crate::link::state::{Keep, Process, READ};

/// Long after everything here has happened.
const LATER: Timestamp = Timestamp::from_secs(1_758_000_000.0 + 1e7);

impl World {
    /// A run that stopped so many seconds after noon.
    async fn finished(&self, id: u64, after: f64) -> RunId {
        let run = self.state.run(RUN).await.unwrap();
        let template = match run {
            Some(run) => run,
            None => {
                self.pending().await;
                self.state.run(RUN).await.unwrap().unwrap()
            }
        };
        let run = Run {
            id: RunId(id),
            status: RunStatus::plain(Phase::Pending),
            finished_at: None,
            ..template
        };
        let id = run.id;
        self.state
            .create_run(run, Context::default(), None)
            .await
            .unwrap();
        self.stop(id, NOON + after).await;
        id
    }

    async fn stop(&self, run: RunId, now: Timestamp) {
        let stopped = RunStatus::plain(Phase::Finished(Outcome::Stopped));
        let freed = self.state.change_run(run, stopped, now).await;
        freed.unwrap().1.freed.clear();
    }

    async fn expendable(&self, keep: Keep, now: Timestamp) -> Vec<RunId> {
        self.state.expendable_runs(keep, now, 100).await.unwrap()
    }
}

pub(super) async fn only_a_finished_run_is_deleted_and_nothing_names_it_then(world: World) {
    let state = &world.state;
    let unknown = Refusal::UnknownRun(RUN);
    assert_eq!(refusal(state.delete_run(RUN).await), unknown);
    world.running().await;
    let node = world.node(5, NOON + 60.0).await;
    let sent = world.send("model", node).await;
    assert_eq!(world.claim(node, NOON).await, Some(sent.id()));
    state
        .append_log(RUN, "line".to_owned(), NOON)
        .await
        .unwrap();
    let phase = Phase::Running;
    let refused = refusal(state.delete_run(RUN).await);
    assert_eq!(refused, Refusal::RunIs { run: RUN, phase });
    assert_eq!(
        state
            .log_after(RUN, Timestamp::ZERO, usize::MAX)
            .await
            .unwrap()
            .len(),
        1
    );

    world.stop(RUN, NOON).await;
    let other = world.finished(78, 1.0).await;
    state
        .append_log(other, "stays".to_owned(), NOON)
        .await
        .unwrap();
    state.delete_run(RUN).await.unwrap();
    assert_eq!(state.run(RUN).await.unwrap(), None);
    assert_eq!(state.runs().await.unwrap().len(), 1);
    let log = state.log_after(RUN, Timestamp::ZERO, usize::MAX).await;
    assert_eq!(refusal(log), unknown);
    let late = state.append_log(RUN, "late".to_owned(), NOON).await;
    assert_eq!(refusal(late), unknown);
    assert_eq!(refusal(state.context(RUN).await), unknown);
    assert_eq!(refusal(state.delete_run(RUN).await), unknown);
    assert_eq!(
        state
            .log_after(other, Timestamp::ZERO, usize::MAX)
            .await
            .unwrap()
            .len(),
        1
    );
    assert_eq!(world.claim(node, NOON).await, None);

    // The same id again is another run: nothing of the old one is in it.
    world.running().await;
    assert_eq!(
        state
            .log_after(RUN, Timestamp::ZERO, usize::MAX)
            .await
            .unwrap(),
        []
    );
}

pub(super) async fn a_run_whose_process_lives_is_not_deleted(world: World) {
    let run = world.finished(1, 0.0).await;
    let task = TaskId::of_serverapp(run);
    let process = Process {
        host: "here".to_owned(),
        identity: flwr_daemon::apps::Identity {
            pid: 4711,
            started: "boot:17".to_owned(),
        },
    };
    world.state.set_process(task, Some(process)).await.unwrap();
    let refused = refusal(world.state.delete_run(run).await);
    assert_eq!(refused, Refusal::ProcessLives(run));
    let day = Keep::For(Duration::from_secs(86_400));
    assert_eq!(world.expendable(day, LATER).await, []);
    world.state.set_process(task, None).await.unwrap();
    assert_eq!(world.expendable(day, LATER).await, [run]);
    world.state.delete_run(run).await.unwrap();
}

pub(super) async fn the_newest_finished_runs_are_kept(world: World) {
    // Ids beyond 63 bits, and not in the order of the ends.
    let last = world.finished(1, 3.0).await;
    let first = world.finished(u64::MAX, 1.0).await;
    let second = world.finished(2, 2.0).await;
    for (keep, expected) in [
        (Keep::Newest(3), vec![]),
        (Keep::Newest(2), vec![first]),
        (Keep::Newest(1), vec![first, second]),
        (Keep::Forever, vec![]),
    ] {
        assert_eq!(world.expendable(keep, LATER).await, expected, "{keep:?}");
    }
    // Whoever watches a run reads its end.
    let soon = NOON + (1.5 + READ);
    assert_eq!(world.expendable(Keep::Newest(1), soon).await, [first]);
    let one = world.state.expendable_runs(Keep::Newest(1), LATER, 1).await;
    assert_eq!(one.unwrap(), [first]);
    assert!(world.state.run(last).await.unwrap().is_some());
}

pub(super) async fn the_runs_of_a_time_are_kept(world: World) {
    let first = world.finished(1, 0.0).await;
    let second = world.finished(2, 50.0).await;
    let keep = Keep::For(Duration::from_secs(100));
    assert_eq!(world.expendable(keep, NOON + 99.0).await, []);
    assert_eq!(world.expendable(keep, NOON + 101.0).await, [first]);
    // The template is pending all the time, and stays.
    assert_eq!(world.expendable(keep, LATER).await, [first, second]);
}

pub(super) async fn a_node_that_is_gone_for_long_is_forgotten(world: World) {
    let run = world.running().await;
    let (gone, asked) = (
        world.node(5, NOON + 10.0).await,
        world.node(6, NOON + 10.0).await,
    );
    let sent = world.send("model", asked).await;
    let forget = async |node, moment| world.state.forget_node(node, moment).await.unwrap();
    assert!(
        !forget(gone, NOON + 10.0).await.0,
        "it was online till then"
    );
    assert!(
        !forget(asked, NOON + 11.0).await.0,
        "a message waits for it"
    );
    assert!(!forget(NodeId(99), NOON + 11.0).await.0, "it is not known");
    assert_eq!(world.state.nodes().await.unwrap().len(), 2);
    assert!(forget(gone, NOON + 11.0).await.0);
    assert!(!world.is_kept(gone, LATER).await);
    let left: Vec<_> = world.state.nodes().await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(
        world.state.node_of_key(&left[0].key).await.unwrap(),
        Some(asked)
    );
    assert_eq!(world.claim(asked, NOON).await, Some(sent.id()));
    world.stop(run, NOON).await;
    assert!(forget(asked, NOON + 11.0).await.0);
    assert!(!world.comes(&key(), asked, NOON).await.0.resumed);
}

pub(super) async fn what_is_kept_is_counted(world: World) {
    let before = world.state.usage().await.unwrap();
    assert_eq!((before.runs, before.nodes, before.log_bytes), (0, 0, 0));
    let run = world.finished(1, 0.0).await;
    world.node(5, NOON).await;
    world
        .state
        .append_log(run, "12345".to_owned(), NOON)
        .await
        .unwrap();
    let usage = world.state.usage().await.unwrap();
    assert_eq!((usage.runs, usage.finished, usage.nodes), (2, 1, 1));
    assert_eq!(usage.log_bytes, 5);
    world.state.delete_run(run).await.unwrap();
    let usage = world.state.usage().await.unwrap();
    assert_eq!((usage.runs, usage.finished, usage.log_bytes), (1, 0, 0));
}
