//! The calls of peers: how many, how long they take, and how long they are held. A held call waits
//! until there is something to answer. That time says nothing of the daemon's speed, and is counted
//! apart.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use flwr_core::monotonic;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tokio::time::Instant;

use crate::{Amount, Tally, Word};

/// The name of methods that nobody serves.
pub const OTHER: Word = "other";
/// The code of calls whose caller goes away before the answer.
const CANCELLED: Word = "cancelled";
/// Seconds. Few, since each method has a histogram for each code.
const BOUNDS: [f64; 4] = [0.005, 0.05, 0.5, 5.0];

tokio::task_local! {
    /// The call that this task answers.
    static CALL: Arc<Held>;
}

/// The calls of peers. Clones share their values.
#[derive(Clone, Debug)]
pub struct Calls(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    seconds: Family<[(Word, Word); 2], Histogram, Buckets>,
    held_seconds: Family<[(Word, Word); 1], Counter<f64, AtomicU64>>,
    /// Calls that are held now.
    held: Amount,
    /// Refused calls, by the reason.
    refusals: Tally,
}

#[derive(Clone, Copy, Debug)]
struct Buckets;

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(BOUNDS)
    }
}

/// How long a call was held.
#[derive(Debug)]
struct Held {
    micros: AtomicU64,
    calls: Amount,
}

impl Calls {
    /// No calls yet. They may be refused for these reasons.
    #[must_use]
    pub fn new(reasons: &[Word]) -> Self {
        Self(Arc::new(Inner {
            seconds: Family::new_with_constructor(Buckets),
            held_seconds: Family::default(),
            held: Amount::default(),
            refusals: Tally::new("reason", reasons),
        }))
    }

    /// Counts a call of this method, and the time of its answer. `code` reads the answer. A call that
    /// is dropped before counts as cancelled.
    pub async fn measure<T>(
        &self,
        method: Word,
        call: impl Future<Output = T>,
        code: impl FnOnce(&T) -> Word,
    ) -> T {
        let held = Arc::new(Held {
            micros: AtomicU64::new(0),
            calls: self.0.held.clone(),
        });
        let mut measured = Measured {
            calls: self,
            method,
            code: CANCELLED,
            began: monotonic::now(),
            held: Arc::clone(&held),
        };
        let answer = CALL.scope(held, call).await;
        measured.code = code(&answer);
        answer
    }

    /// A call was refused for this reason.
    pub fn refused(&self, reason: Word) {
        self.0.refusals.count(reason);
    }

    /// How many calls were refused for this reason.
    #[must_use]
    pub fn refusals(&self, reason: Word) -> u64 {
        self.0.refusals.number(reason)
    }

    /// Names what is counted.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "flwr_request_seconds",
            "Time to answer a request, without the time in which it was held",
            self.0.seconds.clone(),
        );
        registry.register(
            "flwr_request_held_seconds",
            "Time in which requests were held until there was something to answer",
            self.0.held_seconds.clone(),
        );
        let help = "Requests that are held now until there is something to answer";
        self.0.held.register(registry, "flwr_held_calls", help);
        let help = "Requests that were refused because of who sent them";
        self.0.refusals.register(registry, "flwr_refusals", help);
    }
}

/// A call that is answered now.
struct Measured<'a> {
    calls: &'a Calls,
    method: Word,
    code: Word,
    began: Instant,
    held: Arc<Held>,
}

impl Drop for Measured<'_> {
    fn drop(&mut self) {
        let held = Duration::from_micros(self.held.micros.load(Ordering::Relaxed));
        let took = self.began.elapsed().saturating_sub(held);
        let labels = [("method", self.method), ("code", self.code)];
        let Inner {
            seconds,
            held_seconds,
            ..
        } = &*self.calls.0;
        seconds.get_or_create(&labels).observe(took.as_secs_f64());
        if !held.is_zero() {
            let labels = [("method", self.method)];
            held_seconds
                .get_or_create(&labels)
                .inc_by(held.as_secs_f64());
        }
    }
}

/// Waits for something on behalf of the call that this task answers. Outside a call nothing is counted.
pub async fn held<T>(wait: impl Future<Output = T>) -> T {
    let Ok(call) = CALL.try_with(Arc::clone) else {
        return wait.await;
    };
    let _held = call.calls.enter();
    let _waits = Waits {
        began: monotonic::now(),
        call: &call,
    };
    wait.await
}

/// A call that is held now.
struct Waits<'a> {
    began: Instant,
    call: &'a Held,
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        let micros = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.call.micros.fetch_add(micros, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use tokio::time::{advance, sleep, timeout};

    use super::*;
    use crate::{Form, encode};

    const PULL: Word = "Fleet/PullMessages";

    fn page(calls: &Calls) -> String {
        let mut registry = Registry::default();
        calls.register(&mut registry);
        encode(&registry, Form::Prometheus)
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_in_which_a_call_is_held_is_counted_apart() {
        let calls = Calls::new(&["key"]);
        let call = async {
            advance(Duration::from_secs(1)).await;
            held(sleep(Duration::from_secs(20))).await;
        };
        calls.measure(PULL, call, |()| "ok").await;
        let page = page(&calls);
        for line in [
            "flwr_request_seconds_sum{method=\"Fleet/PullMessages\",code=\"ok\"} 1.0",
            "flwr_request_seconds_count{method=\"Fleet/PullMessages\",code=\"ok\"} 1",
            "flwr_request_held_seconds_total{method=\"Fleet/PullMessages\"} 20.0",
            "flwr_held_calls 0.0",
            "flwr_refusals_total{reason=\"key\"} 0",
        ] {
            assert!(page.contains(line), "{line}\n{page}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_whose_caller_goes_away_is_cancelled_and_held_no_more() {
        let calls = Calls::new(&[]);
        {
            let call = calls.measure(PULL, held(sleep(Duration::from_secs(20))), |()| "ok");
            let mut call = pin!(call);
            assert!(timeout(Duration::from_secs(5), &mut call).await.is_err());
            assert!(page(&calls).contains("flwr_held_calls 1.0"));
        }
        let page = page(&calls);
        assert!(page.contains("code=\"cancelled\"} 1"), "{page}");
        assert!(
            page.contains("flwr_request_held_seconds_total{method=\"Fleet/PullMessages\"} 5.0")
        );
        assert!(page.contains("flwr_held_calls 0.0"), "{page}");
        // Outside a call a wait is only a wait.
        held(sleep(Duration::from_secs(1))).await;
    }
}
