//! Bytes that were read a while ago, up to a number of bytes. Who asks for bytes that somebody is
//! reading gets these.

use bytes::Bytes;
use quick_cache::sync::{Cache as Kept, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

/// What an entry takes beside its bytes.
const ENTRY: u64 = 200;
/// Entries that the cache is made for. More find place as well.
const ENTRIES: usize = 1024;

#[derive(Debug, Clone)]
struct Size;

impl Weighter<String, Bytes> for Size {
    fn weight(&self, _: &String, content: &Bytes) -> u64 {
        content.len() as u64 + ENTRY
    }
}

/// Verified bytes by their names.
#[derive(Debug)]
pub(super) struct Cache(Kept<String, Bytes, Size>);

impl Cache {
    /// A cache of so many bytes.
    pub(super) fn new(bytes: u64) -> Self {
        // One shard: a model may take the whole cache.
        let options = OptionsBuilder::new()
            .shards(1)
            .estimated_items_capacity(ENTRIES)
            .weight_capacity(bytes)
            .build();
        Self(match options {
            Ok(options) => Kept::with_options(
                options,
                Size,
                DefaultHashBuilder::default(),
                DefaultLifecycle::default(),
            ),
            Err(_) => Kept::with_weighter(ENTRIES, bytes, Size),
        })
    }

    /// The bytes of a name, read if they are not here.
    pub(super) async fn get<E>(
        &self,
        name: &str,
        read: impl Future<Output = Result<Bytes, E>>,
    ) -> Result<Bytes, E> {
        self.0.get_or_insert_async(name, read).await
    }

    /// Bytes that were just stored.
    pub(super) fn keep(&self, name: String, content: Bytes) {
        self.0.insert(name, content);
    }

    pub(super) fn forget(&self, name: &str) {
        self.0.remove(name);
    }

    /// The bytes that the cache takes.
    #[cfg(test)]
    pub(super) fn weight(&self) -> u64 {
        self.0.weight()
    }
}
