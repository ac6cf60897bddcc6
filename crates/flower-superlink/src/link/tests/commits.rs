//! Writes of held calls: their caller may go away between the commit and what follows from it.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use async_trait::async_trait;
use flwr_daemon::objects::{Error as BytesError, Flawed, ObjectBytes};
use futures::FutureExt;
use tokio::sync::Notify;

use super::*;
use crate::in_time::in_time;
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

/// A store that takes bytes for ever.
#[derive(Debug, Default)]
struct Slow {
    bytes: Memory,
    waiting: AtomicUsize,
    all_wait: Notify,
}

/// As many as there is place for.
const PUSHES: usize = 4096;

#[async_trait]
impl ObjectBytes for Slow {
    async fn put(&self, _id: ObjectId, _content: Bytes) -> Result<(), BytesError> {
        if self.waiting.fetch_add(1, Ordering::SeqCst) + 1 == PUSHES {
            self.all_wait.notify_one();
        }
        std::future::pending().await
    }

    async fn get(&self, id: &ObjectId) -> Result<Option<Bytes>, BytesError> {
        self.bytes.get(id).await
    }

    async fn find_flaw(&self, ids: Vec<ObjectId>) -> Result<Option<Flawed>, BytesError> {
        self.bytes.find_flaw(ids).await
    }

    async fn try_to_write(&self) -> Result<(), BytesError> {
        self.bytes.try_to_write().await
    }

    async fn delete(&self, id: &ObjectId) -> Result<(), BytesError> {
        self.bytes.delete(id).await
    }

    fn used(&self) -> u64 {
        self.bytes.used()
    }
}

#[tokio::test]
async fn a_store_that_is_slow_holds_up_no_writes_but_its_own() {
    let slow = Arc::new(Slow::default());
    let objects = Arc::clone(&slow) as Arc<dyn BlobStore>;
    let state = Arc::new(MemoryState::default());
    let federation = Federation::with_bytes(state, None, objects, Arc::new(Memory::new()));
    let (run, node) = (federation.running().await, federation.node().await);
    let mail = Mail::new(run, "model", |metadata| Metadata {
        dst: node,
        ..metadata
    });
    let link = &federation.link;
    let sent = link.send(run, vec![mail.parcel.clone()]).await.unwrap();
    let object = mail.objects_of(&sent.missing).next().unwrap();
    let mut pushes = tokio::task::JoinSet::new();
    for _ in 0..PUSHES {
        let (link, id, bytes) = (Arc::clone(link), object.id, object.bytes.clone());
        pushes.spawn(async move { link.push_object(run, id, bytes).await });
    }
    in_time("all pushes wait", slow.all_wait.notified()).await;
    let written = link.push_log(run, "printed\n".to_owned());
    in_time("a line is logged", written).await.unwrap();
}
