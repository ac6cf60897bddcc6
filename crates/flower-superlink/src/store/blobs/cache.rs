//! Bytes that were read a while ago, up to a number of bytes. Who asks for bytes that somebody is
//! reading gets what comes of that read, also if the read fails.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use flwr_core::cause::chain;
use flwr_daemon::objects::Error;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};
use parking_lot::Mutex;
use quick_cache::sync::{Cache as Kept, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

/// What an entry takes beside its bytes.
const ENTRY: u64 = 200;
/// Entries that the cache is made for. More find place as well.
const ENTRIES: usize = 1024;

type Read = BoxFuture<'static, Result<Bytes, Arc<Error>>>;

#[derive(Debug, Clone)]
struct Size;

impl Weighter<String, Bytes> for Size {
    fn weight(&self, _: &String, content: &Bytes) -> u64 {
        content.len() as u64 + ENTRY
    }
}

/// Verified bytes by their names.
#[derive(Debug)]
pub(super) struct Cache {
    kept: Arc<Kept<String, Bytes, Size>>,
    /// Reads under way. A read ends when nobody waits for it any more.
    reads: Mutex<HashMap<String, WeakShared<Read>>>,
}

impl Cache {
    /// A cache of so many bytes.
    pub(super) fn new(bytes: u64) -> Self {
        // One shard: a model may take the whole cache.
        let options = OptionsBuilder::new()
            .shards(1)
            .estimated_items_capacity(ENTRIES)
            .weight_capacity(bytes)
            .build();
        let kept = match options {
            Ok(options) => Kept::with_options(
                options,
                Size,
                DefaultHashBuilder::default(),
                DefaultLifecycle::default(),
            ),
            Err(_) => Kept::with_weighter(ENTRIES, bytes, Size),
        };
        Self {
            kept: Arc::new(kept),
            reads: Mutex::default(),
        }
    }

    /// The bytes of a name, read if they are not here.
    pub(super) async fn get(
        &self,
        name: &str,
        read: impl Future<Output = Result<Bytes, Error>> + Send + 'static,
    ) -> Result<Bytes, Error> {
        if let Some(content) = self.kept.get(name) {
            return Ok(content);
        }
        let read = self.join(name, read);
        read.await.map_err(|error| told_again(&error))
    }

    /// The read of a name that is under way, or this read.
    fn join(
        &self,
        name: &str,
        read: impl Future<Output = Result<Bytes, Error>> + Send + 'static,
    ) -> Shared<Read> {
        let mut reads = self.reads.lock();
        let under_way = reads.get(name).and_then(WeakShared::upgrade);
        // A failure is for those who waited for it. Later callers try again.
        let under_way = under_way.filter(|read| !matches!(read.peek(), Some(Err(_))));
        if let Some(under_way) = under_way {
            return under_way;
        }
        let (kept, key) = (Arc::clone(&self.kept), name.to_owned());
        let read = async move {
            // The read before has ended a moment ago.
            if let Some(content) = kept.get(&key) {
                return Ok(content);
            }
            let content = read.await?;
            kept.insert(key, content.clone());
            Ok(content)
        };
        let read = read.map(|read| read.map_err(Arc::new)).boxed().shared();
        reads.retain(|_, read| read.upgrade().is_some());
        reads.extend(read.downgrade().map(|weak| (name.to_owned(), weak)));
        read
    }

    /// Bytes that were just stored.
    pub(super) fn keep(&self, name: String, content: Bytes) {
        self.kept.insert(name, content);
    }

    pub(super) fn forget(&self, name: &str) {
        self.kept.remove(name);
    }

    /// The bytes that the cache takes.
    #[cfg(test)]
    pub(super) fn weight(&self) -> u64 {
        self.kept.weight()
    }
}

/// The error of a read for each who waited for the read.
fn told_again(error: &Error) -> Error {
    match error {
        Error::Flawed(flawed) => Error::Flawed(*flawed),
        Error::Failed {
            action,
            path,
            source,
        } => Error::Failed {
            action,
            path: path.clone(),
            source: io::Error::new(source.kind(), chain(source)),
        },
    }
}
