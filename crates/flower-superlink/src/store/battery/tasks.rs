//! Tasks are claimed, worked on in a process, and given back.

use flwr_core::id::{RunId, TaskId};
use flwr_core::object::ObjectId;
use flwr_core::refusal::Refusal;
use flwr_core::run::{Outcome, Phase, Run, RunStatus};
use flwr_core::task::{Task, TaskKind};
use flwr_core::time::Timestamp;
use flwr_daemon::apps::Identity;

use super::runs::refusal;
use super::world::{NOON, RUN, TASK, World};
use crate::link::state::{APP_FIRST_CONTACT, Claim, Process};
use crate::link::wake::Topic;

impl World {
    pub(super) async fn claim_task(&self, token: ObjectId, now: Timestamp) -> bool {
        self.state.claim_task(TASK, token, now).await.unwrap()
    }

    /// The task that a token stands for.
    async fn task_of(&self, token: ObjectId) -> Option<Task> {
        match self.state.task_of_token(token).await {
            Ok(task) => Some(task),
            refused => {
                assert_eq!(refusal(refused), Refusal::UnknownToken);
                None
            }
        }
    }

    /// The tasks that wait, each with when it was claimed.
    async fn claims(&self) -> Vec<(TaskId, Option<Timestamp>)> {
        let waiting = self.state.waiting_tasks(TaskKind::ServerApp).await.unwrap();
        waiting
            .into_iter()
            .map(|task| (task.id, task.claimed_at))
            .collect()
    }
}

fn tokens() -> (ObjectId, ObjectId) {
    (ObjectId::of(b"token"), ObjectId::of(b"other"))
}

fn process(pid: u32) -> Process {
    Process {
        host: "here".to_owned(),
        identity: Identity {
            pid,
            started: "boot:17".to_owned(),
        },
    }
}

pub(super) async fn a_task_is_claimed_once_until_it_is_revoked(world: World) {
    let (token, other) = tokens();
    assert!(!world.claim_task(token, NOON).await, "it is not known");
    world.pending().await;
    assert_eq!(world.claims().await, [(TASK, None)]);
    assert!(world.claim_task(token, NOON).await);
    assert!(!world.claim_task(other, NOON + 1.0).await);
    assert_eq!(world.claims().await, [(TASK, Some(NOON))]);
    let task = Task {
        claimed_at: Some(NOON),
        ..Task::of_serverapp(RUN)
    };
    assert_eq!(world.task_of(token).await, Some(task));
    assert_eq!(world.task_of(other).await, None);

    world.state.revoke_task(TASK).await.unwrap();
    assert_eq!(world.task_of(token).await, None);
    assert_eq!(world.claims().await, [(TASK, None)]);
    assert!(world.claim_task(other, NOON + 2.0).await);
    assert!(world.task_of(other).await.is_some());
    world.state.revoke_task(TaskId(99)).await.unwrap();
}

pub(super) async fn a_claim_that_nobody_uses_expires(world: World) {
    let (token, other) = tokens();
    world.pending().await;
    assert!(world.claim_task(token, NOON).await);
    assert_eq!(world.state.expire(NOON + 1.0).await.unwrap().1.wake, []);
    let later = NOON + APP_FIRST_CONTACT;
    let before = later + -1.0;
    assert_eq!(world.state.expire(before).await.unwrap().1.wake, []);
    // The process is watched: it may take as long as it lives.
    let watched = world.state.set_process(TASK, Some(process(4711))).await;
    watched.unwrap();
    assert_eq!(world.state.expire(later).await.unwrap().1.wake, []);
    assert!(world.task_of(token).await.is_some());
    world.state.set_process(TASK, None).await.unwrap();
    assert_eq!(
        world.state.expire(later).await.unwrap().1.wake,
        [Topic::Pending]
    );
    assert_eq!(world.task_of(token).await, None);
    assert!(world.claim_task(other, later).await);
    world.change(Phase::Starting).await;
    assert!(world.app_lives(NOON + 1e6).await);
    assert_eq!(world.state.expire(NOON + 1e5).await.unwrap().1.wake, []);
    assert!(world.task_of(other).await.is_some());
}

pub(super) async fn a_token_is_of_use_until_its_run_is_over(world: World) {
    let (token, other) = tokens();
    world.running().await;
    assert!(world.claim_task(token, NOON).await);
    assert_eq!(world.task_of(token).await.unwrap().run, RUN);
    let completed = Phase::Finished(Outcome::Completed);
    world.change(completed).await;
    assert_eq!(world.task_of(token).await, None);
    let late = world.state.claim_task(TASK, other, NOON).await;
    let phase = completed;
    assert_eq!(refusal(late), Refusal::RunIs { run: RUN, phase });
    assert!(!world.app_lives(NOON + 60.0).await);
    world.state.delete_run(RUN).await.unwrap();
    assert!(!world.claim_task(other, NOON).await, "it is not known");
}

pub(super) async fn the_holder_of_a_token_is_known_while_the_token_is(world: World) {
    let (token, other) = tokens();
    let state = &world.state;
    let claim = |token, holder: Option<&str>| {
        let holder = holder.map(str::to_owned);
        Some(Claim { token, holder })
    };
    let note = |token, holder: &str| state.note_holder(TASK, token, holder.to_owned());
    world.pending().await;
    assert_eq!(state.claim_of(TASK).await.unwrap(), None);
    assert!(world.claim_task(token, NOON).await);
    assert_eq!(state.claim_of(TASK).await.unwrap(), claim(token, None));
    note(other, "a stranger").await.unwrap();
    assert_eq!(state.claim_of(TASK).await.unwrap(), claim(token, None));
    for holder in ["here", "there"] {
        note(token, holder).await.unwrap();
        let known = state.claim_of(TASK).await.unwrap();
        assert_eq!(known, claim(token, Some(holder)));
    }
    state.revoke_task(TASK).await.unwrap();
    assert_eq!(state.claim_of(TASK).await.unwrap(), None);
    assert!(world.claim_task(other, NOON).await);
    assert_eq!(state.claim_of(TASK).await.unwrap(), claim(other, None));
    assert_eq!(state.claim_of(TaskId(99)).await.unwrap(), None);
}

pub(super) async fn a_sign_of_life_counts_once_the_run_has_begun(world: World) {
    assert!(!world.app_lives(NOON + 60.0).await, "it is not known");
    world.pending().await;
    assert!(!world.app_lives(NOON + 60.0).await, "it has not begun");
    world.change(Phase::Starting).await;
    assert!(world.app_lives(NOON + 60.0).await);
    world.state.rewind_run(RUN).await.unwrap().1.freed.clear();
    assert!(!world.app_lives(NOON + 60.0).await, "it begins again");
}

pub(super) async fn the_process_of_a_task_is_noted(world: World) {
    let state = &world.state;
    world.pending().await;
    let (first, second) = (process(4711), process(4712));
    let ((), changed) = state.set_process(TASK, Some(first.clone())).await.unwrap();
    assert_eq!(changed.wake, []);
    let task = Task::of_serverapp(RUN);
    assert_eq!(state.processes().await.unwrap(), [(task, first)]);
    let noted = state.set_process(TASK, Some(second.clone())).await;
    assert_eq!(noted.unwrap().1.wake, []);
    assert_eq!(state.processes().await.unwrap(), [(task, second)]);
    let ((), changed) = state.set_process(TASK, None).await.unwrap();
    assert_eq!(changed.wake, [Topic::Run(RUN)]);
    assert_eq!(state.processes().await.unwrap(), []);
    let unknown = state.set_process(TaskId(99), Some(process(1))).await;
    assert_eq!(unknown.unwrap().1.wake, []);
    assert_eq!(state.processes().await.unwrap(), []);
}

pub(super) async fn a_run_that_begins_again_has_a_free_task(world: World) {
    let (token, other) = tokens();
    world.running().await;
    assert!(world.claim_task(token, NOON).await);
    let noted = world.state.set_process(TASK, Some(process(4711))).await;
    noted.unwrap();
    world.state.rewind_run(RUN).await.unwrap().1.freed.clear();
    assert_eq!(world.task_of(token).await, None);
    assert_eq!(world.state.processes().await.unwrap(), []);
    assert!(world.claim_task(other, NOON).await);
}

pub(super) async fn the_waiting_tasks_are_those_of_runs_that_have_not_begun(world: World) {
    let state = &world.state;
    world.pending().await;
    let first = state.run(RUN).await.unwrap().unwrap();
    let earlier = Run {
        id: RunId(78),
        pending_at: NOON + -1.0,
        ..first.clone()
    };
    let begun = Run {
        id: RunId(79),
        status: RunStatus::plain(Phase::Starting),
        starting_at: Some(NOON),
        ..first
    };
    let ((), changed) = state
        .create_run(earlier, Default::default(), None)
        .await
        .unwrap();
    assert_eq!(changed.wake, [Topic::Pending]);
    let ((), changed) = state
        .create_run(begun, Default::default(), None)
        .await
        .unwrap();
    assert_eq!(changed.wake, [], "its process is there");
    assert_eq!(world.waiting().await, [RunId(78), RUN]);
    let of_begun = TaskId::of_serverapp(RunId(79));
    assert!(state.keep_task(of_begun, NOON + 60.0).await.unwrap());
    world.change(Phase::Starting).await;
    assert_eq!(world.waiting().await, [RunId(78)]);
    state.rewind_run(RUN).await.unwrap();
    assert_eq!(world.waiting().await, [RunId(78), RUN]);
}
