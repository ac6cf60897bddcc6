//! SuperLinks that have died, and what becomes of their runs.

use std::sync::Arc;
use std::time::Duration;

use flwr_core::cause::chain;
use flwr_core::object::ObjectId;
use flwr_core::run::{Outcome, Phase};
use flwr_daemon::apps::Identity;
use flwr_postgres::Server;

use super::server::{self, links};
use super::world;
use crate::in_time::in_time;
use crate::link::state::{
    Burial, Care, Logs as _, Neighbours as _, Process, Runs as _, Takeover, Tasks as _, Upkeep as _,
};
use crate::store::battery::world::{NOON, RUN, TASK};
use crate::store::postgres::PostgresState;

async fn two(care: Care) -> [Arc<PostgresState>; 2] {
    let address = server::place(Server::of_this_process()).await;
    let [a, b] = links(&address, 2).await.try_into().unwrap();
    a.note_care(care).await.unwrap();
    [a, b]
}

const AT_ONCE: Takeover = Takeover {
    after: Duration::ZERO,
    resume: true,
};

/// Looks often enough to bury whoever writes nothing meanwhile.
async fn bury(state: &PostgresState, resume: bool) -> Vec<Burial> {
    let rule = Takeover { resume, ..AT_ONCE };
    let (buried, mut changed) = state.bury(rule, NOON + 500.0).await.unwrap();
    changed.wake.clear();
    buried
}

async fn starts_a_process(state: &PostgresState) {
    let token = ObjectId::of(b"token");
    assert!(state.claim_task(TASK, token, NOON).await.unwrap());
    let process = Process {
        host: "here".to_owned(),
        identity: Identity {
            pid: 7,
            started: "then".to_owned(),
        },
    };
    let noted = state.set_process(TASK, Some(process)).await;
    noted.unwrap().1.wake.clear();
}

async fn runs(state: &Arc<PostgresState>) {
    starts_a_process(state).await;
    let here = world(state);
    here.change(Phase::Starting).await;
    here.change(Phase::Running).await;
}

async fn phase(state: &PostgresState) -> Phase {
    state.run(RUN).await.unwrap().unwrap().status.phase
}

async fn log(state: &PostgresState) -> String {
    let lines = state.log_after(RUN, NOON + -1.0, 1 << 20).await.unwrap();
    lines.into_iter().map(|line| line.text).collect()
}

#[tokio::test]
async fn a_run_begins_again_once_when_its_superlink_has_died() {
    let [a, b] = two(Care::Here).await;
    world(&a).pending().await;
    runs(&a).await;
    let buried = bury(&b, true).await;
    let [burial] = &buried[..] else {
        panic!("{buried:?}");
    };
    assert_eq!((&*burial.name, &burial.resumed[..]), ("link-0", &[RUN][..]));
    assert_eq!(phase(&b).await, Phase::Pending);
    let told = log(&b).await;
    assert!(told.contains("The SuperLink `link-0` on "), "{told}");
    assert!(told.contains("begins again"), "{told}");
    assert!(b.presence.lost_runs(NOON + 9000.0).is_empty());
    // The token of before is worth nothing, and the task can be claimed.
    starts_a_process(&b).await;
    // Who was buried can write nothing, hears of that, and does not bury.
    let refused = chain(&a.try_to_write().await.unwrap_err());
    assert!(
        refused.contains("has taken the database or the runs"),
        "{refused}"
    );
    in_time("it is shut out", a.shut_out()).await;
    assert!(a.is_shut_out() && !b.is_shut_out());
    assert_eq!(bury(&b, true).await, []);
}

#[tokio::test]
async fn a_run_that_may_not_begin_again_fails_with_its_superlink() {
    let [a, b] = two(Care::Here).await;
    world(&a).pending().await;
    runs(&a).await;
    let buried = bury(&b, false).await;
    assert_eq!(buried[0].failed, [RUN]);
    assert_eq!(phase(&b).await, Phase::Finished(Outcome::Failed));
    let run = b.run(RUN).await.unwrap().unwrap();
    assert!(run.status.details.contains("`link-0`"), "{:?}", run.status);
    assert!(!log(&b).await.contains("begins again"));
    b.delete_run(RUN).await.unwrap().1.wake.clear();
}

#[tokio::test]
async fn a_pending_run_of_a_dead_superlink_can_be_claimed() {
    let [a, b] = two(Care::Here).await;
    world(&a).pending().await;
    starts_a_process(&a).await;
    let other = ObjectId::of(b"other");
    assert!(!b.claim_task(TASK, other, NOON).await.unwrap());
    assert_eq!(bury(&b, true).await.len(), 1);
    assert!(b.claim_task(TASK, other, NOON).await.unwrap());
}

#[tokio::test]
async fn a_run_whose_serverapp_reaches_others_goes_on_while_it_gives_signs_of_life() {
    for (until, goes_on) in [(NOON + 900.0, true), (NOON + 100.0, false)] {
        let [a, b] = two(Care::Anywhere).await;
        world(&a).pending().await;
        runs(&a).await;
        assert!(b.keep_task(TASK, until).await.unwrap());
        b.expire(NOON + 1.0).await.unwrap().1.wake.clear();
        let buried = bury(&b, true).await;
        let resumed = if goes_on { vec![] } else { vec![RUN] };
        assert_eq!(buried[0].resumed, resumed);
        let stands = if goes_on {
            Phase::Running
        } else {
            Phase::Pending
        };
        assert_eq!(phase(&b).await, stands);
    }
}

/// Its silence is that of its SuperLink, which may need longer to be buried.
#[tokio::test]
async fn a_run_is_left_to_the_burial_of_its_superlink() {
    let [a, b] = two(Care::Here).await;
    world(&a).pending().await;
    runs(&a).await;
    let late = NOON + 500.0;
    // Another SuperLink has seen the run begin.
    b.expire(NOON).await.unwrap().1.wake.clear();
    assert_eq!(b.presence.lost_runs(late), [RUN]);
    b.expire(late).await.unwrap().1.wake.clear();
    assert_eq!(phase(&b).await, Phase::Running);
    // The SuperLink itself says that its ServerApp is silent.
    a.expire(late).await.unwrap().1.wake.clear();
    assert_eq!(phase(&b).await, Phase::Finished(Outcome::Failed));
}

#[tokio::test]
async fn a_serverapp_that_falls_silent_after_the_burial_is_lost_by_that() {
    for may_resume in [true, false] {
        let [a, b] = two(Care::Anywhere).await;
        world(&a).pending().await;
        runs(&a).await;
        assert!(b.keep_task(TASK, NOON + 900.0).await.unwrap());
        b.expire(NOON + 1.0).await.unwrap().1.wake.clear();
        assert_eq!(bury(&b, may_resume).await.len(), 1);
        let silent = NOON + 1000.0;
        let ended = async |now| {
            let ended = b.end_orphans(may_resume, now).await;
            let (ended, mut changed) = ended.unwrap();
            changed.wake.clear();
            (ended.resumed, ended.failed)
        };
        assert_eq!(ended(NOON + 800.0).await, (vec![], vec![]));
        b.expire(silent).await.unwrap().1.wake.clear();
        assert_eq!(phase(&b).await, Phase::Running);
        let (stands, all) = match may_resume {
            true => (Phase::Pending, (vec![RUN], vec![])),
            false => (Phase::Finished(Outcome::Failed), (vec![], vec![RUN])),
        };
        assert_eq!(ended(silent).await, all);
        assert_eq!(phase(&b).await, stands);
        let told = log(&b).await;
        assert!(
            told.contains("The SuperLink `link-0` on here is gone"),
            "{told}"
        );
        assert_eq!(ended(silent + 900.0).await, (vec![], vec![]));
    }
}

#[tokio::test]
async fn a_serverapp_that_somebody_else_started_loses_nothing() {
    let [a, b] = two(Care::Others).await;
    world(&a).pending().await;
    runs(&a).await;
    let buried = bury(&b, true).await;
    assert_eq!((buried.len(), buried[0].runs().count()), (1, 0));
    assert_eq!(phase(&b).await, Phase::Running);
    assert!(b.task_of_token(ObjectId::of(b"token")).await.is_ok());
}

#[tokio::test]
async fn who_lives_is_not_buried() {
    let [a, b] = two(Care::Here).await;
    let rule = Takeover {
        after: Duration::from_millis(1),
        resume: true,
    };
    for _ in 0..5 {
        a.try_to_write().await.unwrap();
        let (buried, _) = b.bury(rule, NOON).await.unwrap();
        assert_eq!(buried, []);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    // Who stops in order leaves nothing to bury.
    a.close().await;
    assert_eq!(bury(&b, true).await, []);
    tokio::time::sleep(Duration::from_millis(2)).await;
    assert_eq!(bury(&b, true).await, []);
}
