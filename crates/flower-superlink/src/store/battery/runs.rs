//! Runs begin, go on, and end.

use std::time::Duration;

use flwr_core::config::UserConfig;
use flwr_core::context::{Context, State};
use flwr_core::id::NodeId;
use flwr_core::object::ObjectId;
use flwr_core::refusal::Refusal;
use flwr_core::run::{Outcome, Phase, RunStatus};
use flwr_core::time::Timestamp;

use super::world::{NOON, RUN, TASK, World};
use crate::link::state::{APP_FIRST_HEARTBEAT, LogEntry, StateError, Traffic};
use crate::link::wake::Topic;

/// The refusal of something that must not work.
pub(super) fn refusal<T: std::fmt::Debug>(result: Result<T, StateError>) -> Refusal {
    match result.unwrap_err() {
        StateError::Refused(refusal) => refusal,
        broken => panic!("{broken:?}"),
    }
}

pub(super) async fn a_run_takes_the_steps_of_a_run_only(world: World) {
    world.pending().await;
    let running = RunStatus::plain(Phase::Running);
    let skipped = world.state.change_run(RUN, running, NOON).await;
    let (from, to) = (Phase::Pending, Phase::Running);
    assert_eq!(refusal(skipped), Refusal::Transition { run: RUN, from, to });

    world.change(Phase::Starting).await;
    world.change(Phase::Running).await;
    let failed = RunStatus::failed("why");
    world
        .state
        .change_run(RUN, failed.clone(), NOON + 5.0)
        .await
        .unwrap()
        .1
        .freed
        .clear();
    let run = world.state.run(RUN).await.unwrap().unwrap();
    assert_eq!(run.status, failed);
    assert_eq!(
        (run.starting_at, run.finished_at),
        (Some(NOON), Some(NOON + 5.0))
    );

    let stopped = RunStatus::plain(Phase::Finished(Outcome::Stopped));
    assert!(world.state.change_run(RUN, stopped, NOON).await.is_err());
}

pub(super) async fn a_run_keeps_the_account_that_started_it(world: World) {
    world.pending().await;
    world.change(Phase::Starting).await;
    let run = world.state.run(RUN).await.unwrap().unwrap();
    assert_eq!(run.account, "alice-1");
    let of_all: Vec<_> = world.state.runs().await.unwrap();
    assert_eq!(of_all, [run]);
    world.state.rewind_run(RUN).await.unwrap().1.freed.clear();
    let run = world.state.run(RUN).await.unwrap().unwrap();
    assert_eq!(run.account, "alice-1", "also when it begins again");
}

pub(super) async fn a_run_without_a_sign_of_life_is_lost(world: World) {
    world.pending().await;
    assert!(!world.app_lives(NOON + 60.0).await, "it has not begun");
    world.change(Phase::Starting).await;
    let first_sign = NOON + APP_FIRST_HEARTBEAT;
    assert_eq!(world.state.expire(first_sign).await.unwrap().0, []);
    assert!(world.app_lives(NOON + 60.0).await);
    assert_eq!(world.state.expire(NOON + 59.0).await.unwrap().0, []);
    assert_eq!(world.state.expire(NOON + 61.0).await.unwrap().0, [RUN]);
    let status = world.state.run(RUN).await.unwrap().unwrap().status;
    assert_eq!(
        status,
        RunStatus::failed("No heartbeat received from the run.")
    );
    assert!(!world.app_lives(NOON + 99.0).await);
}

pub(super) async fn a_run_that_never_gives_a_sign_of_life_is_lost(world: World) {
    world.pending().await;
    world.change(Phase::Starting).await;
    let late = NOON + APP_FIRST_HEARTBEAT + 1.0;
    assert_eq!(world.state.expire(late).await.unwrap().0, [RUN]);
}

pub(super) async fn a_finished_run_holds_nothing(world: World) {
    world.running().await;
    let node = world.node(5, NOON + 60.0).await;
    let sent = world.send("model", node).await;
    let stopped = RunStatus::plain(Phase::Finished(Outcome::Stopped));
    let mut freed = world
        .state
        .change_run(RUN, stopped, NOON)
        .await
        .unwrap()
        .1
        .freed;
    freed.sort();
    let mut objects = sent.objects.clone();
    objects.sort();
    assert_eq!(freed, objects);
    assert_eq!(world.claim(node, NOON).await, None);
}

pub(super) async fn a_log_is_read_from_any_moment_without_loss_or_repetition(world: World) {
    world.pending().await;
    // All in the same moment, as a burst of lines comes.
    for n in 0..50 {
        world
            .state
            .append_log(RUN, format!("{n} "), NOON)
            .await
            .unwrap();
    }
    let all = world
        .state
        .log_after(RUN, Timestamp::ZERO, usize::MAX)
        .await
        .unwrap();
    assert_eq!(all.len(), 50);
    for (n, entry) in all.iter().enumerate() {
        let rest = world
            .state
            .log_after(RUN, entry.at, usize::MAX)
            .await
            .unwrap();
        assert_eq!(rest, all[n + 1..]);
        // Flower's reader adds a microsecond to the moment it saw last.
        assert_eq!(
            world
                .state
                .log_after(RUN, entry.at + 1e-6, usize::MAX)
                .await
                .unwrap(),
            all[n + 1..]
        );
    }
}

pub(super) async fn a_run_begins_again_once(world: World) {
    let token = ObjectId::of(b"token");
    world.running().await;
    let node = world.node(5, NOON + 60.0).await;
    let sent = world.send("model", node).await;
    assert!(world.claim_task(token, NOON).await);
    let nothing = UserConfig::new();
    let context = Context::new((RUN, &nothing), (NodeId(1), &nothing), State::default());
    world.state.set_context(RUN, context).await.unwrap();

    let mut freed = world.state.rewind_run(RUN).await.unwrap().1.freed;
    freed.sort();
    let mut objects = sent.objects.clone();
    objects.sort();
    assert_eq!(freed, objects);
    let run = world.state.run(RUN).await.unwrap().unwrap();
    assert_eq!(run.status, RunStatus::plain(Phase::Pending));
    assert_eq!((run.starting_at, run.running_at), (None, None));
    assert_eq!(
        world.state.context(RUN).await.unwrap().node(),
        NodeId::UNSET
    );
    assert_eq!(world.claim(node, NOON).await, None);
    let unknown = world.state.task_of_token(token).await;
    assert_eq!(refusal(unknown), Refusal::UnknownToken);
    assert_eq!(world.state.expire(NOON + 1e6).await.unwrap().0, []);

    world.change(Phase::Starting).await;
    let again = world.state.rewind_run(RUN).await;
    assert_eq!(refusal(again), Refusal::ResumedBefore(RUN));
}

/// Bytes that a log keeps.
const KEPT: usize = 8 << 20;

fn text_of(entries: &[LogEntry]) -> String {
    entries.iter().map(|entry| entry.text.as_str()).collect()
}

pub(super) async fn a_log_loses_its_oldest_pieces_and_says_so(world: World) {
    world.pending().await;
    let piece = "x".repeat(1 << 20);
    let mut pushed = String::new();
    for n in 0..10 {
        let text = format!("{n}{piece}");
        pushed += &text;
        world.state.append_log(RUN, text, NOON).await.unwrap();
    }
    let all = world.state.log_after(RUN, Timestamp::ZERO, usize::MAX);
    let all = all.await.unwrap();
    assert!(all[0].text.contains("dropped"));
    let kept = text_of(&all[1..]);
    assert!(pushed.ends_with(&kept), "the end is kept");
    assert!(kept.len() <= KEPT && kept.len() > KEPT - (128 << 10));
    // Who has read the dropped pieces does not hear of it.
    let rest = world.state.log_after(RUN, all[0].at, usize::MAX).await;
    assert_eq!(rest.unwrap(), all[1..]);
}

pub(super) async fn of_a_burst_the_end_is_kept_also_when_a_little_follows(world: World) {
    world.pending().await;
    let state = &world.state;
    state
        .append_log(RUN, "before\n".to_owned(), NOON)
        .await
        .unwrap();
    let burst: String = (0..2_500_000).map(|n| format!("{n:07}\n")).collect();
    state.append_log(RUN, burst.clone(), NOON).await.unwrap();
    state
        .append_log(RUN, "after\n".to_owned(), NOON)
        .await
        .unwrap();
    let all = state
        .log_after(RUN, Timestamp::ZERO, usize::MAX)
        .await
        .unwrap();
    assert!(all[0].text.contains("dropped"), "{}", all[0].text);
    let kept = text_of(&all[1..]);
    assert!(
        kept.len() <= KEPT && kept.len() > KEPT - (128 << 10),
        "{}",
        kept.len()
    );
    assert!((burst + "after\n").ends_with(&kept));
    assert_eq!(kept.as_bytes().first(), Some(&b'1'), "a whole line");
    let used = state.usage().await.unwrap().log_bytes;
    assert_eq!(used, kept.len() as u64);
}

pub(super) async fn a_log_is_read_in_pages_of_a_bounded_size(world: World) {
    world.pending().await;
    const PAGE: usize = 100 << 10;
    let lines: String = (0..40_000).map(|n| format!("line {n}\n")).collect();
    world
        .state
        .append_log(RUN, lines.clone(), NOON)
        .await
        .unwrap();
    let (mut read, mut after, mut pages) = (String::new(), Timestamp::ZERO, 0);
    loop {
        let page = world.state.log_after(RUN, after, PAGE).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.at;
        let text = text_of(&page);
        assert!(text.len() <= PAGE, "{}", text.len());
        read += &text;
        pages += 1;
    }
    assert_eq!(read, lines);
    assert!(pages >= lines.len() / PAGE, "{pages}");
    // An entry that is longer than a page is read all the same.
    let first = world
        .state
        .log_after(RUN, Timestamp::ZERO, 0)
        .await
        .unwrap();
    assert_eq!(first.len(), 1);
}

pub(super) async fn each_step_of_a_run_wakes_those_who_wait_for_it(world: World) {
    let state = &world.state;
    let moved = [Topic::Run(RUN), Topic::Log(RUN)];
    world.pending().await;
    for phase in [Phase::Starting, Phase::Running] {
        let status = RunStatus::plain(phase);
        let ((), changed) = state.change_run(RUN, status, NOON).await.unwrap();
        assert_eq!(changed.wake, moved);
    }
    let ((), changed) = state.rewind_run(RUN).await.unwrap();
    assert_eq!(changed.wake, [moved[0], moved[1], Topic::Pending]);
    let ((), changed) = state.append_log(RUN, "x".to_owned(), NOON).await.unwrap();
    assert_eq!(changed.wake, [Topic::Log(RUN)]);
    let ((), changed) = state.set_process(TASK, None).await.unwrap();
    assert_eq!(changed.wake, [Topic::Run(RUN)]);
    let stopped = RunStatus::plain(Phase::Finished(Outcome::Stopped));
    let ((), changed) = state.change_run(RUN, stopped, NOON).await.unwrap();
    assert_eq!(changed.wake, moved);
    let ((), changed) = state.delete_run(RUN).await.unwrap();
    assert_eq!(changed.wake, [Topic::Log(RUN)]);
}

pub(super) async fn the_traffic_of_a_run_adds_up(world: World) {
    let state = &world.state;
    assert_eq!(refusal(state.traffic(RUN).await), Refusal::UnknownRun(RUN));
    let more = |received, sent| Traffic {
        received,
        sent,
        worked: Duration::from_micros(received + sent),
    };
    world.running().await;
    assert_eq!(state.traffic(RUN).await.unwrap(), more(0, 0));
    state.add_traffic(RUN, more(1000, 2000));
    state.rewind_run(RUN).await.unwrap().1.freed.clear();
    for phase in [Phase::Starting, Phase::Running] {
        world.change(phase).await;
    }
    for (received, sent) in [(5, 0), (0, 7), (1 << 40, 1 << 41)] {
        state.add_traffic(RUN, more(received, sent));
    }
    let all = more((1 << 40) + 1005, (1 << 41) + 2007);
    assert_eq!(state.traffic(RUN).await.unwrap(), all);
    assert_eq!(state.all_traffic().await.unwrap(), [(RUN, all)]);
    state.expire(NOON).await.unwrap();
    assert_eq!(state.traffic(RUN).await.unwrap(), all, "counted once");
    assert_eq!(state.all_traffic().await.unwrap(), [(RUN, all)]);
    world.change(Phase::Finished(Outcome::Completed)).await;
    assert_eq!(state.traffic(RUN).await.unwrap(), all);
}
