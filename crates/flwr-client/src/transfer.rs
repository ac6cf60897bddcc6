//! Moving the objects that a message is made of, eight at a time (flwr 1.22's bound).

use std::fmt::{Debug, Display};
use std::future::ready;
use std::time::Duration;

use bytes::Bytes;
use flwr_core::object::{ObjectId, Pulled};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use rand::RngExt;
use thiserror::Error;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::{debug, warn};

const AT_ONCE: usize = 8;
/// The first wait for an object that its maker has not delivered yet. flwr 1.22 starts with a
/// second; most objects are there much sooner.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// How often corrupt bytes are asked for again.
const CORRUPT_TRIES: u32 = 3;
/// Larger objects are hashed off the async workers.
const LARGE: usize = 256 * 1024;

/// The objects of a run at the other end of a connection. One request each.
pub trait Objects: Sync {
    /// Why a request has no answer.
    type Error: Debug + Display + Send;

    /// Asks for an object.
    fn pull(&self, id: ObjectId) -> impl Future<Output = Result<Pulled, Self::Error>> + Send;

    /// Delivers an object. False: the other end did not take the object.
    fn push(
        &self,
        id: ObjectId,
        content: Bytes,
    ) -> impl Future<Output = Result<bool, Self::Error>> + Send;
}

/// What is done with the bytes that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// They are hashed, and must give the object's id.
    Hash,
    /// Nothing: a load generator does not share the CPU with what it measures.
    Skip,
}

/// Why the objects of a message could not be had.
#[derive(Debug, Error)]
pub enum TransferError<E: Debug + Display> {
    /// A request has no answer.
    #[error("{0}")]
    Request(E),
    /// An object is gone.
    #[error("object {0} of the message is no longer at the SuperLink")]
    Missing(ObjectId),
    /// An object came damaged, each time.
    #[error("object {0} came with other bytes than its id says")]
    Corrupt(ObjectId),
}

/// Pulls all of `ids`, in the order in which they come. Waits, without end of its own, for objects
/// that are announced and not there yet.
pub fn pull<O: Objects>(
    objects: &O,
    ids: impl IntoIterator<Item = ObjectId>,
    check: Check,
) -> impl Stream<Item = Result<(ObjectId, Bytes), TransferError<O::Error>>> {
    let requests = ids
        .into_iter()
        .map(move |id| async move { Ok((id, pull_one(objects, id, check).await?)) });
    stream::iter(requests).buffer_unordered(AT_ONCE)
}

async fn pull_one<O: Objects>(
    objects: &O,
    id: ObjectId,
    check: Check,
) -> Result<Bytes, TransferError<O::Error>> {
    let mut wait = FIRST_WAIT;
    let mut corrupt = 0;
    loop {
        match objects.pull(id).await.map_err(TransferError::Request)? {
            Pulled::Unknown => return Err(TransferError::Missing(id)),
            Pulled::There(content) if check == Check::Skip || is_intact(id, &content).await => {
                return Ok(content);
            }
            Pulled::There(_) => {
                corrupt += 1;
                warn!(object_id = %id, "an object came with other bytes than its id says");
                if corrupt == CORRUPT_TRIES {
                    return Err(TransferError::Corrupt(id));
                }
            }
            Pulled::Awaited => {
                debug!(object_id = %id, "the SuperLink does not have an object yet");
            }
        }
        let jitter = rand::rng().random_range(0.8..=1.2);
        sleep(wait.mul_f64(jitter)).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Pushes these objects. Whether the other end took all of them.
///
/// # Errors
/// The first request that fails ends the transfer.
pub async fn push<O: Objects>(
    objects: &O,
    contents: impl IntoIterator<Item = (ObjectId, Bytes)>,
) -> Result<bool, O::Error> {
    let requests = contents
        .into_iter()
        .map(|(id, content)| objects.push(id, content));
    stream::iter(requests)
        .buffer_unordered(AT_ONCE)
        .try_fold(true, |all, taken| ready(Ok(all && taken)))
        .await
}

/// Whether these bytes are those that `id` names.
pub async fn is_intact(id: ObjectId, content: &Bytes) -> bool {
    if content.len() < LARGE {
        return ObjectId::of(content) == id;
    }
    let content = content.clone();
    spawn_blocking(move || ObjectId::of(&content) == id)
        .await
        .unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use parking_lot::Mutex;

    use super::*;

    /// Answers requests for each object in this order; the last answer is repeated.
    #[derive(Default)]
    struct Peer {
        answers: Mutex<HashMap<ObjectId, Vec<Pulled>>>,
        pushed: Mutex<HashMap<ObjectId, Bytes>>,
    }

    impl Objects for Peer {
        type Error = &'static str;

        async fn pull(&self, id: ObjectId) -> Result<Pulled, Self::Error> {
            let mut answers = self.answers.lock();
            let left = answers.get_mut(&id).ok_or("no answer")?;
            let next = left.first().cloned().ok_or("no answer")?;
            if left.len() > 1 {
                left.remove(0);
            }
            Ok(next)
        }

        async fn push(&self, id: ObjectId, content: Bytes) -> Result<bool, Self::Error> {
            if content.is_empty() {
                return Err("no content");
            }
            Ok(self.pushed.lock().insert(id, content).is_none())
        }
    }

    impl Peer {
        fn answering(id: ObjectId, answers: &[Pulled]) -> Self {
            let peer = Self::default();
            peer.answers.lock().insert(id, answers.to_vec());
            peer
        }

        async fn pull_all(
            &self,
            id: ObjectId,
            check: Check,
        ) -> Result<Vec<(ObjectId, Bytes)>, TransferError<&'static str>> {
            pull(self, [id], check).try_collect().await
        }
    }

    fn object() -> (ObjectId, Bytes) {
        let content = Bytes::from_static(b"a model");
        (ObjectId::of(&content), content)
    }

    #[tokio::test(start_paused = true)]
    async fn an_object_that_is_not_there_yet_is_asked_for_again() {
        let (id, content) = object();
        let peer = Peer::answering(id, &[Pulled::Awaited, Pulled::There(content.clone())]);
        assert_eq!(
            peer.pull_all(id, Check::Hash).await.unwrap(),
            [(id, content)]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn damaged_bytes_are_asked_for_again_and_never_taken() {
        let (id, content) = object();
        let damaged = Pulled::There(Bytes::from_static(b"a mode1"));
        let peer = Peer::answering(id, &[damaged.clone(), Pulled::There(content.clone())]);
        assert_eq!(
            peer.pull_all(id, Check::Hash).await.unwrap(),
            [(id, content)]
        );
        let peer = Peer::answering(id, &[damaged]);
        let failed = peer.pull_all(id, Check::Hash).await.unwrap_err();
        assert!(matches!(failed, TransferError::Corrupt(of) if of == id));
        assert_eq!(peer.pull_all(id, Check::Skip).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_missing_object_and_a_failed_request_end_a_pull() {
        let (id, _) = object();
        let peer = Peer::answering(id, &[Pulled::Unknown]);
        let failed = peer.pull_all(id, Check::Hash).await.unwrap_err();
        assert!(matches!(failed, TransferError::Missing(of) if of == id));
        let failed = Peer::default().pull_all(id, Check::Hash).await.unwrap_err();
        assert!(matches!(failed, TransferError::Request("no answer")));
    }

    #[tokio::test]
    async fn all_objects_are_pushed_or_what_went_wrong_is_told() {
        let peer = Peer::default();
        let contents: Vec<_> = (0..20_u8)
            .map(|byte| Bytes::from(vec![byte; 3]))
            .map(|content| (ObjectId::of(&content), content))
            .collect();
        assert_eq!(push(&peer, contents.clone()).await, Ok(true));
        assert_eq!(*peer.pushed.lock(), contents.iter().cloned().collect());
        let (id, content) = object();
        let with_an_old_one = [contents[0].clone(), (id, content)];
        assert_eq!(push(&peer, with_an_old_one).await, Ok(false));
        assert_eq!(push(&peer, [(id, Bytes::new())]).await, Err("no content"));
    }

    #[tokio::test]
    async fn large_objects_are_hashed_too() {
        let content = Bytes::from(vec![7; LARGE + 1]);
        assert!(is_intact(ObjectId::of(&content), &content).await);
        assert!(!is_intact(ObjectId::of(b"else"), &content).await);
    }
}
