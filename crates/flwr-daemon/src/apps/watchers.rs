//! The tasks that watch app processes. A watcher outlives the [`AppProcess`](super::AppProcess) of
//! its app: it reaps the process and ends what the process leaves behind, also after a kill.

use tokio_util::task::TaskTracker;
use tracing::Instrument;

/// Owns the watchers of a launcher's apps. Clones share the watchers.
#[derive(Clone, Debug, Default)]
pub struct Watchers(TaskTracker);

impl Watchers {
    /// No watchers yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a watcher.
    pub(super) fn start(&self, watch: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(watch.in_current_span());
    }

    /// Waits until all watchers have ended. An app that still runs keeps its watcher, so callers
    /// end the apps first and set a time limit.
    pub async fn settled(&self) {
        self.0.close();
        self.0.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::task::Poll;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn watchers_are_settled_when_the_last_one_has_ended() {
        let watchers = Watchers::new();
        watchers.settled().await;
        let (end, ended) = oneshot::channel::<()>();
        let clone = watchers.clone();
        clone.start(async move {
            let _ = ended.await;
        });
        let mut settled = pin!(watchers.settled());
        let waits = poll_fn(|cx| Poll::Ready(settled.as_mut().poll(cx).is_pending())).await;
        assert!(waits);
        end.send(()).unwrap();
        settled.await;
    }
}
