//! The open ports, and what is served at each.

use std::sync::Arc;

use flwr_core::address::Address;
use flwr_daemon::health;
use flwr_daemon::listen::{self, Bound, Limits, Listener, Security, Service};
use flwr_daemon::stop::Stopper;
use flwr_security::shared_secret::Secrets;
use tokio::task::JoinSet;
use tonic::service::Routes;
use tower::Layer;

use super::services::{CONTROL, FLEET, HEALTH, SERVERAPPIO};
use crate::api::{ControlApi, Exec, FleetApi, LaunchApi, ServerAppIoApi, UpkeepApi};
use crate::auth::{FleetAuth, ListedClients, Policy, SignedIn};
use crate::config::{Config, Launch, Transport, Way};
use crate::link::Link;
use crate::older::{Dialects, Driver, Entry, OlderApps, Tasks};

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

/// The open ports, by what is served there.
pub(super) struct Ports {
    fleet: Listener,
    control: Listener,
    serverappio: Listener,
    health: Option<Listener>,
}

impl Ports {
    pub(super) async fn open(config: &Config) -> Result<Self, listen::Error> {
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

    pub(super) fn addresses(&self) -> Addresses {
        Addresses {
            fleet: self.fleet.bound().clone(),
            control: self.control.bound().clone(),
            serverappio: self.serverappio.bound().clone(),
            health: self.health.as_ref().map(Listener::bound).cloned(),
        }
    }

    pub(super) fn serve(
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
) -> Result<Listener, listen::Error> {
    Listener::bind(&address.to_string(), security, service, Limits::default()).await
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
    let asks = matches!(config.launch, Launch::Subprocess { way: Way::Asks, .. });
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
fn entry(config: &Config) -> Entry {
    match (&config.policy, &config.own_key) {
        (Policy::AnyKey, _) => Entry::Open,
        (Policy::Listed(allowed), Some(own)) => Entry::Keys {
            allowed: Arc::clone(allowed),
            secrets: Arc::new(Secrets::new(own.clone())),
        },
        (Policy::Listed(_), None) => Entry::Closed,
    }
}
