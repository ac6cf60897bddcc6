//! The SuperLink as a value: bind it, ask where it listens, wait for it, shut it down. The only
//! place where the parts meet.
//!
//! It stops in this order: nobody is accepted any more and held calls end; ServerApp processes
//! get SIGTERM and, after a grace, SIGKILL, while what they still have to say is answered; then
//! the listeners drain and close; at last the state.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use flwr_core::address::Address;
use flwr_daemon::apps::Guard;
use flwr_daemon::clock::{Clock, SystemClock};
use flwr_daemon::health;
use flwr_daemon::listen::{self, Bound, Limits, Listener, Security, Service};
use flwr_daemon::renew::Renewals;
use flwr_daemon::stop::Stopper;
use flwr_security::from_file::FromFile;
use flwr_security::private_files;
use flwr_security::shared_secret::Secrets;
use thiserror::Error;
use tokio::task::{JoinError, JoinSet, spawn_blocking};
use tokio::time::timeout;
use tonic::service::Routes;
use tower::Layer;
use tracing::{error, info, warn};

use crate::accounts::Accounts;
use crate::api::{ControlApi, Exec, FleetApi, LaunchApi, ServerAppIoApi, UpkeepApi};
use crate::args::VERSION;
use crate::auth::{FleetAuth, ListedClients, Policy, SignedIn};
use crate::config::{Config, Launch, Transport, Way};
use crate::launcher::{self, Launcher};
use crate::link::{Link, Parts};
use crate::older::{Admission, Dialects, Driver, OlderApps, Tasks};
use crate::reaper;
use crate::store::{Opened, Places, StoreError};

mod facts;
mod services;

use services::{CONTROL, FLEET, HEALTH, SERVERAPPIO};

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
    workers: JoinSet<()>,
    servers: JoinSet<Result<(), listen::Error>>,
}

/// Where a SuperLink listens, with the ports that were really taken.
#[derive(Debug, Clone)]
pub struct Addresses {
    /// For SuperNodes.
    pub fleet: Bound,
    /// For `flwr`.
    pub control: Bound,
    /// For ServerApp processes.
    pub serverappio: Bound,
    /// For health checks.
    pub health: Option<Bound>,
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
    /// A part of the daemon panicked.
    #[error("a part of the SuperLink failed")]
    Panicked(#[from] JoinError),
}

/// The open ports, by what is served there.
struct Ports {
    fleet: Listener,
    control: Listener,
    serverappio: Listener,
    health: Option<Listener>,
}

impl SuperLink {
    /// Opens the ports and starts to serve.
    ///
    /// # Errors
    /// If a port, the database or the storage directory cannot be had. Nothing is changed then.
    pub async fn bind(config: Config) -> Result<Self, StartError> {
        let (work, ports) = (Stopper::new(), Stopper::new());
        // The state first: who else works with it is told before which port is taken.
        let opened = open_places(config.places.clone()).await?;
        let open = Ports::open(&config).await?;
        let addresses = open.addresses();
        let Opened {
            state,
            objects,
            fabs,
            outputs,
            missing,
        } = opened;
        let link = Arc::new(Link::new(Parts {
            state,
            objects,
            fabs,
            clock: Arc::new(SystemClock),
            holds: config.holds,
            max_storage: config.max_storage,
            stopper: work.clone(),
        }));
        let mut facts = facts::of(&config, &addresses);
        facts.push(facts::kept(config.keep_runs, &link.space().await?.state));
        let renewals = renewals(&config);
        let servers = open.serve(&link, &config, &ports);
        let mut warnings = config.warnings.clone();
        warnings.extend(missing_objects(missing.len()));
        warnings.extend(guard_serverapps(&config).await);
        let mut workers = JoinSet::new();
        workers.spawn(reaper::run(Arc::clone(&link), work.clone()));
        let rules = reaper::Rules {
            keep_runs: config.keep_runs,
            policy: config.policy.clone(),
        };
        workers.spawn(reaper::keep_tidy(Arc::clone(&link), rules, work.clone()));
        workers.spawn(renewals.clone().run(work.clone()));
        if let Some(accounts) = &config.accounts {
            workers.spawn(Arc::clone(accounts).run(work.clone()));
        }
        if let Launch::Subprocess {
            program,
            ahead,
            way,
        } = config.launch
        {
            let launcher = Launcher::new(launcher::Parts {
                link: Arc::clone(&link),
                program,
                serverappio_address: addresses.serverappio.reachable().to_string(),
                flwr_dir: config.flwr_dir,
                outputs,
                ahead,
                way,
                resume_runs: config.resume_runs,
            });
            workers.spawn(launcher.run(work.clone()));
        }
        Ok(Self {
            link,
            addresses,
            renewals,
            facts,
            warnings,
            work,
            ports,
            workers,
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
    }

    /// Waits until a part ends by itself, which none should.
    ///
    /// # Errors
    /// Always, with the part that failed.
    pub async fn join(&mut self) -> Result<(), StartError> {
        tokio::select! {
            Some(ended) = self.servers.join_next() => Ok(ended??),
            Some(ended) = self.workers.join_next() => Ok(ended?),
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
        if timeout(grace, self.link.close()).await.is_err() {
            warn!("the state was not closed in time: the next start brings it in order");
        }
    }
}

impl Ports {
    async fn open(config: &Config) -> Result<Self, StartError> {
        let security = |asks| match &config.transport {
            Transport::Plaintext => Security::Plaintext,
            Transport::Tls(tls) if asks => Security::Tls(tls.asking()),
            Transport::Tls(tls) => Security::Tls(tls.open()),
        };
        let serverappio = match &config.transport {
            Transport::Tls(tls) if config.serverappio_tls => Security::TlsOrLocal(tls.asking()),
            _ => Security::Plaintext,
        };
        let health = match &config.health {
            None => None,
            Some(address) => Some(bind(address, Security::Plaintext, HEALTH).await?),
        };
        Ok(Self {
            fleet: bind(&config.fleet, security(true), FLEET).await?,
            control: bind(&config.control, security(config.control_asks), CONTROL).await?,
            serverappio: bind(&config.serverappio, serverappio, SERVERAPPIO).await?,
            health,
        })
    }

    fn addresses(&self) -> Addresses {
        Addresses {
            fleet: self.fleet.bound().clone(),
            control: self.control.bound().clone(),
            serverappio: self.serverappio.bound().clone(),
            health: self.health.as_ref().map(Listener::bound).cloned(),
        }
    }

    fn serve(
        self,
        link: &Arc<Link>,
        config: &Config,
        stopper: &Stopper,
    ) -> JoinSet<Result<(), listen::Error>> {
        let fleet = fleet(link, config);
        let control = control(link, config);
        let serverappio = serverappio(link, config);
        let mut servers = JoinSet::new();
        servers.spawn(self.fleet.serve(fleet, stopper.clone()));
        servers.spawn(self.control.serve(control, stopper.clone()));
        servers.spawn(self.serverappio.serve(serverappio, stopper.clone()));
        if let Some(listener) = self.health {
            servers.spawn(listener.serve(Routes::new(health::service()), stopper.clone()));
        }
        servers
    }
}

async fn bind(
    address: &Address,
    security: Security,
    service: Service,
) -> Result<Listener, StartError> {
    Ok(Listener::bind(&address.to_string(), security, service, Limits::default()).await?)
}

fn fleet(link: &Arc<Link>, config: &Config) -> Routes {
    let auth = FleetAuth::new(config.policy.clone(), Arc::clone(link));
    let fleet = Dialects::new(FleetApi::server(Arc::clone(link)), Arc::clone(link));
    let fleet = Tasks::new(auth.layer(fleet), Arc::clone(link), entry(config));
    Routes::new(listed(config).layer(fleet))
}

fn control(link: &Arc<Link>, config: &Config) -> Routes {
    let listed = listed(config);
    let signed_in = SignedIn::new(config.accounts.clone());
    let control = ControlApi::server(Arc::clone(link), config.accounts.clone());
    let exec = signed_in.layer(Exec(control.clone()));
    let upkeep = UpkeepApi::server(Arc::clone(link), config.accounts.clone());
    Routes::new(listed.layer(signed_in.layer(control)))
        .add_service(listed.layer(exec))
        .add_service(listed.layer(signed_in.layer(upkeep)))
}

fn serverappio(link: &Arc<Link>, config: &Config) -> Routes {
    let listed = listed(config);
    let open = config.launch == Launch::Process;
    let asks = matches!(
        config.launch,
        Launch::Subprocess {
            way: Way::Tokenless,
            ..
        }
    );
    let apps = ServerAppIoApi::server(Arc::clone(link), open);
    let apps = OlderApps::new(apps, Arc::clone(link), asks);
    let apps = Routes::new(listed.layer(apps));
    let insecure = matches!(config.transport, Transport::Plaintext);
    if !insecure && !config.serverappio_tls {
        // Runs are started on Control alone.
        return apps;
    }
    let launch = LaunchApi::server(Arc::clone(link), insecure);
    let driver = Driver::new(Arc::clone(link), insecure);
    apps.add_service(listed.layer(launch))
        .add_service(listed.layer(driver))
}

fn listed(config: &Config) -> ListedClients {
    ListedClients::new(config.clients.clone())
}

/// How SuperNodes come in that do not sign.
fn entry(config: &Config) -> Admission {
    match (&config.policy, &config.own_key) {
        (Policy::AnyKey, _) => Admission::Open,
        (Policy::Listed(allowed), Some(own)) => Admission::Keys {
            allowed: Arc::clone(allowed),
            secrets: Arc::new(Secrets::new(own.clone())),
        },
        (Policy::Listed(_), None) => Admission::Closed,
    }
}

/// What is read again when its files change.
fn renewals(config: &Config) -> Renewals {
    let mut renewals = Renewals::new(Arc::new(SystemClock));
    if let Transport::Tls(tls) = &config.transport {
        renewals.add("--ssl-certfile", Arc::new(tls.clone()));
    }
    if let Policy::Listed(keys) = &config.policy {
        renewals.add("--auth-list-public-keys", Arc::<FromFile<_>>::clone(keys));
    }
    if let Some(clients) = &config.clients {
        renewals.add(
            "--ssl-client-allow-list",
            Arc::<FromFile<_>>::clone(clients),
        );
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

/// Opens state and objects, off the async workers.
async fn open_places(places: Places) -> Result<Opened, StartError> {
    let opened = spawn_blocking(move || places.open(SystemClock.now())).await??;
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
    let prepare = move || Guard::prepare(&program, flwr_dir.as_deref()).warning(&program);
    let (text, hint) = spawn_blocking(prepare).await.ok()??;
    Some(format!("{text}; {hint}"))
}

fn missing_objects(count: usize) -> Option<String> {
    (count > 0).then(|| {
        format!(
            "{count} objects that the database counts on are not in the storage directory: see `flower-superlink --check`"
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
