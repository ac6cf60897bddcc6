//! The SuperNode's page of numbers: its way to the SuperLink, the steps of a message, and its apps.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flwr_daemon::apps::Watchers;
use flwr_daemon::metrics::{NotReady, Source};
use flwr_daemon::stop::Stopper;
use flwr_metrics::{Amount, Levels, Registry, Times, Word};
use tokio::task::spawn_blocking;

use crate::args::COMMIT;
use crate::store::Store;
use crate::upstream::Upstream;

mod gpus;

use gpus::Gpus;

/// A message's objects are pulled.
const PULL: Word = "pull";
/// The ClientApp's process begins, and takes the message.
const START: Word = "start";
/// The ClientApp works on the message.
const RUN: Word = "run";
/// The reply is pushed.
const PUSH: Word = "push";
/// Seconds: a small model is pulled in a moment, an epoch may take hours.
const BOUNDS: [f64; 8] = [0.01, 0.1, 1.0, 10.0, 60.0, 300.0, 1800.0, 7200.0];

/// What is measured of messages. Clones share their values.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    steps: Times,
    peak: Amount,
    watchers: Watchers,
}

impl Measured {
    pub(crate) fn new(watchers: &Watchers) -> Self {
        Self {
            steps: Times::new("step", &[PULL, START, RUN, PUSH], &BOUNDS),
            peak: Amount::default(),
            watchers: watchers.clone(),
        }
    }

    /// The objects of a message were pulled.
    pub(crate) fn pulled(&self, took: Duration) {
        self.steps.observe(PULL, took);
    }

    /// A ClientApp is about to leave. It was started `since`, and has worked for the last part of that time.
    pub(crate) async fn worked(&self, since: Duration, worked: Option<Duration>) {
        if let Some(worked) = worked {
            self.steps.observe(START, since.saturating_sub(worked));
            self.steps.observe(RUN, worked);
        }
        self.look_at_memory().await;
    }

    /// A reply was pushed.
    pub(crate) fn pushed(&self, took: Duration) {
        self.steps.observe(PUSH, took);
    }

    /// Reads how much memory the apps have had that run now.
    async fn look_at_memory(&self) {
        let watchers = self.watchers.clone();
        let looked = spawn_blocking(move || watchers.peak_memory()).await;
        if let Ok(Some(bytes)) = looked {
            self.peak.set(bytes);
        }
    }
}

/// What the SuperNode counts, and what it is asked.
#[derive(Debug)]
pub(crate) struct SuperNodeNumbers {
    upstream: Upstream,
    store: Store,
    measured: Measured,
    stopping: [Stopper; 2],
    reachable: Amount,
    outbox: Amount,
    gpus: Gpus,
}

impl SuperNodeNumbers {
    /// The numbers of this node, named in the registry.
    pub(crate) fn new(
        (upstream, store): (&Upstream, &Store),
        measured: &Measured,
        stopping: [Stopper; 2],
        registry: &mut Registry,
    ) -> Arc<Self> {
        let numbers = Self {
            upstream: upstream.clone(),
            store: store.clone(),
            measured: measured.clone(),
            stopping,
            reachable: Amount::default(),
            outbox: Amount::default(),
            gpus: Gpus::new(),
        };
        numbers.register(registry);
        Arc::new(numbers)
    }

    fn register(&self, registry: &mut Registry) {
        let build = Levels::new("commit");
        build.set(COMMIT, 1);
        let help = "The commit that this SuperNode was built from; the value says nothing";
        build.register(registry, "flwr_build_info", help);
        let help = "Whether the node is registered and the SuperLink answered the last call";
        self.reachable
            .register(registry, "flwr_superlink_reachable", help);
        self.upstream.register_numbers(registry);
        let help = "Time of the steps of a message: its objects are pulled, its app starts, runs, and the reply is pushed";
        let Measured {
            steps,
            peak,
            watchers,
        } = &self.measured;
        steps.register(registry, "flwr_message_seconds", help);
        let help = "Bytes of finished replies on disk that the SuperLink has not taken";
        self.outbox.register(registry, "flwr_outbox_bytes", help);
        let help = "The largest memory that a process of the last app had in RAM";
        peak.register(registry, "flwr_app_peak_memory_bytes", help);
        watchers.register(registry);
        self.gpus.register(registry);
    }
}

#[async_trait]
impl Source for SuperNodeNumbers {
    async fn refresh(&self) {
        self.reachable.set(self.upstream.is_reached().into());
        self.outbox.set(self.store.outbox_bytes().await);
        tokio::join!(self.measured.look_at_memory(), self.gpus.refresh());
    }

    fn ready(&self) -> Result<(), NotReady> {
        if self.stopping.iter().any(Stopper::is_stopped) {
            return Err(NotReady::Draining);
        }
        match self.upstream.is_registered() {
            true => Ok(()),
            false => Err(NotReady::NotRegistered),
        }
    }
}
