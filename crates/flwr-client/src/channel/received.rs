//! What a channel has received: more of it is a sign of life.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Io;
use super::watched::Watched;

/// Counts the bytes that a channel has received.
#[derive(Clone, Debug, Default)]
pub(super) struct Received(Arc<AtomicU64>);

impl Received {
    /// The connection, each of whose reads is counted.
    pub(super) fn count(&self, inner: impl Io + 'static) -> Box<dyn Io> {
        let total = Arc::clone(&self.0);
        Box::new(Watched::new(inner, move |read| {
            read.map(|bytes| {
                total.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            })
        }))
    }

    /// The bytes so far.
    pub(super) fn total(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
