//! Objects on their way through the SuperLink.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use flwr_core::id::RunId;
use flwr_core::object::{Head, ObjectId, Pulled};
use flwr_core::refusal::Refusal;
use parking_lot::Mutex;
use tokio::task::spawn_blocking;

use super::Link;
use super::state::{ObjectEntry, Traffic};
use crate::error::{Error, Result};

/// Bytes from which on hashing is moved off the async workers: about a millisecond's work.
const HASH_INLINE_MAX: usize = 256 << 10;

impl Link {
    /// Takes the bytes of an object that a message announced. False, and nothing is kept: no
    /// message of this run announced it, or the bytes do not have that id.
    ///
    /// # Errors
    /// If the run is not running, or the bytes are no object.
    pub async fn push_object(&self, run: RunId, id: ObjectId, content: Bytes) -> Result<bool> {
        let Some(entry) = self.state.object(run, id).await? else {
            return Ok(false);
        };
        if entry.available() {
            return Ok(true);
        }
        if hash(content.clone()).await? != id {
            return Ok(false);
        }
        let head = Head::read(&content).map_err(|problem| Refusal::Object { id, problem })?;
        if head.children != entry.children {
            return Err(Refusal::ObjectChildren(id).into());
        }
        self.keep_object(run, id, content).await?;
        Ok(true)
    }

    /// Takes the bytes of an object from a ServerApp, whose call may come again when its answer was lost. An
    /// object that arrived and is needed no more, since its message was answered meanwhile, counts as taken.
    ///
    /// # Errors
    /// As [`push_object`](Self::push_object).
    pub async fn push_object_again(
        &self,
        run: RunId,
        id: ObjectId,
        content: Bytes,
    ) -> Result<bool> {
        if self.push_object(run, id, content.clone()).await? {
            self.taken.note(run, id);
            return Ok(true);
        }
        if self.taken.knows(run, id) {
            return Ok(true);
        }
        // Another SuperLink may have taken it.
        Ok(self.has_neighbours() && hash(content).await? == id)
    }

    /// Keeps bytes that are known to have this id, and tells whoever waits for them.
    pub(super) async fn keep_object(&self, run: RunId, id: ObjectId, content: Bytes) -> Result<()> {
        let kept = self.commit_bytes(move |stores| async move {
            let blob = stores.objects.keep(run, id, content).await?;
            let arrived = stores.state.object_arrived(run, id, blob.clone()).await;
            if let Err(error) = &arrived {
                stores.discard(id, &blob, error).await;
            }
            Ok::<_, Error>(arrived?)
        });
        kept.await.map(drop)
    }

    /// A node has pushed this many bytes of the run's objects.
    pub fn count_received(&self, run: RunId, received: u64) {
        self.tallies.received(received);
        let more = Traffic {
            received,
            ..Traffic::default()
        };
        self.state.add_traffic(run, more);
    }

    /// A node has pulled this many bytes of the run's objects.
    pub fn count_sent(&self, run: RunId, sent: u64) {
        self.tallies.sent(sent);
        let more = Traffic {
            sent,
            ..Traffic::default()
        };
        self.state.add_traffic(run, more);
    }

    /// A ClientApp of the run has worked on a reply for so long.
    pub fn count_work(&self, run: RunId, worked: Duration) {
        let more = Traffic {
            worked,
            ..Traffic::default()
        };
        self.state.add_traffic(run, more);
    }

    /// Gives the bytes of an object of a running run.
    ///
    /// # Errors
    /// If the run is not running, or fails since the bytes are lost or damaged.
    pub async fn pull_object(&self, run: RunId, id: ObjectId) -> Result<Pulled> {
        match self.state.object(run, id).await? {
            None => Ok(Pulled::Unknown),
            Some(ObjectEntry { blob: None, .. }) => Ok(Pulled::Awaited),
            Some(ObjectEntry {
                blob: Some(blob), ..
            }) => self.read_object(run, id, &blob).await,
        }
    }
}

/// The objects that ServerApps have pushed lately.
#[derive(Debug, Default)]
pub(super) struct Taken(Mutex<VecDeque<(RunId, ObjectId)>>);

impl Taken {
    /// How many are remembered: a call comes again within seconds.
    const LATELY: usize = 4096;

    fn note(&self, run: RunId, id: ObjectId) {
        let mut lately = self.0.lock();
        if lately.len() == Self::LATELY {
            lately.pop_front();
        }
        lately.push_back((run, id));
    }

    fn knows(&self, run: RunId, id: ObjectId) -> bool {
        self.0.lock().contains(&(run, id))
    }
}

async fn hash(content: Bytes) -> Result<ObjectId> {
    if content.len() <= HASH_INLINE_MAX {
        return Ok(ObjectId::of(&content));
    }
    // It ends without a result only if the runtime does.
    spawn_blocking(move || ObjectId::of(&content))
        .await
        .map_err(|_| Error::Stopping)
}
