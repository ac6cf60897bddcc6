//! Writes of held calls: their caller may go away between the commit and what follows from it.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use futures::FutureExt;

use super::*;
use crate::link::wake::Topic;
use crate::store::SqliteState;

#[tokio::test]
async fn a_write_whose_caller_goes_away_wakes_those_who_wait_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let state = SqliteState::open(&dir.path().join("state.db"), NOON).unwrap();
    let federation = Federation::over(Arc::new(state), None);
    let run = federation.running().await;
    let link = &federation.link;
    let listener = link.wake().listen(Topic::Log(run));
    let woken = listener.next();
    {
        let mut writes = pin!(link.push_log(run, "printed\n".to_owned()));
        let waits = poll_fn(|cx| Poll::Ready(writes.as_mut().poll(cx).is_pending())).await;
        assert!(waits, "the disk takes its time");
    }
    link.commits.settled().await;
    assert!(woken.now_or_never().is_some(), "nobody is woken");
    let logged = link
        .next_log(run, Timestamp::ZERO, usize::MAX)
        .await
        .unwrap();
    assert_eq!(logged.unwrap().text, "printed\n");
}
