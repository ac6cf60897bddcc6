//! Waits of the tests. Each has a deadline: a test that would hang fails, and names the line that
//! waited.

use std::panic::Location;
use std::time::Duration;

use tokio::time::{sleep, timeout};

/// Far more than any wait here takes.
const DEADLINE: Duration = Duration::from_secs(60);

/// Waits for the future, up to the deadline.
#[track_caller]
pub(crate) fn in_time<F: Future>(awaited: F) -> impl Future<Output = F::Output> {
    let caller = Location::caller();
    async move {
        let came = timeout(DEADLINE, awaited).await;
        came.unwrap_or_else(|_| panic!("{caller} waited in vain for {DEADLINE:?}"))
    }
}

/// Waits until this holds, up to the deadline.
#[track_caller]
pub(crate) fn until(holds: impl Fn() -> bool) -> impl Future<Output = ()> {
    in_time(async move {
        while !holds() {
            sleep(Duration::from_millis(5)).await;
        }
    })
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "waiting.rs")]
async fn a_wait_for_what_never_comes_fails_and_names_its_line() {
    super::fleet::FakeFleet::new()
        .until(|world| world.registered)
        .await;
}
