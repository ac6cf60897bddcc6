//! How much may be kept. Past the limit there is nothing new, while what is under way is brought
//! to its end, by which space returns.

use flwr_core::refusal::Refusal;

use super::Link;
use crate::error::Result;

impl Link {
    /// Refuses what is new while the limit is reached.
    pub(super) async fn require_space(&self) -> Result<()> {
        let Some(limit) = self.max_storage else {
            return Ok(());
        };
        let used = self.objects.used() + self.fabs.used() + self.state.used().await?;
        if used < limit {
            return Ok(());
        }
        Err(Refusal::Full { used, limit }.into())
    }
}
