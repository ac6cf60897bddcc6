//! Calls are served to their end, also when their caller goes away: bytes that were stored are then
//! counted, and a repeated call finds what the first one did.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

/// Serves calls to their end, a bounded number at the same time. Clones share the bound.
#[derive(Clone, Debug)]
pub struct Completion {
    places: Arc<Semaphore>,
    /// Owns the work whose callers have gone.
    under_way: TaskTracker,
}

impl Completion {
    /// At most this many calls are under way. Later ones wait for a place.
    #[must_use]
    pub fn new(places: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(places)),
            under_way: TaskTracker::new(),
        }
    }

    /// Does the work to its end, and gives its result. `None`: the program is stopping.
    pub async fn of<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
        let done = self.under_way.spawn(
            async move {
                let _place = place;
                work.await
            }
            .in_current_span(),
        );
        // It ends without a result only if the runtime does.
        done.await.ok()
    }

    /// Whether no work is under way.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.under_way.is_empty()
    }

    /// Waits until all work under way is done. Called once nobody can begin another.
    pub async fn settled(&self) {
        self.under_way.close();
        self.under_way.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::sync::oneshot;
    use tokio::task::yield_now;

    use super::*;

    #[tokio::test]
    async fn work_ends_after_its_caller_has_gone() {
        let completion = Completion::new(1);
        let (go, gone) = oneshot::channel::<()>();
        let (done, ended) = oneshot::channel();
        let work = async move {
            gone.await.unwrap();
            done.send("done").unwrap();
        };
        tokio::select! {
            biased;
            _ = completion.of(work) => panic!("nothing lets it go on"),
            () = yield_now() => {}
        }
        tokio::select! {
            biased;
            () = completion.settled() => panic!("work is under way"),
            () = yield_now() => {}
        }
        go.send(()).unwrap();
        completion.settled().await;
        assert_eq!(ended.await.unwrap(), "done");
    }

    #[tokio::test]
    async fn no_more_is_under_way_than_there_are_places() {
        let completion = Completion::new(1);
        tokio::select! {
            biased;
            _ = completion.of(pending::<()>()) => panic!("it never ends"),
            () = yield_now() => {}
        }
        tokio::select! {
            biased;
            _ = completion.of(async {}) => panic!("the only place is taken"),
            () = yield_now() => {}
        }
    }
}
