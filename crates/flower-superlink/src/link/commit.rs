//! Writes and what follows from them, in one piece.
//!
//! A caller may go away at any moment: its connection breaks, or a held call is dropped. Between a
//! commit and the wake-ups and deletions that follow from it, that would leave waiting callers asleep
//! and bytes without a holder. [`Link::commit`] is the only way to apply [`Changed`], and does its
//! work in a task of its own.

use std::sync::Arc;

use flwr_core::object::ObjectId;
use flwr_daemon::completion::Completion;
use tracing::error;

use super::Link;
use super::blobs::BlobStore;
use super::state::{Blob, Changed, LinkState, StateError};
use super::wake::Wake;
use crate::error::{Error, Result};

/// Writes under way at the same time. Later ones wait for a place.
const UNDER_WAY: usize = 4096;

/// What a write works on.
#[derive(Debug, Clone)]
pub(super) struct Stores {
    pub(super) state: Arc<dyn LinkState>,
    pub(super) objects: Arc<dyn BlobStore>,
}

impl Stores {
    /// Deletes the bytes of an object that nothing refers to. A failed deletion wastes space and
    /// nothing else. The failure is therefore logged, and not told to the caller.
    pub(super) async fn delete(&self, object: ObjectId) {
        if let Err(error) = self.objects.let_go(&object).await {
            error!(%object, error = &error as &dyn std::error::Error, "object not removed");
        }
    }

    /// Deletes bytes that the state did not note, for this reason. Where nobody knows whether the
    /// state has noted a name, the bytes stay: the next start finds them.
    pub(super) async fn discard(&self, object: ObjectId, blob: &Blob, why: &StateError) {
        if matches!((blob, why), (Blob::Named(_), StateError::Broken(_))) {
            return;
        }
        if let Err(error) = self.objects.discard(&object, blob).await {
            error!(%object, error = &error as &dyn std::error::Error, "object not removed");
        }
    }
}

/// Writes, and those who wait for them.
#[derive(Debug, Clone)]
pub(super) struct Commits {
    stores: Stores,
    wake: Arc<Wake>,
    under_way: Completion,
    /// Those that store bytes first. A slow bucket holds up these, and no others.
    uploads: Completion,
}

impl Commits {
    pub(super) fn new(stores: Stores, wake: Arc<Wake>) -> Self {
        let completion = || Completion::new(UNDER_WAY);
        Self {
            stores,
            wake,
            under_way: completion(),
            uploads: completion(),
        }
    }

    /// Waits until all writes under way are done. Called once nobody can begin another.
    pub(super) async fn settled(&self) {
        self.uploads.settled().await;
        self.under_way.settled().await;
    }

    /// Does a write and what follows from the write, in one of the two.
    async fn complete<T, E, W>(
        &self,
        completion: &Completion,
        write: impl FnOnce(Stores) -> W,
    ) -> Result<T>
    where
        T: Send + 'static,
        E: Into<Error>,
        W: Future<Output = std::result::Result<(T, Changed), E>> + Send + 'static,
    {
        let commits = self.clone();
        let written = write(self.stores.clone());
        let work = async move {
            let (value, changed) = written.await.map_err(Into::into)?;
            commits.apply(changed).await;
            Ok(value)
        };
        completion.of(work).await.unwrap_or(Err(Error::Stopping))
    }

    /// Does for others what a write changed: wakes who waits, here and at other SuperLinks, and deletes
    /// the bytes of objects that nothing refers to.
    async fn apply(&self, changed: Changed) {
        for topic in &changed.wake {
            self.wake.notify(*topic);
        }
        self.stores.state.tell_others(&changed.wake);
        for object in changed.freed {
            self.stores.delete(object).await;
        }
    }
}

impl Link {
    /// Writes, and then does for others what the write changed. Both happen to their end, also when
    /// the caller goes away.
    pub(super) async fn commit<T, E, W>(&self, write: impl FnOnce(Stores) -> W) -> Result<T>
    where
        T: Send + 'static,
        E: Into<Error>,
        W: Future<Output = std::result::Result<(T, Changed), E>> + Send + 'static,
    {
        let commits = &self.commits;
        commits.complete(&commits.under_way, write).await
    }

    /// As [`commit`](Self::commit), for a write that stores bytes first.
    pub(super) async fn commit_bytes<T, E, W>(&self, write: impl FnOnce(Stores) -> W) -> Result<T>
    where
        T: Send + 'static,
        E: Into<Error>,
        W: Future<Output = std::result::Result<(T, Changed), E>> + Send + 'static,
    {
        let commits = &self.commits;
        commits.complete(&commits.uploads, write).await
    }
}
