//! Limits how much the SuperLink stores. Above the limit it refuses new runs and messages, but
//! finishes what has begun, since that frees space.

use std::sync::atomic::{AtomicU64, Ordering};

use flwr_core::refusal::Refusal;

use super::Link;
use crate::error::Result;

/// Bytes of the files into which ServerApps print, as they were last counted.
#[derive(Debug, Default)]
pub(super) struct Outputs(AtomicU64);

impl Link {
    /// Notes how much space the files take into which ServerApps print.
    pub fn note_outputs(&self, bytes: u64) {
        self.outputs.0.store(bytes, Ordering::Relaxed);
    }

    /// Refuses what is new while the limit is reached.
    pub(super) async fn require_space(&self) -> Result<()> {
        let Some(limit) = self.max_storage else {
            return Ok(());
        };
        let used = self.used_storage().await?;
        if used < limit {
            return Ok(());
        }
        Err(Refusal::Full { used, limit }.into())
    }

    /// Bytes that state, FABs, objects and what ServerApps print take, as the limit counts them.
    ///
    /// # Errors
    /// If the state fails.
    pub async fn used_storage(&self) -> Result<u64> {
        let outputs = self.outputs.0.load(Ordering::Relaxed);
        let kept = self.objects.uncounted() + self.fabs.uncounted();
        Ok(kept + self.state.used().await? + outputs)
    }

    /// The bytes that may be kept, if there is a limit.
    #[must_use]
    pub const fn max_storage(&self) -> Option<u64> {
        self.max_storage
    }
}
