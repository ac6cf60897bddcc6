//! What the flags mean: every file read and every rule checked before a port is bound.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use flwr_core::address::Address;
use flwr_daemon::apps::Program;
use flwr_daemon::clock::FollowingClock;
use flwr_daemon::listen::Balancers;
use flwr_daemon::metrics::MetricsPlace;
use flwr_security::client_list::ClientList;
use flwr_security::from_file::FromFile;
use flwr_security::key::PrivateKey;
use flwr_security::tls::{PortTls, ServerTls};

mod accounts;
mod appio;
mod error;
mod joining;
mod keys;
mod older;
mod places;
mod shared;
mod transport;

use accounts::accounts;
pub use appio::ServerAppIo;
use appio::{advertised, appio};
pub use error::ConfigError;
use joining::joining;
pub use joining::{Joining, JoiningError};
use keys::policy;
use older::{Older, deprecations, not_built};
pub use places::{database, places};
pub use shared::SharedSettings;
use transport::transport;

use crate::accounts::Accounts;
use crate::args::{Args, ClientAuth, Isolation, Start};
use crate::auth::Policy;
use crate::link::state::Care;
use crate::link::{Holds, Keep};
use crate::store::Places;

/// Flower's ports.
const CONTROL_ADDRESS: &str = "0.0.0.0:9093";
const COMMON_HOST: &str = "127.0.0.1";
const COMMON_PORT: u16 = 8000;

/// Where all services are reached together over HTTP.
#[derive(Debug, Clone)]
pub struct Common {
    /// Its address.
    pub address: Address,
    /// Whether somebody asked for it: then it must be free.
    pub is_given: bool,
}

/// What a SuperLink is made from.
#[derive(Debug)]
pub struct Config {
    /// Where SuperNodes connect to.
    pub fleet: Address,
    /// Where `flwr` connects to.
    pub control: Address,
    /// How ServerApp processes are served.
    pub serverappio: ServerAppIo,
    /// Where all services are reached together over HTTP.
    pub common: Common,
    /// Where health checks are answered.
    pub health: Option<Address>,
    /// Where numbers for Prometheus are served.
    pub metrics: Option<MetricsPlace>,
    /// How Fleet and Control are spoken.
    pub transport: Transport,
    /// Whether `flwr` is asked for a certificate, where clients are.
    pub control_asks: bool,
    /// Who may speak Fleet.
    pub policy: Policy,
    /// How SuperNodes join where they are asked for client certificates.
    pub joining: Joining,
    /// The key by which SuperNodes of flwr 1.9 to 1.14 and the SuperLink know each other, where they
    /// are served.
    pub own_key: Option<PrivateKey>,
    /// Which clients are let in of those with a good certificate; `None`: all of them.
    pub clients: Option<Arc<FromFile<ClientList>>>,
    /// Which clients are let in on the ports for people; `None`: those of the list above.
    pub people: Option<Arc<FromFile<ClientList>>>,
    /// Who may speak Control, where people sign in.
    pub accounts: Option<Arc<Accounts>>,
    /// Who starts ServerApp processes.
    pub launch: Launch,
    /// Where state and bytes are kept.
    pub places: Places,
    /// Bytes that state and objects may take, before new ones are refused.
    pub max_storage: Option<u64>,
    /// How many connections without an admitted caller one address may have, if that is given.
    pub max_strangers: Option<u16>,
    /// The balancers that tell the address of their clients.
    pub balancers: Balancers,
    /// Bytes of requests that may be under way at the same time.
    pub max_in_flight: u64,
    /// Which finished runs are kept.
    pub keep_runs: Keep,
    /// Runs whose ServerApp is gone after a restart begin again.
    pub resume_runs: bool,
    /// How long another SuperLink of the state is silent before its runs are taken over.
    pub takeover_after: Duration,
    /// Where the ServerApps that this SuperLink starts connect to, if they reach others there too.
    pub advertised: Option<Address>,
    /// Flower's home, for the ServerApp processes.
    pub flwr_dir: Option<PathBuf>,
    /// How long calls are held.
    pub holds: Holds,
    /// The clock that everything goes by.
    pub clock: Arc<FollowingClock>,
    /// What must be the same at all SuperLinks of one database.
    pub shared: SharedSettings,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

/// How a port is spoken to.
#[derive(Debug)]
pub enum Transport {
    /// In plaintext.
    Plaintext,
    /// With this certificate.
    Tls(ServerTls),
}

/// Who starts ServerApp processes, and with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Launch {
    /// The SuperLink.
    Subprocess {
        /// `flwr-serverapp`.
        program: Program,
        /// Whether a process is started for the next run before there is one.
        ahead: bool,
        /// How its processes come by their run.
        way: Way,
    },
    /// Somebody else: their processes ask for a run.
    Process,
}

impl Launch {
    /// How the processes come by their runs, if the SuperLink starts them.
    const fn way(&self) -> Option<Way> {
        match self {
            Self::Subprocess { way, .. } => Some(*way),
            Self::Process => None,
        }
    }
}

/// How a ServerApp process comes by its run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// By the token it was started with: flwr 1.21 and later.
    Token,
    /// It has no token, and asks for any pending run: flwr 1.13 to 1.20.
    Tokenless,
}

impl Transport {
    /// The TLS that is spoken, if any.
    #[must_use]
    pub const fn tls(&self) -> Option<&ServerTls> {
        match self {
            Self::Plaintext => None,
            Self::Tls(tls) => Some(tls),
        }
    }
}

impl Config {
    /// Who tends the ServerApps that come here.
    #[must_use]
    pub const fn care(&self) -> Care {
        match (&self.launch, &self.advertised) {
            (Launch::Process, _) => Care::Others,
            (Launch::Subprocess { .. }, None) => Care::Here,
            (Launch::Subprocess { .. }, Some(_)) => Care::Anywhere,
        }
    }

    /// The TLS of the ports for people.
    #[must_use]
    pub fn control_tls(&self, tls: &ServerTls) -> PortTls {
        match self.control_asks {
            true => tls.asking_people(),
            false => tls.open(),
        }
    }

    /// The list that counts on the ports for people: their own, or that of all clients where people
    /// have no CA of their own.
    #[must_use]
    pub fn list_of_people(&self) -> Option<Arc<FromFile<ClientList>>> {
        let shares_ca = self.transport.tls().is_none_or(ServerTls::shares_client_ca);
        let of_all = self.clients.clone().filter(|_| shares_ca);
        self.people.clone().or(of_all)
    }
}

impl TryFrom<Args> for Config {
    type Error = ConfigError;

    fn try_from(args: Args) -> Result<Self, ConfigError> {
        let places = places(&args)?;
        not_built(&args, |name| env::var(name).ok())?;
        let mut warnings = deprecations(&args, |name| env::var(name).ok());
        let older = Older::of(&args);
        let args = args.modern();
        let (transport, told) = transport(&args)?;
        warnings.extend(told);
        let (own_key, told) = older.own_key(&args)?;
        warnings.extend(told);
        let clock = Arc::<FollowingClock>::default();
        let (accounts, told) = accounts(&args, &transport, &clock)?;
        warnings.extend(told);
        let (serverappio, told) = appio(&args)?;
        warnings.extend(told);
        let policy = policy(&args, &transport)?;
        let (joining, told) = joining(&args)?;
        warnings.extend(told);
        let launch = launch(&args)?;
        let (metrics, told) = MetricsPlace::load(&args.metrics)?;
        warnings.extend(told);
        let advertised = advertised(&args, &serverappio, launch.way())?;
        let shared = SharedSettings::of(&args, own_key.as_ref());
        let control = args.control_api_address.or(args.exec_api_address);
        Ok(Self {
            fleet: address("--fleet-api-address", &args.fleet_api_address)?,
            control: address(
                "--control-api-address",
                control.as_deref().unwrap_or(CONTROL_ADDRESS),
            )?,
            serverappio,
            common: common(args.host.as_deref(), args.port)?,
            health: args
                .health_server_address
                .map(|given| address("--health-server-address", &given))
                .transpose()?,
            metrics,
            control_asks: args.control_client_auth == ClientAuth::Required,
            policy,
            joining,
            own_key,
            clients: clients(
                "--ssl-client-allow-list",
                args.ssl_client_allow_list.as_deref(),
            )?,
            people: clients(
                "--ssl-control-client-allow-list",
                args.ssl_control_client_allow_list.as_deref(),
            )?,
            accounts,
            transport,
            launch,
            places,
            max_storage: args.max_storage,
            max_strangers: args.max_strangers,
            balancers: Balancers::new(&args.proxy_protocol_from),
            max_in_flight: args.max_in_flight,
            keep_runs: args.keep_runs,
            resume_runs: args.resume_runs,
            takeover_after: Duration::from_secs(args.server.takeover_after),
            advertised,
            flwr_dir: args.flwr_dir,
            holds: Holds {
                node: args.node_hold,
                app: args.app_hold,
                short_linger: args.reply_linger,
                ..Holds::default()
            },
            clock,
            shared,
            warnings,
        })
    }
}

/// Where all services are reached together.
fn common(host: Option<&str>, port: Option<u16>) -> Result<Common, ConfigError> {
    let is_given = host.is_some() || port.is_some();
    let host = host.unwrap_or(COMMON_HOST);
    let host = match host.contains(':') && !host.starts_with('[') {
        true => format!("[{host}]"),
        false => host.to_owned(),
    };
    let port = port.unwrap_or(COMMON_PORT);
    Ok(Common {
        address: address("--host", &format!("{host}:{port}"))?,
        is_given,
    })
}

fn clients(
    flag: &'static str,
    list: Option<&Path>,
) -> Result<Option<Arc<FromFile<ClientList>>>, ConfigError> {
    let list = list.map(FromFile::load).transpose();
    let list = list.map_err(|source| ConfigError::Clients { flag, source })?;
    Ok(list.map(Arc::new))
}

fn launch(args: &Args) -> Result<Launch, ConfigError> {
    match args.isolation {
        Isolation::Process => Ok(Launch::Process),
        Isolation::Subprocess => {
            let program = Program::find("flwr-serverapp").map_err(ConfigError::NoServerApp)?;
            let program = match args.appio.allow_runtime_dependency_installation {
                true => program.installing().map_err(ConfigError::ServerApp)?,
                false => program,
            };
            let way = match program.gives_token_to_serverapp() {
                true => Way::Token,
                false => Way::Tokenless,
            };
            Ok(Launch::Subprocess {
                program,
                ahead: args.serverapp_start == Start::Ahead && way == Way::Token,
                way,
            })
        }
    }
}

fn address(flag: &'static str, given: &str) -> Result<Address, ConfigError> {
    given
        .parse()
        .map_err(|source| ConfigError::Address { flag, source })
}

#[cfg(test)]
mod tests;
