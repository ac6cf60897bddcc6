//! The tasks that watch app processes. A watcher outlives the [`AppProcess`](super::AppProcess) of
//! its app: it reaps the process and ends what the process leaves behind, also after a kill.

use std::process::ExitStatus;
use std::sync::Arc;

use flwr_metrics::{Amount, Process, Registry, Tally};
use parking_lot::Mutex;
use rustix::process::Pid;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::descendants;

/// Owns the watchers of a launcher's apps. Clones share the watchers.
#[derive(Clone, Debug)]
pub struct Watchers {
    tasks: TaskTracker,
    /// The apps that run.
    running: Amount,
    /// The processes that lead them.
    leaders: Arc<Mutex<Vec<u32>>>,
    /// The ends of apps, by their kind.
    exits: Tally,
}

impl Default for Watchers {
    fn default() -> Self {
        Self {
            tasks: TaskTracker::default(),
            running: Amount::default(),
            leaders: Arc::default(),
            exits: Tally::new("outcome", &["success", "failure", "signal", "unknown"]),
        }
    }
}

impl Watchers {
    /// No watchers yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a watcher.
    pub(super) fn start(&self, watch: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(watch.in_current_span());
    }

    /// Waits for the end of an app. The app counts as running until then.
    pub(super) fn count(
        &self,
        leader: u32,
        end: impl Future<Output = Option<ExitStatus>> + Send + 'static,
    ) -> impl Future<Output = Option<ExitStatus>> + Send + 'static {
        let (running, exits) = (self.running.enter(), self.exits.clone());
        let leaders = Arc::clone(&self.leaders);
        leaders.lock().push(leader);
        async move {
            let status = end.await;
            drop(running);
            leaders.lock().retain(|known| *known != leader);
            exits.count(outcome(status));
            status
        }
    }

    /// The largest memory that a process of the apps that run had so far, in bytes. Looks at all processes of
    /// the system.
    #[must_use]
    pub fn peak_memory(&self) -> Option<u64> {
        let leaders = self.leaders.lock().clone();
        let peak = |leader: u32| {
            let leader = Pid::from_raw(i32::try_from(leader).ok()?)?;
            let below = descendants(leader).into_iter().chain([leader]);
            let pids = below.filter_map(|pid| u32::try_from(pid.as_raw_nonzero().get()).ok());
            pids.filter_map(Process::peak_memory).max()
        };
        leaders.into_iter().filter_map(peak).max()
    }

    /// Names what is counted.
    pub fn register(&self, registry: &mut Registry) {
        let help = "App processes that run";
        self.running.register(registry, "flwr_app_processes", help);
        let help = "App processes that have ended";
        self.exits.register(registry, "flwr_app_exits", help);
    }

    /// Waits until all watchers have ended. An app that still runs keeps its watcher, so callers
    /// end the apps first and set a time limit.
    pub async fn settled(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// How an app ended, in one word. An app of an earlier daemon ends in an unknown way.
fn outcome(status: Option<ExitStatus>) -> &'static str {
    match status {
        None => "unknown",
        Some(status) if status.success() => "success",
        Some(status) if status.code().is_some() => "failure",
        Some(_) => "signal",
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::os::unix::process::ExitStatusExt;
    use std::pin::pin;
    use std::task::Poll;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn apps_are_counted_while_they_run_and_by_how_they_end() {
        let watchers = Watchers::new();
        let killed = ExitStatus::from_raw(9);
        let end = watchers.count(std::process::id(), async move { Some(killed) });
        let other = watchers.count(u32::MAX, async { None });
        let running = || watchers.running.get();
        assert!((running() - 2.0).abs() < f64::EPSILON);
        assert!(watchers.peak_memory().is_some_and(|bytes| bytes > 1 << 20));
        end.await;
        other.await;
        assert!(running().abs() < f64::EPSILON);
        assert_eq!(watchers.peak_memory(), None);
        for (outcome, number) in [("signal", 1), ("unknown", 1), ("success", 0)] {
            assert_eq!(watchers.exits.number(outcome), number, "{outcome}");
        }
    }

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
