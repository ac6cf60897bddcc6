//! The SuperLink as a value: bind it, ask where it listens, wait for it, shut it down. The only
//! place where the parts meet.
//!
//! It stops in this order: nobody is accepted any more and held calls end; ServerApp processes
//! get SIGTERM and, after a grace, SIGKILL, while what they still have to say is answered; then
//! the listeners drain and close, and changes under way are completed; at last the state.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use flwr_daemon::apps::{Guard, Watchers};
use flwr_daemon::clock::{Clock as _, FollowingClock, SystemClock};
use flwr_daemon::listen::{self, Meter};
use flwr_daemon::metrics::Page;
use flwr_daemon::renew::Renewals;
use flwr_daemon::stop::Stopper;
use flwr_metrics::Registry;
use flwr_security::from_file::FromFile;
use flwr_security::pki::NodeAuthority;
use flwr_security::private_files;
use thiserror::Error;
use tokio::sync::Notify;
use tokio::task::{JoinError, JoinSet, spawn_blocking};
use tokio::time::timeout;
use tracing::{error, info, warn};

use crate::accounts::Accounts;
use crate::args::VERSION;
use crate::config::{Config, Launch, Transport};
use crate::host::Host;
use crate::link::{Link, Parts};
use crate::metrics::SuperLinkNumbers;
use crate::store::{Opened, StoreError};

mod alike;
mod common;
mod facts;
mod ports;
mod services;
mod workers;

pub use ports::Addresses;

use ports::Ports;
use workers::Workers;

/// How long ServerApps may take to end whose runs another SuperLink has.
const FAREWELL: Duration = Duration::from_secs(10);

/// A running coordinator.
#[derive(Debug)]
pub struct SuperLink {
    link: Arc<Link>,
    addresses: Addresses,
    renewals: Renewals,
    facts: Vec<String>,
    warnings: Vec<String>,
    /// Ends held calls, the launcher and the reaper.
    work: Stopper,
    /// Closes the listeners.
    ports: Stopper,
    /// Owns the changes under way.
    host: Host,
    /// Has the settings compared again with those of other SuperLinks.
    reloaded: Arc<Notify>,
    workers: JoinSet<()>,
    servers: JoinSet<Result<(), listen::Error>>,
}

/// Why a SuperLink could not start, or ended by itself.
#[derive(Debug, Error)]
pub enum StartError {
    /// A port.
    #[error(transparent)]
    Listen(#[from] listen::Error),
    /// State or objects.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What the state holds.
    #[error(transparent)]
    State(#[from] crate::error::Error),
    /// The directory for the output of ServerApp processes.
    #[error("could not create `{}`", .path.display())]
    Outputs {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another SuperLink has the state, or the runs of this one.
    #[error(
        "another SuperLink has taken over the runs of this one, which gave no sign of life for the --takeover-after of the other, or has taken its name or its --database: start this one again"
    )]
    ShutOut,
    /// A part of the daemon panicked.
    #[error("a part of the SuperLink failed")]
    Panicked(#[from] JoinError),
}

impl SuperLink {
    /// Opens the ports and starts to serve.
    ///
    /// # Errors
    /// If a port, the database or the storage directory cannot be had. Nothing is changed then.
    pub async fn bind(config: Config) -> Result<Self, StartError> {
        let (work, stop_ports) = (Stopper::new(), Stopper::new());
        // A change of a file from here on is noticed, also while the state is opened.
        let renewals = renewals(&config);
        let watchers = Watchers::new();
        // The state first: who else works with it is told before which port is taken.
        let opened = open_places(&config).await?;
        let open = Ports::open(&config).await?;
        let addresses = open.addresses();
        let Opened {
            state,
            objects,
            fabs,
            outputs,
            missing,
            warnings: told,
        } = opened;
        if let Some(accounts) = &config.accounts {
            accounts.share(Arc::clone(&state));
        }
        let link = Arc::new(Link::new(Parts {
            state,
            objects,
            fabs,
            clock: Arc::<FollowingClock>::clone(&config.clock),
            holds: config.holds,
            max_storage: config.max_storage,
            stopper: work.clone(),
        }));
        let mut facts = facts::of(&config, &addresses);
        facts.push(facts::kept(config.keep_runs, &link.space().await?.state));
        let host = ports::host(&link, &config, &addresses);
        let page = page(
            &config,
            &link,
            &work,
            (&host, &watchers),
            (open.meter(), &renewals),
        );
        let servers = open.serve(&host, (&config, page), &stop_ports);
        let mut warnings = config.warnings.clone();
        warnings.extend(told);
        warnings.extend(missing_objects(missing.len()));
        warnings.extend(guard_serverapps(&config).await);
        link.note_care(config.care()).await?;
        let reloaded = Arc::new(Notify::new());
        let mut workers = Workers::new(&link, &work);
        workers.start(&config, outputs.as_deref());
        workers.spawn(|_, stopper| renewals.clone().run(stopper));
        workers.watch_others(&config, &reloaded);
        warnings.extend(workers.launch(config, &addresses, outputs, (&host, watchers)));
        Ok(Self {
            link,
            addresses,
            renewals,
            facts,
            warnings,
            work,
            ports: stop_ports,
            host,
            reloaded,
            workers: workers.into_set(),
            servers,
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The domain, for whoever embeds a SuperLink.
    #[must_use]
    pub const fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// Tells the log what runs here, and how.
    pub fn log_start(&self) {
        info!("Starting Flower SuperLink {VERSION}");
        for warning in &self.warnings {
            warn!("{warning}");
        }
        for fact in &self.facts {
            info!("{fact}");
        }
    }

    /// Reads again what may change while the SuperLink runs: certificates, keys and lists. A bad
    /// file is told, and what was read before stays in use.
    pub async fn reload(&self) {
        self.renewals.renew().await;
        self.reloaded.notify_one();
    }

    /// Waits until a part ends by itself, which none should, or another SuperLink has taken the place of this
    /// one. The ServerApps whose runs went to the other have ended then.
    ///
    /// # Errors
    /// Always, with the part that failed.
    pub async fn join(&mut self) -> Result<(), StartError> {
        tokio::select! {
            Some(ended) = self.servers.join_next() => Ok(ended??),
            Some(ended) = self.workers.join_next() => Ok(ended?),
            () = self.link.shut_out() => {
                warn!("this SuperLink was shut out: its ServerApps end");
                self.work.stop();
                if timeout(FAREWELL, drain(&mut self.workers)).await.is_err() {
                    warn!("ServerApp processes did not end in time");
                }
                Err(StartError::ShutOut)
            }
        }
    }

    /// Stops in order. What takes longer than `grace` is cut off.
    pub async fn shutdown(mut self, grace: Duration) {
        self.work.stop();
        if timeout(grace, drain(&mut self.workers)).await.is_err() {
            warn!("ServerApp processes did not end in time");
        }
        self.ports.stop();
        if timeout(grace, drain(&mut self.servers)).await.is_err() {
            warn!("connections did not end in time");
        }
        if timeout(grace, self.host.settled()).await.is_err() {
            warn!("changes under way did not end in time");
        }
        if timeout(grace, self.link.close()).await.is_err() {
            warn!("the state was not closed in time: the next start brings it in order");
        }
    }
}

/// What is read again when its files change.
fn renewals(config: &Config) -> Renewals {
    let mut renewals = Renewals::new(Arc::new(SystemClock));
    if let Transport::Tls(tls) = &config.transport {
        renewals.add("--ssl-certfile", Arc::new(tls.clone()));
    }
    if let Some(own) = &config.serverappio.tls {
        let (flag, tls) = own.renewal();
        renewals.add(flag, tls);
    }
    if let Some(authority) = &config.joining.authority {
        renewals.add("--node-ca-certfile", Arc::<NodeAuthority>::clone(authority));
    }
    if let Some(keys) = config.policy.list() {
        renewals.add("--auth-list-public-keys", Arc::<FromFile<_>>::clone(keys));
    }
    if let Some(clients) = &config.clients {
        renewals.add(
            "--ssl-client-allow-list",
            Arc::<FromFile<_>>::clone(clients),
        );
    }
    if let Some(people) = &config.people {
        renewals.add(
            "--ssl-control-client-allow-list",
            Arc::<FromFile<_>>::clone(people),
        );
    }
    if let Some(metrics) = &config.metrics {
        metrics.renew(&mut renewals);
    }
    if let Some(accounts) = &config.accounts {
        renewals.add("--account-auth-config", Arc::<Accounts>::clone(accounts));
        renewals.add(
            "--account-auth-config `root-certificates`",
            Arc::new(accounts.trust().clone()),
        );
    }
    renewals
}

/// The page of numbers, if it is served.
fn page(
    config: &Config,
    link: &Arc<Link>,
    work: &Stopper,
    (host, watchers): (&Host, &Watchers),
    (meter, renewals): (&Meter, &Renewals),
) -> Option<Page> {
    let place = config.metrics.as_ref()?;
    let mut registry = Registry::default();
    let counted = (host.count_calls(), watchers);
    let numbers = SuperLinkNumbers::new(link, work, counted, &mut registry);
    let shared = (meter, renewals);
    Some(Page::new(place, registry, shared, Arc::new(numbers)))
}

/// Opens state and objects, off the async workers.
async fn open_places(config: &Config) -> Result<Opened, StartError> {
    let (places, clock) = (config.places.clone(), Arc::clone(&config.clock));
    places.tell_time(&clock).await?;
    let opened = spawn_blocking(move || places.open(clock.now())).await??;
    if let Some(dir) = &opened.outputs {
        private_files::create_dir(dir).map_err(|source| StartError::Outputs {
            path: dir.clone(),
            source,
        })?;
    }
    Ok(opened)
}

/// Gets ready to end the ServerApps' processes; gives what is wrong with their program.
async fn guard_serverapps(config: &Config) -> Option<String> {
    let Launch::Subprocess { program, .. } = &config.launch else {
        return None;
    };
    let (program, flwr_dir) = (program.clone(), config.flwr_dir.clone());
    let prepare = move || {
        let program = program.path();
        Guard::prepare(program, flwr_dir.as_deref()).warning(program)
    };
    let (text, hint) = spawn_blocking(prepare).await.ok()??;
    Some(format!("{text}; {hint}"))
}

fn missing_objects(count: usize) -> Option<String> {
    (count > 0).then(|| {
        format!(
            "{count} objects that the database counts on are not in the directory of --storage-dir: see `flower-superlink --check-state`"
        )
    })
}

async fn drain<T: 'static>(tasks: &mut JoinSet<T>) {
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            error!(%error, "a part of the SuperLink failed");
        }
    }
}
