//! Tests whether the disk can be written. While it cannot, the SuperLink refuses every change, and
//! its health check answers NOT_SERVING.

use std::sync::atomic::{AtomicBool, Ordering};

use flwr_core::cause::chain;
use tracing::{error, info};

use super::Link;
use crate::error::Result;

/// What was last found.
#[derive(Debug, Default)]
pub(super) struct Disk {
    is_broken: AtomicBool,
}

impl Link {
    /// Whether state and objects could be written when that was last tried.
    #[must_use]
    pub fn can_write(&self) -> bool {
        !self.disk.is_broken.load(Ordering::Relaxed)
    }

    /// Tries to write to the state and to the objects' disk, and notes what comes of it.
    pub async fn try_to_write(&self) {
        let tried = self.write_both().await;
        let was_broken = self.disk.is_broken.swap(tried.is_err(), Ordering::Relaxed);
        match tried {
            Err(problem) if !was_broken => {
                error!(
                    error = chain(&problem),
                    "nothing can be stored: health checks say NOT_SERVING until that has changed"
                );
            }
            Ok(()) if was_broken => info!("everything can be stored again"),
            _ => {}
        }
    }

    async fn write_both(&self) -> Result<()> {
        self.objects.probe().await?;
        Ok(self.state.try_to_write().await?)
    }
}
