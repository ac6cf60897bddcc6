//! The open ports, and what is served at each.

use std::sync::Arc;

use flwr_core::address::Address;
use flwr_daemon::appio::{AppChannel, AppChannels, AppTls};
use flwr_daemon::health;
use flwr_daemon::listen::{self, Bound, Limits, Listener, Meter, Security, Service, Strangers};
use flwr_daemon::metrics::Page;
use flwr_daemon::stop::Stopper;
use flwr_wire::InFlight;
use flwr_wire::door::{
    Control, ControlDoor, Driver, Exec, FleetDoor, HttpDoors, JoinDoor, JoinTokens, LaunchDoor,
    Runtime, RuntimeDoor, ServerAppIo, SimulationIo, Upkeep,
};
use tokio::task::JoinSet;
use tonic::service::Routes;

use super::common;
use super::services::{CONTROL, FLEET, HEALTH, JOIN, SERVERAPPIO};
use crate::auth::People;
use crate::config::{Config, Launch, Transport, Way};
use crate::host::{self, Apps, Host, JoinPlace};
use crate::link::Link;

/// Where a SuperLink listens, with the ports that were really taken.
#[derive(Debug, Clone)]
pub struct Addresses {
    /// For SuperNodes.
    pub fleet: Bound,
    /// For `flwr`.
    pub control: Bound,
    /// For ServerApp processes.
    pub serverappio: Bound,
    /// For SuperNodes that join and have no client certificate yet.
    pub join: Option<Bound>,
    /// For all of them over HTTP, unless the usual port was taken.
    pub common: Option<Bound>,
    /// For health checks.
    pub health: Option<Bound>,
    /// For numbers.
    pub metrics: Option<Bound>,
}

/// The open ports, by what is served there.
pub(super) struct Ports {
    fleet: Listener,
    control: Listener,
    serverappio: Listener,
    join: Option<Listener>,
    common: Option<Listener>,
    health: Option<Listener>,
    metrics: Option<Listener>,
    meter: Meter,
}

impl Ports {
    pub(super) async fn open(config: &Config) -> Result<Self, listen::Error> {
        let (fleet, control) = match &config.transport {
            Transport::Plaintext => (Security::Plaintext, Security::Plaintext),
            Transport::Tls(tls) => {
                let control = config.control_tls(tls);
                (Security::Tls(tls.asking()), Security::Tls(control))
            }
        };
        // Whoever comes there over TLS starts runs, as on Control.
        let serverappio = match &config.transport {
            Transport::Tls(tls) if config.serverappio.shares_tls => {
                Security::TlsOrLocal(tls.asking_people())
            }
            _ => AppTls::security(config.serverappio.tls.as_ref()),
        };
        // All ports share the places of strangers, as they share the files that may be open.
        let near = Limits {
            strangers: Strangers::new(config.max_strangers.map(usize::from)),
            ..Limits::default()
        };
        let far = Limits {
            balancers: config.balancers.clone(),
            ..near.clone()
        };
        let health = match &config.health {
            None => None,
            Some(address) => Some(bind(address, Security::Plaintext, HEALTH, &near).await?),
        };
        let metrics = match &config.metrics {
            None => None,
            Some(place) => Some(place.open(near.clone()).await?),
        };
        let join = match (&config.joining.address, &config.transport) {
            (Some(address), Transport::Tls(tls)) => {
                Some(bind(address, Security::Tls(tls.open()), JOIN, &far).await?)
            }
            _ => None,
        };
        let fleet = bind(&config.fleet, fleet, FLEET, &far).await?;
        let control = bind(&config.control, control, CONTROL, &far).await?;
        let serverappio =
            bind(&config.serverappio.address, serverappio, SERVERAPPIO, &near).await?;
        let common = common::bind(config, &far).await?;
        Ok(Self {
            common,
            fleet: fleet.only_for(config.clients.clone()),
            control: control.only_for(config.list_of_people()),
            serverappio: serverappio.only_for(config.list_of_people()),
            join,
            health,
            metrics,
            meter: near.meter,
        })
    }

    pub(super) fn addresses(&self) -> Addresses {
        Addresses {
            fleet: self.fleet.bound().clone(),
            control: self.control.bound().clone(),
            serverappio: self.serverappio.bound().clone(),
            join: self.join.as_ref().map(Listener::bound).cloned(),
            common: self.common.as_ref().map(Listener::bound).cloned(),
            health: self.health.as_ref().map(Listener::bound).cloned(),
            metrics: self.metrics.as_ref().map(Listener::bound).cloned(),
        }
    }

    /// Counts the connections of all ports.
    pub(super) const fn meter(&self) -> &Meter {
        &self.meter
    }

    pub(super) fn serve(
        self,
        host: &Host,
        (config, page): (&Config, Option<Page>),
        stopper: &Stopper,
    ) -> JoinSet<Result<(), listen::Error>> {
        let fleet =
            Routes::new(FleetDoor::new(host.clone())).add_service(JoinDoor::new(host.clone()));
        let control = control(host.clone());
        let serverappio = serverappio(host.clone(), config);
        let on_fleet = HttpDoors::new().with(FleetDoor::new(host.clone()));
        let on_control = HttpDoors::new().with(ControlDoor::<_, Control>::new(host.clone()));
        let runtime = RuntimeDoor::<_, Runtime>::for_serverapps(host.clone());
        let on_serverappio = HttpDoors::new().with(runtime);
        let mut servers = JoinSet::new();
        if let Some(listener) = self.join {
            let join = Routes::new(JoinDoor::only_to_join(host.clone()));
            servers.spawn(listener.serve(join, stopper.clone()));
        }
        let fleet_port = self.fleet.watched_by(Arc::new(host.clone()));
        let ports = [
            (fleet_port.with_http1(on_fleet), fleet),
            (self.control.with_http1(on_control), control),
            (self.serverappio.with_http1(on_serverappio), serverappio),
        ];
        for (listener, routes) in ports {
            servers.spawn(listener.serve(routes, stopper.clone()));
        }
        if let Some(listener) = self.common {
            let listener = listener.with_http1_alone(common::doors(host, config));
            let listener = listener.watched_by(Arc::new(host.clone()));
            servers.spawn(listener.serve(Routes::default(), stopper.clone()));
        }
        if let Some(listener) = self.health {
            let link = Arc::clone(host.link());
            let health = health::service_while(move || link.can_write());
            servers.spawn(listener.serve(Routes::new(health), stopper.clone()));
        }
        if let (Some(listener), Some(page)) = (self.metrics, page) {
            servers.spawn(page.serve(listener, stopper.clone()));
        }
        servers
    }
}

/// The native channels of the ServerApps that the SuperLink starts, if they are to have them. What they
/// reach is what they would reach at `address`.
pub(super) fn channels(host: &Host, config: &Config, address: &str) -> Option<AppChannels> {
    if config.serverappio.channel != AppChannel::Native {
        return None;
    }
    let runtime = RuntimeDoor::<_, Runtime>::for_serverapps(host.clone());
    Some(AppChannels::new(
        address.to_owned(),
        serverappio(host.clone(), config),
        HttpDoors::new().with(runtime),
    ))
}

/// The host behind the doors of all ports.
pub(super) fn host(link: &Arc<Link>, config: &Config, addresses: &Addresses) -> Host {
    let joining = JoinPlace {
        tls: config.transport.tls().cloned(),
        fleet: addresses.fleet.reachable().port(),
        own: addresses.join.as_ref().map(|join| join.reachable().port()),
        authority: config.joining.authority.clone(),
    };
    Host::new(host::Parts {
        link: Arc::clone(link),
        policy: config.policy.clone(),
        own_key: config.own_key.clone(),
        clients: config.clients.clone(),
        people: People::new(config.people.clone(), config.transport.tls().cloned()),
        joining,
        accounts: config.accounts.clone(),
        apps: apps(config),
        launchers: config.serverappio.launchers.clone(),
        is_insecure: matches!(config.transport, Transport::Plaintext),
        in_flight: InFlight::new(config.max_in_flight),
    })
}

async fn bind(
    address: &Address,
    security: Security,
    service: Service,
    limits: &Limits,
) -> Result<Listener, listen::Error> {
    Listener::bind(&address.to_string(), security, service, limits.clone()).await
}

fn control(host: Host) -> Routes {
    Routes::new(ControlDoor::<_, Control>::new(host.clone()))
        .add_service(ControlDoor::<_, Exec>::new(host.clone()))
        .add_service(ControlDoor::<_, JoinTokens>::new(host.clone()))
        .add_service(ControlDoor::<_, Upkeep>::new(host))
}

fn serverappio(host: Host, config: &Config) -> Routes {
    let apps = Routes::new(RuntimeDoor::<_, ServerAppIo>::new(host.clone()))
        .add_service(RuntimeDoor::<_, Runtime>::for_serverapps(host.clone()))
        .add_service(RuntimeDoor::<_, SimulationIo>::new(host.clone()));
    let insecure = matches!(config.transport, Transport::Plaintext);
    if !insecure && !config.serverappio.shares_tls {
        // Runs are started on Control alone.
        return apps;
    }
    apps.add_service(LaunchDoor::new(host.clone()))
        .add_service(RuntimeDoor::<_, Driver>::new(host))
}

/// Who starts the processes of ServerApps, and how they are admitted.
fn apps(config: &Config) -> Apps {
    match config.launch {
        Launch::Process => Apps::OfStrangers,
        Launch::Subprocess {
            way: Way::Tokenless,
            ..
        } => Apps::Tokenless,
        Launch::Subprocess { .. } => Apps::WithTokens,
    }
}
