//! The parts of a SuperLink that work by themselves, until it is time to stop.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use flwr_daemon::apps::Watchers;
use flwr_daemon::stop::Stopper;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::{Addresses, alike, ports};
use crate::config::{Config, Launch};
use crate::host::Host;
use crate::launcher::{self, Launcher};
use crate::link::Link;
use crate::link::state::Takeover;
use crate::reaper;
use crate::store::{Database, Storage};

/// The parts that are at work.
#[derive(Debug)]
pub(super) struct Workers {
    link: Arc<Link>,
    work: Stopper,
    set: JoinSet<()>,
}

impl Workers {
    /// None yet. They end when `work` stops.
    pub(super) fn new(link: &Arc<Link>, work: &Stopper) -> Self {
        Self {
            link: Arc::clone(link),
            work: work.clone(),
            set: JoinSet::new(),
        }
    }

    /// Starts a part.
    pub(super) fn spawn<W>(&mut self, part: impl FnOnce(Arc<Link>, Stopper) -> W)
    where
        W: Future<Output = ()> + Send + 'static,
    {
        let part = part(Arc::clone(&self.link), self.work.clone());
        self.set.spawn(part);
    }

    /// Starts what looks after state, nodes and people.
    pub(super) fn start(&mut self, config: &Config, outputs: Option<&Path>) {
        self.spawn(reaper::run);
        let rules = reaper::Rules {
            keep_runs: config.keep_runs,
            policy: config.policy.clone(),
            outputs: outputs.map(Path::to_owned),
        };
        self.spawn(|link, stopper| reaper::keep_tidy(link, rules, stopper));
        if config.health.is_some() || config.metrics.is_some() {
            self.spawn(reaper::watch_disk);
        }
        if !config.policy.is_open() {
            let policy = config.policy.clone();
            self.spawn(|link, stopper| reaper::shut_out(link, policy, stopper));
        }
        if let Some(accounts) = &config.accounts {
            self.spawn(|_, stopper| Arc::clone(accounts).run(stopper));
        }
    }

    /// Starts what looks after the other SuperLinks of the state, where there may be others.
    pub(super) fn watch_others(&mut self, config: &Config, reloaded: &Arc<Notify>) {
        if matches!(config.places.database, Database::Postgres(_)) {
            let clock = Arc::clone(&config.clock);
            self.spawn(|link, stopper| reaper::follow_time(link, clock, stopper));
        }
        if !matches!(config.places.storage, Storage::Bucket(_)) {
            return;
        }
        let takeover = Takeover {
            after: config.takeover_after,
            resume: config.resume_runs,
        };
        self.spawn(|link, stopper| reaper::bury(link, takeover, stopper));
        let (settings, reloaded) = (config.shared.clone(), Arc::clone(reloaded));
        self.spawn(|link, stopper| alike::watch(link, settings, reloaded, stopper));
    }

    /// Starts what launches ServerApps, if that is for this SuperLink to do. Gives what the operator should
    /// know.
    pub(super) fn launch(
        &mut self,
        config: Config,
        addresses: &Addresses,
        outputs: Option<PathBuf>,
        (host, watchers): (&Host, Watchers),
    ) -> Option<String> {
        let Launch::Subprocess {
            program,
            ahead,
            way,
        } = config.launch.clone()
        else {
            return None;
        };
        let reachable = addresses.serverappio.reachable();
        let (name, serverappio_address) = match &config.advertised {
            Some(advertised) => (advertised.host.clone(), advertised.to_string()),
            None => (reachable.ip().to_string(), reachable.to_string()),
        };
        let channels = ports::channels(host, &config, &serverappio_address);
        let (program, told) = match config.serverappio.tls {
            Some(tls) => tls.trusted_by(program, &name),
            None => (program, None),
        };
        let launcher = Launcher::new(launcher::Parts {
            link: Arc::clone(&self.link),
            program,
            serverappio_address,
            flwr_dir: config.flwr_dir,
            outputs,
            ahead,
            way,
            resume_runs: config.resume_runs,
            channels,
            watchers,
        });
        self.spawn(|_, stopper| launcher.run(stopper));
        told
    }

    /// The parts, for whoever waits for them.
    pub(super) fn into_set(self) -> JoinSet<()> {
        self.set
    }
}
