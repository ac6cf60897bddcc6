//! How bytes come to a shelf: in one request, or in parts.

use std::error::Error as Cause;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use flwr_daemon::objects::Error;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStoreExt};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use super::{ONE_REQUEST, PART, PARTS, Shelf};

/// Bytes of uploads that are under way at the same time, as places of so many bytes each. Later ones
/// wait: on a slow line all would run out of time together.
pub(super) const PLACES: usize = 64;
const PLACE: usize = 1 << 20;

impl Shelf {
    /// Stores bytes under a new name.
    pub(in crate::store::blobs) async fn put(
        &self,
        name: &str,
        content: Bytes,
    ) -> Result<(), Error> {
        let path = self.path("write", name)?;
        // It is never closed.
        let _places = self.uploads.acquire_many(places(content.len())).await.ok();
        let put = async || match content.len() <= ONE_REQUEST {
            true => self
                .store
                .put(&path, content.clone().into())
                .await
                .map(drop),
            false => self.put_in_parts(&path, &content).await,
        };
        let stored = match put().await {
            // The folder was empty a moment ago, and a deletion has taken it away.
            Err(error) if self.directory().is_some() && has_no_folder(&error) => put().await,
            stored => stored,
        };
        stored.map_err(|error| self.failed("write", name, error))
    }

    async fn put_in_parts(&self, path: &Path, content: &Bytes) -> object_store::Result<()> {
        let mut upload = self.begin_parts(path).await?;
        let starts = (0..content.len()).step_by(PART);
        let parts = starts.map(|start| content.slice(start..content.len().min(start + PART)));
        let sending = parts.map(|part| upload.put_part(part.into()));
        let sent = stream::iter(sending).buffer_unordered(PARTS);
        let sent: object_store::Result<()> = sent.try_collect().await;
        let done = match sent {
            Ok(()) => upload.complete().await.map(drop),
            Err(error) => Err(error),
        };
        if done.is_err() {
            // Best effort: the bucket's lifecycle rule removes parts otherwise.
            let _ = upload.abort().await;
        }
        done
    }

    /// Begins an upload in parts. In a directory the library makes the file, and syncs the folder, on
    /// the thread that asks.
    async fn begin_parts(&self, path: &Path) -> object_store::Result<Box<dyn MultipartUpload>> {
        if self.directory().is_none() {
            return self.store.put_multipart(path).await;
        }
        let (store, path) = (Arc::clone(&self.store), path.clone());
        let runtime = Handle::current();
        let begin = move || runtime.block_on(async { store.put_multipart(&path).await });
        spawn_blocking(begin).await?
    }
}

/// The places that an upload takes: for its bytes that are under way at the same time.
fn places(size: usize) -> u32 {
    let under_way = if size > ONE_REQUEST {
        PARTS * PART
    } else {
        size
    };
    let places = under_way.div_ceil(PLACE).clamp(1, PLACES);
    u32::try_from(places).unwrap_or(1)
}

/// Whether a file could not be written since its folder is not there.
fn has_no_folder(error: &object_store::Error) -> bool {
    let mut cause: Option<&dyn Cause> = Some(error);
    while let Some(error) = cause {
        let io = error.downcast_ref::<io::Error>();
        if io.is_some_and(|io| io.kind() == io::ErrorKind::NotFound) {
            return true;
        }
        cause = error.source();
    }
    false
}
