//! A deadline for waits of tests: a test that would hang fails.

use std::time::Duration;

use tokio::time::timeout;

/// Far more than anything in these tests takes.
const DEADLINE: Duration = Duration::from_secs(60);

/// What comes of this, and a failure that names it if nothing comes.
pub(crate) async fn in_time<F: Future>(what: &str, awaited: F) -> F::Output {
    let came = timeout(DEADLINE, awaited).await;
    came.unwrap_or_else(|_| panic!("in vain: {what}"))
}
