//! A wait of tests, with a deadline: a test that would hang fails.

use std::time::Duration;

use flwr_core::monotonic;
use tokio::time::sleep;

/// Far more than anything in these tests takes.
pub(super) const DEADLINE: Duration = Duration::from_secs(30);

/// Waits until this holds, and fails after [`DEADLINE`].
pub(super) async fn until(what: &str, holds: impl Fn() -> bool) {
    let start = monotonic::now();
    while !holds() {
        assert!(start.elapsed() < DEADLINE, "in vain: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}
