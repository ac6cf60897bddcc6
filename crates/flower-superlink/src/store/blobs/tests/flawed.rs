//! A store in memory that counts, and fails when a test says so.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};
use parking_lot::Mutex;

#[derive(Debug, Default)]
pub(super) struct Watched {
    store: InMemory,
    pub(super) reads: Arc<AtomicUsize>,
    /// The last part of an upload fails.
    pub(super) fails: Arc<AtomicBool>,
    pub(super) aborted: Arc<AtomicUsize>,
    /// Uploads of one request that are under way, and the most that were.
    pub(super) most_under_way: Arc<Mutex<(usize, usize)>>,
    /// Reads fail, after a while.
    pub(super) is_away: Arc<AtomicBool>,
    /// Names that cannot be deleted.
    pub(super) stuck: Arc<Mutex<HashSet<String>>>,
    /// The next deletion panics.
    pub(super) panics: Arc<AtomicBool>,
}

/// How long a read takes that fails.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

fn away() -> object_store::Error {
    object_store::Error::Generic {
        store: "watched",
        source: "the server is away".into(),
    }
}

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("watched")
    }
}

#[async_trait]
impl ObjectStore for Watched {
    async fn put_opts(&self, at: &Path, what: PutPayload, how: PutOptions) -> Result<PutResult> {
        let change = |by: isize| {
            let mut number = self.most_under_way.lock();
            number.0 = number.0.saturating_add_signed(by);
            number.1 = number.1.max(number.0);
        };
        change(1);
        tokio::time::sleep(Duration::from_millis(1)).await;
        let put = self.store.put_opts(at, what, how).await;
        change(-1);
        put
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        how: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Ok(Box::new(Upload {
            upload: self.store.put_multipart_opts(at, how).await?,
            parts: 0,
            fails: self.fails.load(Ordering::SeqCst),
            aborted: Arc::clone(&self.aborted),
        }))
    }

    async fn get_opts(&self, at: &Path, how: GetOptions) -> Result<GetResult> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        if self.is_away.load(Ordering::SeqCst) {
            tokio::time::sleep(PATIENCE).await;
            return Err(away());
        }
        self.store.get_opts(at, how).await
    }

    fn delete_stream(
        &self,
        names: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        if self.panics.swap(false, Ordering::SeqCst) {
            return futures::stream::once(async { panic!("a strange answer") }).boxed();
        }
        let stuck = Arc::clone(&self.stuck);
        let store = self.store.clone();
        let delete = move |name: Result<Path>| {
            let (stuck, store) = (Arc::clone(&stuck), store.clone());
            async move {
                let name = name?;
                if stuck.lock().contains(name.as_ref()) {
                    return Err(away());
                }
                store.delete(&name).await.map(|()| name)
            }
        };
        names.then(delete).boxed()
    }

    fn list(&self, below: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.store.list(below)
    }

    async fn list_with_delimiter(&self, below: Option<&Path>) -> Result<ListResult> {
        self.store.list_with_delimiter(below).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, how: CopyOptions) -> Result<()> {
        self.store.copy_opts(from, to, how).await
    }
}

#[derive(Debug)]
struct Upload {
    upload: Box<dyn MultipartUpload>,
    parts: usize,
    fails: bool,
    aborted: Arc<AtomicUsize>,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.parts += 1;
        if self.fails && self.parts == 3 {
            return Box::pin(async { Err(away()) });
        }
        self.upload.put_part(data)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.upload.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        self.aborted.fetch_add(1, Ordering::SeqCst);
        self.upload.abort().await
    }
}
