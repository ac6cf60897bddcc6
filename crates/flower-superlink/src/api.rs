//! The gRPC adapters, one for each service: decode, call the domain, encode. No rule lives here.

use tokio::sync::Semaphore;
use tracing::Instrument;

use crate::error::{Error, Result};

mod control;
mod launch;
mod principal;
mod upkeep;

pub use control::{ControlApi, Exec};
pub use launch::LaunchApi;
pub use upkeep::UpkeepApi;

/// Bytes of one message on the wire, as flwr 1.22 peers allow: a gRPC limit of 2 GiB - 1.
pub const MAX_MESSAGE_BYTES: usize = i32::MAX as usize;
/// Bytes of one message to Control: a FAB of 10 MiB, and room for its configuration. Anybody may
/// call there, so nobody may make the SuperLink hold more.
pub const MAX_CONTROL_BYTES: usize = flwr_core::fab::MAX_BYTES + (1 << 20);

/// The limit of concurrent changes. Further changes wait.
static UNDER_WAY: Semaphore = Semaphore::const_new(4096);

/// Runs a change to its completion, even if the caller disconnects meanwhile. Stored bytes are then
/// counted, and unneeded bytes freed.
pub(crate) async fn run_to_completion<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let place = UNDER_WAY.acquire().await.map_err(|_| Error::Stopping)?;
    let done = tokio::spawn(
        async move {
            let _place = place;
            work.await
        }
        .in_current_span(),
    );
    // It ends without a result only if the runtime does.
    done.await.map_err(|_| Error::Stopping)?
}
