//! The SuperNode: the one place where the parts meet.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use flwr_client::channel;
use flwr_client::line::Room;
use flwr_daemon::appio::{AppChannel, AppChannels, AppTls};
use flwr_daemon::apps::Watchers;
use flwr_daemon::clock::{Clock, SystemClock};
use flwr_daemon::health;
use flwr_daemon::listen::{Bound, Limits, Listener, Security, Service};
use flwr_daemon::renew::Renewals;
use flwr_daemon::stop::Stopper;
use flwr_wire::door::{ClientAppIo, HttpDoors, Runtime, RuntimeDoor};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tonic::service::Routes;
use tracing::{info, warn};

use crate::config::{Config, Launch};
use crate::error::Error;
use crate::host::Host;
use crate::launcher::Launcher;
use crate::metrics::Measured;
use crate::store::Store;
use crate::upstream::{Lasting, Learning, NoAnswer, NotJoined, Renewing, Upstream, signer};
use crate::work::{Desk, Worker, WorkerParts};

mod facts;
mod fresh;
mod numbers;

use facts::log_facts;
use fresh::{learning, renewals, renewing};
use numbers::page;

const HEALTH: Service = Service {
    name: "Health",
    flag: "--health-server-address",
};

/// The time limit for the end of what ClientApps leave behind.
const END_GRACE: Duration = Duration::from_secs(3);

/// A running SuperNode.
#[derive(Debug)]
pub struct SuperNode {
    upstream: Upstream,
    worker: JoinSet<Result<(), Error>>,
    /// Ends the worker once it has no message in hand.
    draining: Stopper,
    drain: Duration,
    desk: Arc<Desk>,
    /// The parts of the upstream that run beside the worker.
    work: JoinSet<Result<(), Error>>,
    work_stopper: Stopper,
    /// The watchers of the ClientApp processes.
    watchers: Watchers,
    servers: JoinSet<Result<(), Error>>,
    servers_stopper: Stopper,
    host: Host,
    clientappio: SocketAddr,
    renewals: Renewals,
    /// Has the node ask now whom to trust.
    learn_now: Arc<Notify>,
}

impl SuperNode {
    /// Opens the ports and starts to work. It needs
    /// 1. the address for ClientApp processes, and the one for health checks if there is one;
    /// 2. a channel to the SuperLink, which connects when it is first used;
    /// 3. the desk, shared by the worker and ClientAppIo.
    ///
    /// # Errors
    /// A port cannot be opened.
    pub async fn bind(config: Config) -> Result<Self, Error> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (mut servers, servers_stopper) = (JoinSet::new(), Stopper::new());
        let limits = Limits::default();
        let Open {
            clientappio: listener,
            health,
            metrics,
        } = open_ports(&config, &limits).await?;
        let clientappio = listener.bound().clone();
        let bound = |port: &Option<Listener>| port.as_ref().map(Listener::bound).cloned();
        let (on_health, on_metrics) = (bound(&health), bound(&metrics));
        let others = (on_health.as_ref(), on_metrics.as_ref());
        log_facts(&config, &clientappio, others);

        let desk = Arc::new(Desk::new(config.launch == Launch::Process));
        let host = Host::new(
            Arc::clone(&desk),
            config.clientappio.launchers.clone(),
            Arc::clone(&clock),
        );
        let routes = Routes::new(RuntimeDoor::<_, ClientAppIo>::new(host.clone()))
            .add_service(RuntimeDoor::<_, Runtime>::for_clientapps(host.clone()));
        let runtime = RuntimeDoor::<_, Runtime>::for_clientapps(host.clone());
        let doors = HttpDoors::new().with(runtime);
        let address = clientappio.reachable().to_string();
        let channels = (config.clientappio.channel == AppChannel::Native)
            .then(|| AppChannels::new(address, routes.clone(), doors.clone()));
        let listener = listener.with_http1(doors);
        serve(&mut servers, listener, routes, &servers_stopper);
        if let Some(listener) = health {
            serve(
                &mut servers,
                listener,
                Routes::new(health::service()),
                &servers_stopper,
            );
        }

        let upstream = connect(&config, Arc::clone(&clock));
        let (mut work, work_stopper) = (JoinSet::new(), Stopper::new());
        work.spawn(keep_registered(upstream.clone(), work_stopper.clone()));
        work.spawn(keep_alive(upstream.clone(), work_stopper.clone()));
        let renewals = renewals(&config, &upstream, &clock);
        work.spawn(keep_fresh(renewals.clone(), work_stopper.clone()));
        let learn_now = Arc::<Notify>::default();
        if let Some(learning) = learning(&config, &learn_now) {
            work.spawn(keep_trust(upstream.clone(), learning, work_stopper.clone()));
        }
        if let Some(renewing) = renewing(&config, &clock) {
            let upstream = upstream.clone();
            work.spawn(keep_certified(upstream, renewing, work_stopper.clone()));
        }
        let watchers = Watchers::new();
        let store = config.store.clone().map_or_else(Store::none, Store::at);
        let draining = Stopper::new();
        let measured = config.metrics.as_ref().map(|_| Measured::new(&watchers));
        if let (Some(place), Some(measured), Some(port)) = (&config.metrics, &measured, metrics) {
            let stopping = [draining.clone(), work_stopper.clone()];
            let node = (&upstream, &store, &host);
            let shared = (&limits.meter, &renewals);
            let page = page(place, node, measured, stopping, shared);
            let stopper = servers_stopper.clone();
            servers.spawn(async move { Ok(page.serve(port, stopper).await?) });
        }
        let launch = trusting(config.launch, config.clientappio.tls.as_ref(), &clientappio);
        let launcher = Launcher::new(
            launch,
            clientappio.reachable(),
            config.flwr_dir,
            watchers.clone(),
            channels,
        );
        let parts = WorkerParts {
            upstream: upstream.clone(),
            desk: Arc::clone(&desk),
            launcher,
            clock,
            node_config: config.node_config,
            store,
            app: config.app.map(Arc::new),
            measured,
        };
        let mut worker = JoinSet::new();
        worker.spawn(Worker::new(parts).run(draining.clone(), work_stopper.clone()));
        Ok(Self {
            upstream,
            worker,
            draining,
            drain: config.drain,
            desk,
            work,
            work_stopper,
            watchers,
            servers,
            servers_stopper,
            host,
            clientappio: clientappio.first(),
            renewals,
            learn_now,
        })
    }

    /// Finds out whether the ports can be opened, for a node that joins before it opens them: a token
    /// is used once.
    ///
    /// # Errors
    /// A port cannot be opened.
    pub async fn require_ports(config: &Config) -> Result<(), Error> {
        open_ports(config, &Limits::default()).await.map(|_| ())
    }

    /// Where ClientApp processes reach this node, with the port the system chose.
    #[must_use]
    pub fn clientappio_addr(&self) -> SocketAddr {
        self.clientappio
    }

    /// Reads certificates and keys again. What is not usable is told, and what was read before
    /// stays in use.
    pub async fn reload(&self) {
        self.renewals.renew().await;
        self.learn_now.notify_one();
    }

    /// Waits until a part ends that should not: the SuperLink was given up, or a port died.
    pub async fn join(&mut self) -> Error {
        let ended = tokio::select! {
            Some(ended) = self.worker.join_next() => ended,
            Some(ended) = self.work.join_next() => ended,
            Some(ended) = self.servers.join_next() => ended,
            else => return Error::Task("all are gone".to_owned()),
        };
        match ended {
            Ok(Err(error)) => error,
            Ok(Ok(())) => Error::Task("it had nothing to do any more".to_owned()),
            Err(panicked) => Error::Task(panicked.to_string()),
        }
    }

    /// Takes no more messages, and waits until the message in hand is answered: for `--drain` at
    /// most. The node stays registered and online meanwhile.
    pub async fn drain(&mut self) {
        self.draining.stop();
        if self.desk.has_message() {
            let seconds = self.drain.as_secs();
            info!(
                "waits up to {seconds} s for the message in hand (--drain); another signal stops at once"
            );
        }
        if timeout(self.drain, self.worker.join_next()).await.is_err() {
            warn!(
                "the message in hand is not answered: the SuperLink offers it again when this node returns"
            );
        }
    }

    /// Stops in order: no more messages, the ClientApp ended, goodbye to the SuperLink, ports
    /// closed.
    pub async fn shutdown(mut self) {
        self.work_stopper.stop();
        while self.worker.join_next().await.is_some() {}
        // Heartbeats end too: one after the goodbye would register this node again.
        while self.work.join_next().await.is_some() {}
        // What the processes leave behind is ended by their watchers.
        if timeout(END_GRACE, self.watchers.settled()).await.is_err() {
            warn!("processes of ClientApps did not end in time");
        }
        self.upstream.say_goodbye().await;
        self.servers_stopper.stop();
        while self.servers.join_next().await.is_some() {}
        self.host.settled().await;
        info!("SuperNode terminated gracefully.");
    }
}

/// The open ports.
struct Open {
    clientappio: Listener,
    health: Option<Listener>,
    metrics: Option<Listener>,
}

/// Opens the ports for ClientApps, for health checks and for numbers.
async fn open_ports(config: &Config, limits: &Limits) -> Result<Open, Error> {
    let security = AppTls::security(config.clientappio.tls.as_ref());
    let address = config.clientappio.address.to_string();
    let service = config.clientappio.service();
    let clientappio = open(&address, security, service, limits).await?;
    let health = match &config.health {
        Some(address) => {
            Some(open(&address.to_string(), Security::Plaintext, HEALTH, limits).await?)
        }
        None => None,
    };
    let metrics = match &config.metrics {
        Some(place) => Some(place.open(limits.clone()).await?),
        None => None,
    };
    Ok(Open {
        clientappio,
        health,
        metrics,
    })
}

async fn open(
    address: &str,
    security: Security,
    service: Service,
    limits: &Limits,
) -> Result<Listener, Error> {
    Ok(Listener::bind(address, security, service, limits.clone()).await?)
}

/// Has the processes that the node starts speak TLS with ClientAppIo, if it is spoken there.
fn trusting(launch: Launch, tls: Option<&AppTls>, clientappio: &Bound) -> Launch {
    match (launch, tls) {
        (
            Launch::Subprocess {
                program,
                ahead,
                reuse,
            },
            Some(tls),
        ) => {
            let host = clientappio.reachable().ip().to_string();
            let (program, told) = tls.trusted_by(program, &host);
            if let Some(warning) = told {
                warn!("{warning}");
            }
            Launch::Subprocess {
                program,
                ahead,
                reuse,
            }
        }
        (launch, _) => launch,
    }
}

fn serve(
    tasks: &mut JoinSet<Result<(), Error>>,
    listener: Listener,
    routes: Routes,
    stopper: &Stopper,
) {
    let stopper = stopper.clone();
    tasks.spawn(async move { Ok(listener.serve(routes, stopper).await?) });
}

fn connect(config: &Config, clock: Arc<dyn Clock>) -> Upstream {
    let superlink = &config.superlink;
    let channel = channel::channel_or(
        (&superlink.host, superlink.port),
        config.other_port,
        &config.trust,
        &config.route,
    );
    let signer = signer(config.key.private.clone(), clock);
    let key = config.key.private.public_key();
    Upstream::new(
        channel,
        signer,
        superlink.to_string(),
        &config.trust,
        key,
        Lasting::of(&config.key),
        config.persistence,
    )
    .with_room(room(config))
}

/// App processes with a native channel get the objects that are in shared memory without a copy.
fn room(config: &Config) -> Room {
    match config.clientappio.channel {
        AppChannel::Native => Room::Shared,
        AppChannel::Tcp => Room::Own,
    }
}

async fn keep_registered(upstream: Upstream, stopper: Stopper) -> Result<(), Error> {
    match upstream.keep_registered(&stopper).await {
        Ok(()) => Ok(()),
        Err(NotJoined::NoAnswer(NoAnswer::GaveUp { tries, reason })) => {
            Err(Error::GaveUp { tries, reason })
        }
        Err(NotJoined::NotServed(reason)) => Err(Error::NotServed(reason)),
        Err(other) => Err(Error::Task(other.to_string())),
    }
}

async fn keep_alive(upstream: Upstream, stopper: Stopper) -> Result<(), Error> {
    stopper.run_until_stopped(upstream.keep_alive()).await;
    Ok(())
}

async fn keep_certified(
    upstream: Upstream,
    renewing: Renewing,
    stopper: Stopper,
) -> Result<(), Error> {
    stopper
        .run_until_stopped(upstream.keep_certified(renewing))
        .await;
    Ok(())
}

async fn keep_trust(upstream: Upstream, learning: Learning, stopper: Stopper) -> Result<(), Error> {
    stopper
        .run_until_stopped(upstream.learn_trust(learning))
        .await;
    Ok(())
}

async fn keep_fresh(renewals: Renewals, stopper: Stopper) -> Result<(), Error> {
    renewals.run(stopper).await;
    Ok(())
}
