//! The SuperLink's page of numbers: what is counted where it happens, and what is read from the state when
//! somebody asks.

use std::sync::Arc;

use async_trait::async_trait;
use flwr_core::cause::chain;
use flwr_daemon::apps::Watchers;
use flwr_daemon::metrics::{NotReady, Source};
use flwr_daemon::stop::Stopper;
use flwr_metrics::{Amount, Calls, Levels, Registry};
use tracing::warn;

use crate::args::COMMIT;
use crate::link::Link;
use crate::link::state::Census;

/// What the SuperLink counts, and what it is asked.
#[derive(Debug)]
pub(crate) struct SuperLinkNumbers {
    link: Arc<Link>,
    work: Stopper,
    nodes: Levels,
    runs: Levels,
    messages: Levels,
    oldest: Amount,
    storage: Amount,
    limit: Amount,
}

impl SuperLinkNumbers {
    /// The numbers of this link, named in the registry with those that calls and app processes have.
    pub(crate) fn new(
        link: &Arc<Link>,
        work: &Stopper,
        (calls, watchers): (&Calls, &Watchers),
        registry: &mut Registry,
    ) -> Self {
        let numbers = Self {
            link: Arc::clone(link),
            work: work.clone(),
            nodes: Levels::new("state"),
            runs: Levels::new("phase"),
            messages: Levels::new("state"),
            oldest: Amount::default(),
            storage: Amount::default(),
            limit: Amount::default(),
        };
        numbers.register(registry);
        link.register_numbers(registry);
        calls.register(registry);
        watchers.register(registry);
        numbers
    }

    fn register(&self, registry: &mut Registry) {
        let build = Levels::new("commit");
        build.set(COMMIT, 1);
        let help = "The commit that this SuperLink was built from; the value says nothing";
        build.register(registry, "flwr_build_info", help);
        let help = "SuperNodes, by how they stand";
        self.nodes.register(registry, "flwr_nodes", help);
        let help = "Runs that are kept, by their phase";
        self.runs.register(registry, "flwr_runs", help);
        let help = "Messages to SuperNodes without a reply: not taken yet (waiting), or in work (in_flight)";
        self.messages.register(registry, "flwr_messages", help);
        let help = "Age of the oldest message without a reply; 0 where there is none";
        self.oldest
            .register(registry, "flwr_oldest_message_age_seconds", help);
        let help = "Bytes of state, FABs and objects, as --max-storage counts them";
        self.storage.register(registry, "flwr_storage_bytes", help);
        let help = "The limit of --max-storage; 0 without a limit";
        self.limit
            .register(registry, "flwr_storage_limit_bytes", help);
    }

    fn tell(&self, census: &Census) {
        for (state, number) in [
            ("registered", census.registered),
            ("online", census.online),
            ("offline", census.offline),
        ] {
            self.nodes.set(state, number);
        }
        for (phase, number) in [
            ("pending", census.pending),
            ("starting", census.starting),
            ("running", census.running),
            ("completed", census.completed),
            ("failed", census.failed),
            ("stopped", census.stopped),
        ] {
            self.runs.set(phase, number);
        }
        self.messages.set("waiting", census.waiting);
        self.messages.set("in_flight", census.in_flight);
        let age = census
            .oldest
            .map_or(0.0, |oldest| self.link.now().since(oldest).max(0.0));
        self.oldest.set_to(age);
    }
}

#[async_trait]
impl Source for SuperLinkNumbers {
    async fn refresh(&self) {
        // A state that fails is seen in /readyz; its last numbers stay.
        match self.link.census().await {
            Ok(census) => self.tell(&census),
            Err(error) => warn!(
                error = chain(&error),
                "nodes, runs and messages were not counted for /metrics"
            ),
        }
        if let Ok(used) = self.link.used_storage().await {
            self.storage.set(used);
        }
        self.limit.set(self.link.max_storage().unwrap_or_default());
    }

    fn ready(&self) -> Result<(), NotReady> {
        if self.work.is_stopped() {
            return Err(NotReady::Draining);
        }
        match self.link.can_write() {
            true => Ok(()),
            false => Err(NotReady::NotWritable),
        }
    }
}
